/* SPDX-License-Identifier: MIT */
/* text.c: small parsers that never guess: what they do not understand whole,
 * they refuse, and the caller says what was expected.                        */
#include "dom0-tools/libenso/text.h"

#include <stdio.h>
#include <string.h>

static int digit_of(char c, unsigned base)
{
    int d = -1;

    if (c >= '0' && c <= '9')
        d = c - '0';
    else if (c >= 'a' && c <= 'f')
        d = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
        d = c - 'A' + 10;
    return d >= 0 && (unsigned)d < base ? d : -1;
}

bool text_number(const char *s, uint64_t *value)
{
    unsigned base = 10;
    uint64_t v = 0;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    if (*s == '\0')
        return false;
    for (; *s; s++) {
        int d = digit_of(*s, base);

        if (d < 0 || v > (UINT64_MAX - (uint64_t)d) / base)
            return false;
        v = v * base + (uint64_t)d;
    }
    *value = v;
    return true;
}

bool text_memory(const char *s, uint64_t *kib)
{
    static const char units[] = "kKmMgGtT";
    char digits[24];
    size_t n = strlen(s);
    const char *unit = n ? strchr(units, s[n - 1]) : NULL;
    uint64_t scale = 1ull << (unit ? (unit - units) / 2 * 10 : 10), v;

    n -= unit != NULL;
    if (n >= sizeof(digits))
        return false;
    memcpy(digits, s, n);
    digits[n] = '\0';
    if (!text_number(digits, &v) || v > UINT64_MAX / 1024 / scale)
        return false;
    *kib = v * scale;
    return true;
}

/* One CPU number at *s, which is moved past it. */
static bool take_cpu(const char **s, unsigned *cpu)
{
    unsigned v = 0;
    const char *p = *s;

    while (*p >= '0' && *p <= '9' && v < 64)
        v = v * 10 + (unsigned)(*p++ - '0');
    if (p == *s || v > 63)
        return false;
    *s = p;
    *cpu = v;
    return true;
}

/* One part: "5", "0-3", "^2". */
static bool take_range(const char **s, uint64_t *mask)
{
    bool without = **s == '^';
    unsigned first, last;
    uint64_t bits = 0;

    if (without)
        (*s)++;
    if (!take_cpu(s, &first))
        return false;
    last = first;
    if (**s == '-') {
        (*s)++;
        if (!take_cpu(s, &last) || last < first)
            return false;
    }
    for (unsigned cpu = first; cpu <= last; cpu++)
        bits |= 1ull << cpu;
    *mask = without ? *mask & ~bits : *mask | bits;
    return true;
}

bool text_cpus(const char *s, uint64_t *mask)
{
    uint64_t m = *s == '^' ? ~0ull : 0;

    if (strcmp(s, "all") == 0) {
        *mask = ~0ull;
        return true;
    }
    for (;;) {
        while (*s == ' ')
            s++;
        if (!take_range(&s, &m))
            return false;
        while (*s == ' ')
            s++;
        if (*s == '\0')
            break;
        if (*s++ != ',')
            return false;
    }
    *mask = m;
    return m != 0;
}

void text_from_cpus(uint64_t mask, unsigned ncpus, char *buf, size_t size)
{
    uint64_t all = ncpus >= 64 ? ~0ull : (1ull << ncpus) - 1;
    size_t n = 0;

    buf[0] = '\0';
    if ((mask & all) == all) {
        text_copy(buf, size, "all");
        return;
    }
    for (unsigned cpu = 0; cpu < 64; cpu++) {
        unsigned last = cpu;
        int wrote;

        if (!(mask >> cpu & 1))
            continue;
        while (last < 63 && mask >> (last + 1) & 1)
            last++;
        wrote = last > cpu ? snprintf(buf + n, size - n, "%s%u-%u", n ? "," : "", cpu, last)
                           : snprintf(buf + n, size - n, "%s%u", n ? "," : "", cpu);
        if (wrote < 0 || (size_t)wrote >= size - n)
            return;
        n += (size_t)wrote;
        cpu = last;
    }
}

bool text_is_name(const char *s)
{
    uint64_t number;
    size_t n;

    for (n = 0; s[n]; n++) {
        char c = s[n];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!digit && !letter && !strchr("_.+-", c))
            return false;
    }
    return n >= 1 && n <= 31 && !text_number(s, &number) && s[0] != '-' && s[0] != '.';
}

#define WORD_MAX 24

/* Optimal string alignment: three rows of the usual table are enough. */
unsigned text_distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return 9;
    for (unsigned j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= la; i++) {
        unsigned *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

        now[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

            if (up[j] + 1 < best)
                best = up[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[la % 3][lb] > 9 ? 9 : rows[la % 3][lb];
}

const char *text_nearest(const char *word, const char *const *words)
{
    const char *best = NULL;
    unsigned least = 3;

    for (; *words; words++) {
        unsigned d = text_distance(word, *words);

        /* A word that begins as the typed one does is as good as one edit. */
        if (d > 1 && strlen(word) >= 2 && strncmp(word, *words, strlen(word)) == 0)
            d = 1;
        if (d < least && d < strlen(*words)) {
            least = d;
            best = *words;
        }
    }
    return best;
}

bool text_copy(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);
    bool fits = n < size;

    if (!fits)
        n = size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
    return fits;
}
