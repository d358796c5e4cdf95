/* SPDX-License-Identifier: MIT */
/* builtin.c: the commands that must run within the shell, or that are too frequent to fork for. */
#include "sh.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-kernel/user/box/box.h"

static int bi_cd(int argc, char **argv)
{
    const char *to = argc > 1 ? argv[1] : var_get("HOME");
    char *here;

    if (to && strcmp(to, "-") == 0)
        to = var_get("OLDPWD");
    if (!to)
        to = "/";
    if (chdir(to) < 0) {
        complain("cd: %s: %s", to, strerror(errno));
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "-") == 0)
        iprintf("%s\n", to);
    if (var_get("PWD"))
        var_set("OLDPWD", var_get("PWD"));
    here = getcwd(NULL, 0);
    if (here)
        var_set("PWD", here);
    free(here);
    return 0;
}

int pwd_main(int argc, char **argv)
{
    char *here = getcwd(NULL, 0);

    (void)argc, (void)argv;
    iprintf("%s\n", here ? here : "?");
    free(here);
    return 0;
}

static int bi_exit(int argc, char **argv)
{
    fflush(stdout);
    exit(argc > 1 ? atoi(argv[1]) : shell.status);
}

static void show_export(const char *name, const char *value, bool exported)
{
    if (exported)
        iprintf("export %s=%s\n", name, value ? value : "");
}

static void show_variable(const char *name, const char *value, bool exported)
{
    (void)exported;
    iprintf("%s=%s\n", name, value ? value : "");
}

static int bi_export(int argc, char **argv)
{
    int status = 0;

    if (argc == 1)
        vars_each(show_export);
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (equals)
            *equals = '\0';
        if (!is_name(argv[i], strlen(argv[i])) || (equals && !var_set(argv[i], equals + 1))) {
            complain("export: %s: not a name", argv[i]);
            status = 1;
        } else {
            var_export(argv[i]);
        }
    }
    return status;
}

static int bi_unset(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-f") == 0 && i + 1 < argc) {
            function_unset(argv[++i]);
        } else if (var_get(argv[i])) {
            var_unset(argv[i]);
        } else {
            function_unset(argv[i]);
        }
    }
    return 0;
}

static void set_args(int argc, char **argv)
{
    char **list = calloc((size_t)argc + 2, sizeof(char *));

    if (!list)
        return;
    list[0] = shell.args[0];
    for (int i = 0; i < argc; i++)
        list[i + 1] = strdup(argv[i]);       /* lives as long as the shell: sets are few */
    shell.args = list;
    shell.argc = argc;
}

static int bi_set(int argc, char **argv)
{
    int i = 1;

    if (argc == 1)
        vars_each(show_variable);
    for (; i < argc && (argv[i][0] == '-' || argv[i][0] == '+') && argv[i][1]; i++) {
        bool on = argv[i][0] == '-';

        if (strcmp(argv[i], "--") == 0) {
            set_args(argc - i - 1, argv + i + 1);
            return 0;
        }
        for (const char *s = argv[i] + 1; *s; s++) {
            if (*s == 'e')
                shell.exit_on_error = on;
            else if (*s == 'x')
                shell.trace = on;
            else if (*s == 'u')
                shell.no_unset = on;
            else {
                complain("set: -%c: only e, x and u", *s);
                return 2;
            }
        }
    }
    if (i < argc)
        set_args(argc - i, argv + i);
    return 0;
}

static int bi_shift(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1;

    if (n < 0 || n > shell.argc)
        return 1;
    char **list = calloc((size_t)(shell.argc - n) + 2, sizeof(char *));

    if (!list)
        return 1;
    list[0] = shell.args[0];
    memcpy(list + 1, shell.args + 1 + n, (size_t)(shell.argc - n) * sizeof(char *));
    shell.args = list;
    shell.argc -= n;
    return 0;
}

/* One byte at a time: what follows the line belongs to others. */
static bool read_line(struct buffer *line, bool raw)
{
    char c;
    ssize_t n;

    put_text(line, "");
    while ((n = read(0, &c, 1)) == 1 || (n < 0 && errno == EINTR && !shell.interrupted)) {
        if (n < 0)
            continue;
        if (c == '\n')
            return true;
        if (c == '\\' && !raw) {
            if (read(0, &c, 1) != 1)
                return false;
            if (c == '\n')
                continue;
        }
        put_byte(line, c);
    }
    return false;
}

