/* SPDX-License-Identifier: MIT */
/* socket.c: the calls of sockets that the kernel does not have because others do their work, and addresses as text. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(struct sockaddr_in) == sizeof(struct net_address) && sizeof(struct sockaddr) == sizeof(struct net_address), "uapi/net.h");
_Static_assert(EINPROGRESS == 119 && EADDRINUSE == 112 && ECONNREFUSED == 111 && ENOTSOCK == 108 && EISCONN == 127, "uapi/newlib.h");

int accept(int fd, struct sockaddr *address, socklen_t *size)
{
    return accept4(fd, address, size, 0);
}

ssize_t send(int fd, const void *data, size_t n, int flags)
{
    return sendto(fd, data, n, flags, NULL, 0);
}

ssize_t recv(int fd, void *buffer, size_t n, int flags)
{
    return recvfrom(fd, buffer, n, flags, NULL, NULL);
}

/* ---- Several pieces: by way of one buffer, since a datagram must stay one ---- */

static ssize_t total(const struct iovec *v, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count && count <= IOV_MAX; i++)
        if (__builtin_add_overflow(sum, v[i].iov_len, &sum) || (ssize_t)sum < 0)
            count = IOV_MAX + 1;
    if (count > IOV_MAX) {
        errno = EINVAL;
        return -1;
    }
    return (ssize_t)sum;
}

static char *gather(const struct iovec *v, size_t count, size_t n)
{
    char *all = malloc(n ? n : 1), *at = all;

    for (size_t i = 0; all && i < count; i++) {
        memcpy(at, v[i].iov_base, v[i].iov_len);
        at += v[i].iov_len;
    }
    return all;
}

static void scatter(const struct iovec *v, const char *from, size_t n)
{
    for (; n > 0; v++) {
        size_t piece = n < v->iov_len ? n : v->iov_len;

        memcpy(v->iov_base, from, piece);
        from += piece;
        n -= piece;
    }
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    ssize_t n = total(m->msg_iov, m->msg_iovlen);
    char *all = n < 0 ? NULL : gather(m->msg_iov, m->msg_iovlen, (size_t)n);

    if (!all)
        return -1;
    n = sendto(fd, all, (size_t)n, flags, m->msg_name, m->msg_name ? m->msg_namelen : 0);
    free(all);
    return n;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    ssize_t n = total(m->msg_iov, m->msg_iovlen);
    size_t room = (size_t)n;
    char *all = n < 0 ? NULL : malloc(room ? room : 1);

    if (!all)
        return -1;
    n = recvfrom(fd, all, room, flags, m->msg_name, m->msg_name ? &m->msg_namelen : NULL);
    if (n >= 0)
        scatter(m->msg_iov, all, (size_t)n < room ? (size_t)n : room);
    m->msg_flags = 0;
    m->msg_controllen = 0;
    free(all);
    return n;
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
    ssize_t n = total(v, (size_t)count);
    char *all = n < 0 ? NULL : gather(v, (size_t)count, (size_t)n);

    if (!all)
        return -1;
    n = write(fd, all, (size_t)n);
    free(all);
    return n;
}

ssize_t readv(int fd, const struct iovec *v, int count)
{
    ssize_t n = total(v, (size_t)count);
    char *all = n < 0 ? NULL : malloc(n ? (size_t)n : 1);

    if (!all)
        return -1;
    n = read(fd, all, (size_t)n);
    if (n > 0)
        scatter(v, all, (size_t)n);
    free(all);
    return n;
}

/* ---- Addresses as text ---- */

/* Four decimal numbers, or fewer, of which the last takes what is left (10.1 is 10.0.0.1), as of old. */
int inet_aton(const char *text, struct in_addr *out)
{
    uint32_t value = 0;

    for (int part = 0; part < 4; part++) {
        char *end;
        unsigned long n = strtoul(text, &end, 0);

        if (end == text || *text == '-' || *text == '+' || *text == ' ')
            return 0;
        if (*end != '.') {
            if (*end || n > 0xffffffffu >> (8 * part))
                return 0;
            out->s_addr = htonl(value | (uint32_t)n);
            return 1;
        }
        if (n > 255 || part == 3)
            return 0;
        value |= (uint32_t)n << (24 - 8 * part);
        text = end + 1;
    }
    return 0;
}

in_addr_t inet_addr(const char *text)
{
    struct in_addr a;

    return inet_aton(text, &a) ? a.s_addr : INADDR_NONE;
}

char *inet_ntoa(struct in_addr a)
{
    static char text[INET_ADDRSTRLEN];

    return (char *)inet_ntop(AF_INET, &a, text, sizeof(text));
}

const char *inet_ntop(int family, const void *a, char *text, socklen_t size)
{
    const unsigned char *b = a;

    if (family != AF_INET) {
        errno = EAFNOSUPPORT;
        return NULL;
    }
    if (sniprintf(text, size, "%d.%d.%d.%d", b[0], b[1], b[2], b[3]) >= (int)size) {
        errno = ENOSPC;
        return NULL;
    }
    return text;
}

int inet_pton(int family, const char *text, void *out)
{
    unsigned char *b = out;

    if (family != AF_INET) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char *end;
        unsigned long n = strtoul(text, &end, 10);

        if (end == text || end - text > 3 || n > 255 || *text < '0' || *text > '9' || *end != (i < 3 ? '.' : '\0'))
            return 0;
        b[i] = (unsigned char)n;
        text = end + 1;
    }
    return 1;
}
