/* SPDX-License-Identifier: MIT */
/* init.c: the first process.
 *
 * It prepares the system (/etc/rc), keeps a shell on the console, and takes up every orphan. Words of the
 * kernel's command line, which the kernel hands on in /proc/cmdline, change that:
 *     exec=PROGRAM ARG...     run it once, then power off with its exit status (test boots)
 *     run=PROGRAM ARG...      run it on the console in place of the shell (a guest with one task)
 *     hostname=NAME           the system's name
 * SIGUSR2 asks it to power off, SIGTERM to reboot.                                                 */
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char command_line[1024];

/* The words of key= on the kernel's command line: the value, and what follows up to the next word that has an
 * equals sign; commas separate too. NULL: not there. */
static char **option(const char *key)
{
    static char *words[16];
    static char text[1024];
    size_t n = strlen(key);
    int count = 0;
    bool ours = false;
    char *rest;

    strcpy(text, command_line);
    for (char *word = strtok_r(text, ", \n", &rest); word; word = strtok_r(NULL, ", \n", &rest)) {
        if (strncmp(word, key, n) == 0 && word[n] == '=') {
            ours = true;
            word += n + 1;
        } else if (strchr(word, '=') || strcmp(word, "debugexit") == 0 || strcmp(word, "quiet") == 0) {
            ours = false;                /* a word for the kernel */
        }
        if (ours && count < 15)
            words[count++] = word;
    }
    words[count] = NULL;
    return count ? words : NULL;
}

static void read_command_line(void)
{
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, command_line, sizeof(command_line) - 1);

    command_line[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

static void set_name(void)
{
    char **given = option("hostname"), name[72] = "";
    int fd;

    if (given) {
        sethostname(given[0], strlen(given[0]));
        return;
    }
    if (gethostname(name, sizeof(name)) == 0 && name[0] && strcmp(name, "(none)"))
        return;
    fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);

    if (fd >= 0)
        close(fd);
    name[n > 0 ? n : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
    if (!name[0])
        strcpy(name, "novice");
    sethostname(name, strlen(name));
}

/* Starts a program in a session of its own with the console as its terminal. */
static pid_t start(char *const argv[])
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    signal(SIGTERM, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    setsid();
    int fd = open("/dev/console", O_RDWR);

    if (fd >= 0) {
        ioctl(fd, TIOCSCTTY, 0);
        for (int i = 0; i < 3; i++)
            if (fd != i)
                dup2(fd, i);
        if (fd > 2)
            close(fd);
    }
    tcsetpgrp(0, getpid());
    const char *name = argv[0][0] == '-' ? "/bin/sh" : argv[0];

    execvp(name, argv);
    fail(name);
    _exit(127);
}

/* Until that child ends; other children, orphans all, are taken up on the way. */
static int wait_for(pid_t pid)
{
    int status;

    for (;;) {
        pid_t dead = wait(&status);

        if (dead == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (dead < 0 && errno == ECHILD)
            return 127;
    }
}

static void run_rc(void)
{
    static char sh[] = "/bin/sh", rc[] = "/etc/rc";
    char *argv[] = { sh, rc, NULL };

    if (access(rc, R_OK) == 0)
        wait_for(start(argv));
}

static void power_off(int code)
{
    fflush(stdout);
    sync();
    reboot(REBOOT_POWEROFF, code);
    fail("power off");
    for (;;)
        pause();
}

/* The toolstack asks a domain to end through its kernel, which tells process 1 by a signal. */
static void on_request(int sig)
{
    sync();
    reboot(sig == SIGTERM ? REBOOT_RESTART : REBOOT_POWEROFF, 0);
}

static void keep(char **argv)
{
    for (;;) {
        pid_t pid = start(argv);

        if (pid < 0) {
            fail("fork");
        } else {
            int status = wait_for(pid);

            if (argv[0][0] != '-')
                iprintf("init: %s ended with status %d\n", argv[0], status);
            fflush(stdout);
        }
        sleep(1);                        /* a shell that dies at once must not fill the machine */
    }
}

int init_main(int argc, char **argv)
{
    static char shell[] = "-sh";
    char *login[] = { shell, NULL };
    char **words;

    if (getpid() != 1)
        return usage("(the kernel starts it as process 1)");
    (void)argc, (void)argv;
    setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 0);
    setenv("HOME", "/", 0);
    setenv("TERM", "vt100", 0);
    signal(SIGTERM, on_request);
    signal(SIGUSR2, on_request);
    read_command_line();
    set_name();
    mkdir("/tmp", 01777);
    words = option("exec");
    if (words)
        power_off(wait_for(start(words)));
    run_rc();
    words = option("run");
    keep(words ? words : login);
    return 0;
}
