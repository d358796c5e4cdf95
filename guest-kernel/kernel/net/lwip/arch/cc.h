/* SPDX-License-Identifier: MIT */
/* cc.h: what lwIP asks of the compiler and of the kernel around it. lwIP's files include this and not base.h, whose short names
 * (MIN, list_for) are not theirs to trip over. */
#ifndef NOVICE_LWIP_CC_H
#define NOVICE_LWIP_CC_H

#include <stddef.h>
#include <stdint.h>

#define BYTE_ORDER         LITTLE_ENDIAN
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_CTYPE_H    1
#define LWIP_NO_LIMITS_H   1
#define LWIP_NO_UNISTD_H   1
#ifndef INT_MAX
#define INT_MAX            0x7fffffff
#endif
#ifdef SSIZE_MAX
typedef long ssize_t;       /* on the build machine (tests/host), as its C library has it */
#endif
#define X8_F  "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "lu"

void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
uint32_t net_random(void);
void    *net_malloc(size_t size);
void    *net_calloc(size_t count, size_t size);
void     net_free(void *p);
uint16_t net_checksum(const void *data, int n);

#define LWIP_RAND()             net_random()
#define LWIP_PLATFORM_DIAG(x)   do { } while (0)
#define LWIP_PLATFORM_ASSERT(x) panic("lwIP: %s, at %s:%d", x, __FILE__, __LINE__)
#define LWIP_CHKSUM             net_checksum
#define LWIP_CHKSUM_ALGORITHM   0

#endif
