/* SPDX-License-Identifier: MIT */
/* lex.c: from text to tokens. A word keeps its quotes and dollars; finding its end takes following them. */
#include "lex.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void parse_fail(struct parser *p, const char *what)
{
    if (p->token == T_END) {
        p->result = PARSE_INCOMPLETE;
    } else {
        complain("line %d: syntax error near '%.*s'%s%s", p->line, (int)(p->at - p->start),
                 p->text + p->start, what ? ": expected " : "", what ? what : "");
        p->result = PARSE_ERROR;
    }
    longjmp(p->failed, 1);
}

void parse_incomplete(struct parser *p)
{
    p->result = PARSE_INCOMPLETE;
    longjmp(p->failed, 1);
}

/* ---- tokens ---- */

static size_t skip_single(const char *text, size_t at)
{
    for (at++; text[at]; at++)
        if (text[at] == '\'')
            return at + 1;
    return 0;
}

static size_t skip_until(const char *text, size_t at, char end)
{
    while (text[at] != end) {
        size_t next = text[at] ? skip_quoted(text, at) : 0;

        if (!next)
            return 0;
        at = next;
    }
    return at + 1;
}

static size_t skip_double(const char *text, size_t at)
{
    for (at++; text[at] != '"';) {
        size_t next = at + 1;

        if (!text[at])
            return 0;
        if (text[at] == '$' || text[at] == '`' || text[at] == '\\')
            next = skip_quoted(text, at);
        if (!next)
            return 0;
        at = next;
    }
    return at + 1;
}

static size_t skip_backquote(const char *text, size_t at)
{
    for (at++; text[at]; at++) {
        if (text[at] == '`')
            return at + 1;
        if (text[at] == '\\' && text[at + 1])
            at++;
    }
    return 0;
}

/* Inside $( ): quotes and brackets nest; a case pattern's lone ')' needs its optional '('. */
size_t skip_quoted(const char *text, size_t at)
{
    switch (text[at]) {
    case '\\': return text[at + 1] ? at + 2 : 0;
    case '\'': return skip_single(text, at);
    case '"':  return skip_double(text, at);
    case '`':  return skip_backquote(text, at);
    case '(':  return skip_until(text, at + 1, ')');
    case '$':
        if (text[at + 1] == '(')
            return skip_until(text, at + 2, ')');
        if (text[at + 1] == '{')
            return skip_until(text, at + 2, '}');
        return at + 1;
    default:   return at + 1;
    }
}

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\n;&|<>()", c) != NULL;
}

static void skip_blank(struct parser *p)
{
    for (;;) {
        char c = p->text[p->at];

        if (c == ' ' || c == '\t' || c == '\r') {
            p->at++;
        } else if (c == '\\' && p->text[p->at + 1] == '\n') {
            p->at += 2;
            p->line++;
        } else if (c == '#') {
            while (p->text[p->at] && p->text[p->at] != '\n')
                p->at++;
        } else {
            return;
        }
    }
}

/* One here-document: lines up to its end word. */
static void read_document(struct parser *p, struct redir *r, bool strip)
{
    const char *end = r->text;
    struct buffer body = { 0 };
    char plain[64];
    size_t n = 0;

    for (const char *s = end; *s && n + 1 < sizeof(plain); s++) {
        if (strchr("'\"\\", *s))
            r->literal = true;
        else
            plain[n++] = *s;
    }
    plain[n] = '\0';
    put_text(&body, "");
    for (;;) {
        const char *line = p->text + p->at;
        const char *stop = strchr(line, '\n');

        if (!*line) {
            buffer_free(&body);
            parse_incomplete(p);
        }
        size_t length = stop ? (size_t)(stop - line) : strlen(line);

        p->at += length + (stop != NULL);
        p->line++;
        while (strip && *line == '\t' && length) {
            line++;
            length--;
        }
        if (length == n && memcmp(line, plain, n) == 0)
            break;
        for (size_t i = 0; i < length; i++)
            put_byte(&body, line[i]);
        put_byte(&body, '\n');
    }
    r->text = arena_text(body.text ? body.text : "", body.length);
    buffer_free(&body);
}

static void read_documents(struct parser *p)
{
    for (int i = 0; i < p->heres; i++)
        read_document(p, p->here[i], p->here_strip[i]);
    p->heres = 0;
}

static void redir_token(struct parser *p, int fd)
{
    struct redir *r = arena(sizeof(*r));
    const char *s = p->text + p->at;
    bool input = *s == '<';
    int used = 1;

    r->kind = input ? R_IN : R_OUT;
    p->strip_tabs = false;
    if (s[1] == '&') {
        r->kind = R_DUP;
        used = 2;
    } else if (input && s[1] == '<') {
        r->kind = R_HERE;
        p->strip_tabs = s[2] == '-';
        used = 2 + p->strip_tabs;
    } else if (input && s[1] == '>') {
        r->kind = R_BOTH;
        used = 2;
    } else if (!input && (s[1] == '>' || s[1] == '|')) {
        r->kind = s[1] == '>' ? R_APPEND : R_OUT;
        used = 2;
    }
    r->fd = fd >= 0 ? fd : !input;
    p->redir = r;
    p->at += used;
    p->token = T_REDIR;
}

static void word_token(struct parser *p)
{
    size_t at = p->at;

    while (!ends_word(p->text[at])) {
        size_t next = skip_quoted(p->text, at);

        if (!next) {
            p->token = T_END;
            parse_incomplete(p);
        }
        at = next;
    }
    char next = p->text[at];

    if (at == p->at + 1 && isdigit((unsigned char)p->text[p->at]) && (next == '<' || next == '>')) {
        int fd = p->text[p->at] - '0';

        p->at = at;
        redir_token(p, fd);
        return;
    }
    p->word = arena_text(p->text + p->at, at - p->at);
    p->at = at;
    p->token = T_WORD;
}

void next_token(struct parser *p)
{
    static const struct { const char text[3]; enum token token; } signs[] = {
        { "&&", T_AND }, { "||", T_OR }, { ";;", T_DSEMI }, { ";", T_SEMI }, { "&", T_AMP },
        { "|", T_PIPE }, { "(", T_OPEN }, { ")", T_CLOSE },
    };

    skip_blank(p);
    p->start = p->at;
    char c = p->text[p->at];

    if (c == '\0') {
        p->token = T_END;
        return;
    }
    if (c == '\n') {
        p->at++;
        p->line++;
        p->token = T_NEWLINE;
        read_documents(p);
        return;
    }
    if (c == '<' || c == '>') {
        redir_token(p, -1);
        return;
    }
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t n = strlen(signs[i].text);

        if (strncmp(p->text + p->at, signs[i].text, n) == 0) {
            p->at += n;
            p->token = signs[i].token;
            return;
        }
    }
    word_token(p);
}
