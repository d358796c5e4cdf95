/* SPDX-License-Identifier: MIT */
/* cmd_store.c: `enso store`: reading, writing and watching the store by hand. */
#include "dom0-tools/enso/enso.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/xs.h"

#define NAMES_SIZE 65536
#define VALUE_SIZE 4097

static volatile sig_atomic_t stopped;

static void on_interrupt(int sig) { stopped = sig; }

static int refused(const char *path, int rc)
{
    switch (-rc) {
    case ENOENT: return failf("%s: there is no such node", path);
    case EACCES: return failf("%s: this domain may not do that", path);
    case ENOSPC: return failf("%s: this domain's quota of the store is used up", path);
    case EINVAL: return failf("%s: the store takes letters, digits and - / _ @, no double or last slash", path);
    default:     return failf("%s: %s", path, strerror(-rc));
    }
}

static void print_value(const char *value, int n)
{
    for (int i = 0; i < n; i++)
        if (value[i] >= ' ' && value[i] <= '~')
            putchar(value[i]);
        else
            printf("\\x%02x", (unsigned char)value[i]);
}

/* path and what is below it, indented, each with its value. */
static int list_tree(struct xs *x, const char *path, unsigned depth)
{
    char *names = malloc(NAMES_SIZE), value[VALUE_SIZE], below[XS_PATH];
    int n = names ? xs_list(x, 0, path, names, NAMES_SIZE) : -ENOMEM;
    const char *at = names;

    for (int i = 0; i < n; i++, at += strlen(at) + 1) {
        int len;

        if (snprintf(below, sizeof(below), "%s/%s", strcmp(path, "/") ? path : "", at) >= (int)sizeof(below))
            continue;
        len = xs_read(x, 0, below, value, sizeof(value));
        printf("%*s%s = \"", (int)(depth * 2), "", at);
        print_value(value, len);
        puts("\"");
        list_tree(x, below, depth + 1);
    }
    free(names);
    return n;
}

static int do_ls(struct xs *x, int words, char **word)
{
    const char *path = words ? word[0] : "/";
    int rc = list_tree(x, path, 0);

    return rc < 0 ? refused(path, rc) : 0;
}

static int do_read(struct xs *x, int words, char **word)
{
    char value[VALUE_SIZE];

    for (int i = 0; i < words; i++) {
        int n = xs_read(x, 0, word[i], value, sizeof(value));

        if (n < 0)
            return refused(word[i], n);
        print_value(value, n);
        putchar('\n');
    }
    return words ? 0 : usage();
}

static int do_write(struct xs *x, int words, char **word)
{
    int rc = 0;

    if (!words || words % 2)
        return usage();
    for (int i = 0; i < words && !rc; i += 2)
        if ((rc = xs_write(x, 0, word[i], word[i + 1])) < 0)
            return refused(word[i], rc);
    return 0;
}

static int do_rm(struct xs *x, int words, char **word)
{
    int rc;

    for (int i = 0; i < words; i++)
        if ((rc = xs_rm(x, 0, word[i])) < 0)
            return refused(word[i], rc);
    return words ? 0 : usage();
}

/* Prints each path that changes, until Ctrl-C or so many. */
static int do_watch(struct xs *x, int words, char **word)
{
    char path[XS_PATH], token[64];
    long left = -1;
    int rc;

    if (words > 2 && !strcmp(word[0], "-n")) {
        left = atol(word[1]);
        words -= 2;
        word += 2;
    }
    for (int i = 0; i < words; i++)
        if ((rc = xs_watch(x, word[i], "enso")) < 0)
            return refused(word[i], rc);
    signal(SIGINT, on_interrupt);
    while (words && !stopped && left) {
        rc = xs_event(x, path, token, -1);
        if (rc > 0) {
            puts(path);
            fflush(stdout);
            left -= left > 0;
        } else if (rc != -EINTR && rc) {
            return failf("the store: %s", strerror(-rc));
        }
    }
    return words ? 0 : usage();
}

int cmd_store(int words, char **word)
{
    static const struct { const char *name; int (*run)(struct xs *x, int words, char **word); } verbs[] = {
        { "ls", do_ls }, { "list", do_ls }, { "read", do_read }, { "write", do_write }, { "rm", do_rm }, { "watch", do_watch },
    };

    for (unsigned i = 0; words > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        struct xs *x;
        int rc;

        if (strcmp(word[1], verbs[i].name))
            continue;
        x = xs_open();
        if (!x)
            return failf("no store answers: %s; is xenstored running?", strerror(errno));
        rc = verbs[i].run(x, words - 2, word + 2);
        xs_close(x);
        return rc;
    }
    return usage();
}
