/* SPDX-License-Identifier: MIT */
/* streams.c: connections, all within the machine (127.0.0.1): no card is needed. */
#include "guest-kernel/user/usertests/usertests.h"
#include "guest-kernel/user/usertests/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct sockaddr_in address;

void set_address(int port)
{
    address = (struct sockaddr_in){ AF_INET, htons((uint16_t)port), { htonl(INADDR_LOOPBACK) }, { 0 } };
}

int listener(int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof(address);

    set_address(0);
    CHECK(fd >= 0 && bind(fd, TO(&address)) == 0 && listen(fd, backlog) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0 && size == sizeof(address) && address.sin_port != 0);
    return fd;
}

int dial_address(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && connect(fd, TO(&address)) == 0);
    return fd;
}

int client, server;

/* A connection in one process: client and server. */
void make_pair(void)
{
    int l = listener(4);

    client = dial_address();
    server = accept(l, NULL, NULL);
    CHECK(server >= 0 && close(l) == 0);
}

bool readable(int fd, int ms)
{
    struct pollfd p = { fd, POLLIN, 0 };

    return poll(&p, 1, ms) == 1;
}

static void stream_carries(void)
{
    char text[32];
    struct sockaddr_in a, b;
    socklen_t n = sizeof(a);

    make_pair();
    CHECK(send(client, "hello ", 6, 0) == 6 && write(client, "you", 3) == 3);
    CHECK(recv(server, text, 9, MSG_WAITALL) == 9 && memcmp(text, "hello you", 9) == 0);
    CHECK(write(server, "and back", 8) == 8 && recv(client, text, sizeof(text), MSG_PEEK) == 8);
    CHECK(read(client, text, 3) == 3 && read(client, text + 3, sizeof(text) - 3) == 5 && memcmp(text, "and back", 8) == 0);
    CHECK(getsockname(client, (struct sockaddr *)&a, &n) == 0 && getpeername(server, (struct sockaddr *)&b, &n) == 0);
    CHECK(a.sin_port == b.sin_port && a.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && b.sin_addr.s_addr == a.sin_addr.s_addr);
    CHECK(close(client) == 0 && read(server, text, 1) == 0);
}

unsigned char pattern(long at)
{
    return (unsigned char)(at * 7 >> 3);
}

static void send_pattern(void *arg)
{
    long total = (long)arg, size = 7001;
    unsigned char *block = malloc((size_t)size);

    close(server);
    for (long at = 0; at < total;) {
        long n = total - at < size ? total - at : size;

        for (long i = 0; i < n; i++)
            block[i] = pattern(at + i);
        CHECK(write(client, block, (size_t)n) == n);
        at += n;
    }
}

