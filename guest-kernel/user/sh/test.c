/* SPDX-License-Identifier: MIT */
/* test.c: test and [: conditions on texts, numbers and files.
 *
 * Up to four arguments mean what their number says (POSIX), so that `[ "$x" = ... ]` holds for any $x;
 * more are read by precedence: ! before -a before -o, with brackets.                               */
#include "sh.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-kernel/user/box/box.h"

struct args { char **at, **end; bool bad; };

static bool expression(struct args *a);

static bool unary(char op, const char *arg, bool *known)
{
    struct stat st;

    *known = true;
    switch (op) {
    case 'n': return arg[0] != '\0';
    case 'z': return arg[0] == '\0';
    case 't': return isatty(atoi(arg));
    case 'r': return access(arg, R_OK) == 0;
    case 'w': return access(arg, W_OK) == 0;
    case 'x': return access(arg, X_OK) == 0;
    case 'h':
    case 'L': return lstat(arg, &st) == 0 && S_ISLNK(st.st_mode);
    }
    bool there = stat(arg, &st) == 0;

    switch (op) {
    case 'e': return there;
    case 'f': return there && S_ISREG(st.st_mode);
    case 'd': return there && S_ISDIR(st.st_mode);
    case 'b': return there && S_ISBLK(st.st_mode);
    case 'c': return there && S_ISCHR(st.st_mode);
    case 'p': return there && S_ISFIFO(st.st_mode);
    case 's': return there && st.st_size > 0;
    }
    *known = false;
    return false;
}

static bool is_unary(const char *s)
{
    return s[0] == '-' && s[1] && !s[2] && strchr("nztrwxhLefdbcps", s[1]);
}

static const char *const binaries[] = {
    "=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot",
};

static int binary_op(const char *s)
{
    for (int i = 0; i < (int)(sizeof(binaries) / sizeof(binaries[0])); i++)
        if (strcmp(s, binaries[i]) == 0)
            return i;
    return -1;
}

static long number(struct args *a, const char *s)
{
    char *end;
    long n = strtol(s, &end, 10);

    if (end == s || *end) {
        complain("test: %s: not a number", s);
        a->bad = true;
    }
    return n;
}

static long age(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (long)st.st_mtime : -1;
}

static bool binary(struct args *a, const char *l, int op, const char *r)
{
    if (op < 5) {
        int order = strcmp(l, r);

        return op < 2 ? order == 0 : op == 2 ? order != 0 : op == 3 ? order < 0 : order > 0;
    }
    if (op >= 11)
        return op == 11 ? age(l) > age(r) : age(l) < age(r);
    long x = number(a, l), y = number(a, r);

    switch (op) {
    case 5:  return x == y;
    case 6:  return x != y;
    case 7:  return x < y;
    case 8:  return x <= y;
    case 9:  return x > y;
    default: return x >= y;
    }
}

static bool primary(struct args *a)
{
    long left = a->end - a->at;
    bool known, value;

    if (left <= 0) {
        complain("test: an argument is missing");
        a->bad = true;
        return false;
    }
    if (left >= 3 && binary_op(a->at[1]) >= 0) {
        value = binary(a, a->at[0], binary_op(a->at[1]), a->at[2]);
        a->at += 3;
        return value;
    }
    if (left >= 2 && strcmp(a->at[0], "!") == 0) {
        a->at++;
        return !primary(a);
    }
    if (left >= 3 && strcmp(a->at[0], "(") == 0) {
        a->at++;
        value = expression(a);
        if (a->at < a->end && strcmp(*a->at, ")") == 0)
            a->at++;
        else
            a->bad = true;
        return value;
    }
    if (left >= 2 && is_unary(a->at[0])) {
        value = unary(a->at[0][1], a->at[1], &known);
        a->at += 2;
        return value;
    }
    return (*a->at++)[0] != '\0';
}

static bool word(struct args *a, const char *text)
{
    if (a->at >= a->end || strcmp(*a->at, text) != 0)
        return false;
    a->at++;
    return true;
}

static bool conjunction(struct args *a)
{
    bool value = primary(a);

    while (!a->bad && word(a, "-a"))
        value = primary(a) && value;
    return value;
}

static bool expression(struct args *a)
{
    bool value = conjunction(a);

    while (!a->bad && word(a, "-o"))
        value = conjunction(a) || value;
    return value;
}

int test_main(int argc, char **argv)
{
    struct args a = { argv + 1, argv + argc, false };

    if (strcmp(argv[0], "[") == 0) {
        if (argc < 2 || strcmp(argv[argc - 1], "]") != 0) {
            complain("[: no closing ]");
            return 2;
        }
        a.end--;
    }
    if (a.at == a.end)
        return 1;
    bool value = expression(&a);

    if (!a.bad && a.at != a.end) {
        complain("test: %s: not expected", *a.at);
        a.bad = true;
    }
    return a.bad ? 2 : !value;
}
