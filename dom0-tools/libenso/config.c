/* SPDX-License-Identifier: MIT */
/* config.c: from the text of a configuration to struct config.
 *
 * Two layers. The reader below knows only syntax: it finds `key = value` and
 * hands on a struct value. What each key may be, config_keys.c knows.          */
#include "dom0-tools/libenso/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dom0-tools/libenso/config_keys.h"
#include "dom0-tools/libenso/text.h"

/* ---- where in the text we are ------------------------------------------- */

int reader_fail(struct reader *r, const char *fmt, ...)
{
    char front[CONFIG_PATH + 16];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(r->why->text, sizeof(r->why->text), fmt, ap);
    va_end(ap);
    if (r->line)
        snprintf(front, sizeof(front), "%s:%u", r->file, r->line);
    else
        snprintf(front, sizeof(front), "%s", r->file);
    return complain_about(r->why, front);
}

static int peek(const struct reader *r)
{
    return r->at < r->end ? (unsigned char)*r->at : -1;
}

static void skip_blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\r')
        r->at++;
    if (peek(r) == '#')
        while (r->at < r->end && *r->at != '\n')
            r->at++;
}

/* Blanks, comments and line ends: between settings and inside lists. */
static void skip_lines(struct reader *r, bool semicolons)
{
    for (;;) {
        skip_blanks(r);
        if (peek(r) == '\n')
            r->line++;
        else if (!(semicolons && peek(r) == ';'))
            return;
        r->at++;
    }
}

