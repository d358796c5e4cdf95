/* SPDX-License-Identifier: MIT */
/* redir.c: redirections, done for good in a child, and undone after a builtin. */
#include "sh.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The document becomes a file without a name, so its length does not matter. */
static int open_document(const struct redir *r)
{
    const char *text = r->literal ? r->text : expand_here(r->text);
    size_t length = strlen(text);
    char name[32];

    sniprintf(name, sizeof(name), "/tmp/.here-%d", getpid());
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0)
        return -1;
    unlink(name);
    if (write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A descriptor to copy from; *close_it tells whether it was opened for this. -1 error, -2 close (">&-"). */
static int open_target(const struct redir *r, bool *close_it)
{
    static const int modes[] = {
        [R_IN] = O_RDONLY, [R_OUT] = O_WRONLY | O_CREAT | O_TRUNC,
        [R_APPEND] = O_WRONLY | O_CREAT | O_APPEND, [R_BOTH] = O_RDWR | O_CREAT,
    };
    const char *name;

    *close_it = true;
    if (r->kind == R_HERE)
        return open_document(r);
    name = expand_one(r->text);
    if (!name)
        return -1;
    if (r->kind != R_DUP) {
        int fd = open(name, modes[r->kind], 0666);

        if (fd < 0)
            complain("%s: %s", name, strerror(errno));
        return fd;
    }
    *close_it = false;
    if (strcmp(name, "-") == 0)
        return -2;
    if (isdigit((unsigned char)name[0]) && fcntl(atoi(name), F_GETFD) >= 0)
        return atoi(name);
    complain("%s: not an open descriptor", name);
    return -1;
}

static bool save(struct saved *saved, int fd)
{
    if (saved->count == (int)(sizeof(saved->fds) / sizeof(saved->fds[0]))) {
        complain("too many redirections");
        return false;
    }
    saved->fds[saved->count].fd = fd;
    saved->fds[saved->count++].copy = fcntl(fd, F_DUPFD_CLOEXEC, 10);   /* -1: was closed */
    return true;
}

bool run_redirs(const struct redir *r, struct saved *saved)
{
    fflush(stdout);
    for (; r; r = r->next) {
        bool close_it;
        int from = open_target(r, &close_it);

        if (from == -1)
            return false;
        if (saved && !save(saved, r->fd))
            return false;
        if (from == -2) {
            close(r->fd);
        } else if (from != r->fd) {
            dup2(from, r->fd);
            if (close_it)
                close(from);
        }
    }
    return true;
}

void run_restore(struct saved *saved)
{
    fflush(stdout);
    while (saved->count > 0) {
        int fd = saved->fds[--saved->count].fd, copy = saved->fds[saved->count].copy;

        if (copy >= 0) {
            dup2(copy, fd);
            close(copy);
        } else {
            close(fd);
        }
    }
}
