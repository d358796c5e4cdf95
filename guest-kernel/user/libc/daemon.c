/* SPDX-License-Identifier: MIT */
/* daemon.c: a program goes into the background, into a session of its own. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* The session that we leave may end at any moment, before the child has one of its own: its hang-up is not for us (boot scripts end
 * while what they started still waits for the disk). */
int daemon(int nochdir, int noclose)
{
    void (*before)(int) = signal(SIGHUP, SIG_IGN);
    pid_t pid = fork();

    if (pid > 0)
        _exit(0);
    if (pid == 0)
        setsid();
    signal(SIGHUP, before);
    if (pid < 0)
        return -1;
    if (!nochdir)
        chdir("/");
    int null = noclose ? -1 : open("/dev/null", O_RDWR);

    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    return 0;
}
