/* SPDX-License-Identifier: MIT */
/* entry.c: entries of the Boot Loader Specification (menu.h): `key value` lines. */
#include "dom0-tools/bootloader/menu.h"

#include <stdio.h>
#include <string.h>

#include "dom0-tools/libenso/text.h"

static void take(struct choice *out, const char *key, const char *value)
{
    size_t n = strlen(out->line);

    if (strcmp(key, "title") == 0)
        text_copy(out->title, sizeof(out->title), value);
    else if (strcmp(key, "linux") == 0)
        text_copy(out->kernel, sizeof(out->kernel), value);
    else if (strcmp(key, "initrd") == 0)
        text_copy(out->ramdisk, sizeof(out->ramdisk), value);
    else if (strcmp(key, "options") == 0)
        snprintf(out->line + n, sizeof(out->line) - n, "%s%s", n ? " " : "", value);
}

int menu_entry(const char *text, struct choice *out, struct complaint *why)
{
    memset(out, 0, sizeof(*out));
    while (*text) {
        size_t n = strcspn(text, "\r\n"), k;
        char key[16], value[MENU_LINE];

        while (n && (*text == ' ' || *text == '\t')) {
            text++;
            n--;
        }
        k = strcspn(text, " \t\r\n");
        if (*text != '#' && k < sizeof(key) && k < n) {
            size_t from = k + strspn(text + k, " \t"), len = from < n ? n - from : 0;

            memcpy(key, text, k);
            key[k] = '\0';
            if (len >= sizeof(value))
                len = sizeof(value) - 1;
            memcpy(value, text + from, len);
            while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
                len--;
            value[len] = '\0';
            take(out, key, value);
        }
        text += n;
        text += strspn(text, "\r\n");
    }
    return out->kernel[0] == '/' ? 0 : complain(why, "the boot entry \"%.60s\" names no kernel (linux /path)", out->title);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Runs of digits count as numbers, so that 5.10 is newer than 5.9. */
int menu_newer(const char *a, const char *b)
{
    while (*a && *b) {
        if (is_digit(*a) && is_digit(*b)) {
            size_t n, m;

            a += strspn(a, "0");
            b += strspn(b, "0");
            n = strspn(a, "0123456789");
            m = strspn(b, "0123456789");
            if (n != m)
                return n > m ? 1 : -1;
            for (; n; n--, a++, b++)
                if (*a != *b)
                    return *a > *b ? 1 : -1;
        } else {
            if (*a != *b)
                return (unsigned char)*a > (unsigned char)*b ? 1 : -1;
            a++;
            b++;
        }
    }
    return *a ? 1 : *b ? -1 : 0;
}
