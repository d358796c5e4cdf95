/* SPDX-License-Identifier: MIT */
/* cmdline.c: the words of the boot line: `word` or `key=value`, a value with spaces in double quotes. */
#include "guest-kernel/kernel/cmdline.h"

static char line[512];

void cmdline_set(const char *text) { strlcpy(line, text, sizeof(line)); }

const char *cmdline(void) { return line; }

const char *cmdline_next(const char **at, size_t *n)
{
    const char *s = *at;
    bool quoted = false;
    while (*s == ' ')
        s++;
    const char *start = s;
    for (; *s && (quoted || *s != ' '); s++)
        quoted ^= *s == '"';
    *at = s;
    *n = s - start;
    return *n ? start : 0;
}

bool cmdline_value(const char *key, char *buf, size_t size)
{
    size_t n, k = strlen(key);
    for (const char *at = line, *w; (w = cmdline_next(&at, &n));) {
        if (n <= k || strncmp(w, key, k) != 0 || w[k] != '=')
            continue;
        const char *from = w + k + 1;
        size_t copied = 0;
        for (; from < w + n && copied + 1 < size; from++)
            if (*from != '"')
                buf[copied++] = *from;
        buf[copied] = 0;
        return true;
    }
    return false;
}

bool cmdline_word(const char *word)
{
    size_t n, k = strlen(word);
    for (const char *at = line, *w; (w = cmdline_next(&at, &n));)
        if (n == k && strncmp(w, word, k) == 0)
            return true;
    return false;
}
