/* SPDX-License-Identifier: MIT */
/* printf.c: printf FORMAT [ARGUMENT...]: the shell's builtin and a program of its own.
 *
 * The format is used again while arguments are left. Each conversion is handed to the C library alone, with
 * the flags and widths that were written, and with an argument of the kind that it wants.          */
#include "guest-kernel/user/box/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* s is behind a backslash; prints what it means and returns what follows. */
static const char *escape(const char *s)
{
    static const char from[] = "abefnrtv\\\"'", to[] = "\a\b\033\f\n\r\t\v\\\"'";
    const char *hit = *s ? strchr(from, *s) : NULL;
    int value = 0, digits = 0;

    if (hit) {
        putchar(to[hit - from]);
        return s + 1;
    }
    while (digits < 3 && *s >= '0' && *s <= '7') {
        value = value * 8 + (*s++ - '0');
        digits++;
    }
    putchar(digits ? value : '\\');
    return s;
}

static void escaped(const char *s)
{
    while (*s) {
        if (*s == '\\')
            s = escape(s + 1);
        else
            putchar(*s++);
    }
}

static bool bad;

static long integer(const char *text)
{
    char *end;
    long value = text[0] == '\'' ? text[1] : strtol(text, &end, 0);

    if (text[0] != '\'' && (*end || (end == text && text[0]))) {
        fiprintf(stderr, "printf: %s: not a number\n", text);
        bad = true;
    }
    return value;
}

/* One conversion, spec[0] being '%' and its last character the letter. */
static void convert(const char *spec, size_t length, const char *arg)
{
    char format[32];

    if (length > sizeof(format) - 3) {
        bad = true;
        return;
    }
    memcpy(format, spec, length - 1);
    switch (spec[length - 1]) {
    case 's':
        strcpy(format + length - 1, "s");
        iprintf(format, arg);
        break;
    case 'c':
        strcpy(format + length - 1, "c");
        iprintf(format, arg[0]);
        break;
    case 'b':
        escaped(arg);
        break;
    case 'd': case 'i': case 'u': case 'x': case 'X': case 'o':
        format[length - 1] = 'l';
        format[length] = spec[length - 1];
        format[length + 1] = '\0';
        iprintf(format, integer(arg));
        break;
    default:
        fiprintf(stderr, "printf: %.*s: not a conversion\n", (int)length, spec);
        bad = true;
    }
}

int printf_main(int argc, char **argv)
{
    int next = 2;

    bad = false;
    if (argc < 2) {
        fiprintf(stderr, "usage: printf FORMAT [ARGUMENT...]\n");
        return 2;
    }
    do {
        int before = next;

        for (const char *s = argv[1]; *s && !bad;) {
            if (*s == '\\') {
                s = escape(s + 1);
            } else if (s[0] == '%' && s[1] == '%') {
                putchar('%');
                s += 2;
            } else if (*s == '%') {
                size_t length = 1 + strspn(s + 1, "-+ #0123456789.");

                length += s[length] != '\0';
                convert(s, length, next < argc ? argv[next] : "");
                next++;
                s += length;
            } else {
                putchar(*s++);
            }
        }
        if (next == before)
            break;
    } while (next < argc && !bad);
    fflush(stdout);
    return bad;
}
