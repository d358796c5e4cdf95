/* SPDX-License-Identifier: MIT */
/* init.c: the first process.
 *
 * It prepares the system (/etc/rc), keeps a shell on the console, and takes up every orphan. Words of the
 * kernel's command line, which the kernel hands on in /proc/cmdline, change that:
 *     exec=PROGRAM ARG...     run it once, then power off with its exit status (test boots)
 *     run=PROGRAM ARG...      run it on the console in place of the shell (a guest with one task)
 *     hostname=NAME           the system's name
 * SIGUSR2 asks it to power off, SIGTERM to reboot, SIGHUP to look into /run/init: each file there holds a command, a daemon's in the
 * foreground, which is started, and started again whenever it ends while the file is there.                      */
#include "guest-kernel/user/box/box.h"

#include <dirent.h>
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
#include <time.h>
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
    signal(SIGHUP, SIG_DFL);
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

/* ---- daemons that are kept ---------------------------------------------------------------------- */

#define KEPT_DIR   "/run/init"
#define KEPT_MOST  16
#define BRIEF_MS   100                   /* one that lived no longer is started again only after as long */

static struct kept { char name[32]; pid_t pid; struct timespec born; } kept[KEPT_MOST];
static volatile sig_atomic_t look, at_rest;      /* SIGHUP has come; nothing is going on that it could disturb */

static long ms_since(const struct timespec *then)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

/* The file's words; none when it is gone: then the daemon is no longer wanted. */
static bool kept_words(const char *name, char text[256], char *words[16])
{
    char path[64], *rest;
    int n = 0, fd;
    ssize_t got;

    snprintf(path, sizeof(path), KEPT_DIR "/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, text, 255);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    for (char *word = strtok_r(text, " \t\n", &rest); word && n < 15; word = strtok_r(NULL, " \t\n", &rest))
        words[n++] = word;
    words[n] = NULL;
    return n > 0;
}

static void kept_child(char **words, bool wait)
{
    int fd = open("/dev/null", O_RDWR);

    signal(SIGTERM, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    setsid();
    if (fd >= 0)
        dup2(fd, 0);
    if (wait)
        usleep(BRIEF_MS * 1000);
    execvp(words[0], words);
    fail(words[0]);
    _exit(127);
}

static void kept_start(struct kept *k, bool wait)
{
    char text[256], *words[16];

    k->pid = 0;
    if (!kept_words(k->name, text, words)) {
        k->name[0] = '\0';
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &k->born);
    while ((k->pid = fork()) < 0)
        usleep(BRIEF_MS * 1000);         /* no memory: somebody will give some back */
    if (k->pid == 0)
        kept_child(words, wait);
}

static struct kept *kept_find(const char *name)
{
    for (int i = 0; i < KEPT_MOST; i++)
        if (strcmp(kept[i].name, name) == 0)
            return &kept[i];
    return NULL;
}

/* Starts what is named there and does not run. */
static void kept_look(void)
{
    DIR *dir = opendir(KEPT_DIR);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        struct kept *k = kept_find(e->d_name);

        if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof(k->name) || strstr(e->d_name, ".new") || (k && k->pid > 0))
            continue;
        if (!k)
            k = kept_find("");
        if (!k)
            break;
        strcpy(k->name, e->d_name);
        kept_start(k, false);
    }
    if (dir)
        closedir(dir);
}

/* At rest at once: whoever asks may be what the one waits for that we wait for. */
static void on_hup(int sig)
{
    (void)sig;
    if (at_rest)
        kept_look();
    else
        look = 1;
}

static pid_t wait_at_rest(int *status)
{
    pid_t dead;

    for (;;) {
        while (look) {
            look = 0;
            kept_look();
        }
        at_rest = 1;
        if (!look)
            break;
        at_rest = 0;
    }
    dead = wait(status);
    at_rest = 0;
    return dead;
}

static void kept_ended(pid_t dead)
{
    for (int i = 0; i < KEPT_MOST; i++)
        if (kept[i].name[0] && kept[i].pid == dead)
            kept_start(&kept[i], ms_since(&kept[i].born) < BRIEF_MS);
}

/* Until that child ends; other children are kept ones, which start again, or orphans, which are taken up. */
static int wait_for(pid_t pid)
{
    int status;

    for (;;) {
        pid_t dead = wait_at_rest(&status);

        if (dead > 0)
            kept_ended(dead);
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
    signal(SIGHUP, on_hup);
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
