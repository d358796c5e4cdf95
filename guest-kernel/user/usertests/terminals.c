/* SPDX-License-Identifier: MIT */
/* terminals.c: pseudo-terminals and the line discipline. */
#include "guest-kernel/user/usertests/usertests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;

static void open_pair(void)
{
    CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
}

static void type(const char *text)
{
    CHECK(write(master, text, strlen(text)) == (ssize_t)strlen(text));
}

/* What waits on fd within a moment, as a text. */
static const char *waiting(int fd)
{
    static char text[256];
    struct pollfd p = { fd, POLLIN, 0 };
    size_t length = 0;

    while (length < sizeof(text) - 1 && poll(&p, 1, 30) == 1 && (p.revents & POLLIN)) {
        ssize_t n = read(fd, text + length, sizeof(text) - 1 - length);

        if (n <= 0)
            break;
        length += (size_t)n;
    }
    text[length] = '\0';
    return text;
}

static void local(unsigned clear, unsigned set)
{
    struct termios t;

    CHECK(tcgetattr(slave, &t) == 0);
    t.c_lflag = (t.c_lflag & ~clear) | set;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
}

static void pty_pair(void)
{
    struct winsize size = { 33, 99, 0, 0 }, got;
    struct termios t;

    open_pair();
    CHECK(isatty(slave) && !isatty(open("/dev/null", O_RDWR)) && strncmp(ptsname(master), "/dev/pts/", 9) == 0);
    CHECK(tcgetattr(slave, &t) == 0 && (t.c_lflag & ICANON) && (t.c_lflag & ECHO) && (t.c_lflag & ISIG));
    CHECK(ioctl(master, TIOCSWINSZ, &size) == 0 && ioctl(slave, TIOCGWINSZ, &got) == 0 && got.ws_row == 33 && got.ws_col == 99);
    CHECK_ERRNO(tcgetattr(99, &t), EBADF);
    int fds[2];

    CHECK(pipe(fds) == 0);
    CHECK_ERRNO(tcgetattr(fds[0], &t), ENOTTY);
}

static void pty_lines(void)
{
    open_pair();
    type("par");
    CHECK(strcmp(waiting(slave), "") == 0);          /* not before the line is whole */
    type("tial\n");
    CHECK(strcmp(waiting(slave), "partial\n") == 0);
    CHECK(strcmp(waiting(master), "partial\r\n") == 0);      /* the echo */
    type("a\rb\n");
    CHECK(strcmp(waiting(slave), "a\nb\n") == 0);
    char c[2];

    type("xyz\n");
    CHECK(read(slave, c, 2) == 2 && memcmp(c, "xy", 2) == 0);        /* the rest stays */
    CHECK(strcmp(waiting(slave), "z\n") == 0);
    waiting(master);
    CHECK(write(slave, "out\n", 4) == 4 && strcmp(waiting(master), "out\r\n") == 0);
}

static void pty_erases(void)
{
    open_pair();
    type("abc\177\177X\n");
    CHECK(strcmp(waiting(slave), "aX\n") == 0);
    type("\177\177gone\025kept\n");
    CHECK(strcmp(waiting(slave), "kept\n") == 0);
    type("one two\027three\n");
    CHECK(strcmp(waiting(slave), "one three\n") == 0);
    waiting(master);
    type("ab\177");
    const char *echo = waiting(master);

    CHECK(strncmp(echo, "ab", 2) == 0 && strchr(echo, '\b'));
}

static void pty_end_of_file(void)
{
    char c[8];

    open_pair();
    type("\004");
    CHECK(read(slave, c, 8) == 0);
    type("abc\004");
    CHECK(read(slave, c, 8) == 3 && memcmp(c, "abc", 3) == 0);       /* what was typed, without a newline */
    type("next\n");
    CHECK(read(slave, c, 8) == 5);
}

static void pty_raw(void)
{
    struct termios t;
    char c[8];

    open_pair();
    CHECK(tcgetattr(slave, &t) == 0);
    cfmakeraw(&t);
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
    type("\003\004\r\177");
    CHECK(strcmp(waiting(slave), "\003\004\r\177") == 0 && strcmp(waiting(master), "") == 0);
    CHECK(write(slave, "\n", 1) == 1 && strcmp(waiting(master), "\n") == 0);
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 1;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
    long start = now_ms();

    CHECK(read(slave, c, 8) == 0 && now_ms() - start >= 90 && now_ms() - start < 3000);
    local(0, ECHO);
    type("e");
    CHECK(strcmp(waiting(master), "e") == 0);
}

