/* SPDX-License-Identifier: MIT */
/* command.c: one simple command: a function, a builtin within the shell, or a program in a process of its own. */
#include "sh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- functions ---- */

struct function { struct function *next; char *name, *source; };
static struct function *functions;

static struct function **function_find(const char *name)
{
    struct function **f = &functions;

    while (*f && strcmp((*f)->name, name) != 0)
        f = &(*f)->next;
    return f;
}

const char *function_get(const char *name)
{
    struct function *f = *function_find(name);

    return f ? f->source : NULL;
}

void function_unset(const char *name)
{
    struct function **place = function_find(name), *f = *place;

    if (!f)
        return;
    *place = f->next;
    free(f->name);
    free(f->source);
    free(f);
}

void function_set(const char *name, const char *source)
{
    struct function *f = calloc(1, sizeof(*f));

    function_unset(name);
    if (!f || !(f->name = strdup(name)) || !(f->source = strdup(source))) {
        complain("%s: no memory for the function", name);
        return;
    }
    f->next = functions;
    functions = f;
}

static int call_function(const char *source, int argc, char **argv)
{
    struct shell outer = shell;
    char *text = strdup(source);         /* it may be defined anew while it runs */

    if (!text)
        return 1;
    shell.args = argv;
    shell.argc = argc - 1;
    shell.loop_depth = 0;
    argv[0] = outer.args[0];
    int status = run_text(text, "function");

    free(text);
    shell.args = outer.args;
    shell.argc = outer.argc;
    shell.loop_depth = outer.loop_depth;
    if (shell.unwind == RETURNING)
        shell.unwind = GO_ON;
    return status;
}

/* ---- programs ---- */

bool find_program(const char *name, char *path, size_t size)
{
    const char *dirs = var_get("PATH");
    struct stat st;

    for (dirs = dirs ? dirs : "/bin"; *dirs; dirs += *dirs == ':') {
        size_t n = strcspn(dirs, ":");

        if (n + strlen(name) + 2 <= size) {
            sniprintf(path, size, "%.*s%s%s", (int)n, dirs, n ? "/" : "", name);
            if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
                return true;
        }
        dirs += n;
    }
    return false;
}

/* Does not return. */
static void exec_program(char **argv)
{
    char path[512];
    char **env = vars_environment();

    fflush(stdout);
    if (strchr(argv[0], '/'))
        sniprintf(path, sizeof(path), "%s", argv[0]);
    else if (!find_program(argv[0], path, sizeof(path))) {
        const char *instead = missing_hint(argv[0]);

        complain("%s: not found%s%s", argv[0], instead ? "; " : "", instead ? instead : "");
        _exit(127);
    }
    execve(path, argv, env);
    if (errno == ENOEXEC) {              /* a script without #! */
        char *text[] = { (char *)"sh", path, NULL };
        int argc = 0;

        while (argv[argc])
            argc++;
        char **again = arena(((size_t)argc + 3) * sizeof(char *));

        memcpy(again, text, sizeof(text));
        memcpy(again + 2, argv + 1, (size_t)argc * sizeof(char *));
        execve("/bin/sh", again, env);
    }
    complain("%s: %s", argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* ---- simple commands ---- */

static bool assign(const struct word *assigns, bool export)
{
    for (; assigns; assigns = assigns->next) {
        const char *equals = strchr(assigns->text, '=');
        char *name = arena_text(assigns->text, (size_t)(equals - assigns->text));
        char *value = expand_one(equals + 1);

        if (!value || !var_set(name, value))
            return false;
        if (export)
            var_export(name);
    }
    return true;
}

static void trace(char **argv)
{
    if (!shell.trace)
        return;
    fflush(stdout);
    fputc('+', stderr);
    for (; *argv; argv++)
        fiprintf(stderr, " %s", *argv);
    fputc('\n', stderr);
}

/* `NAME=value builtin`: the variable has that value only while the builtin runs. */
struct kept { struct kept *next; const char *name, *value; };

static struct kept *keep_variables(const struct word *assigns)
{
    struct kept *list = NULL;

    for (; assigns; assigns = assigns->next) {
        struct kept *k = arena(sizeof(*k));

        k->name = arena_text(assigns->text, strcspn(assigns->text, "="));
        const char *value = var_get(k->name);

        k->value = value ? arena_text(value, strlen(value)) : NULL;
        k->next = list;
        list = k;
    }
    return list;
}

static void restore_variables(const struct kept *k)
{
    for (; k; k = k->next) {
        if (k->value)
            var_set(k->name, k->value);
        else
            var_unset(k->name);
    }
}

/* Runs within the shell itself, and puts its descriptors back. */
static int run_inside(struct node *node, int argc, char **argv, builtin b)
{
    struct saved saved = { 0 };
    const char *function = b ? NULL : function_get(argv[0]);
    struct kept *kept = keep_variables(node->assigns);
    int status = 1;

    if (run_redirs(node->redirs, &saved) && assign(node->assigns, false))
        status = b ? b(argc, argv) : call_function(function, argc, argv);
    restore_variables(kept);
    run_restore(&saved);
    return status;
}

static int run_exec(struct node *node, char **argv)
{
    if (!run_redirs(node->redirs, NULL) || !assign(node->assigns, true))
        return 1;
    if (argv[1])
        exec_program(argv + 1);
    return 0;
}

static int run_external(struct node *node, char **argv, bool in_child)
{
    struct job *job = in_child ? NULL : job_new(argv[0], false);
    pid_t pid = in_child ? 0 : job_fork(job, false);

    if (pid < 0) {
        complain("fork: %s", strerror(errno));
        return 126;
    }
    if (pid > 0)
        return job_wait(job);
    if (!run_redirs(node->redirs, NULL) || !assign(node->assigns, true))
        _exit(1);
    exec_program(argv);
    return 127;
}

int run_simple(struct node *node, bool in_child)
{
    int argc = 0;

    shell.unwind_levels = 0;
    char **argv = expand_words(node->words, &argc);

    if (!argv)
        return 1;
    if (argc == 0) {
        struct saved saved = { 0 };
        int before = shell.status;

        shell.status = 0;                /* becomes that of a $( ) in the value, if any */
        bool good = assign(node->assigns, false) && run_redirs(node->redirs, &saved);
        int status = good ? shell.status : 1;

        run_restore(&saved);
        shell.status = before;
        return status;
    }
    trace(argv);
    if (strcmp(argv[0], "exec") == 0)
        return run_exec(node, argv);
    builtin b = function_get(argv[0]) ? NULL : builtin_find(argv[0]);

    if (b || function_get(argv[0]))
        return run_inside(node, argc, argv, b);
    return run_external(node, argv, in_child);
}
