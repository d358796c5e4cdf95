/* SPDX-License-Identifier: MIT */
/* text.c: head tail wc uniq cut yes seq hexdump. */
#include "guest-kernel/user/box/box.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- head, tail ---- */

static long lines = 10;
static bool follow;

/* "-n N" or "-N"; the index of the first file, or -1. */
static int line_option(int argc, char **argv)
{
    int i = 1;
    bool good = true;

    for (; i < argc && argv[i][0] == '-' && argv[i][1] && good; i++) {
        if (strcmp(argv[i], "-f") == 0)
            follow = true;
        else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
            lines = parse_number(argv[++i], &good);
        else
            lines = parse_number(argv[i] + 1 + (argv[i][1] == 'n'), &good);
    }
    return good && lines >= 0 ? i : -1;
}

static void title(int argc, int first, const char *name)
{
    static int shown;

    if (argc - first > 1)
        iprintf("%s==> %s <==\n", shown++ ? "\n" : "", name);
}

static int files_given, first_given;

static int head_one(int fd, const char *name)
{
    FILE *f = fdopen(dup(fd), "r");
    long left = lines;
    int c;

    if (!f)
        return fail(name);
    title(files_given, first_given, name);
    while (left > 0 && (c = getc(f)) != EOF) {
        putchar(c);
        left -= c == '\n';
    }
    fclose(f);
    return 0;
}

/* Keeps the last lines in a growing text, of which the oldest part is dropped now and then. */
static int tail_one(int fd, const char *name)
{
    FILE *f = fdopen(dup(fd), "r");
    size_t room = 4096, length = 0;
    char *text = malloc(room);
    int c;

    if (!f || !text)
        return fail(name);
    title(files_given, first_given, name);
    while ((c = getc(f)) != EOF) {
        if (length == room) {
            char *longer = realloc(text, room *= 2);

            if (!longer) {
                free(text);
                fclose(f);
                return fail(name);
            }
            text = longer;
        }
        text[length++] = (char)c;
    }
    size_t from = length;

    for (long left = lines + (length && text[length - 1] == '\n'); from > 0; from--)
        if (text[from - 1] == '\n' && --left <= 0)
            break;
    fwrite(text + from, 1, length - from, stdout);
    fflush(stdout);
    free(text);
    fclose(f);
    while (follow && copy_fd(fd, 1) == 0)
        usleep(200000);
    return 0;
}

static long bytes;

static int head_bytes(int fd, const char *name)
{
    char buffer[512];
    ssize_t n = 1;

    title(files_given, first_given, name);
    for (long left = bytes; left > 0 && n > 0; left -= n) {
        n = read(fd, buffer, left < (long)sizeof(buffer) ? (size_t)left : sizeof(buffer));
        if (n > 0)
            fwrite(buffer, 1, (size_t)n, stdout);
    }
    return n < 0 ? fail(name) : 0;
}

int head_main(int argc, char **argv)
{
    bool good = false;

    if (argc > 2 && strcmp(argv[1], "-c") == 0) {
        bytes = parse_number(argv[2], &good);
        files_given = argc;
        first_given = 3;
        return !good || bytes < 0 ? usage("-c BYTES [FILE...]") : each_file(argc, argv, 3, head_bytes);
    }
    int first = line_option(argc, argv);

    files_given = argc;
    first_given = first;
    return first < 0 ? usage("[-n LINES | -c BYTES] [FILE...]") : each_file(argc, argv, first, head_one);
}

int tail_main(int argc, char **argv)
{
    int first = line_option(argc, argv);

    files_given = argc;
    first_given = first;
    return first < 0 ? usage("[-n LINES] [-f] [FILE...]") : each_file(argc, argv, first, tail_one);
}

/* ---- wc ---- */

static bool count_lines, count_words, count_bytes;
static long total[3];

static void show_counts(const long n[3], const char *name)
{
    bool all = !count_lines && !count_words && !count_bytes;
    bool one = count_lines + count_words + count_bytes == 1;

    for (int i = 0; i < 3; i++) {
        bool wanted[] = { count_lines, count_words, count_bytes };

        if (all || wanted[i])
            iprintf(one ? "%ld" : "%7ld ", n[i]);
    }
    if (strcmp(name, "-"))
        iprintf(one ? " %s" : "%s", name);
    iprintf("\n");
}

static int wc_one(int fd, const char *name)
{
    static char buffer[4096];
    long n[3] = { 0 };
    bool in_word = false;
    ssize_t got;

    while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
        n[2] += got;
        for (ssize_t i = 0; i < got; i++) {
            bool space = isspace((unsigned char)buffer[i]);

            n[0] += buffer[i] == '\n';
            n[1] += !space && !in_word;
            in_word = !space;
        }
    }
    if (got < 0)
        return fail(name);
    for (int i = 0; i < 3; i++)
        total[i] += n[i];
    show_counts(n, name);
    return 0;
}

int wc_main(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "lwc")) != -1) {
        count_lines |= c == 'l';
        count_words |= c == 'w';
        count_bytes |= c == 'c';
        if (c == '?')
            return usage("[-lwc] [FILE...]");
    }
    int status = each_file(argc, argv, optind, wc_one);

    if (argc - optind > 1)
        show_counts(total, "total");
    return status;
}

/* ---- uniq ---- */

static bool uniq_count, uniq_repeated, uniq_single;

static void uniq_show(const char *line, long times)
{
    if (!line || (uniq_repeated && times < 2) || (uniq_single && times > 1))
        return;
    if (uniq_count)
        iprintf("%7ld ", times);
    fputs(line, stdout);
}

