/* SPDX-License-Identifier: MIT */
/* job.c: the processes that commands became.
 *
 * Each command line is a job. At a prompt each job is a process group, so that the terminal can belong to one
 * of them at a time: Ctrl-C and Ctrl-Z reach the job in the foreground, and fg and bg move jobs. A script
 * has one group for all, and jobs only for `wait`.                                                    */
#include "sh.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest-kernel/user/box/box.h"

enum { PROCESSES = 16 };

struct job {
    struct job *next;
    int number;
    pid_t group;                 /* 0: the shell's own */
    bool background, stopped;
    int count, running;
    struct { pid_t pid; int status; bool done; } procs[PROCESSES];
    char *text;
};

static struct job *jobs;
static pid_t own_group;
static struct termios modes;
static bool have_modes;

void job_init(void)
{
    if (!shell.job_control)
        return;
    signal(SIGTSTP, SIG_IGN);
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    own_group = getpgrp();
    if (own_group != getpid() && setpgid(0, 0) == 0)
        own_group = getpid();
    tcsetpgrp(0, own_group);
    have_modes = tcgetattr(0, &modes) == 0;
}

struct job *job_new(const char *text, bool background)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job || !(job->text = strdup(text))) {
        complain("out of memory");
        exit(2);
    }
    job->number = 1;
    for (struct job *j = jobs; j; j = j->next)
        if (j->number >= job->number)
            job->number = j->number + 1;
    job->background = background;
    job->next = jobs;
    jobs = job;
    return job;
}

static void forget(struct job *job)
{
    struct job **j = &jobs;

    while (*j != job)
        j = &(*j)->next;
    *j = job->next;
    free(job->text);
    free(job);
}

static void forget_all(void)
{
    while (jobs)
        forget(jobs);
}

/* In the child: its group, the terminal, and signals as a program expects them. */
static void become_job(pid_t group, bool background)
{
    static const int signals[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGCHLD, SIGPIPE, SIGTERM };

    if (shell.job_control) {
        setpgid(0, group);
        if (!background)
            tcsetpgrp(0, getpgrp());
    }
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_DFL);
    forget_all();
    shell.job_control = false;
}

pid_t job_fork(struct job *job, bool background)
{
    fflush(stdout);
    pid_t group = job->group;
    pid_t pid = job->count < PROCESSES ? fork() : -1;

    if (pid == 0) {
        become_job(group, background);
        return 0;
    }
    if (pid < 0)
        return pid;
    if (shell.job_control) {             /* both sides do it: whoever comes first */
        job->group = group ? group : pid;
        setpgid(pid, job->group);
    }
    job->procs[job->count++].pid = pid;
    job->running++;
    return pid;
}

static int status_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + (WTERMSIG(status) & 0x7f);
}

/* Takes one report from wait into the books. */
static void note(pid_t pid, int status)
{
    for (struct job *j = jobs; j; j = j->next) {
        for (int i = 0; i < j->count; i++) {
            if (j->procs[i].pid != pid || j->procs[i].done)
                continue;
            if (WIFSTOPPED(status)) {
                j->stopped = true;
                return;
            }
            j->procs[i].status = status;
            j->procs[i].done = true;
            j->running--;
            return;
        }
    }
}

static void tell(const struct job *job, const char *state)
{
    fiprintf(stderr, "[%d] %-10s %s\n", job->number, state, job->text);
}

static int last_status(const struct job *job)
{
    return job->count ? job->procs[job->count - 1].status : 1 << 8;
}

static void tell_death(const struct job *job, int status)
{
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    if (sig == SIGINT)
        fputc('\n', stderr);
    else if (sig && sig != SIGPIPE)
        fiprintf(stderr, "%s: %s\n", job->text, strsignal(sig));
}

int job_wait(struct job *job)
{
    bool control = shell.job_control && job->group;
    int status;

    if (control)
        tcsetpgrp(0, job->group);
    while (job->running > 0 && !job->stopped) {
        pid_t pid = waitpid(-1, &status, WUNTRACED);

        if (pid > 0)
            note(pid, status);
        else if (errno != EINTR)
            break;
    }
    if (control)
        tcsetpgrp(0, own_group);
    if (job->stopped) {
        job->background = true;
        fputc('\n', stderr);
        tell(job, "stopped");
        if (have_modes)
            tcsetattr(0, TCSADRAIN, &modes);
        return 128 + SIGTSTP;
    }
    status = last_status(job);
    if (WIFSIGNALED(status)) {
        if (have_modes)
            tcsetattr(0, TCSADRAIN, &modes);
        if (shell.interactive)
            tell_death(job, status);
        if (WTERMSIG(status) == SIGINT && shell.interactive)
            shell.interrupted = 1;
    }
    forget(job);
    return status_of(status);
}

