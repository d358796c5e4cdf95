/* SPDX-License-Identifier: MIT */
/* arith.c: $(( )): C's integer operators over longs, by precedence climbing. */
#include "sh.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arith { const char *at; bool failed; int depth; };

static const struct { const char text[3]; int level; } operators[] = {
    { "||", 1 }, { "&&", 2 }, { "==", 6 }, { "!=", 6 }, { "<=", 7 }, { ">=", 7 }, { "<<", 8 }, { ">>", 8 },
    { "|", 3 }, { "^", 4 }, { "&", 5 }, { "<", 7 }, { ">", 7 }, { "+", 9 }, { "-", 9 }, { "*", 10 }, { "/", 10 }, { "%", 10 },
};
enum { OPERATORS = sizeof(operators) / sizeof(operators[0]) };

static long expression(struct arith *a, int level);

static long fail(struct arith *a, const char *why)
{
    if (!a->failed)
        complain("arithmetic: %s near '%s'", why, a->at);
    a->failed = true;
    return 0;
}

static void blanks(struct arith *a)
{
    while (isspace((unsigned char)*a->at))
        a->at++;
}

static long variable(struct arith *a)
{
    const char *start = a->at;

    while (isalnum((unsigned char)*a->at) || *a->at == '_')
        a->at++;
    char *name = arena_text(start, (size_t)(a->at - start));
    const char *value = var_get(name);

    blanks(a);
    if (a->at[0] == '=' && a->at[1] != '=') {
        char text[24];

        a->at++;
        long n = expression(a, 0);

        sniprintf(text, sizeof(text), "%ld", n);
        var_set(name, text);
        return n;
    }
    return value ? strtol(value, NULL, 0) : 0;
}

static long primary(struct arith *a)
{
    blanks(a);
    char c = *a->at;

    if (a->depth > 64)
        return fail(a, "too deep");
    if (isdigit((unsigned char)c)) {
        char *end;
        long n = strtol(a->at, &end, 0);

        a->at = end;
        return n;
    }
    if (isalpha((unsigned char)c) || c == '_')
        return variable(a);
    if (!c || !strchr("-+!~(", c))
        return fail(a, "a number is missing");
    a->at++;
    a->depth++;
    long n = c == '(' ? expression(a, 0) : primary(a);

    a->depth--;
    switch (c) {
    case '-': return (long)(0 - (unsigned long)n);
    case '!': return !n;
    case '~': return ~n;
    case '(':
        blanks(a);
        if (*a->at != ')')
            return fail(a, "no )");
        a->at++;
    }
    return n;
}

static long apply(struct arith *a, const char *op, long l, long r)
{
    unsigned long x = (unsigned long)l, y = (unsigned long)r;

    if ((op[0] == '/' || op[0] == '%') && (r == 0 || (r == -1 && l == LONG_MIN)))
        return fail(a, "division by zero");
    switch (op[0]) {
    case '+': return (long)(x + y);
    case '-': return (long)(x - y);
    case '*': return (long)(x * y);
    case '/': return l / r;
    case '%': return l % r;
    case '^': return l ^ r;
    case '|': return op[1] ? l || r : l | r;
    case '&': return op[1] ? l && r : l & r;
    case '=': return l == r;
    case '!': return l != r;
    case '<': return op[1] == '<' ? (long)(x << (y & 63)) : op[1] ? l <= r : l < r;
    default:  return op[1] == '>' ? l >> (y & 63) : op[1] ? l >= r : l > r;
    }
}

static int operator_here(struct arith *a)
{
    blanks(a);
    for (int i = 0; i < OPERATORS; i++)
        if (strncmp(a->at, operators[i].text, strlen(operators[i].text)) == 0)
            return i;
    return -1;
}

static long expression(struct arith *a, int level)
{
    long left = primary(a);

    while (!a->failed) {
        int i = operator_here(a);

        if (i < 0 || operators[i].level <= level)
            break;
        a->at += strlen(operators[i].text);
        left = apply(a, operators[i].text, left, expression(a, operators[i].level));
    }
    blanks(a);
    if (level == 0 && *a->at == '?' && !a->failed) {
        a->at++;
        long yes = expression(a, 0);

        blanks(a);
        if (*a->at != ':')
            return fail(a, "no :");
        a->at++;
        long no = expression(a, 0);

        return left ? yes : no;
    }
    return left;
}

bool arith(const char *text, long *value)
{
    struct arith a = { .at = text };

    blanks(&a);
    *value = *a.at ? expression(&a, 0) : 0;
    blanks(&a);
    if (*a.at)
        fail(&a, "not understood");
    return !a.failed;
}
