/* SPDX-License-Identifier: MIT */
/* modline.c: reads a module's text (design.md section 4).                                               [read 87]
 *
 *     domain=alice memory=32M vcpus=1 weight=256 -- init=/bin/sh
 *
 * Words before "--" are ours; what follows is the guest's, byte for byte. A line without domain= or ramdisk= is not
 * ours at all, as an entry written for Xen has none: it is passed through whole.                                */
#include "hypervisor/boot/modline.h"

#include <stdbool.h>

#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"

#define KNOWN_KEYS "domain, memory, vcpus, weight, cap, ramdisk"
#define VALUE_MAX  64

static bool blank(char c) { return c == ' ' || c == '\t'; }

static const char *skip_blanks(const char *s)
{
    while (blank(*s))
        s++;
    return s;
}

static size_t word_length(const char *s)
{
    size_t n = 0;

    while (s[n] && !blank(s[n]))
        n++;
    return n;
}

static bool is_separator(const char *word, size_t n) { return n == 2 && word[0] == '-' && word[1] == '-'; }

static bool starts(const char *word, const char *with) { return !strncmp(word, with, strlen(with)); }

/* Does a word before "--" begin with key? */
static bool has_word(const char *text, const char *key)
{
    for (const char *s = skip_blanks(text); *s; s = skip_blanks(s + word_length(s))) {
        if (is_separator(s, word_length(s)))
            return false;
        if (starts(s, key))
            return true;
    }
    return false;
}

/* ---- values ---- */

/* Names are printed, and typed at prompts: letters, digits, and - _ . only. */
static bool take_name(const char *v, char name[MODLINE_NAME])
{
    size_t n = strlen(v);

    if (!n || n >= MODLINE_NAME)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = v[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
        if (!ok)
            return false;
    }
    memcpy(name, v, n + 1);
    return true;
}

static bool take_size(const char *v, uint64_t *bytes)
{
    const char *end;

    if (*v < '0' || *v > '9')
        return false;
    *bytes = parse_size(v, &end);
    return !*end && *bytes != ~0UL;
}

static bool take_number(const char *v, uint32_t min, uint32_t max, uint32_t *n)
{
    uint64_t value;

    if (!take_size(v, &value) || value < min || value > max)
        return false;
    *n = (uint32_t)value;
    return true;
}

/* ---- one word ---- */

enum { WORD_OK, WORD_UNKNOWN, WORD_BAD_VALUE };

static int take_word(const char *key, const char *v, struct modline *out)
{
    bool ok;

    if (!strcmp(key, "domain"))
        ok = take_name(v, out->name);
    else if (!strcmp(key, "ramdisk"))
        ok = take_name(v, out->kind == MODLINE_RAMDISK ? out->name : out->ramdisk);
    else if (!strcmp(key, "memory"))
        ok = take_size(v, &out->memory) && out->memory;
    else if (!strcmp(key, "vcpus"))
        ok = take_number(v, 1, 32, &out->vcpus);
    else if (!strcmp(key, "weight"))
        ok = take_number(v, 1, 65535, &out->weight);
    else if (!strcmp(key, "cap"))
        ok = take_number(v, 0, 3200, &out->cap);
    else
        return WORD_UNKNOWN;
    return ok ? WORD_OK : WORD_BAD_VALUE;
}

static int parse_word(const char *word, size_t n, struct modline *out, char *err, size_t err_size)
{
    char buf[VALUE_MAX], *eq;

    strlcpy(buf, word, n + 1 < sizeof(buf) ? n + 1 : sizeof(buf));
    eq = n < sizeof(buf) ? strchr(buf, '=') : NULL;
    if (eq)
        *eq = 0;
    switch (eq ? take_word(buf, eq + 1, out) : WORD_UNKNOWN) {
    case WORD_OK:
        return 0;
    case WORD_BAD_VALUE:
        hv_snprintf(err, err_size, "'%s=%s' has a value that cannot be", buf, eq + 1);
        return -1;
    default:
        hv_snprintf(err, err_size, "'%s' is no key that a module line has (known: " KNOWN_KEYS
                    "; words for the guest stand behind --)", buf);
        return -1;
    }
}

int modline_parse(const char *text, struct modline *out, char *err, size_t err_size)
{
    *out = (struct modline){ .vcpus = 1, .weight = 256, .cmdline = "" };
    if (has_word(text, "domain="))
        out->kind = MODLINE_DOMAIN;
    else if (starts(skip_blanks(text), "ramdisk="))
        out->kind = MODLINE_RAMDISK;
    else {
        out->cmdline = text;
        return 0;
    }
    for (const char *s = skip_blanks(text); *s;) {
        size_t n = word_length(s);
        if (is_separator(s, n)) {
            out->cmdline = skip_blanks(s + n);
            return 0;
        }
        if (parse_word(s, n, out, err, err_size))
            return -1;
        s = skip_blanks(s + n);
    }
    return 0;
}