static void stream_carries_much(void)
{
    enum { TOTAL = 3000000 };
    static unsigned char block[10000];
    long at = 0;
    ssize_t n;

    make_pair();
    pid_t pid = start_child(send_pattern, (void *)TOTAL);

    CHECK(close(client) == 0);
    while ((n = read(server, block, sizeof(block))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            CHECK(block[i] == pattern(at + i));
        at += n;
    }
    CHECK(n == 0 && at == TOTAL && exits_with(0, pid));
}

/* A writer whose reader sleeps waits, and goes on later; without waiting it gets EAGAIN. */
static void stream_fills(void)
{
    static char block[8192];
    long sent = 0, got = 0;
    ssize_t n;

    make_pair();
    CHECK(fcntl(client, F_SETFL, O_NONBLOCK) == 0);
    while ((n = write(client, block, sizeof(block))) > 0)
        sent += n;
    CHECK(n == -1 && errno == EAGAIN && sent > 65536);
    struct pollfd p = { client, POLLOUT, 0 };

    CHECK(poll(&p, 1, 0) == 0);
    while (got < sent && (n = read(server, block, sizeof(block))) > 0)
        got += n;
    CHECK(got == sent && poll(&p, 1, 2000) == 1 && p.revents == POLLOUT);
    CHECK_ERRNO(recv(server, block, 1, MSG_DONTWAIT), EAGAIN);
}

static void stream_half_closes(void)
{
    char text[8];

    make_pair();
    CHECK(write(client, "ask", 3) == 3 && shutdown(client, SHUT_WR) == 0);
    CHECK(read(server, text, 8) == 3 && read(server, text, 8) == 0);
    CHECK(write(server, "answer", 6) == 6 && close(server) == 0);
    CHECK(read(client, text, 8) == 6 && memcmp(text, "answer", 6) == 0 && read(client, text, 8) == 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(client, "x", 1), EPIPE);
}

/* Ending one's own side while something is unread is an end, not a reset. */
static void stream_ends_with_unread(void)
{
    static char block[50000], in[50000];

    make_pair();
    CHECK(write(server, "unread", 6) == 6 && shutdown(server, SHUT_WR) == 0);
    CHECK(readable(client, 1000) && write(client, block, sizeof(block)) == sizeof(block) && shutdown(client, SHUT_WR) == 0);
    CHECK(recv(server, in, sizeof(in), MSG_WAITALL) == sizeof(in) && read(server, in, 1) == 0);
    CHECK(read(client, in, 10) == 6 && read(client, in, 10) == 0);
}

/* Connections that end before anybody accepted them do not pile up. */
static void unaccepted_ones_go(void)
{
    struct linger at_once = { 1, 0 };
    int l = listener(4), fd;
    long before = free_pages();

    for (int i = 0; i < 400; i++) {
        fd = dial_address();
        CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0 && close(fd) == 0);
    }
    CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
    CHECK(before - free_pages() < 32);
    fd = dial_address();
    CHECK(accept(l, NULL, NULL) >= 0);
}

static void write_to_closed(void *arg)
{
    (void)arg;
    signal(SIGPIPE, SIG_DFL);
    write(client, "x", 1);
}

