/* SPDX-License-Identifier: MIT */
/* expand.c: what a word means at the moment of its use.
 *
 * One pass over the word writes fields. What was quoted is protected by a backslash before every character
 * that globbing would take for its own, so a field is always a valid pattern; when a field is finished it is
 * either globbed or freed of these backslashes. Unquoted results of expansions are split at IFS.        */
#include "sh.h"

#include <ctype.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct field { struct field *next; const char *text; };

struct expansion {
    struct buffer field;         /* under construction */
    bool begun;                  /* it exists even if empty: quotes were seen */
    bool split;                  /* fields and globbing are wanted */
    bool pattern;                /* keep the protecting backslashes */
    bool failed;
    struct field *first, **tail;
    int count;
};

static void expand_text(struct expansion *e, const char *text, const char *end, bool quoted);

/* ---- fields ---- */

static void put(struct expansion *e, char c, bool quoted)
{
    if (quoted && strchr("*?[]\\!-^", c))
        put_byte(&e->field, '\\');
    put_byte(&e->field, c);
    e->begun = true;
}

static char *unprotected(const char *text)
{
    char *plain = arena(strlen(text) + 1), *to = plain;

    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        *to++ = *text;
    }
    return plain;
}

static void add_field(struct expansion *e, const char *text)
{
    struct field *f = arena(sizeof(*f));

    f->text = text;
    *e->tail = f;
    e->tail = &f->next;
    e->count++;
}

static bool has_magic(const char *s)
{
    for (; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        else if (*s == '*' || *s == '?' || *s == '[')
            return true;
    }
    return false;
}

static void finish_field(struct expansion *e)
{
    glob_t found = { 0 };
    const char *text = e->field.text ? e->field.text : "";

    if (!e->begun)
        return;
    if (e->split && has_magic(text) && glob(text, 0, NULL, &found) == 0 && found.gl_pathc) {
        for (int i = 0; i < found.gl_pathc; i++)
            add_field(e, arena_text(found.gl_pathv[i], strlen(found.gl_pathv[i])));
    } else {
        add_field(e, e->pattern ? arena_text(text, strlen(text)) : unprotected(text));
    }
    globfree(&found);
    e->field.length = 0;
    if (e->field.text)
        e->field.text[0] = '\0';
    e->begun = false;
}

/* The result of an expansion: as it is within quotes, split outside. */
static void put_value(struct expansion *e, const char *value, bool quoted)
{
    const char *ifs = var_get("IFS");

    if (!ifs)
        ifs = " \t\n";
    if (quoted)
        e->begun = true;
    for (; *value; value++) {
        if (quoted || !e->split || !strchr(ifs, *value)) {
            /* An unquoted result may glob, but its backslashes are only characters. */
            put(e, *value, quoted || *value == '\\');
        } else {
            if (!isspace((unsigned char)*value))
                e->begun = true;
            finish_field(e);
        }
    }
}

/* ---- parameters ---- */

static void put_number(struct expansion *e, long n, bool quoted)
{
    char text[24];

    sniprintf(text, sizeof(text), "%ld", n);
    put_value(e, text, quoted);
}

/* "$@" makes a field of each; "$*" joins by the first of IFS. */
static void put_all(struct expansion *e, bool quoted, bool star)
{
    const char *ifs = var_get("IFS");
    char glue = ifs ? ifs[0] : ' ';

    for (int i = 1; i <= shell.argc; i++) {
        put_value(e, shell.args[i], quoted);
        if (i == shell.argc)
            break;
        if (quoted && (star || !e->split)) {
            if (!star || glue)
                put(e, star ? glue : ' ', true);
        } else {
            finish_field(e);
        }
    }
}

/* A parameter's value; NULL if it is not set. number holds the text of $? and its like. */
static const char *parameter(const char *name, char number[24])
{
    long n;

    if (isdigit((unsigned char)name[0])) {
        n = atol(name);
        return n <= shell.argc ? shell.args[n] : NULL;
    }
    switch (name[0]) {
    case '?': n = shell.status; break;
    case '#': n = shell.argc; break;
    case '$': n = shell.pid; break;
    case '!': n = shell.last_background; break;
    case '-': return shell.interactive ? "i" : "";
    default:  return var_get(name);
    }
    sniprintf(number, 24, "%ld", n);
    return number;
}

