/* SPDX-License-Identifier: MIT */
/* terminal.c: termios and pseudo-terminals, all of them ioctls beneath. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int tcgetattr(int fd, struct termios *t)
{
    return ioctl(fd, TCGETS, t);
}

int tcsetattr(int fd, int when, const struct termios *t)
{
    if (when < TCSANOW || when > TCSAFLUSH) {
        errno = EINVAL;
        return -1;
    }
    return ioctl(fd, TCSETS + (unsigned long)when, t);
}

int tcflush(int fd, int queue)
{
    return ioctl(fd, TCFLSH, queue);
}

void cfmakeraw(struct termios *t)
{
    t->c_iflag &= ~(unsigned)(BRKINT | INPCK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t->c_oflag &= ~(unsigned)OPOST;
    t->c_lflag &= ~(unsigned)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    t->c_cflag = (t->c_cflag & ~(unsigned)(CSIZE | PARENB)) | CS8;
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
}

int isatty(int fd)
{
    struct termios t;

    return tcgetattr(fd, &t) == 0;
}

pid_t tcgetpgrp(int fd)
{
    int group;

    return ioctl(fd, TIOCGPGRP, &group) < 0 ? -1 : group;
}

int tcsetpgrp(int fd, pid_t group)
{
    int g = group;

    return ioctl(fd, TIOCSPGRP, &g);
}

int posix_openpt(int flags)
{
    return open("/dev/ptmx", flags);
}

int grantpt(int master)
{
    return ptsname(master) ? 0 : -1;
}

int unlockpt(int master)
{
    int lock = 0;

    return ioctl(master, TIOCSPTLCK, &lock);
}

char *ptsname(int master)
{
    static char name[24];
    int number;

    if (ioctl(master, TIOCGPTN, &number) < 0)
        return NULL;
    sniprintf(name, sizeof(name), "/dev/pts/%d", number);
    return name;
}

int openpty(int *master, int *slave, char *name, const struct termios *t, const struct winsize *size)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    if (*master < 0)
        return -1;
    unlockpt(*master);
    const char *path = ptsname(*master);

    *slave = path ? open(path, O_RDWR | O_NOCTTY) : -1;
    if (*slave < 0) {
        close(*master);
        return -1;
    }
    if (name)
        strcpy(name, path);
    if (t)
        tcsetattr(*slave, TCSANOW, t);
    if (size)
        ioctl(*slave, TIOCSWINSZ, size);
    return 0;
}

int login_tty(int slave)
{
    setsid();
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        return -1;
    for (int fd = 0; fd < 3; fd++)
        dup2(slave, fd);
    if (slave > 2)
        close(slave);
    return 0;
}

pid_t forkpty(int *master, char *name, const struct termios *t, const struct winsize *size)
{
    int slave;

    if (openpty(master, &slave, name, t, size) < 0)
        return -1;
    pid_t pid = fork();

    if (pid == 0) {
        close(*master);
        if (login_tty(slave) < 0)
            _exit(1);
        return 0;
    }
    close(slave);
    if (pid < 0)
        close(*master);
    return pid;
}
