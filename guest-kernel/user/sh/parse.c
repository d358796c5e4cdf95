/* SPDX-License-Identifier: MIT */
/* parse.c: from text to a tree, one complete command at a time.
 *
 * A recursive descent over tokens. Words keep their quotes and dollars: what they mean is decided when
 * they are used (expand.c). A text that ends in the middle of something is not an error but incomplete,
 * so that the prompt can ask for the next line. Errors leave by longjmp, which keeps the grammar readable. */
#include "sh.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum token {
    T_END, T_NEWLINE, T_WORD, T_AND, T_OR, T_SEMI, T_DSEMI, T_AMP, T_PIPE, T_OPEN, T_CLOSE, T_REDIR
};

struct parser {
    const char *text;
    size_t at, start;            /* behind and at the current token */
    enum token token;
    char *word;                  /* of T_WORD */
    struct redir *redir;         /* of T_REDIR: kind and fd; the word follows */
    bool strip_tabs;             /* <<- */
    struct redir *here[8];       /* documents that begin at the next newline */
    bool here_strip[8];
    int heres;
    int line;
    jmp_buf failed;
    enum parse_result result;
};

static struct node *parse_list(struct parser *p);
static struct node *parse_command_node(struct parser *p);
static bool ends_list(const struct parser *p);

__attribute__((noreturn)) static void fail(struct parser *p, const char *what)
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

__attribute__((noreturn)) static void incomplete(struct parser *p)
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
            incomplete(p);
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
            incomplete(p);
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

static void next_token(struct parser *p)
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

/* ---- grammar ---- */

static bool at_word(const struct parser *p, const char *word)
{
    return p->token == T_WORD && strcmp(p->word, word) == 0;
}

static void need_word(struct parser *p, const char *word)
{
    if (!at_word(p, word))
        fail(p, word);
    next_token(p);
}

static void skip_newlines(struct parser *p)
{
    while (p->token == T_NEWLINE)
        next_token(p);
}

static struct node *new_node(enum node_kind kind, struct node *left, struct node *right)
{
    struct node *n = arena(sizeof(*n));

    n->kind = kind;
    n->left = left;
    n->right = right;
    return n;
}

static struct word *new_word(const char *text)
{
    struct word *w = arena(sizeof(*w));

    w->text = text;
    return w;
}

static void parse_redir(struct parser *p, struct redir ***tail)
{
    struct redir *r = p->redir;
    bool strip = p->strip_tabs;

    next_token(p);
    if (p->token != T_WORD)
        fail(p, "a file name");
    r->text = p->word;
    if (r->kind == R_HERE) {
        if (p->heres == (int)(sizeof(p->here) / sizeof(p->here[0])))
            fail(p, "fewer here-documents");
        p->here_strip[p->heres] = strip;
        p->here[p->heres++] = r;
    }
    **tail = r;
    *tail = &r->next;
    next_token(p);
}

static bool is_assignment(const char *text)
{
    const char *equals = strchr(text, '=');

    return equals && is_name(text, (size_t)(equals - text));
}

static struct node *parse_function(struct parser *p, const char *name)
{
    struct node *n = new_node(N_FUNCTION, NULL, NULL);

    next_token(p);
    if (p->token != T_CLOSE)
        fail(p, ")");
    next_token(p);
    skip_newlines(p);
    size_t from = p->start;

    parse_command_node(p);
    n->name = name;
    n->source = arena_text(p->text + from, p->start - from);
    return n;
}

static struct node *parse_simple(struct parser *p)
{
    struct node *n = new_node(N_SIMPLE, NULL, NULL);
    struct word **words = &n->words, **assigns = &n->assigns;
    struct redir **redirs = &n->redirs;

    for (;;) {
        if (p->token == T_REDIR) {
            parse_redir(p, &redirs);
        } else if (p->token == T_WORD) {
            struct word *w = new_word(p->word);

            if (!n->words && is_assignment(w->text)) {
                *assigns = w;
                assigns = &w->next;
            } else {
                *words = w;
                words = &w->next;
            }
            next_token(p);
        } else if (p->token == T_OPEN && n->words && !n->words->next && !n->assigns && !n->redirs) {
            return parse_function(p, n->words->text);
        } else {
            break;
        }
    }
    if (!n->words && !n->assigns && !n->redirs)
        fail(p, "a command");
    return n;
}

static struct node *parse_if(struct parser *p)
{
    struct node *n = new_node(N_IF, NULL, NULL);

    next_token(p);
    n->left = parse_list(p);
    need_word(p, "then");
    n->right = parse_list(p);
    if (at_word(p, "elif")) {
        n->otherwise = parse_if(p);
        return n;                    /* the innermost one took the fi */
    }
    if (at_word(p, "else")) {
        next_token(p);
        n->otherwise = parse_list(p);
    }
    need_word(p, "fi");
    return n;
}

static struct node *parse_while(struct parser *p, enum node_kind kind)
{
    struct node *n = new_node(kind, NULL, NULL);

    next_token(p);
    n->left = parse_list(p);
    need_word(p, "do");
    n->right = parse_list(p);
    need_word(p, "done");
    return n;
}

static struct node *parse_for(struct parser *p)
{
    struct node *n = new_node(N_FOR, NULL, NULL);
    struct word **tail = &n->words;

    next_token(p);
    if (p->token != T_WORD || !is_name(p->word, strlen(p->word)))
        fail(p, "a variable's name");
    n->name = p->word;
    next_token(p);
    skip_newlines(p);
    n->all_args = !at_word(p, "in");
    if (!n->all_args) {
        for (next_token(p); p->token == T_WORD; next_token(p)) {
            *tail = new_word(p->word);
            tail = &(*tail)->next;
        }
    }
    if (p->token == T_SEMI)
        next_token(p);
    skip_newlines(p);
    need_word(p, "do");
    n->right = parse_list(p);
    need_word(p, "done");
    return n;
}

