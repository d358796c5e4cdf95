/* SPDX-License-Identifier: MIT */
/* pipes.c: pipes, descriptors, poll and select. */
#include "guest-kernel/user/usertests/usertests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int fds[2];

static void pipe_passes(void)
{
    char text[16];

    CHECK(pipe(fds) == 0 && fds[0] != fds[1]);
    CHECK(write(fds[1], "hello", 5) == 5 && write(fds[1], " you", 4) == 4);
    CHECK(read(fds[0], text, 3) == 3 && memcmp(text, "hel", 3) == 0);
    CHECK(read(fds[0], text, sizeof(text)) == 6 && memcmp(text, "lo you", 6) == 0);
    CHECK_ERRNO(read(fds[1], text, 1), EBADF);
    CHECK_ERRNO(write(fds[0], "x", 1), EBADF);
    CHECK_ERRNO(lseek(fds[0], 0, SEEK_SET), ESPIPE);
    CHECK(read(fds[0], text, 0) == 0 && write(fds[1], text, 0) == 0);
}

static void pipe_ends(void)
{
    char c;

    CHECK(pipe(fds) == 0);
    pid_t pid = fork();

    if (pid == 0) {
        CHECK(write(fds[1], "z", 1) == 1);
        _exit(0);                        /* its exit closes its end */
    }
    CHECK(close(fds[1]) == 0);
    CHECK(read(fds[0], &c, 1) == 1 && c == 'z');
    CHECK(read(fds[0], &c, 1) == 0);
    CHECK(exits_with(0, pid));
}

static long capacity(int fd)
{
    char block[512] = { 0 };
    long total = 0;
    ssize_t n;

    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while ((n = write(fd, block, sizeof(block))) > 0)
        total += n;
    CHECK(n == -1 && errno == EAGAIN);
    CHECK(fcntl(fd, F_SETFL, 0) == 0);
    return total;
}

static void write_more(void *arg)
{
    (void)arg;
    CHECK(write(fds[1], "after", 5) == 5);
}

static void pipe_fills(void)
{
    char block[512];
    int status;

    CHECK(pipe(fds) == 0);
    long total = capacity(fds[1]);

    CHECK(total >= 512);
    pid_t pid = start_child(write_more, NULL);

    pause_ms(50);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);      /* it waits for room */
    for (long left = total + 5; left > 0;) {
        ssize_t n = read(fds[0], block, sizeof(block));

        CHECK(n > 0);
        left -= n;
    }
    CHECK(exits_with(0, pid));
}

static void send_pattern(void *arg)
{
    unsigned char block[700];
    long total = (long)arg;

    for (long at = 0; at < total;) {
        long n = total - at < (long)sizeof(block) ? total - at : (long)sizeof(block);

        for (long i = 0; i < n; i++)
            block[i] = (unsigned char)((at + i) * 7 >> 3);
        CHECK(write(fds[1], block, (size_t)n) == n);
        at += n;
    }
}

