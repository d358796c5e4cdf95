/* SPDX-License-Identifier: MIT */
/* run.c: walks the tree.
 *
 * Every construct answers an exit status. A break, continue or return travels upward as shell.unwind, which
 * each list and loop looks at; an interrupt from the terminal travels the same way.                 */
#include "sh.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

struct shell shell;

static bool stopping(void)
{
    return shell.unwind != GO_ON || shell.interrupted;
}

static int run_condition(struct node *node)
{
    shell.condition_depth++;
    int status = run_node(node);

    shell.condition_depth--;
    return status;
}

/* After a loop's body: whether the loop ends. */
static bool loop_ends(void)
{
    if (shell.interrupted)
        return true;
    if (shell.unwind == BREAKING || shell.unwind == CONTINUING) {
        if (shell.unwind_levels > 1) {
            shell.unwind_levels--;
            return true;
        }
        bool ends = shell.unwind == BREAKING;

        shell.unwind = GO_ON;
        return ends;
    }
    return shell.unwind != GO_ON;
}

static int run_while(struct node *node)
{
    bool until = node->kind == N_UNTIL;
    int status = 0;

    shell.loop_depth++;
    for (bool end = false; !end;) {
        struct mark mark = arena_mark();

        end = (run_condition(node->left) != 0) != until || stopping();
        if (!end) {
            status = run_node(node->right);
            end = loop_ends();
        }
        arena_release(mark);
    }
    shell.loop_depth--;
    return status;
}

static int run_for(struct node *node)
{
    int status = 0, count = shell.argc;
    char **list = node->all_args ? shell.args + 1 : expand_words(node->words, &count);

    if (!list)
        return 1;
    shell.loop_depth++;
    for (int i = 0; i < count; i++) {
        struct mark mark = arena_mark();

        var_set(node->name, list[i]);
        status = run_node(node->right);
        arena_release(mark);
        if (loop_ends())
            break;
    }
    shell.loop_depth--;
    return status;
}

static int run_case(struct node *node)
{
    char *subject = expand_one(node->words->text);

    for (struct arm *arm = node->arms; subject && arm; arm = arm->next) {
        for (struct word *w = arm->patterns; w; w = w->next) {
            char *pattern = expand_pattern(w->text);

            if (pattern && fnmatch(pattern, subject, 0) == 0)
                return arm->body ? run_node(arm->body) : 0;
        }
    }
    return subject ? 0 : 1;
}

static int run_if(struct node *node)
{
    int status = run_condition(node->left);

    if (stopping())
        return status;
    if (status == 0)
        return run_node(node->right);
    return node->otherwise ? run_node(node->otherwise) : 0;
}

static int run_and_or(struct node *node)
{
    int status = run_condition(node->left);

    if (stopping() || (status == 0) != (node->kind == N_AND))
        return status;
    return run_node(node->right);
}

static int run_construct(struct node *node)
{
    switch (node->kind) {
    case N_SIMPLE:     return run_simple(node, false);
    case N_PIPE:       return run_pipeline(node);
    case N_AND:
    case N_OR:         return run_and_or(node);
    case N_NOT:        return !run_condition(node->left);
    case N_BACKGROUND: return run_background(node);
    case N_SUBSHELL:   return run_subshell(node);
    case N_GROUP:      return run_node(node->left);
    case N_IF:         return run_if(node);
    case N_WHILE:
    case N_UNTIL:      return run_while(node);
    case N_FOR:        return run_for(node);
    case N_CASE:       return run_case(node);
    case N_FUNCTION:   function_set(node->name, node->source); return 0;
    case N_LIST:
        run_node(node->left);
        return stopping() ? shell.status : run_node(node->right);
    }
    return 2;
}

int run_node(struct node *node)
{
    struct saved saved = { 0 };
    bool wrap = node->redirs && node->kind != N_SIMPLE;
    int status = 1;

    if (!wrap || run_redirs(node->redirs, &saved))
        status = run_construct(node);
    if (wrap)
        run_restore(&saved);
    shell.status = status;
    bool judged = node->kind == N_SIMPLE || node->kind == N_PIPE || node->kind == N_SUBSHELL;

    if (status && judged && shell.exit_on_error && !shell.condition_depth && !stopping()) {
        fflush(stdout);
        exit(status);
    }
    return status;
}

int run_text(const char *text, const char *where)
{
    struct parse at = { .text = text, .line = 1 };
    int status = 0;

    for (;;) {
        struct mark mark = arena_mark();
        struct node *node;
        enum parse_result result = parse_command(&at, &node);

        if (result == PARSE_OK && node)
            status = run_node(node);
        arena_release(mark);
        if (result == PARSE_INCOMPLETE)
            complain("%s: line %d: the text ends inside a command", where, at.line);
        if (result == PARSE_ERROR || result == PARSE_INCOMPLETE)
            return shell.status = 2;
        if (result == PARSE_END || stopping())
            return status;
    }
}