static void pty_flushes(void)
{
    struct termios t;
    int n;

    open_pair();
    type("typed ahead\n");
    CHECK(ioctl(slave, FIONREAD, &n) == 0 && n == 12);
    CHECK(tcgetattr(slave, &t) == 0 && tcsetattr(slave, TCSAFLUSH, &t) == 0);
    CHECK(strcmp(waiting(slave), "") == 0);
    CHECK(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(read(slave, &n, 1), EAGAIN);
    CHECK_ERRNO(tcsetattr(slave, 7, &t), EINVAL);
}

/* ---- sessions: a child whose terminal the slave is ---- */

static volatile int got_signal;

static void note(int sig)
{
    got_signal = sig;
}

static pid_t start_session(void (*body)(void))
{
    pid_t pid = forkpty(&master, NULL, NULL, NULL);

    CHECK(pid >= 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    return pid;
}

static void wait_for_signal(void)
{
    CHECK(write(1, "ready\n", 6) == 6);
    for (int i = 0; i < 300; i++)
        pause_ms(10);
}

static void expect(const char *text)
{
    char all[256] = "";

    for (int i = 0; i < 100 && !strstr(all, text); i++)
        strncat(all, waiting(master), sizeof(all) - strlen(all) - 1);
    CHECK(strstr(all, text));
}

static void pty_signals(void)
{
    pid_t pid = start_session(wait_for_signal);
    int status;

    expect("ready");
    type("\003");
    CHECK(WTERMSIG(wait_status(pid)) == SIGINT);
    pid = start_session(wait_for_signal);
    expect("ready");
    type("\034");
    CHECK(WTERMSIG(wait_status(pid)) == SIGQUIT);
    (void)status;
}

static void foreground_child(void)
{
    pid_t pid = fork();
    int status;

    signal(SIGTTOU, SIG_IGN);
    if (pid == 0) {
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        wait_for_signal();
        _exit(0);
    }
    setpgid(pid, pid);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    CHECK(tcsetpgrp(0, getpgrp()) == 0 && tcgetpgrp(0) == getpgrp());
    CHECK(tcsetpgrp(0, pid) == 0 && kill(-pid, SIGCONT) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    _exit(6);                                        /* the signals reached only the foreground group */
}

static void pty_job_control(void)
{
    pid_t pid = start_session(foreground_child);

    expect("ready");
    pause_ms(30);
    type("\032");
    pause_ms(100);
    type("\003");
    CHECK(exits_with(6, pid));
}

static void background_reader(void)
{
    pid_t pid = fork();
    int status;
    char c;

    if (pid == 0) {
        setpgid(0, 0);
        _exit(read(0, &c, 1) == 1 ? 0 : 1);
    }
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
    kill(pid, SIGKILL);
    _exit(7);
}

static void pty_background_read(void)
{
    CHECK(exits_with(7, start_session(background_reader)));
}

static void wait_for_hangup(void)
{
    char c;

    signal(SIGHUP, note);
    CHECK(write(1, "ready\n", 6) == 6);
    ssize_t n = read(0, &c, 1);

    _exit(n <= 0 && got_signal == SIGHUP ? 8 : 1);
}

static void pty_hangup(void)
{
    char c;
    pid_t pid = start_session(wait_for_hangup);

    expect("ready");
    CHECK(close(master) == 0);
    CHECK(exits_with(8, pid));
    open_pair();
    CHECK(close(slave) == 0);
    CHECK(read(master, &c, 1) <= 0);                 /* nobody is there any more */
}

/* daemon() in a session that ends at once, before the child ran: the hang-up is not the daemon's. */
static void pty_daemon(void)
{
    int end[2];
    char byte = 0;

    CHECK(pipe(end) == 0);
    pid_t pid = forkpty(&master, NULL, NULL, NULL);

    if (pid == 0) {
        close(end[0]);
        if (daemon(1, 1) == 0)
            write(end[1], getsid(0) == getpid() && signal(SIGHUP, SIG_DFL) == SIG_DFL ? "y" : "n", 1);
        _exit(0);
    }
    CHECK(pid > 0);
    close(end[1]);
    CHECK(read(end[0], &byte, 1) == 1 && byte == 'y');
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(end[0]);
    close(master);
}

static void pty_long_line(void)
{
    static char line[6000];

    open_pair();
    local(ECHO, 0);
    memset(line, 'L', sizeof(line));
    CHECK(fcntl(master, F_SETFL, O_NONBLOCK) == 0);
    for (size_t at = 0; at < sizeof(line);) {
        ssize_t n = write(master, line + at, sizeof(line) - at);

        if (n <= 0)
            break;
        at += (size_t)n;
    }
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    type("after\n");
    CHECK(strcmp(waiting(slave), "after\n") == 0);
}

static void pty_many(void)
{
    long before = 0;

    for (int i = 0; i < 40; i++) {
        open_pair();
        type("x\n");
        CHECK(close(i & 1 ? master : slave) == 0 && close(i & 1 ? slave : master) == 0);
        if (i == 10)
            before = free_pages();
    }
    CHECK(before - free_pages() < 8);
}

const struct test terminal_tests[] = {
    { "pty_pair", pty_pair }, { "pty_lines", pty_lines }, { "pty_erases", pty_erases }, { "pty_end_of_file", pty_end_of_file },
    { "pty_raw", pty_raw }, { "pty_flushes", pty_flushes }, { "pty_signals", pty_signals },
    { "pty_job_control", pty_job_control }, { "pty_background_read", pty_background_read }, { "pty_hangup", pty_hangup }, { "pty_daemon", pty_daemon },
    { "pty_long_line", pty_long_line }, { "pty_many", pty_many }, { 0 },
};
