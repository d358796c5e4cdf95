/* SPDX-License-Identifier: MIT */
/* grep.c: grep, with a small matcher of its own.
 *
 * An expression is matched where it stands, by backtracking: alternatives separated by |, each a row of pieces
 * (a character, ., [set], ^, $, or a group) with * + ? behind. That is exponential for hostile
 * expressions and short for all others.                                                              */
#include "guest-kernel/user/box/box.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool opt_case, opt_invert, opt_number, opt_count, opt_quiet, opt_names, opt_plain, opt_no_name, opt_deep;
static const char *expression[16], *line_start;          /* -e gives several: one is enough */
static int expressions;
static bool any_hit, several;

/* What must still match after a piece: the rest of this row, then the caller's rest. */
struct rest { const char *row, *end; const struct rest *next; };

static bool match_row(const char *p, const char *end, const char *s, const struct rest *rest);

/* Past one piece (without its repetition sign). */
static const char *piece_end(const char *p, const char *end)
{
    int depth = 0;

    if (*p == '\\')
        return p + 2 < end ? p + 2 : end;
    if (*p == '[') {
        p += 1 + (p[1] == '^');
        for (p++; p < end && *p != ']'; p++)
            ;
        return p < end ? p + 1 : end;
    }
    if (*p != '(')
        return p + 1;
    for (; p < end; p = *p == '\\' || *p == '[' ? piece_end(p, end) : p + 1) {
        depth += (*p == '(') - (*p == ')');
        if (depth == 0)
            return p + 1;
    }
    return end;
}

static unsigned char fold(unsigned char c)
{
    return opt_case ? (unsigned char)tolower(c) : c;
}

static bool in_set(const char *p, const char *end, unsigned char c)
{
    bool negate = p[1] == '^', found = false;

    end--;                               /* the ] */
    for (p += 1 + negate; p < end; p++) {
        unsigned char low = fold((unsigned char)*p), high = low;

        if (p + 2 < end && p[1] == '-') {
            high = fold((unsigned char)p[2]);
            p += 2;
        }
        found |= low <= c && c <= high;
    }
    return found != negate;
}

static bool class_hit(char letter, unsigned char c)
{
    switch (letter) {
    case 'd': return isdigit(c);
    case 's': return isspace(c);
    case 'w': return isalnum(c) || c == '_';
    default:  return fold((unsigned char)letter) == fold(c);
    }
}

static bool one(const char *p, const char *end, unsigned char c)
{
    switch (*p) {
    case '.':  return true;
    case '[':  return in_set(p, end, fold(c));
    case '\\': return class_hit(p[1], c);
    default:   return fold((unsigned char)*p) == fold(c);
    }
}

static bool match_rest(const char *s, const struct rest *rest)
{
    return !rest || match_row(rest->row, rest->end, s, rest->next);
}

/* Alternatives p..end. */
static bool match_any(const char *p, const char *end, const char *s, const struct rest *rest)
{
    for (;;) {
        const char *stop = p;

        while (stop < end && *stop != '|')
            stop = piece_end(stop, end);
        if (match_row(p, stop, s, rest))
            return true;
        if (stop >= end)
            return false;
        p = stop + 1;
    }
}

static bool repeat(const char *p, const char *stop, char sign, const char *s, const struct rest *rest)
{
    const char *at = s;

    if (*p == '(') {                     /* a group: once and again, or not at all */
        struct rest again = { p, rest->end, rest->next };

        if (sign == '+')
            return match_any(p + 1, stop - 1, s, &(struct rest){ stop, stop, rest }) ||
                   match_any(p + 1, stop - 1, s, &again);
        if (match_rest(s, rest))
            return true;
        const struct rest *then = sign == '?' ? rest : &again;

        /* An empty round would go on for ever: a group must take something. */
        return *s && match_any(p + 1, stop - 1, s, then);
    }
    while (*at && one(p, stop, (unsigned char)*at) && !(sign == '?' && at > s))
        at++;
    for (; at >= s + (sign == '+'); at--)
        if (match_rest(at, rest))
            return true;
    return false;
}

