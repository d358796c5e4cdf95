/* SPDX-License-Identifier: MIT */
/* datagrams.c: datagrams, raw sockets, and what any socket can be told or asked; all within the machine (127.0.0.1). */
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

/* A name server: at "alias" it says where the name leads and that one's address, after an answer with another id; the rest is unknown. */
static void name_server(void *fd)
{
    static const unsigned char alias[] = { 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 'x', 0xc0, 12,  1, 'x', 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 1, 2, 3 };
    unsigned char p[512];
    struct sockaddr_in from;
    socklen_t n = sizeof(from);
    ssize_t size;

    while ((size = recvfrom(*(int *)fd, p, 400, 0, (struct sockaddr *)&from, &n)) > 17) {
        bool known = memcmp(p + 12, "\5alias", 6) == 0;

        memcpy(p + size, alias, sizeof(alias));
        p[2] |= 0x80;
        p[3] = known ? 0 : 3;
        p[7] = known ? 2 : 0;
        p[1] ^= 1;
        sendto(*(int *)fd, p, size, 0, TO(&from));
        p[1] ^= 1;
        sendto(*(int *)fd, p, size + (known ? (ssize_t)sizeof(alias) : 0), 0, TO(&from));
        n = sizeof(from);
    }
}

static void names_are_resolved(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct in_addr found[4] = { { 0 } };

    set_address(53);
    CHECK(fd >= 0 && bind(fd, TO(&address)) == 0);
    pid_t pid = start_child(name_server, &fd);
    CHECK(resolve_name("alias.lab", found, 4, htonl(INADDR_LOOPBACK)) == 1 && found[0].s_addr == htonl(0x0a010203));
    CHECK(resolve_name("other.lab", found, 4, htonl(INADDR_LOOPBACK)) == -HOST_NOT_FOUND);
    CHECK(kill(pid, SIGKILL) == 0);
    wait_status(pid);
}

const struct test datagram_tests[] = {
    { "socket_datagrams_keep_their_size", datagrams_keep_their_size },
    { "socket_datagrams_in_fragments", datagrams_in_fragments }, { "socket_datagrams_are_dropped", datagrams_are_dropped },
    { "socket_waits_have_limits", waits_have_limits }, { "socket_raw_socket_pings", raw_socket_pings },
    { "socket_options", options_are_kept }, { "socket_wrong_calls", wrong_calls_are_refused },
    { "socket_as_text_and_back", as_text_and_back }, { "socket_names_are_resolved", names_are_resolved },
    { 0 },
};
