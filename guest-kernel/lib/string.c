/* SPDX-License-Identifier: MIT */
/* string.c: the few functions of <string.h> that the kernel uses. Words first: an emulated PC feels every byte. */
#include "guest-kernel/kernel/base.h"

void *memcpy(void *to, const void *from, size_t n)
{
    void *d = to;
    size_t words = n / 8;
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) :: "memory");
    n &= 7;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) :: "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    if ((uintptr_t)to - (uintptr_t)from >= n)
        return memcpy(to, from, n);
    char *d = to;
    for (const char *s = from; n-- > 0;)
        d[n] = s[n];
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    void *d = to;
    size_t words = n / 8;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ul;
    __asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
    n &= 7;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(pattern) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n])
        n++;
    return n;
}

size_t strlen(const char *s)
{
    const char *p = s;
    while (*p)
        p++;
    return p - s;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0 && *a && *a == *b; n--)
        a++, b++;
    return n == 0 ? 0 : (uint8_t)*a - (uint8_t)*b;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return 0;
    }
}

char *strrchr(const char *s, int c)
{
    char *last = 0;
    for (; *s; s++)
        if (*s == (char)c)
            last = (char *)s;
    return last;
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    size_t n = strlen(from), copy = MIN(n, size - 1);
    memcpy(to, from, copy);
    to[copy] = 0;
    return n;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

unsigned long parse_number(const char *s, const char **end)
{
    unsigned long v = 0;
    int base = 10;
    if (s[0] == '0' && (s[1] | 0x20) == 'x') {
        base = 16;
        s += 2;
    }
    while (digit(*s) < base)
        v = v * base + digit(*s++);
    if (end)
        *end = s;
    return v;
}
