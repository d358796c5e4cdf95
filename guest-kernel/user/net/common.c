/* SPDX-License-Identifier: MIT */
/* common.c: what the network's programs share. */
#include "guest-kernel/user/net/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

bool find_host(const char *name, struct in_addr *out)
{
    int n = resolve_name(name, out, 1, 0);

    if (n <= 0)
        fiprintf(stderr, "%s: %s: %s\n", box_name, name, hstrerror(-n));
    return n > 0;
}

bool find_port(const char *text, in_port_t *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    struct servent *known = getservbyname(text, NULL);

    if (*text && !*end && n > 0 && n < 65536)
        *out = htons((uint16_t)n);
    else if (known)
        *out = (in_port_t)known->s_port;
    else
        fiprintf(stderr, "%s: %s: no port (1 to 65535)\n", box_name, text);
    return (*text && !*end && n > 0 && n < 65536) || known;
}

int dial(const char *host, const char *port)
{
    struct sockaddr_in to = { .sin_family = AF_INET };

    if (!find_host(host, &to.sin_addr) || !find_port(port, &to.sin_port))
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        fail(host);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

int listen_on(const char *port, int backlog)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    int fd, yes = 1;

    if (!find_port(port, &at.sin_port))
        return -1;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, backlog) < 0) {
        fail(port);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

bool write_all(int fd, const void *data, size_t n)
{
    for (const char *at = data; n > 0;) {
        ssize_t done = write(fd, at, n);

        if (done < 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

bool read_all(int fd, void *data, size_t n)
{
    for (char *at = data; n > 0;) {
        ssize_t done = read(fd, at, n);

        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

long clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000000000 + t.tv_nsec;
}

int net_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket");
    return fd;
}

bool net_interface(int fd, unsigned index, struct net_interface *out)
{
    memset(out, 0, sizeof(*out));
    out->index = index;
    return ioctl(fd, SIOCNETGET, out) == 0;
}

bool net_interface_named(int fd, const char *wanted, struct net_interface *out)
{
    char name[64];                       /* `wanted` may lie in *out */

    strlcpy(name, wanted, sizeof(name));
    for (unsigned i = 0; net_interface(fd, i, out); i++)
        if (strcmp(out->name, name) == 0)
            return true;
    fiprintf(stderr, "%s: %s: there is no such interface\n", box_name, name);
    return false;
}
