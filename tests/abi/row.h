/* SPDX-License-Identifier: MIT */
/* row.h: turns list.def into one array of 64-bit values. ours.c and xens.c differ only in the headers that
 * they include before this one; the array stands alone in a section, from which it is cut out.          */
#include <stddef.h>

/* A text is compared by a sum over its bytes, which the compiler has to know at compile time. */
#define AT(s, i)  (sizeof(s) > (i) ? (long long)(s)[(i) < sizeof(s) ? (i) : 0] * ((i) * 131 + 1) : 0)
#define AT8(s, i) (AT(s, i) + AT(s, i + 1) + AT(s, i + 2) + AT(s, i + 3) + AT(s, i + 4) + AT(s, i + 5) +   \
                   AT(s, i + 6) + AT(s, i + 7))

#define SIZE(type)           (long long)sizeof(type),
#define MEMBER(type, member) (long long)offsetof(type, member), (long long)sizeof(((type *)0)->member),
#define OFFSET(type, member) (long long)offsetof(type, member),
#define CONST(name)          (long long)(name),
#define TEXT(name)           AT8(name, 0) + AT8(name, 8) + AT8(name, 16) + AT8(name, 24) + AT8(name, 32),
#define CALL(expression)     (long long)(expression),

extern const long long values[];
__attribute__((section("abi_values"), used, aligned(8))) const long long values[] = {
#include "list.def"
};
