/* SPDX-License-Identifier: MIT */
/* main.c: the shell: sh [-eux] [-i] [-c TEXT [NAME ARGS...] | FILE [ARGS...]]
 *
 * A script is read whole, then run command by command; at a terminal each line is edited, and lines are gathered
 * until they make a complete command.                                                              */
#include "sh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-kernel/user/box/box.h"

static void on_interrupt(int sig)
{
    (void)sig;
    shell.interrupted = 1;
}

static void set_default(const char *name, const char *value, bool export)
{
    if (!var_get(name))
        var_set(name, value);
    if (export)
        var_export(name);
}

static void start_variables(void)
{
    char host[72] = "novice";
    char *here = getcwd(NULL, 0);

    vars_from_environment(environ);
    gethostname(host, sizeof(host) - 3);
    set_default("HOSTNAME", host, false);
    strcat(host, "# ");
    set_default("PS1", host, false);
    set_default("PS2", "> ", false);
    set_default("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", true);
    set_default("HOME", "/", true);
    var_set("PWD", here ? here : "/");
    var_export("PWD");
    free(here);
}

/* One complete command from the terminal; NULL at the end of input. */
static char *gather(struct parse *at, struct node **node, enum parse_result *result)
{
    struct buffer text = { 0 };

    for (const char *prompt = "PS1";; prompt = "PS2") {
        char *line = edit_line(var_get(prompt) ? var_get(prompt) : "# ");

        if (!line) {
            buffer_free(&text);
            return NULL;
        }
        if (shell.interrupted) {
            text.length = 0;
            if (text.text)
                text.text[0] = '\0';
        }
        put_text(&text, line);
        put_byte(&text, '\n');
        edit_remember(line);
        free(line);
        *at = (struct parse){ .text = text.text, .line = 1 };
        *result = parse_command(at, node);
        if (*result != PARSE_INCOMPLETE)
            return text.text;
    }
}

static int interact(void)
{
    for (;;) {
        struct mark mark = arena_mark();
        enum parse_result result;
        struct node *node;
        struct parse at;

        job_reap(true);
        shell.interrupted = 0;
        shell.unwind = GO_ON;
        shell.loop_depth = shell.condition_depth = 0;
        char *text = gather(&at, &node, &result);

        if (!text)
            return shell.status;
        if (shell.interrupted)
            shell.status = 128 + SIGINT;
        shell.interrupted = 0;
        while (result == PARSE_OK && !shell.interrupted) {
            if (node)
                shell.status = run_node(node);
            fflush(stdout);
            result = parse_command(&at, &node);
        }
        if (result == PARSE_ERROR)
            shell.status = 2;
        arena_release(mark);
        free(text);
    }
}

static char *read_file(const char *name)
{
    struct buffer text = { 0 };
    char piece[1024];
    ssize_t n;
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : 0;

    if (fd < 0) {
        complain("%s: %s", name, strerror(errno));
        exit(127);
    }
    put_byte(&text, '\n');
    while ((n = read(fd, piece, sizeof(piece))) > 0)
        for (ssize_t i = 0; i < n; i++)
            put_byte(&text, piece[i]);
    if (name)
        close(fd);
    return text.text + 1;
}

/* From a pipe, line by line, because the commands may read the rest. */
static int run_stdin(void)
{
    struct buffer text = { 0 };
    char *line;

    while ((line = edit_line("")) && !shell.interrupted) {
        struct mark mark = arena_mark();
        struct parse at;
        struct node *node;

        put_text(&text, line);
        put_byte(&text, '\n');
        free(line);
        at = (struct parse){ .text = text.text, .line = 1 };
        enum parse_result result = parse_command(&at, &node);

        if (result == PARSE_OK && node)
            shell.status = run_node(node);
        if (result == PARSE_ERROR)
            shell.status = 2;
        arena_release(mark);
        if (result == PARSE_INCOMPLETE)
            continue;
        text.length = 0;
        text.text[0] = '\0';
    }
    return shell.status;
}

static int run_profile(const char *name)
{
    char *text;

    if (access(name, R_OK) != 0)
        return 0;
    text = read_file(name);
    return run_text(text, name);
}

int sh_main(int argc, char **argv)
{
    const char *command = NULL;
    bool login = argv[0][0] == '-';
    int i = 1;

    shell.pid = getpid();
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        for (const char *s = argv[i] + 1; *s; s++) {
            shell.exit_on_error |= *s == 'e';
            shell.trace |= *s == 'x';
            shell.no_unset |= *s == 'u';
            shell.interactive |= *s == 'i';
            login |= *s == 'l';
            if (*s == 'c' && i + 1 < argc)
                command = argv[i + 1];
        }
        if (command) {
            i += 2;
            break;
        }
    }
    shell.args = i < argc ? argv + i : argv;
    shell.argc = i < argc ? argc - i - 1 : 0;
    start_variables();
    if (!command && i >= argc && isatty(0) && isatty(1))
        shell.interactive = true;
    shell.job_control = shell.interactive && isatty(0) && tcgetpgrp(0) >= 0;
    job_init();
    if (shell.interactive) {
        struct sigaction act = { .sa_handler = on_interrupt };

        sigaction(SIGINT, &act, NULL);
        signal(SIGQUIT, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
    }
    if (login)
        run_profile("/etc/profile");
    if (command)
        exit(run_text(command, "-c"));
    if (i < argc)
        exit(run_text(read_file(argv[i]), argv[i]));
    exit(shell.interactive ? interact() : run_stdin());
}
