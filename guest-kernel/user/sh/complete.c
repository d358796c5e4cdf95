/* SPDX-License-Identifier: MIT */
/* complete.c: what Tab can make of the word before the cursor: a command in the first place, elsewhere what the command says
 * can stand there, or else a file. A command says it by a script, /etc/complete/COMMAND, which is run with the words typed so
 * far and prints what may follow, a line each. */
#include "sh.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPTS "/etc/complete/"
#define WORDS   16

struct search { struct completions *out; const char *prefix; size_t length; };

static void add(struct completions *c, const char *name, bool directory)
{
    size_t n = strlen(name);
    char **longer;
    char *own;

    for (int i = 0; i < c->count; i++)
        if (strncmp(c->names[i], name, n) == 0 && (!c->names[i][n] || c->names[i][n] == '/'))
            return;
    longer = realloc(c->names, ((size_t)c->count + 1) * sizeof(char *));
    own = malloc(n + 2);
    if (longer)
        c->names = longer;
    if (!longer || !own) {
        free(own);
        return;
    }
    strcpy(own, name);
    if (directory)
        strcat(own, "/");
    c->names[c->count++] = own;
}

static void add_builtin(const char *name, void *arg)
{
    struct search *s = arg;

    if (strncmp(name, s->prefix, s->length) == 0)
        add(s->out, name, false);
}

static void add_files(struct search *s, const char *path, bool mark)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    struct stat st;
    char full[512];

    while (dir && (entry = readdir(dir))) {
        const char *name = entry->d_name;

        if (strncmp(name, s->prefix, s->length) != 0 || (name[0] == '.' && s->prefix[0] != '.') ||
            strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(path) + strlen(name) + 2 > sizeof(full))
            continue;
        strcpy(full, path);
        strcat(full, "/");
        strcat(full, name);
        add(s->out, name, mark && stat(full, &st) == 0 && S_ISDIR(st.st_mode));
    }
    if (dir)
        closedir(dir);
}

static void add_commands(struct search *s)
{
    const char *path = var_get("PATH");
    char dir[256];

    builtin_each(add_builtin, s);
    for (path = path ? path : "/bin"; *path; path += *path == ':') {
        size_t n = strcspn(path, ":");

        if (n && n < sizeof(dir)) {
            memcpy(dir, path, n);
            dir[n] = '\0';
            add_files(s, dir, false);
        }
        path += n;
    }
}

static bool first_word(const char *line, size_t start)
{
    while (start > 0 && line[start - 1] == ' ')
        start--;
    return start == 0 || strchr("|;&(`", line[start - 1]);
}

/* ---- what commands say ---- */

static void run_script(char **argv, int out)
{
    int null = open("/dev/null", O_RDWR);

    dup2(null, 0);
    dup2(out, 1);
    dup2(null, 2);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    execv("/bin/sh", argv);
    _exit(127);
}

/* What the script prints. */
static void read_lines(struct search *s, int from)
{
    struct buffer line = { 0 };
    char c;

    put_text(&line, "");
    while (read(from, &c, 1) == 1) {
        if (c != '\n') {
            put_byte(&line, c);
            continue;
        }
        add_builtin(line.text, s);
        line.length = 0;
        put_text(&line, "");
    }
    buffer_free(&line);
}

static void ask(struct search *s, char **argv)
{
    int fds[2], status;
    pid_t pid;

    if (pipe(fds) < 0)
        return;
    pid = fork();
    if (pid == 0)
        run_script(argv, fds[1]);
    close(fds[1]);
    if (pid > 0)
        read_lines(s, fds[0]);
    close(fds[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
}

/* The words of the command that has its argument at `start`; the script is that of the first of them. */
static void ask_command(struct search *s, const char *line, size_t start)
{
    static char shell_name[] = "sh";
    char text[512], path[sizeof(SCRIPTS) + 64], *argv[WORDS + 3] = { shell_name, path }, *rest;
    size_t from = start;
    int n = 2;

    while (from > 0 && !strchr("|;&(`", line[from - 1]))
        from--;
    if (start - from >= sizeof(text))
        return;
    memcpy(text, line + from, start - from);
    text[start - from] = '\0';
    char *command = strtok_r(text, " ", &rest);

    if (!command || strchr(command, '/') || strlen(command) > 63)
        return;
    strcpy(path, SCRIPTS);
    strcat(path, command);
    for (char *word; n < WORDS + 2 && (word = strtok_r(NULL, " ", &rest));)
        argv[n++] = word;
    argv[n] = NULL;
    if (access(path, R_OK) == 0)
        ask(s, argv);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void complete_word(const char *line, size_t at, struct completions *out)
{
    struct search s = { .out = out };
    size_t start = at, name;
    char word[256], dir[256] = ".";

    *out = (struct completions){ 0 };
    while (start > 0 && !strchr(" ;|&<>()=\"'", line[start - 1]))
        start--;
    if (at - start >= sizeof(word))
        return;
    memcpy(word, line + start, at - start);
    word[at - start] = '\0';
    char *slash = strrchr(word, '/');

    name = slash ? (size_t)(slash + 1 - word) : 0;
    if (slash) {
        memcpy(dir, word, name);
        dir[name > 1 ? name - 1 : 1] = '\0';
    }
    s.prefix = word + name;
    s.length = strlen(s.prefix);
    out->prefix = s.length;
    if (!slash && first_word(line, start)) {
        add_commands(&s);
    } else {
        if (!slash)
            ask_command(&s, line, start);
        if (!out->count)
            add_files(&s, dir, true);
    }
    if (out->count)
        qsort(out->names, (size_t)out->count, sizeof(char *), by_name);
}

void complete_free(struct completions *c)
{
    for (int i = 0; i < c->count; i++)
        free(c->names[i]);
    free(c->names);
}