static void stream_is_reset(void)
{
    char c;

    make_pair();
    CHECK(write(client, "unread", 6) == 6 && readable(server, 1000));
    CHECK(close(server) == 0);           /* unread data: the other side is told by a reset */
    CHECK_ERRNO(read(client, &c, 1), ECONNRESET);
    CHECK_ERRNO(send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(dies_of(SIGPIPE, write_to_closed, NULL));
}

static void connect_is_refused(void)
{
    int l = listener(1), fd = socket(AF_INET, SOCK_STREAM, 0), error;
    socklen_t n = sizeof(error);

    CHECK(close(l) == 0);
    CHECK_ERRNO(connect(fd, TO(&address)), ECONNREFUSED);
    int again = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct pollfd p = { again, POLLOUT, 0 };

    if (connect(again, TO(&address)) < 0 && errno == EINPROGRESS) {
        CHECK(poll(&p, 1, 2000) == 1 && (p.revents & POLLERR));
        CHECK(getsockopt(again, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == ECONNREFUSED);
    } else {
        CHECK(errno == ECONNREFUSED);    /* it was that quick */
    }
}

static void connect_without_waiting(void)
{
    int l = listener(2), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 1;
    socklen_t n = sizeof(error);
    struct pollfd p = { fd, POLLOUT, 0 };

    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(connect(fd, TO(&address)) == 0 || errno == EINPROGRESS);
    CHECK(poll(&p, 1, 2000) == 1 && p.revents == POLLOUT);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0);
    CHECK_ERRNO(connect(fd, TO(&address)), EISCONN);
    CHECK(readable(l, 1000) && accept(l, NULL, NULL) >= 0);
}

static void listen_counts(void)
{
    int l = listener(8), fds[8];

    CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
    for (int i = 0; i < 8; i++)
        fds[i] = dial_address();
    for (int i = 0; i < 8; i++) {
        int s = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        char c = 0;

        CHECK(s >= 0 && fcntl(s, F_GETFD) == FD_CLOEXEC);
        CHECK(write(fds[i], "k", 1) == 1 && readable(s, 1000) && read(s, &c, 1) == 1 && c == 'k');
        close(s);
    }
    int other = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_ERRNO(bind(other, TO(&address)), EADDRINUSE);
    CHECK_ERRNO(listen(fds[0], 1), EINVAL);
}

/* Whoever is connected but not yet accepted when the listener goes hears of it. */
static void listener_goes(void)
{
    char c;
    int l = listener(4), fd = dial_address();

    CHECK(close(l) == 0);
    CHECK_ERRNO(read(fd, &c, 1), ECONNRESET);
}

/* Sockets come and go, in every state, and leave no memory behind. */
static void sockets_again_and_again(void)
{
    long before = 0;

    for (int i = 0; i < 150; i++) {
        make_pair();
        CHECK(write(client, "abc", 3) == 3);
        CHECK(close(i & 1 ? client : server) == 0 && close(i & 1 ? server : client) == 0);
        close(listener(3));
        if (i == 50)
            before = free_pages();
    }
    CHECK(before - free_pages() < 64);
}

/* One process takes all the stack will give: many connections, each with all the unread data that fits. It is refused at some
 * point, nothing else is, and with it everything goes. */
static void hoard(void *arg)
{
    static char block[4096];
    int l = listener(8), n = 0, fds[240];

    (void)arg;
    for (; n < 240; n += 2) {
        fds[n] = socket(AF_INET, SOCK_STREAM, 0);
        if (fds[n] < 0 || connect(fds[n], TO(&address)) < 0)
            break;
        fds[n + 1] = accept(l, NULL, NULL);
        CHECK(fds[n + 1] >= 0 && fcntl(fds[n], F_SETFL, O_NONBLOCK) == 0);
        for (int k = 0; k < 200 && write(fds[n], block, sizeof(block)) > 0; k++)
            ;
    }
    CHECK(n > 8);
    int u = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(u < 0 || sendto(u, block, 100, 0, TO(&address)) == 100 || errno == ENOBUFS);
    _exit(0);
}

static void sockets_are_hoarded(void)
{
    long before;
    char c;

    make_pair();
    before = free_pages();
    CHECK(in_child(hoard, NULL) == 0);
    for (int wait = 0; before - free_pages() > 256 && wait < 100; wait++)
        pause_ms(50);                    /* resets are under way */
    CHECK(before - free_pages() <= 256);
    CHECK(write(client, "y", 1) == 1 && read(server, &c, 1) == 1 && c == 'y');
    close(client);
    close(server);
    stream_carries_much();
}

static void parent_and_child(void *arg)
{
    char c;

    (void)arg;
    CHECK(read(server, &c, 1) == 1 && write(server, &c, 1) == 1);
}

static void sockets_are_inherited(void)
{
    char c = 'i';
    pid_t pid;

    make_pair();
    pid = start_child(parent_and_child, NULL);
    CHECK(close(server) == 0 && write(client, &c, 1) == 1 && read(client, &c, 1) == 1 && c == 'i');
    CHECK(exits_with(0, pid) && read(client, &c, 1) == 0);
}

const struct test stream_tests[] = {
    { "socket_stream_carries", stream_carries }, { "socket_stream_carries_much", stream_carries_much },
    { "socket_stream_fills", stream_fills }, { "socket_stream_half_closes", stream_half_closes },
    { "socket_ends_with_unread", stream_ends_with_unread }, { "socket_unaccepted_go", unaccepted_ones_go },
    { "socket_stream_is_reset", stream_is_reset }, { "socket_connect_is_refused", connect_is_refused },
    { "socket_connect_without_waiting", connect_without_waiting }, { "socket_listen_counts", listen_counts },
    { "socket_listener_goes", listener_goes }, { "sockets_are_hoarded", sockets_are_hoarded },
    { "sockets_again_and_again", sockets_again_and_again }, { "sockets_are_inherited", sockets_are_inherited },
    { 0 },
};
