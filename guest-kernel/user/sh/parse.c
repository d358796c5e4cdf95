/* SPDX-License-Identifier: MIT */
/* parse.c: from tokens to a tree, one complete command at a time.
 *
 * A recursive descent. Words keep their quotes and dollars: what they mean is decided when they are used
 * (expand.c). A text that ends in the middle of something is not an error but incomplete, so that the prompt
 * can ask for the next line. Errors leave by longjmp, which keeps the grammar readable.               */
#include "lex.h"

#include <ctype.h>
#include <string.h>

static struct node *parse_list(struct parser *p);
static struct node *parse_command_node(struct parser *p);
static bool ends_list(const struct parser *p);

static bool at_word(const struct parser *p, const char *word)
{
    return p->token == T_WORD && strcmp(p->word, word) == 0;
}

static void need_word(struct parser *p, const char *word)
{
    if (!at_word(p, word))
        parse_fail(p, word);
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
        parse_fail(p, "a file name");
    r->text = p->word;
    if (r->kind == R_HERE) {
        if (p->heres == (int)(sizeof(p->here) / sizeof(p->here[0])))
            parse_fail(p, "fewer here-documents");
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
        parse_fail(p, ")");
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
        parse_fail(p, "a command");
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
        parse_fail(p, "a variable's name");
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
            parse_fail(p, "a pattern");
        *tail = new_word(p->word);
        tail = &(*tail)->next;
        next_token(p);
        if (p->token != T_PIPE)
            break;
        next_token(p);
    }
    if (p->token != T_CLOSE)
        parse_fail(p, ")");
    next_token(p);
    skip_newlines(p);
    if (p->token != T_DSEMI && !at_word(p, "esac"))
        arm->body = parse_list(p);
    if (p->token == T_DSEMI)
        next_token(p);
    else if (!at_word(p, "esac"))
        parse_fail(p, ";;");
    skip_newlines(p);
    return arm;
}

static struct node *parse_case(struct parser *p)
{
    struct node *n = new_node(N_CASE, NULL, NULL);
    struct arm **tail = &n->arms;

    next_token(p);
    if (p->token != T_WORD)
        parse_fail(p, "a word");
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
        parse_fail(p, ")");
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
        parse_fail(p, "a command");
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
            parse_fail(p, NULL);
        if (p->token == T_END && p->heres)
            parse_incomplete(p);
    }
    from->at = p->at;
    from->line = p->line;
    return p->result;
}
