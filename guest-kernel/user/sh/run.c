/* SPDX-License-Identifier: MIT */
/* run.c: walks the tree.
 *
 * Every construct answers an exit status. A break, continue or return travels upward as shell.unwind, which
 * each list and loop looks at; an interrupt from the terminal travels the same way.                 */
#include "sh.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct shell shell;

static bool stopping(void)
{
    return shell.unwind != GO_ON || shell.interrupted;
}

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
        complain("%s: not found", argv[0]);
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

static int run_simple(struct node *node, bool in_child)
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

/* ---- processes of the shell's own ---- */

static int run_child(struct node *node)
{
    shell.interactive = false;
    shell.job_control = false;
    int status = node->kind == N_SIMPLE ? run_simple(node, true) : run_node(node);

    fflush(stdout);
    return status;
}

static int run_pipeline(struct node *node)
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

static int run_background(struct node *node)
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

static int run_subshell(struct node *node)
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

/* ---- constructs ---- */

static int run_condition(struct node *node)
{
    shell.condition_depth++;
    int status = run_node(node);

    shell.condition_depth--;
    return status;
}

/* After a loop's body: whether the loop ends. */
static bool loop_ends(void)
{
    if (shell.interrupted)
        return true;
    if (shell.unwind == BREAKING || shell.unwind == CONTINUING) {
        if (shell.unwind_levels > 1) {
            shell.unwind_levels--;
            return true;
        }
        bool ends = shell.unwind == BREAKING;

        shell.unwind = GO_ON;
        return ends;
    }
    return shell.unwind != GO_ON;
}

static int run_while(struct node *node)
{
    bool until = node->kind == N_UNTIL;
    int status = 0;

    shell.loop_depth++;
    for (bool end = false; !end;) {
        struct mark mark = arena_mark();

        end = (run_condition(node->left) != 0) != until || stopping();
        if (!end) {
            status = run_node(node->right);
            end = loop_ends();
        }
        arena_release(mark);
    }
    shell.loop_depth--;
    return status;
}

static int run_for(struct node *node)
{
    int status = 0, count = shell.argc;
    char **list = node->all_args ? shell.args + 1 : expand_words(node->words, &count);

    if (!list)
        return 1;
    shell.loop_depth++;
    for (int i = 0; i < count; i++) {
        struct mark mark = arena_mark();

        var_set(node->name, list[i]);
        status = run_node(node->right);
        arena_release(mark);
        if (loop_ends())
            break;
    }
    shell.loop_depth--;
    return status;
}

static int run_case(struct node *node)
{
    char *subject = expand_one(node->words->text);

    for (struct arm *arm = node->arms; subject && arm; arm = arm->next) {
        for (struct word *w = arm->patterns; w; w = w->next) {
            char *pattern = expand_pattern(w->text);

            if (pattern && fnmatch(pattern, subject, 0) == 0)
                return arm->body ? run_node(arm->body) : 0;
        }
    }
    return subject ? 0 : 1;
}

static int run_if(struct node *node)
{
    int status = run_condition(node->left);

    if (stopping())
        return status;
    if (status == 0)
        return run_node(node->right);
    return node->otherwise ? run_node(node->otherwise) : 0;
}

static int run_and_or(struct node *node)
{
    int status = run_condition(node->left);

    if (stopping() || (status == 0) != (node->kind == N_AND))
        return status;
    return run_node(node->right);
}

static int run_construct(struct node *node)
{
    switch (node->kind) {
    case N_SIMPLE:     return run_simple(node, false);
    case N_PIPE:       return run_pipeline(node);
    case N_AND:
    case N_OR:         return run_and_or(node);
    case N_NOT:        return !run_condition(node->left);
    case N_BACKGROUND: return run_background(node);
    case N_SUBSHELL:   return run_subshell(node);
    case N_GROUP:      return run_node(node->left);
    case N_IF:         return run_if(node);
    case N_WHILE:
    case N_UNTIL:      return run_while(node);
    case N_FOR:        return run_for(node);
    case N_CASE:       return run_case(node);
    case N_FUNCTION:   function_set(node->name, node->source); return 0;
    case N_LIST:
        run_node(node->left);
        return stopping() ? shell.status : run_node(node->right);
    }
    return 2;
}

int run_node(struct node *node)
{
    struct saved saved = { 0 };
    bool wrap = node->redirs && node->kind != N_SIMPLE;
    int status = 1;

    if (!wrap || run_redirs(node->redirs, &saved))
        status = run_construct(node);
    if (wrap)
        run_restore(&saved);
    shell.status = status;
    bool judged = node->kind == N_SIMPLE || node->kind == N_PIPE || node->kind == N_SUBSHELL;

    if (status && judged && shell.exit_on_error && !shell.condition_depth && !stopping()) {
        fflush(stdout);
        exit(status);
    }
    return status;
}

int run_text(const char *text, const char *where)
{
    struct parse at = { .text = text, .line = 1 };
    int status = 0;

    for (;;) {
        struct mark mark = arena_mark();
        struct node *node;
        enum parse_result result = parse_command(&at, &node);

        if (result == PARSE_OK && node)
            status = run_node(node);
        arena_release(mark);
        if (result == PARSE_INCOMPLETE)
            complain("%s: line %d: the text ends inside a command", where, at.line);
        if (result == PARSE_ERROR || result == PARSE_INCOMPLETE)
            return shell.status = 2;
        if (result == PARSE_END || stopping())
            return status;
    }
}
