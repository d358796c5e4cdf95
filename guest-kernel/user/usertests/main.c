/* SPDX-License-Identifier: MIT */
/* main.c: usertests: tries the kernel's calls from where programs stand.
 *
 *     usertests           all cases        usertests NAME...   those (a prefix serves)      usertests -l   lists
 * Each case prints one line; the last line is "usertests: N passed, M failed", and the exit status says the same. */
#include "guest-kernel/user/usertests/usertests.h"
#include "guest-kernel/user/box/box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_SECONDS = 30 };

char scratch[64];

static const struct test *const tables[] = {
    process_tests, exec_tests, signal_tests, memory_tests, fault_tests, pipe_tests, file_tests, directory_tests,
    terminal_tests, time_tests, pointer_tests, proc_tests, shell_tests, stream_tests, datagram_tests, kept_tests,
};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

/* ---- for the cases ---- */

static const char *base(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash ? slash + 1 : file;
}

void test_failed(const char *file, int line, const char *what)
{
    int error = errno;

    fiprintf(stderr, "  %s:%d: not so: %s   (errno %d %s)\n", base(file), line, what, error, strerror(error));
    _exit(1);
}

void test_failed_errno(const char *file, int line, const char *call, const char *wanted)
{
    int error = errno;

    fiprintf(stderr, "  %s:%d: %s gave errno %d %s, not %s\n", base(file), line, call, error, strerror(error), wanted);
    _exit(1);
}

pid_t start_child(void (*body)(void *arg), void *arg)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        body(arg);
        _exit(0);
    }
    return pid;
}

int wait_status(pid_t pid)
{
    int status;
    pid_t got;

    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    CHECK(got == pid);
    return status;
}

bool exits_with(int code, pid_t pid)
{
    int status = wait_status(pid);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fiprintf(stderr, "  child ended with status 0x%x, not exit(%d)\n", status, code);
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

int in_child(void (*body)(void *arg), void *arg)
{
    return wait_status(start_child(body, arg));
}

bool dies_of(int sig, void (*body)(void *arg), void *arg)
{
    int status = in_child(body, arg);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
        fiprintf(stderr, "  child ended with status 0x%x, not by signal %d\n", status, sig);
    return WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

void pause_ms(int ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

long now_ms(void)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

long free_pages(void)
{
    struct sysinfo info;

    CHECK(sysinfo(&info) == 0);
    return (long)info.free_pages;
}

void write_file(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

    CHECK(fd >= 0);
    CHECK(write(fd, data, size) == (ssize_t)size);
    CHECK(close(fd) == 0);
}

const char *shell_output(const char *command, int *status)
{
    static char text[2048];
    size_t length = 0;
    int fds[2];
    ssize_t n;

    CHECK(pipe(fds) == 0);
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], 1);
        dup2(open("/dev/null", O_WRONLY), 2);
        close(fds[0]);
        close(fds[1]);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    while (length < sizeof(text) - 1 && (n = read(fds[0], text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)n;
    close(fds[0]);
    text[length] = '\0';
    int ended = wait_status(pid);

    if (status)
        *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
    return text;
}

/* ---- running them ---- */

static void prepare(void)
{
    CHECK(mkdir(scratch, 0777) == 0);
    CHECK(chdir(scratch) == 0);
}

/* No program is started for this: a case may have left no memory for one. */
static void remove_tree(const char *path)
{
    struct dirent *entry;
    struct stat st;
    char full[600];
    DIR *dir = NULL;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            sniprintf(full, sizeof(full), "%s/%s", path, entry->d_name);
            remove_tree(full);
        }
    }
    if (dir)
        closedir(dir);
    if (remove(path) < 0)
        fail(path);
}

static void clean_up(pid_t group)
{
    kill(-group, SIGKILL);
    while (waitpid(-group, NULL, 0) > 0)
        ;
    remove_tree(scratch);
}

static void explain(int status)
{
    if (WIFSTOPPED(status))
        fiprintf(stderr, "  the case was stopped by signal %d\n", WSTOPSIG(status));
    else if (WIFSIGNALED(status))
        fiprintf(stderr, "  the case died of signal %d (%s)%s\n", WTERMSIG(status), strsignal(WTERMSIG(status)),
                WTERMSIG(status) == SIGALRM ? ": it took too long" : "");
}

static volatile pid_t running;

static void on_interrupt(int sig)
{
    if (running > 0)
        kill(-running, SIGKILL);
    signal(sig, SIG_DFL);
    raise(sig);
}

static bool run_case(const struct test *test)
{
    static int number;
    int status = -1;

    sniprintf(scratch, sizeof(scratch), "/tmp/usertests-%d-%d", getpid(), number++);
    iprintf("%-24s ", test->name);
    fflush(stdout);
    long start = now_ms();
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        setpgid(0, 0);
        alarm(LIMIT_SECONDS);
        prepare();
        test->run();
        _exit(0);
    }
    if (pid > 0) {
        setpgid(pid, pid);
        running = pid;
        while (waitpid(pid, &status, WUNTRACED) < 0 && errno == EINTR)
            ;
        clean_up(pid);
    }
    bool passed = pid > 0 && status == 0;

    if (!passed)
        explain(status);
    iprintf("%s (%ld ms)\n", passed ? "ok" : "FAILED", now_ms() - start);
    fflush(stdout);
    return passed;
}

static bool chosen(const struct test *test, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(test->name, argv[i], strlen(argv[i])) == 0)
            return true;
    return argc == 1;
}

int usertests_main(int argc, char **argv)
{
    bool list = argc == 2 && strcmp(argv[1], "-l") == 0;
    int passed = 0, failed = 0;

    if (argc > 1 && strcmp(argv[1], "--helper") == 0)
        return helper_main(argc - 2, argv + 2);
    signal(SIGINT, on_interrupt);
    for (int i = 0; i < TABLES; i++) {
        for (const struct test *t = tables[i]; t->name; t++) {
            if (list)
                puts(t->name);
            else if (chosen(t, argc, argv))
                *(run_case(t) ? &passed : &failed) += 1;
        }
    }
    if (list)
        return 0;
    if (passed + failed == 0)
        return usage("[-l | NAME...]   (no case has such a name)");
    iprintf("usertests: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