void job_background(struct job *job)
{
    if (shell.interactive)
        fiprintf(stderr, "[%d] %d\n", job->number, job->procs[0].pid);
}

void job_reap(bool report)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0)
        note(pid, status);
    for (struct job *j = jobs, *next; j; j = next) {
        next = j->next;
        if (!report || j->running)
            continue;
        if (shell.interactive)
            tell(j, WIFSIGNALED(last_status(j)) ? strsignal(WTERMSIG(last_status(j))) : "done");
        forget(j);
    }
}

/* ---- builtins ---- */

/* %N, a pid, or the newest job. */
static struct job *find(const char *name)
{
    int number = name ? atoi(name + (name[0] == '%')) : 0;

    for (struct job *j = jobs; j; j = j->next) {
        if (!name)
            return j;
        if (name[0] == '%' ? j->number == number : j->count && j->procs[j->count - 1].pid == number)
            return j;
    }
    complain("%s: no such job", name ? name : "current");
    return NULL;
}

static void list(struct job *j)
{
    if (!j)
        return;
    list(j->next);                       /* oldest first */
    tell(j, !j->running ? "done" : j->stopped ? "stopped" : "running");
}

int bi_jobs(int argc, char **argv)
{
    (void)argc, (void)argv;
    job_reap(false);
    list(jobs);
    for (struct job *j = jobs, *next; j; j = next) {
        next = j->next;
        if (!j->running)
            forget(j);
    }
    return 0;
}

static int resume(const char *name, bool foreground)
{
    struct job *job = find(name);

    if (!job)
        return 1;
    if (!shell.job_control) {
        complain("no job control here");
        return 1;
    }
    fiprintf(stderr, "%s\n", job->text);
    if (foreground)
        tcsetpgrp(0, job->group);
    job->stopped = false;
    job->background = !foreground;
    killpg(job->group, SIGCONT);
    return foreground ? job_wait(job) : 0;
}

int bi_fg(int argc, char **argv)
{
    return resume(argc > 1 ? argv[1] : NULL, true);
}

int bi_bg(int argc, char **argv)
{
    return resume(argc > 1 ? argv[1] : NULL, false);
}

static int wait_for(struct job *job)
{
    int status;

    while (job->running > 0 && !shell.interrupted) {
        pid_t pid = waitpid(-1, &status, 0);

        if (pid > 0)
            note(pid, status);
        else if (errno != EINTR)
            break;
    }
    if (job->running)
        return 128 + SIGINT;
    status = status_of(last_status(job));
    forget(job);
    return status;
}

int bi_wait(int argc, char **argv)
{
    int status = 0;

    if (argc == 1) {
        for (struct job *j = jobs, *next; j && !shell.interrupted; j = next) {
            next = j->next;
            if (!j->stopped)
                wait_for(j);
        }
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        struct job *job = find(argv[i]);

        status = job ? wait_for(job) : 127;
    }
    return status;
}

static int signal_number(const char *name)
{
    static const struct { const char *name; int number; } names[] = {
        { "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "KILL", SIGKILL }, { "TERM", SIGTERM },
        { "STOP", SIGSTOP }, { "CONT", SIGCONT }, { "TSTP", SIGTSTP }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
        { "ALRM", SIGALRM }, { "CHLD", SIGCHLD }, { "PIPE", SIGPIPE }, { "SEGV", SIGSEGV },
    };

    if (isdigit((unsigned char)name[0]))
        return atoi(name);
    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].number;
    return -1;
}

/* A builtin as well as a program, because only the shell knows what %1 is. */
int kill_main(int argc, char **argv)
{
    int first = 1, sig = SIGTERM, status = 0;

    if (argc > 1 && argv[1][0] == '-') {
        bool spelled = strcmp(argv[1], "-s") == 0 && argc > 2;

        sig = signal_number(spelled ? argv[2] : argv[1] + 1);
        first = spelled ? 3 : 2;
    }
    if (first < argc && (sig < 0 || sig >= NSIG)) {
        complain("kill: there is no signal %s; -TERM (the usual), -KILL, -INT, -STOP, -CONT or a number", argv[first - 1]);
        return 2;
    }
    if (first >= argc) {
        complain("usage: kill [-SIGNAL] PID|%%JOB...");
        return 2;
    }
    for (; first < argc; first++) {
        struct job *job = argv[first][0] == '%' ? find(argv[first]) : NULL;
        int pid = job ? (job->group ? -job->group : job->procs[0].pid) : atoi(argv[first]);

        if ((argv[first][0] == '%' && !job) || pid == 0) {
            complain("kill: %s: not a process", argv[first]);
            status = 1;
        } else if (kill(pid, sig) < 0) {
            complain("kill: %s: %s", argv[first], strerror(errno));
            status = 1;
        }
    }
    return status;
}
