/* SPDX-License-Identifier: MIT */
/* format.c: printf's conversions, the few that messages of a hypervisor need.                           [read 2]
 *
 * Pure: it writes into the caller's buffer and knows no device, so the host's unit tests run it as it is.
 * print.c makes lines of what it forms.                                                              */
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"

/* Where output goes: bytes past the end are counted and not stored. */
struct out { char *buf; size_t size, len; };

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

/* One conversion as the format spelled it. */
struct spec { bool left, zero; int width, length; };

static void put_padded(struct out *o, const struct spec *s, const char *sign, const char *body, int n)
{
    int total = n + (int)strlen(sign);
    int fill = s->width > total ? s->width - total : 0;
    bool zeros = s->zero && !s->left;

    for (int i = 0; !s->left && !zeros && i < fill; i++)
        put(o, ' ');
    for (; *sign; sign++)
        put(o, *sign);
    for (int i = 0; zeros && i < fill; i++)
        put(o, '0');
    for (int i = 0; i < n; i++)
        put(o, body[i]);
    for (int i = 0; s->left && i < fill; i++)
        put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, const char *sign)
{
    char tmp[24];
    int n = sizeof(tmp);

    do {
        tmp[--n] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    put_padded(o, s, sign, tmp + n, (int)sizeof(tmp) - n);
}

static const char *parse_spec(const char *f, struct spec *s)
{
    *s = (struct spec){ 0 };
    for (; *f == '-' || *f == '0'; f++) {
        s->left |= *f == '-';
        s->zero |= *f == '0';
    }
    for (; *f >= '0' && *f <= '9'; f++)
        s->width = (s->width * 10 + (*f - '0')) % 1000;
    for (; *f == 'l' || *f == 'z'; f++)
        s->length++;
    return f;
}

static void put_conversion(struct out *o, char c, const struct spec *s, va_list *ap)
{
    const char *str;
    int64_t v;
    char one;

    switch (c) {
    case 'd':
        v = s->length ? va_arg(*ap, int64_t) : va_arg(*ap, int);
        put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0 ? "-" : "");
        break;
    case 'u':
    case 'x':
        put_number(o, s, s->length ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned), c == 'u' ? 10 : 16, "");
        break;
    case 'p':
        put_number(o, s, (uint64_t)va_arg(*ap, void *), 16, "0x");
        break;
    case 's':
        str = va_arg(*ap, const char *);
        put_padded(o, s, "", str ? str : "(null)", str ? (int)strnlen(str, 65536) : 6);
        break;
    case 'c':
        one = (char)va_arg(*ap, int);
        put_padded(o, s, "", &one, 1);
        break;
    default:
        put(o, '%');
        if (c && c != '%')
            put(o, c);
    }
}

int hv_vsnprintf(char *buf, size_t size, const char *f, va_list args)
{
    struct out o = { buf, size, 0 };
    struct spec s;
    va_list ap;

    va_copy(ap, args);
    for (; *f; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_spec(f + 1, &s);
        put_conversion(&o, *f, &s, &ap);
        if (!*f)
            break;
    }
    va_end(ap);
    if (size)
        buf[o.len < size ? o.len : size - 1] = 0;
    return (int)o.len;
}

int hv_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = hv_vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
