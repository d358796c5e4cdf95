/* SPDX-License-Identifier: MIT */
/* cmd_autostart.c: the domains that start with dom0, one after another, in the background.
 *
 * dom0's /etc/rc.d says so at boot. The process leaves the session of whoever started it, since
 * that one ends when the boot scripts do, and writes what comes of it into a log. */
#include "dom0-tools/enso/enso.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AUTO_DIR  "/etc/enso/auto"
#define AUTO_LOG  "/var/log/console/auto.log"
#define AUTO_MOST 64

static char names[AUTO_MOST][96];

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The *.cfg files of the folder, in the order of their names. */
static unsigned gather(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    unsigned n = 0;

    while (d && n < AUTO_MOST && (e = readdir(d))) {
        size_t len = strlen(e->d_name);

        if (len > 4 && len < sizeof(names[0]) && strcmp(e->d_name + len - 4, ".cfg") == 0)
            strcpy(names[n++], e->d_name);
    }
    if (d)
        closedir(d);
    qsort(names, n, sizeof(names[0]), by_name);
    return n;
}

static void to_log(void)
{
    int null = open("/dev/null", O_RDWR), log = open(AUTO_LOG, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (null >= 0)
        dup2(null, 0);
    dup2(log >= 0 ? log : null, 1);
    dup2(log >= 0 ? log : null, 2);
}

static void start_all(const char *dir, unsigned n)
{
    char path[200];

    for (unsigned i = 0; i < n; i++) {
        pid_t pid;

        snprintf(path, sizeof(path), "%.96s/%.95s", dir, names[i]);
        pid = fork();
        if (pid == 0) {
            execl("/usr/sbin/enso", "enso", "create", path, (char *)NULL);
            _exit(127);
        }
        waitpid(pid, NULL, 0);
    }
}

int cmd_autostart(int words, char **word)
{
    const char *dir = words > 1 ? word[1] : AUTO_DIR;
    unsigned n;

    if (words > 2 || dir[0] == '-' || strlen(dir) > 96)
        return usage();
    n = gather(dir);
    if (!n)
        return 0;
    if (daemon(1, 1) < 0)
        return failf("no process for it: %s", strerror(errno));
    to_log();
    start_all(dir, n);
    return 0;
}
