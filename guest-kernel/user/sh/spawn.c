/* SPDX-License-Identifier: MIT */
/* spawn.c: what needs a copy of the shell itself: pipelines, the background, ( ) and $( ). */
#include "sh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run_child(struct node *node)
{
    shell.interactive = false;
    shell.job_control = false;
    int status = node->kind == N_SIMPLE ? run_simple(node, true) : run_node(node);

    fflush(stdout);
    return status;
}

int run_pipeline(struct node *node)
{
    struct job *job = job_new(node->source ? node->source : "pipeline", false);
    int in = -1, fds[2];

    for (bool last = false; !last;) {
        struct node *stage = node->kind == N_PIPE ? node->left : node;

        last = node->kind != N_PIPE;
        if (!last && pipe(fds) < 0) {
            complain("pipe: %s", strerror(errno));
            break;
        }
        pid_t pid = job_fork(job, false);

        if (pid == 0) {
            if (in >= 0) {
                dup2(in, 0);
                close(in);
            }
            if (!last) {
                close(fds[0]);
                dup2(fds[1], 1);
                close(fds[1]);
            }
            _exit(run_child(stage));
        }
        if (in >= 0)
            close(in);
        if (!last)
            close(fds[1]);
        in = last ? -1 : fds[0];
        if (pid < 0) {
            complain("fork: %s", strerror(errno));
            break;
        }
        node = node->right;
    }
    if (in >= 0)
        close(in);
    return job_wait(job);
}

int run_background(struct node *node)
{
    struct job *job = job_new(node->source ? node->source : "job", true);
    bool control = shell.job_control;
    pid_t pid = job_fork(job, true);

    if (pid < 0) {
        complain("fork: %s", strerror(errno));
        return 1;
    }
    if (pid == 0) {
        if (!control) {                  /* nobody else keeps it from eating the shell's input */
            int null = open("/dev/null", O_RDONLY);

            dup2(null, 0);
            close(null);
            signal(SIGINT, SIG_IGN);
        }
        _exit(run_child(node->left));
    }
    shell.last_background = pid;
    job_background(job);
    return 0;
}

int run_subshell(struct node *node)
{
    struct job *job = job_new("subshell", false);
    pid_t pid = job_fork(job, false);

    if (pid == 0)
        _exit(run_child(node->left));
    return pid < 0 ? 1 : job_wait(job);
}

static char *read_all(int fd)
{
    struct buffer out = { 0 };
    char piece[256];
    ssize_t n;

    put_text(&out, "");
    while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
        for (ssize_t i = 0; i < n; i++)
            if (piece[i])
                put_byte(&out, piece[i]);
    while (out.length && out.text[out.length - 1] == '\n')
        out.text[--out.length] = '\0';
    return out.text;
}

char *run_capture(const char *text)
{
    bool control = shell.job_control;
    int fds[2];

    if (pipe(fds) < 0)
        return NULL;
    struct job *job = job_new("substitution", false);

    shell.job_control = false;           /* it stays in the shell's group: Ctrl-C reaches both */
    pid_t pid = job_fork(job, false);

    if (pid == 0) {
        close(fds[0]);
        dup2(fds[1], 1);
        close(fds[1]);
        shell.interactive = false;
        int status = run_text(text, "$( )");

        fflush(stdout);
        _exit(status);
    }
    close(fds[1]);
    char *output = read_all(fds[0]);

    close(fds[0]);
    shell.status = pid < 0 ? 1 : job_wait(job);
    shell.job_control = control;
    return output;
}
