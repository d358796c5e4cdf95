/* SPDX-License-Identifier: MIT */
/* boot_host.c: what boot's tests share. */
#include "tests/host/boot_host.h"

#include <string.h>

#include "hypervisor/lib/print.h"

uint32_t host_random(void)
{
    static uint64_t x = 88172645463325252UL;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)(x >> 16);
}

void *host_copy(const void *p, size_t n)
{
    void *q = malloc(n ? n : 1);

    return memcpy(q, p, n);
}

size_t host_strlcpy(char *dst, const char *src, size_t size) __asm__("strlcpy");
size_t host_strlcpy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src), n = len < size ? len : size ? size - 1 : 0;

    if (size) {
        memcpy(dst, src, n);
        dst[n] = 0;
    }
    return len;
}

unsigned long parse_size(const char *s, const char **end);
unsigned long parse_size(const char *s, const char **end)
{
    char *e;
    unsigned long v = strtoul(s, &e, 0);
    const char *suffixes = "kKmMgG", *at = *e ? strchr(suffixes, *e) : NULL;

    if (at) {
        v <<= 10 * (1 + (at - suffixes) / 2);
        e++;
    }
    *end = e;
    return v;
}
