/* SPDX-License-Identifier: MIT */
/* lex.h: tokens, between lex.c, which makes them, and parse.c, which makes trees of them. */
#ifndef SH_LEX_H
#define SH_LEX_H

#include <setjmp.h>

#include "sh.h"

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

/* Both end the parse: with a message (or, at the end of the text, as incomplete), or silently as incomplete. */
void parse_fail(struct parser *p, const char *wanted) __attribute__((noreturn));
void parse_incomplete(struct parser *p) __attribute__((noreturn));
void next_token(struct parser *p);

#endif