static int bi_read(int argc, char **argv)
{
    static char reply[] = "REPLY";
    char *only[] = { argv[0], reply, NULL };
    struct buffer line = { 0 };
    int i = 1;
    bool raw = argc > 1 && strcmp(argv[1], "-r") == 0;

    i += raw;
    if (i >= argc) {
        argv = only;
        argc = 2;
        i = 1;
    }
    bool whole = read_line(&line, raw);
    char *s = line.text ? line.text : reply + 5;

    for (; i < argc; i++) {
        while (*s && isspace((unsigned char)*s))
            s++;
        size_t n = strcspn(s, " \t");

        if (i == argc - 1)
            for (n = strlen(s); n && isspace((unsigned char)s[n - 1]); n--)
                ;
        var_set(argv[i], arena_text(s, n));
        s += n;
    }
    buffer_free(&line);
    return !whole;
}

int echo_main(int argc, char **argv)
{
    int i = 1;
    bool newline = true, escapes = false;

    for (; i < argc && (strcmp(argv[i], "-n") == 0 || strcmp(argv[i], "-e") == 0); i++) {
        newline &= argv[i][1] != 'n';
        escapes |= argv[i][1] == 'e';
    }
    for (; i < argc; i++) {
        for (const char *s = argv[i]; *s; s++) {
            static const char from[] = "ntr\\e", to[] = "\n\t\r\\\033";
            const char *hit = escapes && *s == '\\' && s[1] ? strchr(from, s[1]) : NULL;

            putchar(hit ? to[hit - from] : *s);
            s += hit != NULL;
        }
        if (i + 1 < argc)
            putchar(' ');
    }
    if (newline)
        putchar('\n');
    bool failed = fflush(stdout) || ferror(stdout);          /* on a terminal's stdout the newline may have been the one that failed */
    int err = errno;
    clearerr(stdout);
    if (failed)
        complain("echo: %s", strerror(err));
    return failed;
}

int true_main(int argc, char **argv)  { (void)argc, (void)argv; return 0; }
int false_main(int argc, char **argv) { (void)argc, (void)argv; return 1; }

static int unwind(enum unwind kind, int argc, char **argv)
{
    int levels = argc > 1 ? atoi(argv[1]) : 1;

    if (!shell.loop_depth) {
        complain("%s: not in a loop", argv[0]);
        return 1;
    }
    shell.unwind = kind;
    shell.unwind_levels = levels > 0 ? levels : 1;
    return 0;
}

static int bi_break(int argc, char **argv)    { return unwind(BREAKING, argc, argv); }
static int bi_continue(int argc, char **argv) { return unwind(CONTINUING, argc, argv); }

static int bi_return(int argc, char **argv)
{
    shell.unwind = RETURNING;
    return argc > 1 ? atoi(argv[1]) : shell.status;
}

static int bi_eval(int argc, char **argv)
{
    struct buffer text = { 0 };

    for (int i = 1; i < argc; i++) {
        put_text(&text, argv[i]);
        put_byte(&text, ' ');
    }
    int status = text.text ? run_text(text.text, "eval") : 0;

    buffer_free(&text);
    return status;
}

static int bi_source(int argc, char **argv)
{
    struct buffer text = { 0 };
    char piece[512];
    ssize_t n;
    int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        complain("%s: %s", argc > 1 ? argv[1] : ".", argc > 1 ? strerror(errno) : "which file?");
        return 1;
    }
    put_text(&text, "");
    while ((n = read(fd, piece, sizeof(piece))) > 0)
        for (ssize_t i = 0; i < n; i++)
            put_byte(&text, piece[i]);
    close(fd);
    int status = text.text ? run_text(text.text, argv[1]) : 0;

    buffer_free(&text);
    if (shell.unwind == RETURNING)
        shell.unwind = GO_ON;
    return status;
}

static int bi_umask(int argc, char **argv)
{
    if (argc > 1) {
        umask((mode_t)strtol(argv[1], NULL, 8));
    } else {
        mode_t mask = umask(0);

        umask(mask);
        iprintf("%04o\n", (unsigned)mask);
    }
    return 0;
}

static int bi_type(int argc, char **argv)
{
    int status = 0;
    char path[512];

    for (int i = 1; i < argc; i++) {
        if (function_get(argv[i])) {
            iprintf("%s: a function\n", argv[i]);
        } else if (builtin_find(argv[i])) {
            iprintf("%s: built into the shell\n", argv[i]);
        } else if (find_program(argv[i], path, sizeof(path))) {
            iprintf("%s\n", path);
        } else {
            complain("%s: not found", argv[i]);
            status = 1;
        }
    }
    return status;
}