static bool is_word_char(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* What stands here, for "found ..." in a complaint. */
static const char *found(const struct reader *r, char *buf, size_t size)
{
    size_t n = 0;

    if (r->at >= r->end)
        return "the end of the file";
    if (*r->at == '\n')
        return "the end of the line";
    while (n + 3 < size && n < 20 && r->at + n < r->end && (unsigned char)r->at[n] >= ' ')
        n++;
    snprintf(buf, size, "\"%.*s\"", (int)n, r->at);
    return n ? buf : "a control character";
}

static int take_quoted(struct reader *r, char *out, size_t size)
{
    char quote = *r->at++;
    size_t n = 0;

    for (;;) {
        int c = peek(r);

        if (c < 0 || c == '\n')
            return reader_fail(r, "expected a closing %c before the line ends", quote);
        r->at++;
        if (c == quote)
            break;
        if (c == '\0')
            return reader_fail(r, "a zero byte is in the text: is this a configuration file?");
        if (c == '\\' && (peek(r) == quote || peek(r) == '\\'))
            c = (unsigned char)*r->at++;
        if (n + 1 >= size)
            return reader_fail(r, "the string is longer than %zu characters", size - 1);
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return 0;
}

static int take_word(struct reader *r, char *out, size_t size)
{
    size_t n = 0;

    while (is_word_char(peek(r))) {
        if (n + 1 >= size)
            return reader_fail(r, "the word is longer than %zu characters", size - 1);
        out[n++] = *r->at++;
    }
    out[n] = '\0';
    return 0;
}

static int take_list(struct reader *r, struct value *v)
{
    char item[2 * CONFIG_PATH], buf[40];
    size_t n = 0;

    v->kind = VALUE_LIST;
    v->text[0] = '\0';
    r->at++;
    for (;;) {
        skip_lines(r, false);
        if (peek(r) == ']')
            break;
        if (peek(r) == '\'' || peek(r) == '"') {
            if (take_quoted(r, item, sizeof(item)))
                return -1;
        } else if (is_word_char(peek(r))) {
            if (take_word(r, item, sizeof(item)))
                return -1;
        } else {
            return reader_fail(r, "expected a list element or ], found %s", found(r, buf, sizeof(buf)));
        }
        if (n + strlen(item) + 2 > sizeof(v->text))
            return reader_fail(r, "the list is too long");
        n += (size_t)snprintf(v->text + n, sizeof(v->text) - n, "%s\n", item);
        skip_lines(r, false);
        if (peek(r) == ',')
            r->at++;
        else if (peek(r) != ']')
            return reader_fail(r, "expected , or ] in the list, found %s", found(r, buf, sizeof(buf)));
    }
    r->at++;
    return 0;
}

static int take_value(struct reader *r, const char *key, struct value *v)
{
    char buf[40];
    int c = peek(r);

    if (c == '\'' || c == '"') {
        v->kind = VALUE_STRING;
        return take_quoted(r, v->text, sizeof(v->text));
    }
    if (c == '[')
        return take_list(r, v);
    if (is_word_char(c)) {
        v->kind = VALUE_WORD;
        return take_word(r, v->text, sizeof(v->text));
    }
    return reader_fail(r, "expected a value for %s, found %s", key, found(r, buf, sizeof(buf)));
}

/* ---- the ways in ----------------------------------------------------------- */

static int take_setting(struct config *c, struct reader *r)
{
    struct value v;
    char key[64], buf[40];

    if (!is_word_char(peek(r)))
        return reader_fail(r, "expected `key = value`, found %s", found(r, buf, sizeof(buf)));
    if (take_word(r, key, sizeof(key)))
        return -1;
    skip_blanks(r);
    if (peek(r) != '=')
        return reader_fail(r, "expected = after %s, found %s", key, found(r, buf, sizeof(buf)));
    r->at++;
    skip_blanks(r);
    if (take_value(r, key, &v) || config_assign(c, r, key, &v))
        return -1;
    skip_blanks(r);
    if (r->at < r->end && *r->at != '\n' && *r->at != ';')
        return reader_fail(r, "expected the line to end after the value of %s, found %s", key,
                           found(r, buf, sizeof(buf)));
    return 0;
}

int config_parse(struct config *c, const char *file, const char *text, size_t len, struct complaint *why)
{
    struct reader r = { file, text, text + len, 1, why };

    for (;;) {
        skip_lines(&r, true);
        if (r.at >= r.end)
            return 0;
        if (take_setting(c, &r))
            return -1;
    }
}

int config_override(struct config *c, const char *word, struct complaint *why)
{
    struct reader r = { "on the command line", word, word + strlen(word), 0, why };
    const char *eq = strchr(word, '=');
    struct value v = { .kind = VALUE_STRING };
    char key[64];

    if (!eq || eq == word || (size_t)(eq - word) >= sizeof(key))
        return reader_fail(&r, "expected key=value, found \"%.40s\"", word);
    memcpy(key, word, (size_t)(eq - word));
    key[eq - word] = '\0';
    r.at = eq + 1;
    if (*r.at == '"' || *r.at == '\'' || *r.at == '[') {
        if (take_value(&r, key, &v))
            return -1;
        if (r.at != r.end)
            return reader_fail(&r, "expected nothing after the value of %s, found \"%.20s\"", key, r.at);
    } else if (!text_copy(v.text, sizeof(v.text), r.at)) {
        return reader_fail(&r, "the value of %s is too long", key);
    }
    return config_assign(c, &r, key, &v);
}

int config_check(struct config *c, const char *file, struct complaint *why)
{
    struct reader r = { file, "", "", 0, why };

    if (!c->name[0])
        return reader_fail(&r, "expected a line `name = \"...\"`: every domain has a name");
    if (!c->kernel[0] && !c->disks)
        return reader_fail(&r, "expected a line `kernel = \"/path/of/a/kernel\"`, or a disk to start from");
    if (!c->kernel[0] && c->ramdisk[0])
        return reader_fail(&r, "a ramdisk without a kernel: expected `kernel = ...` too, or neither, to start from the disk");
    for (unsigned i = 0; i < c->disks; i++)
        for (unsigned j = 0; j < i; j++)
            if (c->disk[i].devid == c->disk[j].devid)
                return reader_fail(&r, "disk: there are two called %s; each needs a name of its own", c->disk[i].vdev);
    for (unsigned i = 0; i < c->vifs; i++)
        for (unsigned j = 0; j < i; j++)
            if (c->vif[i].has_mac && c->vif[j].has_mac && memcmp(c->vif[i].mac, c->vif[j].mac, 6) == 0)
                return reader_fail(&r, "vif: two cards have the same mac; leave one out and it gets an address of its own");
    if (!c->memory)
        return reader_fail(&r, "expected a line `memory = MIB`");
    if (!c->maxmem)
        c->maxmem = c->memory;
    if (c->maxmem < c->memory)
        return reader_fail(&r, "maxmem is %llu MiB, less than memory, %llu MiB", (unsigned long long)c->maxmem,
                           (unsigned long long)c->memory);
    if (strlen(c->root) + strlen(c->extra) + 8 > CONFIG_LINE)
        return reader_fail(&r, "root and extra together are longer than a guest's command line, %d characters",
                           CONFIG_LINE - 1);
    return 0;
}

void config_cmdline(const struct config *c, char *buf, size_t size)
{
    if (c->cmdline[0] || !(c->root[0] || c->extra[0]))
        text_copy(buf, size, c->cmdline);
    else if (c->root[0])
        snprintf(buf, size, "root=%s%s%s", c->root, c->extra[0] ? " " : "", c->extra);
    else
        text_copy(buf, size, c->extra);
}
