/* SPDX-License-Identifier: MIT */
/* process.c: the POSIX calls about processes that are small sums of the kernel's.
 *
 * exec's many forms reduce to execve, the waits to wait4, and sbrk to brk with a remembered end.   */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
void *sbrk(ptrdiff_t change);
int brk(void *end);

/* ---- the heap's end ---- */

static char *heap_end;

void *sbrk(ptrdiff_t change)
{
    if (!heap_end)
        heap_end = __sys_brk(NULL);
    char *old = heap_end;

    if (change != 0) {
        char *now = __sys_brk(old + change);

        if (now != old + change) {
            errno = ENOMEM;
            return (void *)-1;
        }
        heap_end = now;
    }
    return old;
}

int brk(void *end)
{
    char *now = __sys_brk(end);

    if (now != end) {
        errno = ENOMEM;
        return -1;
    }
    heap_end = now;
    return 0;
}

/* ---- waiting ---- */

pid_t wait(int *status)
{
    return wait4(-1, status, 0, NULL);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return wait4(pid, status, options, NULL);
}

pid_t wait3(int *status, int options, struct rusage *usage)
{
    return wait4(-1, status, options, usage);
}

pid_t vfork(void)
{
    return fork();
}

/* ---- exec ---- */

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

/* Along PATH: the first that can be executed; EACCES beats ENOENT. */
int execvpe(const char *file, char *const argv[], char *const envp[])
{
    const char *path = getenv("PATH");
    bool denied = false;
    char name[512];

    if (strchr(file, '/'))
        return execve(file, argv, envp);
    for (path = path ? path : "/bin:/sbin"; path; ) {
        size_t length = strcspn(path, ":");

        if (length + strlen(file) + 2 <= sizeof(name)) {
            memcpy(name, path, length);
            name[length] = '/';
            strcpy(name + length + (length != 0), file);
            execve(name, argv, envp);
            if (errno == EACCES)
                denied = true;
            else if (errno != ENOENT && errno != ENOTDIR)
                return -1;
        }
        path = path[length] ? path + length + 1 : NULL;
    }
    errno = denied ? EACCES : ENOENT;
    return -1;
}

int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

/* The list forms: the arguments are gathered into an array. */
enum { LIST_MAX = 64 };

static int gather(char *argv[LIST_MAX], const char *first, va_list *args)
{
    int n = 0;

    argv[n++] = (char *)(uintptr_t)first;
    while (argv[n - 1]) {
        if (n == LIST_MAX) {
            errno = E2BIG;
            return -1;
        }
        argv[n++] = va_arg(*args, char *);
    }
    return 0;
}

int execl(const char *path, const char *first, ...)
{
    char *argv[LIST_MAX];
    va_list args;

    va_start(args, first);
    int rc = gather(argv, first, &args);

    va_end(args);
    return rc ? rc : execv(path, argv);
}

int execlp(const char *file, const char *first, ...)
{
    char *argv[LIST_MAX];
    va_list args;

    va_start(args, first);
    int rc = gather(argv, first, &args);

    va_end(args);
    return rc ? rc : execvp(file, argv);
}

int execle(const char *path, const char *first, ...)
{
    char *argv[LIST_MAX];
    va_list args;

    va_start(args, first);
    int rc = gather(argv, first, &args);
    char *const *envp = va_arg(args, char *const *);

    va_end(args);
    return rc ? rc : execve(path, argv, envp);
}

int system(const char *command)
{
    int status = -1;

    if (!command)
        return access("/bin/sh", X_OK) == 0;
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* ---- who ---- */

uid_t geteuid(void) { return getuid(); }
gid_t getgid(void)  { return 0; }
gid_t getegid(void) { return 0; }
pid_t getpgrp(void) { return getpgid(0); }
int   nice(int increment) { return __sys_nice(0, increment); }
