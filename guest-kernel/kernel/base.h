/* SPDX-License-Identifier: MIT */
/* base.h: what every file of the kernel uses: fixed-width types, strings, printing, memory in small pieces. */
#ifndef NOVICE_BASE_H
#define NOVICE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-kernel/kernel/list.h"
#include "guest-kernel/platform.h"
#include "guest-kernel/uapi/newlib.h"

typedef uintptr_t uptr_t;          /* a user address: only usercopy.h follows it */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, n)   (((x) + (n) - 1) & ~((typeof(x))(n) - 1))
#define ROUND_DOWN(x, n) ((x) & ~((typeof(x))(n) - 1))
#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MS  1000000ul
#define __printf(f, a) __attribute__((format(printf, f, a)))

/* lib/string.c */
void  *memcpy(void *to, const void *from, size_t n);
void  *memmove(void *to, const void *from, size_t n);
void  *memset(void *to, int byte, size_t n);
int    memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int    strcmp(const char *a, const char *b);
int    strncmp(const char *a, const char *b, size_t n);
char  *strchr(const char *s, int c);
char  *strrchr(const char *s, int c);
/* Copies what fits and always ends it with a zero; returns strlen(from). size > 0. */
size_t strlcpy(char *to, const char *from, size_t size);
/* Decimal, or hexadecimal after 0x; *end (if not null) gets the first character left over. */
unsigned long parse_number(const char *s, const char **end);

/* print.c: %d %u %x %ld %lu %lx %p %s %c %%, widths, '-' and '0'. */
int  kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int  ksnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
void kprintf(const char *fmt, ...) __printf(1, 2);       /* to the message ring, and to the console unless `quiet` */
void klog(const char *fmt, ...) __printf(1, 2);          /* to the ring only: what dmesg may show and nobody waits for */
void kvprintf(const char *fmt, va_list ap);
void panic(const char *fmt, ...) __printf(1, 2) __attribute__((noreturn));
long dmesg_read(size_t skip, char *buf, size_t n);       /* skip bytes from the oldest kept; returns bytes copied */
size_t dmesg_size(void);
void dmesg_clear(void);
void print_quiet(bool quiet);
#define BUG_ON(x) do { if (x) panic("BUG: %s, at %s:%d", #x, __FILE__, __LINE__); } while (0)

/* heap.c: zeroed; null when memory is short. kfree(0) is fine. Any size up to 2 MiB (over 1 KiB in pages). */
void *kmalloc(size_t size);
void  kfree(void *p);
char *kstrdup(const char *s);

/* cmdline.c: words of the boot line. */
const char *cmdline(void);
/* The value of `key=`, copied into buf; false if absent. */
bool cmdline_value(const char *key, char *buf, size_t size);
bool cmdline_word(const char *word);

#endif