static size_t name_length(const char *text)
{
    size_t n = 0;

    if (isalpha((unsigned char)text[0]) || text[0] == '_')
        while (isalnum((unsigned char)text[n]) || text[n] == '_')
            n++;
    else if (text[0] && strchr("0123456789?#$!-@*", text[0]))
        n = 1;
    return n;
}

/* ${x%pattern} and its three relatives: value without its shortest or longest matching end. */
static char *trimmed(const char *value, const char *pattern, bool front, bool longest)
{
    size_t n = strlen(value);

    for (size_t i = 0; i <= n; i++) {
        size_t cut = longest ? n - i : i;        /* how much goes */
        char *part = front ? arena_text(value, cut) : arena_text(value + n - cut, cut);

        if (fnmatch(pattern, part, 0) == 0)
            return front ? arena_text(value + cut, n - cut) : arena_text(value, n - cut);
    }
    return arena_text(value, n);
}

static void fail(struct expansion *e, const char *name, const char *why)
{
    complain("%s: %s", name, why);
    e->failed = true;
}

/* ${name OP word}: op points at the operator. */
static void put_operated(struct expansion *e, const char *name, const char *value, const char *op, bool quoted)
{
    bool colon = op[0] == ':';
    const char *word = op + 1 + colon;
    bool absent = !value || (colon && !*value);

    switch (op[colon]) {
    case '-':
        absent ? expand_text(e, word, word + strlen(word), quoted) : put_value(e, value, quoted);
        break;
    case '+':
        if (!absent)
            expand_text(e, word, word + strlen(word), quoted);
        break;
    case '=':
        if (absent)
            var_set(name, expand_one(word));
        put_value(e, absent ? var_get(name) : value, quoted);
        break;
    case '?':
        if (absent)
            fail(e, name, *word ? expand_one(word) : "not set");
        else
            put_value(e, value, quoted);
        break;
    case '%':
    case '#':
        word += !colon && op[1] == op[0];
        put_value(e, trimmed(value ? value : "", expand_pattern(word), op[0] == '#', op[1] == op[0]), quoted);
        break;
    default:
        fail(e, name, "bad substitution");
    }
}

static void put_braced(struct expansion *e, const char *body, bool quoted)
{
    char number[24];
    bool length = body[0] == '#' && body[1];
    const char *start = body + length;
    size_t n = name_length(start);

    if (isdigit((unsigned char)start[0]))
        while (isdigit((unsigned char)start[n]))
            n++;
    char *name = arena_text(start, n);
    const char *value = parameter(name, number);

    if (n == 0 || (length && start[n])) {
        fail(e, body, "bad substitution");
    } else if (length) {
        put_number(e, value ? (long)strlen(value) : 0, quoted);
    } else if (start[n]) {
        put_operated(e, name, value, start + n, quoted);
    } else if (name[0] == '@' || name[0] == '*') {
        put_all(e, quoted, name[0] == '*');
    } else if (value) {
        put_value(e, value, quoted);
    } else if (shell.no_unset) {
        fail(e, name, "not set");
    }
}

static void put_command(struct expansion *e, const char *command, bool quoted)
{
    char *output = run_capture(command);

    if (output)
        put_value(e, output, quoted);
    free(output);
}

static void put_arithmetic(struct expansion *e, const char *text, bool quoted)
{
    long value;

    if (arith(expand_here(text), &value))
        put_number(e, value, quoted);
    else
        e->failed = true;
}

/* s is at a '$'; returns what follows the expansion. */
static const char *expand_dollar(struct expansion *e, const char *s, bool quoted)
{
    size_t end = skip_quoted(s, 0);
    size_t n = name_length(s + 1);

    if (s[1] == '(' || s[1] == '{') {
        if (!end) {
            fail(e, s, "not closed");
            return s + strlen(s);
        }
        if (s[1] == '{')
            put_braced(e, arena_text(s + 2, end - 3), quoted);
        else if (s[2] == '(' && end >= 6 && s[end - 2] == ')' && skip_quoted(s, 2) == end - 1)
            put_arithmetic(e, arena_text(s + 3, end - 5), quoted);
        else
            put_command(e, arena_text(s + 2, end - 3), quoted);
        return s + end;
    }
    if (n == 0) {
        put(e, '$', quoted);
        return s + 1;
    }
    put_braced(e, arena_text(s + 1, n), quoted);
    return s + 1 + n;
}