static int uniq_one(int fd, const char *name)
{
    FILE *f = fdopen(dup(fd), "r");
    char *line = NULL, *before = NULL;
    size_t room = 0;
    long times = 0;

    if (!f)
        return fail(name);
    while (getline(&line, &room, f) > 0) {
        if (before && strcmp(line, before) == 0) {
            times++;
            continue;
        }
        uniq_show(before, times);
        free(before);
        before = strdup(line);
        times = 1;
    }
    uniq_show(before, times);
    free(before);
    free(line);
    fclose(f);
    return 0;
}

int uniq_main(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "cdu")) != -1) {
        uniq_count |= c == 'c';
        uniq_repeated |= c == 'd';
        uniq_single |= c == 'u';
        if (c == '?')
            return usage("[-cdu] [FILE]");
    }
    return each_file(argc, argv, optind, uniq_one);
}

/* ---- cut ---- */

static char cut_delimiter = '\t';
static const char *cut_list;
static bool cut_characters;

static bool in_list(long n)
{
    for (const char *s = cut_list; *s;) {
        char *end;
        long low = *s == '-' ? 1 : strtol(s, &end, 10), high = low;

        if (*s == '-')
            end = (char *)(size_t)s;
        if (*end == '-')
            high = isdigit((unsigned char)end[1]) ? strtol(end + 1, &end, 10) : (end++, 1L << 30);
        if (n >= low && n <= high)
            return true;
        s = *end == ',' ? end + 1 : end + strlen(end);
    }
    return false;
}

static void cut_line(char *line)
{
    bool first = true;
    long n = 1;

    line[strcspn(line, "\n")] = '\0';
    if (cut_characters) {
        for (char *s = line; *s; s++, n++)
            if (in_list(n))
                putchar(*s);
    } else if (!strchr(line, cut_delimiter)) {
        fputs(line, stdout);
    } else {
        for (char *s = line, *next; s; s = next, n++) {
            next = strchr(s, cut_delimiter);
            if (next)
                *next++ = '\0';
            if (!in_list(n))
                continue;
            if (!first)
                putchar(cut_delimiter);
            fputs(s, stdout);
            first = false;
        }
    }
    putchar('\n');
}

static int cut_one(int fd, const char *name)
{
    FILE *f = fdopen(dup(fd), "r");
    char *line = NULL;
    size_t room = 0;

    if (!f)
        return fail(name);
    while (getline(&line, &room, f) > 0)
        cut_line(line);
    free(line);
    fclose(f);
    return 0;
}

int cut_main(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "d:f:c:")) != -1) {
        if (c == 'd')
            cut_delimiter = optarg[0];
        else if (c == 'f' || c == 'c')
            cut_list = optarg;
        cut_characters |= c == 'c';
    }
    return cut_list ? each_file(argc, argv, optind, cut_one) : usage("[-d C] -f LIST | -c LIST [FILE...]");
}

/* ---- yes, seq, hexdump ---- */

int yes_main(int argc, char **argv)
{
    while (iprintf("%s\n", argc > 1 ? argv[1] : "y") > 0 && !ferror(stdout))
        ;
    return 1;
}

int seq_main(int argc, char **argv)
{
    bool good[3] = { true, true, true };
    long first = argc > 2 ? parse_number(argv[1], &good[0]) : 1;
    long step = argc > 3 ? parse_number(argv[2], &good[1]) : 1;
    long last = argc > 1 ? parse_number(argv[argc - 1], &good[2]) : 0;

    if (argc < 2 || argc > 4 || !good[0] || !good[1] || !good[2] || step == 0)
        return usage("[FIRST [STEP]] LAST");
    for (long n = first; step > 0 ? n <= last : n >= last; n += step)
        if (iprintf("%ld\n", n) < 0)
            return 1;
    return 0;
}

static long dump_bytes = -1, dump_skip;

static int dump(int fd, const char *name)
{
    unsigned char row[16];
    long at = 0;
    FILE *f = fdopen(dup(fd), "r");

    if (!f)
        return fail(name);
    for (; at < dump_skip && getc(f) != EOF; at++)
        ;
    while (dump_bytes != 0) {
        size_t want = dump_bytes < 0 || dump_bytes > 16 ? 16 : (size_t)dump_bytes;
        size_t n = fread(row, 1, want, f);

        if (n == 0)
            break;
        iprintf("%08lx ", at);
        for (size_t i = 0; i < 16; i++)
            i < n ? iprintf(i == 8 ? "  %02x" : " %02x", row[i]) : iprintf(i == 8 ? "    " : "   ");
        iprintf("  |");
        for (size_t i = 0; i < n; i++)
            putchar(isprint(row[i]) ? row[i] : '.');
        iprintf("|\n");
        at += (long)n;
        if (dump_bytes > 0)
            dump_bytes -= (long)n;
    }
    fclose(f);
    return 0;
}

int hexdump_main(int argc, char **argv)
{
    bool good = true;
    int c;

    while ((c = getopt(argc, argv, "Cn:s:")) != -1 && good) {
        if (c == 'n')
            dump_bytes = parse_number(optarg, &good);
        else if (c == 's')
            dump_skip = parse_number(optarg, &good);
        else
            good = c == 'C';             /* the only form there is */
    }
    return good ? each_file(argc, argv, optind, dump) : usage("[-n BYTES] [-s OFFSET] [FILE...]");
}
