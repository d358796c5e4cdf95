/* SPDX-License-Identifier: MIT */
/* print.c: what the kernel has to say, to the console and into a ring that dmesg reads. */
#include "guest-kernel/kernel/base.h"

#define RING 8192u

static struct {
    char   text[RING];
    size_t written;                                 /* ever; the ring keeps the last RING bytes */
    size_t cleared;                                 /* dmesg_clear: nothing before this is shown */
    bool   quiet;
} ring;

struct out { char *buf; size_t size, n; };

static void put(struct out *o, char c)
{
    if (o->n + 1 < o->size)
        o->buf[o->n] = c;
    o->n++;
}

static void put_padded(struct out *o, const char *s, size_t n, int width, bool left, char pad)
{
    int fill = width - (int)n;
    for (; !left && fill > 0; fill--)
        put(o, pad);
    for (size_t i = 0; i < n; i++)
        put(o, s[i]);
    for (; left && fill > 0; fill--)
        put(o, ' ');
}

static void put_number(struct out *o, unsigned long v, unsigned base, bool minus, int width, bool left, char pad)
{
    char digits[24], *p = digits + sizeof(digits);
    do
        *--p = "0123456789abcdef"[v % base];
    while (v /= base);
    if (minus && pad == '0') {
        put(o, '-');
        width--;
    } else if (minus) {
        *--p = '-';
    }
    put_padded(o, p, digits + sizeof(digits) - p, width, left, pad);
}

static const char *put_one(struct out *o, const char *f, va_list *ap)
{
    bool left = false, is_long = false;
    char pad = ' ';
    int width = 0;
    for (; *f == '-' || *f == '0'; f++) {
        left |= *f == '-';
        pad = *f == '0' ? '0' : pad;
    }
    if (*f == '*') {
        width = va_arg(*ap, int);
        f++;
    }
    while (*f >= '0' && *f <= '9')
        width = width * 10 + *f++ - '0';
    while (*f == 'l' || *f == 'z') {
        is_long = true;
        f++;
    }
    switch (*f) {
    case 'd': {
        long v = is_long ? va_arg(*ap, long) : va_arg(*ap, int);
        put_number(o, v < 0 ? -(unsigned long)v : (unsigned long)v, 10, v < 0, width, left, pad);
        break;
    }
    case 'u':
    case 'x':
    case 'o': {
        unsigned long v = is_long ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
        put_number(o, v, *f == 'u' ? 10 : *f == 'x' ? 16 : 8, false, width, left, pad);
        break;
    }
    case 'p':
        put_number(o, (uintptr_t)va_arg(*ap, void *), 16, false, 16, false, '0');
        break;
    case 's': {
        const char *s = va_arg(*ap, const char *);
        s = s ? s : "(null)";
        put_padded(o, s, strlen(s), width, left, ' ');
        break;
    }
    case 'c':
        put(o, va_arg(*ap, int));
        break;
    case 0:
        return f;
    default:
        put(o, *f);
    }
    return f + 1;
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = { buf, size, 0 };
    va_list args;
    va_copy(args, ap);
    while (*fmt) {
        if (*fmt != '%')
            put(&o, *fmt++);
        else
            fmt = put_one(&o, fmt + 1, &args);
    }
    va_end(args);
    if (size)
        buf[MIN(o.n, size - 1)] = 0;
    return o.n;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = kvsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

/* The serial line wants a carriage return too. */
static void console_text(const char *s, size_t n)
{
    for (size_t from = 0, i = 0; i <= n; i++) {
        if (i == n || s[i] == '\n') {
            plat_console_write(s + from, i - from);
            if (i < n)
                plat_console_write("\r\n", 2);
            from = i + 1;
        }
    }
}

static void log_text(bool show, const char *fmt, va_list ap)
{
    char line[256];
    size_t n = MIN((size_t)kvsnprintf(line, sizeof(line), fmt, ap), sizeof(line) - 1);
    for (size_t i = 0; i < n; i++)
        ring.text[ring.written++ % RING] = line[i];
    if (show)
        console_text(line, n);
}

void kvprintf(const char *fmt, va_list ap) { log_text(!ring.quiet, fmt, ap); }

void klog(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_text(false, fmt, ap);
    va_end(ap);
}

void kprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    kvprintf(fmt, ap);
    va_end(ap);
}

void print_quiet(bool quiet) { ring.quiet = quiet; }

void panic(const char *fmt, ...)
{
    va_list ap;
    ring.quiet = false;
    kprintf("novice: panic: ");
    va_start(ap, fmt);
    kvprintf(fmt, ap);
    va_end(ap);
    kprintf("\n");
    plat_crash();
}

static size_t ring_start(void)
{
    size_t oldest = ring.written > RING ? ring.written - RING : 0;
    return MAX(oldest, ring.cleared);
}

size_t dmesg_size(void) { return ring.written - ring_start(); }
void dmesg_clear(void) { ring.cleared = ring.written; }

long dmesg_read(size_t skip, char *buf, size_t n)
{
    size_t from = ring_start() + skip, copied = 0;
    while (copied < n && from < ring.written)
        buf[copied++] = ring.text[from++ % RING];
    return copied;
}
