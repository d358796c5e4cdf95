/* SPDX-License-Identifier: MIT */
/* sh.h: what the files of the shell share.
 *
 * A command goes one way: edit.c or a script gives text, parse.c makes a tree of it (words stay as they
 * were written), run.c walks the tree, expand.c turns each word into fields at the moment of its use,
 * and job.c keeps the processes that came of it. The tree and the fields live in an arena that is cut
 * back to where it was when a command has ended; variables and functions live on the heap.        */
#ifndef SH_H
#define SH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* ---- memory (util.c) ---- */
struct mark { void *chunk; size_t used; };
void *arena(size_t size);                        /* zeroed; ends the shell when there is no memory */
char *arena_text(const char *text, size_t length);
struct mark arena_mark(void);
void arena_release(struct mark mark);            /* frees all that came after the mark */

struct buffer { char *text; size_t length, room; };
void put_byte(struct buffer *b, char c);         /* text stays terminated by 0 */
void put_text(struct buffer *b, const char *text);
void buffer_free(struct buffer *b);

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));   /* "sh: ..." on stderr */

/* ---- the tree (lex.c, parse.c) ---- */
enum node_kind {
    N_SIMPLE, N_PIPE, N_AND, N_OR, N_LIST, N_BACKGROUND, N_NOT, N_SUBSHELL, N_GROUP,
    N_IF, N_WHILE, N_UNTIL, N_FOR, N_CASE, N_FUNCTION
};

struct word { struct word *next; const char *text; };

enum redir_kind { R_IN, R_OUT, R_APPEND, R_BOTH, R_DUP, R_HERE };

struct redir {
    struct redir *next;
    enum redir_kind kind;
    int fd;
    const char *text;      /* file name, descriptor or, for R_HERE, the document */
    bool literal;          /* a here-document whose end word was quoted: not expanded */
};

struct arm { struct arm *next; struct word *patterns; struct node *body; };

struct node {
    enum node_kind kind;
    struct node *left, *right, *otherwise;   /* IF: condition, then, else; WHILE, FOR, groups: left, body in right */
    struct word *words;                      /* SIMPLE: command; FOR: list; CASE: subject */
    struct word *assigns;                    /* SIMPLE: NAME=value in front */
    struct redir *redirs;
    struct arm *arms;
    const char *name;                        /* FOR: variable; FUNCTION: name */
    const char *source;                      /* FUNCTION: text of the body; all others: text for `jobs` */
    bool all_args;                           /* FOR without `in`: over "$@" */
};

enum parse_result { PARSE_OK, PARSE_END, PARSE_INCOMPLETE, PARSE_ERROR };
struct parse { const char *text; size_t at; int line; };

/* Reads one complete command (up to a newline) at p->at and moves past it. *out may be NULL for an empty line.
 * PARSE_INCOMPLETE: the text ends inside a command; more lines may complete it. Errors are printed.    */
enum parse_result parse_command(struct parse *p, struct node **out);
size_t skip_quoted(const char *text, size_t at);  /* past the quoting or $-construct at `at`; 0: it does not end */

/* ---- expansion (expand.c, arith.c) ---- */
char **expand_words(const struct word *words, int *count);  /* NULL-terminated; NULL on an error */
char *expand_one(const char *text);                         /* no splitting, no globbing */
char *expand_pattern(const char *text);                     /* quoted pattern characters come escaped */
char *expand_here(const char *text);

bool arith(const char *text, long *value);                  /* prints what is wrong */

/* ---- variables (vars.c) ---- */
const char *var_get(const char *name);           /* NULL: not set */
bool var_set(const char *name, const char *value);   /* false: the name is not one */
void var_export(const char *name);
void var_unset(const char *name);
bool is_name(const char *text, size_t length);
void vars_from_environment(char **env);
char **vars_environment(void);                   /* in the arena */
void vars_each(void (*each)(const char *name, const char *value, bool exported));

/* ---- running (run.c, command.c, spawn.c, redir.c) ---- */
enum unwind { GO_ON, BREAKING, CONTINUING, RETURNING };

struct shell {
    int status;                  /* $? */
    int argc;                    /* $#; args[0] is $0 */
    char **args;
    bool interactive;
    bool job_control;            /* children get process groups of their own */
    bool exit_on_error, trace, no_unset;
    enum unwind unwind;          /* a break, continue or return on its way up */
    int unwind_levels;
    int loop_depth;
    int condition_depth;         /* set -e sleeps inside conditions */
    pid_t last_background;       /* $! */
    pid_t pid;                   /* $$ */
    volatile int interrupted;
};
extern struct shell shell;

int run_node(struct node *node);
int run_simple(struct node *node, bool in_child);    /* command.c; in_child: an exec takes this process */
int run_pipeline(struct node *node);                 /* spawn.c */
int run_background(struct node *node);
int run_subshell(struct node *node);
int run_text(const char *text, const char *where);   /* a whole script; returns its status */
char *run_capture(const char *text);                 /* $(text), trailing newlines dropped; heap */

struct saved { int count; struct { int fd, copy; } fds[12]; };
bool run_redirs(const struct redir *redirs, struct saved *saved);    /* saved NULL: for good */
void run_restore(struct saved *saved);
void function_set(const char *name, const char *source);
const char *function_get(const char *name);
void function_unset(const char *name);
bool find_program(const char *name, char *path, size_t size);

/* ---- builtins (builtin.c, test.c) ---- */
typedef int (*builtin)(int argc, char **argv);
builtin builtin_find(const char *name);
void builtin_each(void (*each)(const char *name, void *arg), void *arg);

const char *missing_hint(const char *name);      /* what does it here; NULL: nothing known (missing.c) */

/* ---- jobs (job.c) ---- */
struct job;
struct job *job_new(const char *text, bool background);
int  job_wait(struct job *job);                  /* in the foreground; returns the exit status */
void job_background(struct job *job);            /* lets it run; tells "[1] 42" at a prompt */
void job_reap(bool report);                      /* takes up what has ended, tells of it */
pid_t job_fork(struct job *job, bool background);  /* fork, and in the child what a child does first */
int  bi_jobs(int argc, char **argv);
int  bi_fg(int argc, char **argv);
int  bi_bg(int argc, char **argv);
int  bi_wait(int argc, char **argv);
void job_init(void);

/* ---- line editing (edit.c, complete.c) ---- */
char *edit_line(const char *prompt);             /* heap, without the newline; NULL at end of input */
void edit_remember(const char *line);
void edit_history(void (*each)(int number, const char *line));
struct completions { char **names; int count; size_t prefix; };   /* prefix: bytes of the line's word that they replace */
void complete_word(const char *line, size_t at, struct completions *out);
void complete_free(struct completions *c);

#endif