static struct arm *parse_arm(struct parser *p)
{
    struct arm *arm = arena(sizeof(*arm));
    struct word **tail = &arm->patterns;

    if (p->token == T_OPEN)
        next_token(p);
    for (;;) {
        if (p->token != T_WORD)
            fail(p, "a pattern");
        *tail = new_word(p->word);
        tail = &(*tail)->next;
        next_token(p);
        if (p->token != T_PIPE)
            break;
        next_token(p);
    }
    if (p->token != T_CLOSE)
        fail(p, ")");
    next_token(p);
    skip_newlines(p);
    if (p->token != T_DSEMI && !at_word(p, "esac"))
        arm->body = parse_list(p);
    if (p->token == T_DSEMI)
        next_token(p);
    else if (!at_word(p, "esac"))
        fail(p, ";;");
    skip_newlines(p);
    return arm;
}

static struct node *parse_case(struct parser *p)
{
    struct node *n = new_node(N_CASE, NULL, NULL);
    struct arm **tail = &n->arms;

    next_token(p);
    if (p->token != T_WORD)
        fail(p, "a word");
    n->words = new_word(p->word);
    next_token(p);
    skip_newlines(p);
    need_word(p, "in");
    skip_newlines(p);
    while (!at_word(p, "esac")) {
        *tail = parse_arm(p);
        tail = &(*tail)->next;
    }
    next_token(p);
    return n;
}

static struct node *parse_bracketed(struct parser *p)
{
    bool subshell = p->token == T_OPEN;
    struct node *n = new_node(subshell ? N_SUBSHELL : N_GROUP, NULL, NULL);

    next_token(p);
    n->left = parse_list(p);
    if (!subshell) {
        need_word(p, "}");
        return n;
    }
    if (p->token != T_CLOSE)
        fail(p, ")");
    next_token(p);
    return n;
}

static struct node *parse_command_node(struct parser *p)
{
    struct node *n;

    if (p->token == T_OPEN || at_word(p, "{"))
        n = parse_bracketed(p);
    else if (at_word(p, "if"))
        n = parse_if(p);
    else if (at_word(p, "while"))
        n = parse_while(p, N_WHILE);
    else if (at_word(p, "until"))
        n = parse_while(p, N_UNTIL);
    else if (at_word(p, "for"))
        n = parse_for(p);
    else if (at_word(p, "case"))
        n = parse_case(p);
    else if (p->token == T_WORD && ends_list(p))
        fail(p, "a command");
    else
        return parse_simple(p);
    for (struct redir **tail = &n->redirs; p->token == T_REDIR;)
        parse_redir(p, &tail);
    return n;
}

static struct node *parse_pipeline(struct parser *p)
{
    bool negate = at_word(p, "!");
    struct node *n;

    if (negate)
        next_token(p);
    n = parse_command_node(p);
    if (p->token == T_PIPE) {
        next_token(p);
        skip_newlines(p);
        /* Right-leaning: left | (the rest). */
        struct node *rest = parse_pipeline(p);

        n = new_node(N_PIPE, n, rest);
    }
    return negate ? new_node(N_NOT, n, NULL) : n;
}

static struct node *parse_and_or(struct parser *p)
{
    size_t from = p->start;
    struct node *n = parse_pipeline(p);

    while (p->token == T_AND || p->token == T_OR) {
        enum node_kind kind = p->token == T_AND ? N_AND : N_OR;

        next_token(p);
        skip_newlines(p);
        n = new_node(kind, n, parse_pipeline(p));
    }
    size_t end = p->start;

    while (end > from && isspace((unsigned char)p->text[end - 1]))
        end--;
    n->source = n->source ? n->source : arena_text(p->text + from, end - from);
    return n;
}

static bool ends_list(const struct parser *p)
{
    static const char *const words[] = { "then", "else", "elif", "fi", "do", "done", "esac", "}" };

    if (p->token == T_END || p->token == T_CLOSE || p->token == T_DSEMI)
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (at_word(p, words[i]))
            return true;
    return false;
}

/* and_or; and_or & and_or ... : up to a newline at the top, up to a closing word inside a construct. */
static struct node *parse_sequence(struct parser *p, bool one_line)
{
    struct node *list = NULL;

    for (;;) {
        struct node *n = parse_and_or(p);

        if (p->token == T_AMP) {
            struct node *background = new_node(N_BACKGROUND, n, NULL);

            background->source = n->source;
            n = background;
        }
        list = list ? new_node(N_LIST, list, n) : n;
        if (p->token == T_SEMI || p->token == T_AMP)
            next_token(p);
        else if (p->token != T_NEWLINE)
            return list;
        if (one_line && (p->token == T_NEWLINE || p->token == T_END))
            return list;
        skip_newlines(p);
        if (ends_list(p))
            return list;
    }
}

static struct node *parse_list(struct parser *p)
{
    skip_newlines(p);
    return parse_sequence(p, false);
}

enum parse_result parse_command(struct parse *from, struct node **out)
{
    struct parser *p = arena(sizeof(*p));

    p->text = from->text;
    p->at = from->at;
    p->line = from->line;
    p->result = PARSE_OK;
    *out = NULL;
    if (setjmp(p->failed) == 0) {
        next_token(p);
        if (p->token == T_END)
            return PARSE_END;
        if (p->token != T_NEWLINE)
            *out = parse_sequence(p, true);
        if (p->token != T_NEWLINE && p->token != T_END)
            fail(p, NULL);
        if (p->token == T_END && p->heres)
            incomplete(p);
    }
    from->at = p->at;
    from->line = p->line;
    return p->result;
}
