/* SPDX-License-Identifier: MIT */
/* sort.c: sort: all lines in memory, one qsort. */
#include "guest-kernel/user/box/box.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool by_number, backwards, once;
static long field;                       /* 0: the whole line */
static char **lines;
static size_t count, room;

static const char *key(const char *line)
{
    for (long n = 1; n < field; n++) {
        while (isspace((unsigned char)*line))
            line++;
        while (*line && !isspace((unsigned char)*line))
            line++;
    }
    while (field && isspace((unsigned char)*line))
        line++;
    return line;
}

static int by_key(const char *a, const char *b)
{
    if (by_number) {
        long x = strtol(a, NULL, 10), y = strtol(b, NULL, 10);

        if (x != y)
            return x < y ? -1 : 1;
        if (once)
            return 0;
    }
    return strcmp(a, b);
}

static int compare(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = by_key(key(x), key(y));

    if (order == 0 && !once)
        order = strcmp(x, y);
    return backwards ? -order : order;
}

static int read_lines(int fd, const char *name)
{
    FILE *f = fdopen(dup(fd), "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t n;

    if (!f)
        return fail(name);
    while ((n = getline(&line, &size, f)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (count == room) {
            room = room ? room * 2 : 128;
            lines = realloc(lines, room * sizeof(char *));
        }
        if (!lines || !(lines[count++] = strdup(line))) {
            fail("sort");
            exit(2);
        }
    }
    free(line);
    fclose(f);
    return 0;
}

int sort_main(int argc, char **argv)
{
    bool good = true;
    int c;

    while ((c = getopt(argc, argv, "nruk:")) != -1 && good) {
        by_number |= c == 'n';
        backwards |= c == 'r';
        once |= c == 'u';
        if (c == 'k')
            field = strtol(optarg, NULL, 10);
        good = c != '?';
    }
    if (!good || field < 0)
        return usage("[-nru] [-k FIELD] [FILE...]");
    int status = each_file(argc, argv, optind, read_lines);

    if (count)
        qsort(lines, count, sizeof(char *), compare);
    for (size_t i = 0; i < count; i++)
        if (!once || i == 0 || compare(&lines[i - 1], &lines[i]) != 0)
            puts(lines[i]);
    return status;
}