static void pipe_carries_much(void)
{
    enum { TOTAL = 300000 };
    unsigned char block[1000];
    long at = 0;
    ssize_t n;

    CHECK(pipe(fds) == 0);
    pid_t pid = start_child(send_pattern, (void *)TOTAL);

    CHECK(close(fds[1]) == 0);
    while ((n = read(fds[0], block, sizeof(block))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            CHECK(block[i] == (unsigned char)((at + i) * 7 >> 3));
        at += n;
    }
    CHECK(at == TOTAL && exits_with(0, pid));
}

static void send_letters(void *arg)
{
    char block[64];

    memset(block, (int)(size_t)arg, sizeof(block));
    for (int i = 0; i < 60; i++)
        CHECK(write(fds[1], block, sizeof(block)) == sizeof(block));
}

/* Small writes are not torn apart by other writers. */
static void pipe_is_atomic(void)
{
    char block[64];
    pid_t pids[4];
    int blocks = 0;

    CHECK(pipe(fds) == 0);
    for (int i = 0; i < 4; i++)
        pids[i] = start_child(send_letters, (void *)(size_t)('a' + i));
    CHECK(close(fds[1]) == 0);
    for (size_t have = 0;;) {
        ssize_t n = read(fds[0], block + have, sizeof(block) - have);

        CHECK(n >= 0);
        have += (size_t)n;
        if (n == 0)
            break;
        if (have < sizeof(block))
            continue;
        for (int i = 1; i < 64; i++)
            CHECK(block[i] == block[0]);
        blocks++;
        have = 0;
    }
    CHECK(blocks == 240);
    for (int i = 0; i < 4; i++)
        CHECK(exits_with(0, pids[i]));
}

static void pipe_nonblocking(void)
{
    char c;

    CHECK(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK_ERRNO(read(fds[0], &c, 1), EAGAIN);
    CHECK(fcntl(fds[0], F_GETFD) == FD_CLOEXEC && (fcntl(fds[0], F_GETFL) & O_NONBLOCK));
    CHECK(write(fds[1], "n", 1) == 1 && read(fds[0], &c, 1) == 1);
    CHECK(close(fds[1]) == 0 && read(fds[0], &c, 1) == 0);
}

static void pipe_again_and_again(void)
{
    long before = 0;

    for (int i = 0; i < 300; i++) {
        CHECK(pipe(fds) == 0 && write(fds[1], "q", 1) == 1);
        CHECK(close(fds[i & 1]) == 0 && close(fds[!(i & 1)]) == 0);
        if (i == 100)
            before = free_pages();
    }
    CHECK(before - free_pages() < 8);
}

static void write_fifo(void *arg)
{
    int fd = open("fifo", O_WRONLY);

    (void)arg;
    CHECK(fd >= 0 && write(fd, "through", 7) == 7);
}

static void fifo_meets(void)
{
    char text[16];
    struct stat st;

    CHECK(mkfifo("fifo", 0600) == 0 && stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
    pid_t pid = start_child(write_fifo, NULL);
    int fd = open("fifo", O_RDONLY);

    CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 7 && memcmp(text, "through", 7) == 0);
    CHECK(exits_with(0, pid));
    CHECK(read(fd, text, sizeof(text)) == 0);
}

static void dup_shares(void)
{
    char text[4];
    int a = open("f", O_RDWR | O_CREAT, 0600), b, c;

    CHECK(a >= 0 && write(a, "abcdef", 6) == 6);
    b = dup(a);
    CHECK(b > 2 && b != a && lseek(a, 1, SEEK_SET) == 1);
    CHECK(read(b, text, 2) == 2 && memcmp(text, "bc", 2) == 0);
    CHECK(lseek(a, 0, SEEK_CUR) == 3);
    c = dup2(a, 30);
    CHECK(c == 30 && close(a) == 0 && read(c, text, 1) == 1 && text[0] == 'd');
    CHECK(dup2(c, c) == c);
    CHECK(dup2(b, 30) == 30 && read(30, text, 1) == 1 && text[0] == 'e');     /* the old 30 was closed */
    CHECK_ERRNO(dup(99), EBADF);
    CHECK_ERRNO(dup2(99, 5), EBADF);
    CHECK_ERRNO(dup2(b, -1), EBADF);
    CHECK_ERRNO(dup2(b, 100000), EBADF);
    int d = fcntl(b, F_DUPFD, 20);

    CHECK(d >= 20 && fcntl(d, F_GETFD) == 0);
    CHECK(fcntl(d, F_SETFD, FD_CLOEXEC) == 0 && fcntl(d, F_GETFD) == FD_CLOEXEC && fcntl(b, F_GETFD) == 0);
}

static void descriptors_run_out(void)
{
    int first = open("/dev/null", O_RDONLY), count = 0, last = first, fd;

    CHECK(first >= 0);
    while ((fd = dup(first)) >= 0) {
        last = fd;
        count++;
    }
    CHECK(errno == EMFILE && count >= 12 && count < 5000);
    CHECK_ERRNO(open("/dev/null", O_RDONLY), EMFILE);
    CHECK_ERRNO(pipe(fds), EMFILE);
    CHECK(close(last) == 0);
    CHECK_ERRNO(pipe(fds), EMFILE);      /* it needs two, and takes none if it cannot have both */
    CHECK(dup(first) == last);
    for (fd = first; fd <= last; fd++)
        CHECK(close(fd) == 0);
    CHECK_ERRNO(close(first), EBADF);
    CHECK(open("/dev/null", O_RDONLY) == first);     /* the lowest */
}

static void write_later(void *arg)
{
    (void)arg;
    pause_ms(60);
    CHECK(write(fds[1], "w", 1) == 1);
}

static void poll_answers(void)
{
    char c;

    CHECK(pipe(fds) == 0);
    struct pollfd p[3] = { { fds[0], POLLIN, 0 }, { fds[1], POLLOUT, 0 }, { -1, POLLIN, 77 } };

    CHECK(poll(p, 3, 0) == 1 && p[0].revents == 0 && p[1].revents == POLLOUT && p[2].revents == 0);
    CHECK(write(fds[1], "p", 1) == 1 && poll(p, 1, -1) == 1 && p[0].revents == POLLIN);
    CHECK(read(fds[0], &c, 1) == 1);
    long start = now_ms();

    CHECK(poll(p, 1, 50) == 0 && now_ms() - start >= 49);
    capacity(fds[1]);
    CHECK(poll(p + 1, 1, 0) == 0);
    CHECK(close(fds[1]) == 0 && poll(p, 1, 0) == 1 && (p[0].revents & POLLHUP));
    p[1].fd = 99;
    CHECK(poll(p + 1, 1, -1) == 1 && p[1].revents == POLLNVAL);
    CHECK(pipe(fds) == 0 && close(fds[0]) == 0);
    p[0] = (struct pollfd){ fds[1], POLLOUT, 0 };
    CHECK(poll(p, 1, 0) == 1 && (p[0].revents & POLLERR));
    CHECK(poll(NULL, 0, 10) == 0);
}

static void poll_wakes(void)
{
    CHECK(pipe(fds) == 0);
    struct pollfd p = { fds[0], POLLIN, 0 };
    pid_t pid = start_child(write_later, NULL);
    long start = now_ms();

    CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLIN);
    CHECK(now_ms() - start >= 40 && now_ms() - start < 4000);
    CHECK(exits_with(0, pid));
}

static void nothing(int sig)
{
    (void)sig;
}

static void interrupt_parent(void *arg)
{
    (void)arg;
    pause_ms(40);
    kill(getppid(), SIGUSR1);
}

static void poll_is_interrupted(void)
{
    struct sigaction act = { .sa_handler = nothing };

    CHECK(pipe(fds) == 0 && sigaction(SIGUSR1, &act, NULL) == 0);
    struct pollfd p = { fds[0], POLLIN, 0 };
    pid_t pid = start_child(interrupt_parent, NULL);

    CHECK_ERRNO(poll(&p, 1, 5000), EINTR);
    CHECK(exits_with(0, pid));
}

static void select_answers(void)
{
    struct timeval zero = { 0, 0 }, little = { 0, 50000 };
    fd_set rd, wr;

    CHECK(pipe(fds) == 0);
    FD_ZERO(&rd);
    FD_ZERO(&wr);
    FD_SET(fds[0], &rd);
    FD_SET(fds[1], &wr);
    CHECK(select(fds[1] + 1, &rd, &wr, NULL, &zero) == 1 && !FD_ISSET(fds[0], &rd) && FD_ISSET(fds[1], &wr));
    FD_SET(fds[0], &rd);
    long start = now_ms();

    CHECK(select(fds[0] + 1, &rd, NULL, NULL, &little) == 0 && !FD_ISSET(fds[0], &rd));
    CHECK(now_ms() - start >= 49);
    FD_SET(fds[0], &rd);
    pid_t pid = start_child(write_later, NULL);

    CHECK(select(fds[0] + 1, &rd, NULL, NULL, NULL) == 1 && FD_ISSET(fds[0], &rd));
    CHECK(exits_with(0, pid));
    CHECK(close(fds[0]) == 0);
    CHECK_ERRNO(select(fds[0] + 1, &rd, NULL, NULL, &zero), EBADF);
    CHECK_ERRNO(select(-1, &rd, NULL, NULL, &zero), EINVAL);
}

static void bytes_waiting(void)
{
    int n = -1;

    CHECK(pipe(fds) == 0 && ioctl(fds[0], FIONREAD, &n) == 0 && n == 0);
    CHECK(write(fds[1], "12345", 5) == 5 && ioctl(fds[0], FIONREAD, &n) == 0 && n == 5);
    CHECK_ERRNO(ioctl(99, FIONREAD, &n), EBADF);
    CHECK(ioctl(fds[0], 0xdeadbeef, &n) == -1);
}

const struct test pipe_tests[] = {
    { "pipe_passes", pipe_passes }, { "pipe_ends", pipe_ends }, { "pipe_fills", pipe_fills },
    { "pipe_carries_much", pipe_carries_much }, { "pipe_is_atomic", pipe_is_atomic }, { "pipe_nonblocking", pipe_nonblocking },
    { "pipe_again_and_again", pipe_again_and_again }, { "fifo_meets", fifo_meets }, { "dup_shares", dup_shares },
    { "descriptors_run_out", descriptors_run_out }, { "poll_answers", poll_answers }, { "poll_wakes", poll_wakes },
    { "poll_is_interrupted", poll_is_interrupted }, { "select_answers", select_answers }, { "bytes_waiting", bytes_waiting }, { 0 },
};