static bool match_row(const char *p, const char *end, const char *s, const struct rest *rest)
{
    while (p < end) {
        const char *stop = piece_end(p, end);

        if (stop < end && strchr("*+?", *stop) && *p != '^')
            return repeat(p, stop, *stop, s, &(struct rest){ stop + 1, end, rest });
        if (*p == '(')
            return match_any(p + 1, stop - 1, s, &(struct rest){ stop, end, rest });
        if (*p == '^') {
            if (s != line_start)
                return false;
        } else if (*p == '$' && stop == end) {
            if (*s)
                return false;
        } else if (!*s || !one(p, stop, (unsigned char)*s++)) {
            return false;
        }
        p = stop;
    }
    return match_rest(s, rest);
}

static bool hit_one(const char *line, const char *what)
{
    size_t n = strlen(what);

    if (opt_plain && !opt_case)
        return strstr(line, what) != NULL;
    for (const char *s = line;; s++) {
        if (opt_plain ? strncasecmp(s, what, n) == 0 : match_any(what, what + n, s, NULL))
            return true;
        if (!*s)
            return false;
    }
}

static bool hit(const char *line)
{
    line_start = line;
    for (int i = 0; i < expressions; i++)
        if (hit_one(line, expression[i]))
            return true;
    return false;
}

static bool add_expression(const char *what)
{
    if (expressions == sizeof(expression) / sizeof(expression[0]))
        return false;
    expression[expressions++] = what;
    return true;
}

static int grep_one(int fd, const char *name)
{
    FILE *f = fdopen(dup(fd), "r");
    char *line = NULL;
    size_t room = 0;
    long at = 0, count = 0;

    if (!f)
        return fail(name);
    while (getline(&line, &room, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        at++;
        if (hit(line) == opt_invert)
            continue;
        count++;
        any_hit = true;
        if (opt_quiet || opt_names)
            break;
        if (opt_count)
            continue;
        if (several && !opt_no_name)
            iprintf("%s:", name);
        if (opt_number)
            iprintf("%ld:", at);
        puts(line);
    }
    if (opt_count)
        several && !opt_no_name ? iprintf("%s:%ld\n", name, count) : iprintf("%ld\n", count);
    if (opt_names && count)
        puts(name);
    free(line);
    fclose(f);
    return 0;
}

static int grep_deep(const char *path)
{
    struct dirent **list;
    char full[512];
    int count = scandir(path, &list, NULL, alphasort), status = 0;

    if (count < 0) {
        int fd = open(path, O_RDONLY);

        if (fd < 0)
            return fail(path);
        status = grep_one(fd, path);
        close(fd);
        return status;
    }
    for (int i = 0; i < count; i++) {
        const char *name = list[i]->d_name;
        bool follow = list[i]->d_type == DT_DIR || list[i]->d_type == DT_REG;

        sniprintf(full, sizeof(full), "%s/%s", strcmp(path, "/") ? path : "", name);
        if (follow && strcmp(name, ".") && strcmp(name, ".."))
            status |= grep_deep(full);
        free(list[i]);
    }
    free(list);
    return status;
}

static int grep_all(int argc, char **argv)
{
    int status = 0;

    if (!opt_deep)
        return each_file(argc, argv, optind, grep_one);
    several = true;
    if (optind == argc)
        return grep_deep(".");
    for (; optind < argc; optind++)
        status |= grep_deep(argv[optind]);
    return status;
}

int grep_main(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "ivncqlFEhre:")) != -1) {
        switch (c) {
        case 'i': opt_case = true; break;
        case 'v': opt_invert = true; break;
        case 'n': opt_number = true; break;
        case 'c': opt_count = true; break;
        case 'q': opt_quiet = true; break;
        case 'l': opt_names = true; break;
        case 'F': opt_plain = true; break;
        case 'h': opt_no_name = true; break;
        case 'r': opt_deep = true; break;
        case 'e':
            if (!add_expression(optarg))
                return usage("at most 16 expressions: join some by |");
            break;
        case 'E': break;                 /* the only kind there is */
        default:  return usage("[-ivncqlFhr] EXPRESSION|-e EXPRESSION... [FILE...]");
        }
    }
    if (!expressions && (optind == argc || !add_expression(argv[optind++])))
        return usage("[-ivncqlFhr] EXPRESSION|-e EXPRESSION... [FILE...]");
    several = argc - optind > 1;
    int status = grep_all(argc, argv);

    return status ? 2 : !any_hit;
}
