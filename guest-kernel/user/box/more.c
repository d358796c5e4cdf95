/* SPDX-License-Identifier: MIT */
/* more.c: time dd tr xargs basename dirname which sync. */
#include "guest-kernel/user/box/box.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- running others ---- */

static int run(char **argv, struct rusage *used)
{
    pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        return fail("fork");
    if (pid == 0) {
        execvp(argv[0], argv);
        fail(argv[0]);
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (wait4(pid, &status, 0, used) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + (WTERMSIG(status) & 0x7f);
}

static void show_time(const char *what, long seconds, long us)
{
    fiprintf(stderr, "%s %ld.%03ld\n", what, seconds, us / 1000);
}

int time_main(int argc, char **argv)
{
    struct timespec start, end;
    struct rusage used = { 0 };

    if (argc < 2)
        return usage("PROGRAM [ARGUMENT...]");
    clock_gettime(CLOCK_MONOTONIC, &start);
    int status = run(argv + 1, &used);

    clock_gettime(CLOCK_MONOTONIC, &end);
    long us = (long)(end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000;

    show_time("real", us / 1000000, us % 1000000);
    show_time("user", (long)used.ru_utime.tv_sec, used.ru_utime.tv_usec);
    show_time("sys ", (long)used.ru_stime.tv_sec, used.ru_stime.tv_usec);
    return status;
}

int xargs_main(int argc, char **argv)
{
    static char echo[] = "echo";
    char **list = calloc((size_t)argc + 130, sizeof(char *)), *line = NULL, *rest;
    int status = 0, fixed = 0, n, most = 128;
    size_t room = 0;

    if (argc > 2 && strcmp(argv[1], "-n") == 0) {
        most = atoi(argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (!list || most < 1 || most > 128)
        return usage("[-n COUNT] [PROGRAM [ARGUMENT...]]");
    for (int i = 1; i < argc; i++)
        list[fixed++] = argv[i];
    if (!fixed)
        list[fixed++] = echo;
    n = fixed;
    while (getline(&line, &room, stdin) > 0) {
        for (char *word = strtok_r(line, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
            list[n++] = strdup(word);
            if (n - fixed < most)
                continue;
            status |= run(list, NULL);
            while (n > fixed) {
                free(list[--n]);
                list[n] = NULL;
            }
        }
    }
    if (n > fixed)
        status |= run(list, NULL);
    return status;
}

/* ---- dd ---- */

struct dd { const char *in, *out; long block, count, skip, seek; };

static bool dd_option(struct dd *o, char *word)
{
    static const struct { const char *name; size_t at; } numbers[] = {
        { "bs", offsetof(struct dd, block) }, { "count", offsetof(struct dd, count) },
        { "skip", offsetof(struct dd, skip) }, { "seek", offsetof(struct dd, seek) },
    };
    char *value = strchr(word, '=');
    bool good = false;

    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(word, "if") == 0 || strcmp(word, "of") == 0) {
        *(word[0] == 'i' ? &o->in : &o->out) = value;
        return true;
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(word, numbers[i].name) == 0)
            *(long *)(void *)((char *)o + numbers[i].at) = parse_number(value, &good);
    return good;
}

/* A short write is tried again, so that errno says what stopped it. */
static bool write_all(int fd, const char *from, size_t n, long *bytes)
{
    while (n) {
        ssize_t done = write(fd, from, n);

        if (done <= 0)
            return false;
        from += done;
        n -= (size_t)done;
        *bytes += done;
    }
    return true;
}

int dd_main(int argc, char **argv)
{
    struct dd o = { .block = 512, .count = -1 };
    long blocks = 0, bytes = 0;
    ssize_t n = 0;

    for (int i = 1; i < argc; i++)
        if (!dd_option(&o, argv[i]))
            return usage("[if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [seek=N]");
    int in = o.in ? open(o.in, O_RDONLY) : 0, out = o.out ? open(o.out, O_WRONLY | O_CREAT | (o.seek ? 0 : O_TRUNC), 0666) : 1;
    char *buffer = o.block > 0 && o.block <= 16 << 20 ? malloc((size_t)o.block) : NULL;

    if (in < 0 || out < 0 || !buffer)
        return fail(in < 0 ? o.in : out < 0 ? o.out : "bs");
    if ((o.skip && lseek(in, o.skip * o.block, SEEK_SET) < 0) || (o.seek && lseek(out, o.seek * o.block, SEEK_SET) < 0))
        return fail("seek");
    for (; o.count < 0 || blocks < o.count; blocks++) {
        n = read(in, buffer, (size_t)o.block);
        if (n <= 0 || !write_all(out, buffer, (size_t)n, &bytes))
            break;
    }
    int status = n > 0 && (o.count < 0 || blocks < o.count) ? fail("write") : n < 0 ? fail("read") : 0;

    fiprintf(stderr, "%ld blocks, %ld bytes\n", blocks, bytes);
    return status;
}

/* ---- tr ---- */

/* "a-z\n" spelled out; the length. */
static int expand_set(const char *s, unsigned char out[256])
{
    int n = 0;

    for (; *s && n < 256; s++) {
        unsigned char low = (unsigned char)*s, high;

        if (low == '\\' && s[1]) {
            s++;
            low = *s == 'n' ? '\n' : *s == 't' ? '\t' : (unsigned char)*s;
        }
        high = low;
        if (s[1] == '-' && s[2]) {
            high = (unsigned char)s[2];
            s += 2;
        }
        for (int c = low; c <= high && n < 256; c++)
            out[n++] = (unsigned char)c;
    }
    return n;
}

int tr_main(int argc, char **argv)
{
    bool delete = argc > 1 && strcmp(argv[1], "-d") == 0;
    unsigned char from[256], to[256];
    int map[256], c;

    if (argc != 3)
        return usage("SET SET | -d SET");
    int n = expand_set(argv[delete ? 2 : 1], from), m = delete ? 0 : expand_set(argv[2], to);

    for (int i = 0; i < 256; i++)
        map[i] = i;
    for (int i = 0; i < n; i++)
        map[from[i]] = delete || m == 0 ? -1 : to[i < m ? i : m - 1];
    while ((c = getchar()) != EOF)
        if (map[c] >= 0)
            putchar(map[c]);
    return 0;
}

/* ---- names ---- */

int basename_main(int argc, char **argv)
{
    if (argc < 2)
        return usage("PATH [SUFFIX]");
    size_t n = strlen(argv[1]);

    while (n > 1 && argv[1][n - 1] == '/')
        argv[1][--n] = '\0';
    char *slash = strrchr(argv[1], '/'), *name = slash && slash[1] ? slash + 1 : argv[1];
    size_t length = strlen(name), suffix = argc > 2 ? strlen(argv[2]) : 0;

    if (suffix && length > suffix && strcmp(name + length - suffix, argv[2]) == 0)
        name[length - suffix] = '\0';
    puts(name);
    return 0;
}

int dirname_main(int argc, char **argv)
{
    if (argc != 2)
        return usage("PATH");
    size_t n = strlen(argv[1]);

    while (n > 1 && argv[1][n - 1] == '/')
        n--;
    while (n > 0 && argv[1][n - 1] != '/')
        n--;
    while (n > 1 && argv[1][n - 1] == '/')
        n--;
    iprintf("%.*s\n", n ? (int)n : 1, n ? argv[1] : ".");
    return 0;
}

int which_main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        const char *path = getenv("PATH");
        bool found = false;
        char name[512];
        struct stat st;

        for (path = path ? path : "/bin:/sbin"; *path && !found; path += *path == ':') {
            size_t n = strcspn(path, ":");

            sniprintf(name, sizeof(name), "%.*s/%s", (int)n, path, argv[i]);
            found = stat(name, &st) == 0 && S_ISREG(st.st_mode) && access(name, X_OK) == 0;
            path += n;
        }
        if (found)
            puts(name);
        status |= !found;
    }
    return status;
}

int sync_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    sync();
    return 0;
}
