/* SPDX-License-Identifier: MIT */
/* sockets.c: streams, datagrams and raw sockets, all within the machine (127.0.0.1): no card is needed. */
#include "guest-kernel/user/usertests/usertests.h"

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

static struct sockaddr_in address;

#define TO(a) (struct sockaddr *)(a), sizeof(*(a))

static void set_address(int port)
{
    address = (struct sockaddr_in){ AF_INET, htons((uint16_t)port), { htonl(INADDR_LOOPBACK) }, { 0 } };
}

/* Leaves its address in `address`. */
static int listener(int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof(address);

    set_address(0);
    CHECK(fd >= 0 && bind(fd, TO(&address)) == 0 && listen(fd, backlog) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0 && size == sizeof(address) && address.sin_port != 0);
    return fd;
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && connect(fd, TO(&address)) == 0);
    return fd;
}

static int client, server;

/* A connection in one process: client and server. */
static void make_pair(void)
{
    int l = listener(4);

    client = dial();
    server = accept(l, NULL, NULL);
    CHECK(server >= 0 && close(l) == 0);
}

static bool readable(int fd, int ms)
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

static unsigned char pattern(long at)
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
        fd = dial();
        CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0 && close(fd) == 0);
    }
    CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
    CHECK(before - free_pages() < 32);
    fd = dial();
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
        fds[i] = dial();
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
    int l = listener(4), fd = dial();

    CHECK(close(l) == 0);
    CHECK_ERRNO(read(fd, &c, 1), ECONNRESET);
}

static int udp_pair(int *other)
{
    socklen_t n = sizeof(address);
    int a = socket(AF_INET, SOCK_DGRAM, 0);

    *other = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    set_address(0);
    CHECK(a >= 0 && *other >= 0 && bind(a, TO(&address)) == 0 && getsockname(a, (struct sockaddr *)&address, &n) == 0);
    return a;
}

static void datagrams_keep_their_size(void)
{
    char text[16];
    struct sockaddr_in from;
    socklen_t n = sizeof(from);
    int b, a = udp_pair(&b);

    CHECK(sendto(b, "one", 3, 0, TO(&address)) == 3 && sendto(b, "", 0, 0, TO(&address)) == 0);
    CHECK(sendto(b, "three more", 10, 0, TO(&address)) == 10);
    CHECK(recvfrom(a, text, sizeof(text), 0, (struct sockaddr *)&from, &n) == 3 && memcmp(text, "one", 3) == 0);
    CHECK(from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && from.sin_port != 0);
    CHECK(recv(a, text, sizeof(text), 0) == 0);
    CHECK(recv(a, text, 5, MSG_PEEK | MSG_TRUNC) == 10 && recv(a, text, 5, 0) == 5 && memcmp(text, "three", 5) == 0);
    CHECK_ERRNO(recv(a, text, 5, MSG_DONTWAIT), EAGAIN);      /* the rest of it is gone */
    CHECK(connect(a, TO(&from)) == 0 && send(a, "reply", 5, 0) == 5 && recv(b, text, 16, 0) == 5);
    CHECK_ERRNO(send(b, "x", 1, 0), EDESTADDRREQ);
    from.sin_addr.s_addr = INADDR_BROADCAST;
    CHECK(sendto(b, "x", 1, 0, TO(&from)) == -1);
}

static void datagrams_in_fragments(void)
{
    static unsigned char out[20000], in[20001];
    int b, a = udp_pair(&b);

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = pattern((long)i);
    CHECK(sendto(b, out, sizeof(out), 0, TO(&address)) == sizeof(out));
    CHECK(recv(a, in, sizeof(in), 0) == sizeof(out) && memcmp(in, out, sizeof(out)) == 0);
    CHECK_ERRNO(sendto(b, in, 65508, 0, TO(&address)), EMSGSIZE);
}

/* What nobody reads is dropped at some point, and the machine goes on. */
static void datagrams_are_dropped(void)
{
    static char block[1400];
    int b, a = udp_pair(&b), got = 0;
    long before = free_pages();

    for (int i = 0; i < 2000; i++)
        CHECK(sendto(b, block, sizeof(block), 0, TO(&address)) == sizeof(block));
    CHECK(before - free_pages() < 1000);
    while (recv(a, block, sizeof(block), MSG_DONTWAIT) == sizeof(block))
        got++;
    CHECK(got > 10 && got < 1000);
}