static void show_line(int number, const char *line)
{
    iprintf("%4d  %s\n", number, line);
}

static int bi_history(int argc, char **argv)
{
    (void)argc, (void)argv;
    edit_history(show_line);
    return 0;
}

static int bi_help(int argc, char **argv);

static const struct { const char *name; builtin run; const char *doc; } builtins[] = {
    { ".", bi_source, "runs a file's commands in this shell" },
    { ":", true_main, "does nothing" },
    { "[", test_main, "conditions: [ -f FILE ], [ A = B ], [ 1 -lt 2 ]" },
    { "bg", bi_bg, "lets a stopped job go on in the background" },
    { "break", bi_break, "leaves a loop: [LEVELS]" },
    { "cd", bi_cd, "goes to another directory; - the one before" },
    { "continue", bi_continue, "starts the next round of a loop: [LEVELS]" },
    { "echo", echo_main, "prints its words; -n without a newline, -e with \\n and \\t" },
    { "eval", bi_eval, "runs its words as a command" },
    { "exec", true_main, "becomes another program; with redirections only, they last" },
    { "exit", bi_exit, "ends the shell: [STATUS]" },
    { "export", bi_export, "gives variables to programs: NAME[=VALUE] ..." },
    { "false", false_main, "fails" },
    { "fg", bi_fg, "brings a job to the foreground: [%N]" },
    { "help", bi_help, "what there is, or what NAME does" },
    { "history", bi_history, "the lines typed before; Ctrl-R searches them" },
    { "jobs", bi_jobs, "what was started with & or stopped with Ctrl-Z" },
    { "kill", kill_main, "sends a signal: [-SIGNAL] PROCESS|%JOB ..." },
    { "printf", printf_main, "prints by a format" },
    { "pwd", pwd_main, "the current directory" },
    { "read", bi_read, "a line of the input into variables: [-r] NAME ..." },
    { "return", bi_return, "leaves a function: [STATUS]" },
    { "set", bi_set, "variables; -e ends at errors, -x shows commands, -u refuses unset variables, -- WORDS sets $1..." },
    { "shift", bi_shift, "drops $1: [COUNT]" },
    { "source", bi_source, "runs a file's commands in this shell" },
    { "test", test_main, "conditions, as [ does" },
    { "true", true_main, "succeeds" },
    { "type", bi_type, "what a command is" },
    { "umask", bi_umask, "what new files may not allow: [OCTAL]" },
    { "unset", bi_unset, "forgets variables, or functions: [-f] NAME ..." },
    { "wait", bi_wait, "waits until jobs end" },
};
enum { BUILTINS = sizeof(builtins) / sizeof(builtins[0]) };

/* `help ls`: its line of the table; a program that is not ours tells about itself. */
static int help_about(const char *name)
{
    const char *doc = box_doc(name), *instead = missing_hint(name);
    char path[256];

    for (int i = 0; i < BUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0)
            doc = builtins[i].doc;
    if (doc)
        iprintf("%s: %s\n", name, doc);
    else if (find_program(name, path, sizeof(path)))
        iprintf("%s: %s; `%s help` or `%s -h` may say more\n", name, path, name, name);
    else {
        complain("help: there is no %s; %s", name, instead ? instead : "`help` lists what there is");
        return 1;
    }
    return 0;
}

static int bi_help(int argc, char **argv)
{
    if (argc > 1)
        return help_about(argv[1]);
    iprintf("Built into the shell:\n ");
    for (int i = 0; i < BUILTINS; i++)
        iprintf(" %s", builtins[i].name);
    iprintf("\n  if while until for case { } ( ) name() $(command) $((1+1)) | && || & > >> < << 2>&1\n"
            "Keys: arrows, Tab completes, Ctrl-A/E begin/end, Ctrl-U/K/W cut, Ctrl-R searches, Ctrl-L clears, Ctrl-C, Ctrl-D, Ctrl-Z.\n"
            "Programs (help NAME says what one does):\n");
    fflush(stdout);
    return system("ls /bin; ls /sbin; [ -d /usr/sbin ] && ls /usr/sbin; true") ? 1 : 0;
}

builtin builtin_find(const char *name)
{
    for (int i = 0; i < BUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return builtins[i].run;
    return NULL;
}

void builtin_each(void (*each)(const char *name, void *arg), void *arg)
{
    for (int i = 0; i < BUILTINS; i++)
        each(builtins[i].name, arg);
}