static const char *expand_backquote(struct expansion *e, const char *s, bool quoted)
{
    struct buffer command = { 0 };

    put_text(&command, "");
    for (s++; *s && *s != '`'; s++) {
        if (*s == '\\' && s[1] && strchr("`$\\", s[1]))
            s++;
        put_byte(&command, *s);
    }
    put_command(e, command.text ? command.text : "", quoted);
    buffer_free(&command);
    return *s ? s + 1 : s;
}

/* ---- words ---- */

static const char *expand_double(struct expansion *e, const char *s, const char *end)
{
    const char *close = s + 1;

    while (close < end && *close != '"') {
        size_t next = strchr("$`\\", *close) ? skip_quoted(close, 0) : 1;

        close += next ? next : 1;
    }
    /* "$@" of nothing is nothing; any other quotes make a field. */
    if (!(close - s == 3 && s[1] == '$' && s[2] == '@'))
        e->begun = true;
    expand_text(e, s + 1, close, true);
    return close < end ? close + 1 : close;
}

static const char *expand_tilde(struct expansion *e, const char *s)
{
    const char *home = var_get("HOME");

    if ((s[1] && s[1] != '/') || !home)
        return s;
    for (; *home; home++)
        put(e, *home, true);
    return s + 1;
}

static void expand_text(struct expansion *e, const char *s, const char *end, bool quoted)
{
    while (s < end && !e->failed) {
        if (*s == '$') {
            s = expand_dollar(e, s, quoted);
        } else if (*s == '`') {
            s = expand_backquote(e, s, quoted);
        } else if (*s == '\\' && (!quoted || (s[1] && strchr("$`\"\\\n", s[1])))) {
            if (s[1] && s[1] != '\n')
                put(e, s[1], true);
            s += s[1] ? 2 : 1;
        } else if (*s == '\'' && !quoted) {
            e->begun = true;
            for (s++; s < end && *s != '\''; s++)
                put(e, *s, true);
            s++;
        } else if (*s == '"' && !quoted) {
            s = expand_double(e, s, end);
        } else {
            put(e, *s++, quoted);
        }
    }
}

static void expand_word(struct expansion *e, const char *text)
{
    const char *s = text[0] == '~' ? expand_tilde(e, text) : text;

    expand_text(e, s, text + strlen(text), false);
    finish_field(e);
}

static struct expansion begin(bool split)
{
    return (struct expansion){ .split = split };
}

char **expand_words(const struct word *words, int *count)
{
    struct expansion e = begin(true);
    int n = 0;

    e.tail = &e.first;
    for (; words && !e.failed; words = words->next)
        expand_word(&e, words->text);
    buffer_free(&e.field);
    if (e.failed)
        return NULL;
    char **list = arena(((size_t)e.count + 1) * sizeof(char *));

    for (struct field *f = e.first; f; f = f->next)
        list[n++] = (char *)(uintptr_t)f->text;
    *count = n;
    return list;
}

static char *expand_single(struct expansion *e, const char *text)
{
    e->tail = &e->first;
    e->begun = true;
    expand_word(e, text);
    buffer_free(&e->field);
    return e->failed ? NULL : (char *)(uintptr_t)e->first->text;
}

char *expand_one(const char *text)
{
    struct expansion e = begin(false);

    return expand_single(&e, text);
}

char *expand_pattern(const char *text)
{
    struct expansion e = begin(false);

    e.pattern = true;
    return expand_single(&e, text);
}

/* A here-document, or an arithmetic expression: as within double quotes, but quotes are characters. */
char *expand_here(const char *text)
{
    struct expansion e = begin(false);

    e.tail = &e.first;
    e.begun = true;
    expand_text(&e, text, text + strlen(text), true);
    finish_field(&e);
    buffer_free(&e.field);
    return e.failed ? (char *)arena(1) : (char *)(uintptr_t)e.first->text;
}