static void waits_have_limits(void)
{
    struct timeval tv = { 0, 50000 };
    char c;
    int b, a = udp_pair(&b);
    long from = now_ms();

    CHECK(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK_ERRNO(recv(a, &c, 1, 0), EAGAIN);
    CHECK(now_ms() - from >= 45 && now_ms() - from < 5000);
    make_pair();
    CHECK(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK_ERRNO(read(client, &c, 1), EAGAIN);
}

static uint16_t icmp_sum(const void *data, size_t n)
{
    const uint8_t *b = data;
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)(b[i] << 8 | b[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static void raw_socket_pings(void)
{
    uint8_t packet[64] = { 8, 0, 0, 0, 0x12, 0x34, 0, 1 }, in[128];
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    uint16_t sum = icmp_sum(packet, sizeof(packet));
    ssize_t n;

    set_address(0);
    memcpy(packet + 2, &sum, 2);
    CHECK(fd >= 0 && sendto(fd, packet, sizeof(packet), 0, TO(&address)) == sizeof(packet));
    do {                                 /* it hears its own question too */
        CHECK(readable(fd, 1000));
        n = recv(fd, in, sizeof(in), 0);
    } while (n > 20 && in[20] == 8);
    CHECK(n == 84 && in[0] == 0x45 && in[20] == 0 && in[24] == 0x12 && in[25] == 0x34);
}

static void options_are_kept(void)
{
    int value = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof(value);

    CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, n) == 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, n) == 0);
    value = 0;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &n) == 0 && value == 1);
    value = 0;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &n) == 0 && value == 1);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &n) == 0 && value == SOCK_STREAM && n == 4);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, 9999, &value, n), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 2), EINVAL);
    CHECK_ERRNO(setsockopt(0, SOL_SOCKET, SO_REUSEADDR, &value, n), ENOTSOCK);
}

static void wrong_calls_are_refused(void)
{
    char c;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    set_address(80);
    CHECK_ERRNO(socket(AF_INET6, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(AF_INET, 77, 0), EINVAL);
    CHECK_ERRNO(bind(fd, (struct sockaddr *)8, sizeof(address)), EFAULT);
    CHECK_ERRNO(bind(fd, (struct sockaddr *)&address, 4), EINVAL);
    CHECK_ERRNO(connect(fd, (struct sockaddr *)-16l, sizeof(address)), EFAULT);
    CHECK_ERRNO(recv(fd, &c, 1, 0), ENOTCONN);
    CHECK_ERRNO(send(fd, &c, 1, MSG_NOSIGNAL), ENOTCONN);
    CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
    CHECK_ERRNO(getpeername(fd, (struct sockaddr *)&address, &(socklen_t){ 16 }), ENOTCONN);
    CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
    address.sin_addr.s_addr = htonl(0x08080808);
    CHECK_ERRNO(bind(fd, TO(&address)), EADDRNOTAVAIL);
    make_pair();
    CHECK_ERRNO(send(client, (void *)0x7fff00000000, 100, 0), EFAULT);
    CHECK(write(server, "zz", 2) == 2 && readable(client, 1000));
    CHECK_ERRNO(recv(client, (void *)0x7fff00000000, 100, 0), EFAULT);
    CHECK(recv(client, &c, 1, 0) == 1 && c == 'z');      /* and nothing was lost */
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

static void as_text_and_back(void)
{
    struct in_addr a;
    struct addrinfo *info;
    char text[16];

    CHECK(inet_pton(AF_INET, "10.1.2.255", &a) == 1 && a.s_addr == htonl(0x0a0102ff));
    CHECK(inet_ntop(AF_INET, &a, text, sizeof(text)) && strcmp(text, "10.1.2.255") == 0);
    CHECK(inet_pton(AF_INET, "10.1.2", &a) == 0 && inet_pton(AF_INET, "1.2.3.256", &a) == 0 && inet_pton(AF_INET, "1.2.3.4.5", &a) == 0);
    CHECK(inet_aton("10.1", &a) == 1 && a.s_addr == htonl(0x0a000001) && inet_addr("x") == INADDR_NONE);
    CHECK(getaddrinfo("127.0.0.1", "http", NULL, &info) == 0);
    CHECK(((struct sockaddr_in *)info->ai_addr)->sin_port == htons(80) && !info->ai_next);
    freeaddrinfo(info);
    CHECK(getaddrinfo("no such name", NULL, &(struct addrinfo){ .ai_flags = AI_NUMERICHOST }, &info) == EAI_NONAME);
}

const struct test socket_tests[] = {
    { "socket_stream_carries", stream_carries }, { "socket_stream_carries_much", stream_carries_much }, { "socket_stream_fills", stream_fills },
    { "socket_stream_half_closes", stream_half_closes }, { "socket_ends_with_unread", stream_ends_with_unread }, { "socket_unaccepted_go", unaccepted_ones_go },
    { "socket_stream_is_reset", stream_is_reset }, { "socket_connect_is_refused", connect_is_refused },
    { "socket_connect_without_waiting", connect_without_waiting }, { "socket_listen_counts", listen_counts }, { "socket_listener_goes", listener_goes },
    { "socket_datagrams_keep_their_size", datagrams_keep_their_size }, { "socket_datagrams_in_fragments", datagrams_in_fragments },
    { "socket_datagrams_are_dropped", datagrams_are_dropped }, { "socket_waits_have_limits", waits_have_limits },
    { "socket_raw_socket_pings", raw_socket_pings }, { "socket_options", options_are_kept },
    { "socket_wrong_calls", wrong_calls_are_refused }, { "sockets_are_hoarded", sockets_are_hoarded }, { "sockets_again_and_again", sockets_again_and_again },
    { "sockets_are_inherited", sockets_are_inherited }, { "socket_as_text_and_back", as_text_and_back },
    { 0 },
};
