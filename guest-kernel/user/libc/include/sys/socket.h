/* SPDX-License-Identifier: MIT */
/* sys/socket.h: ends of connections. */
#ifndef _NOVICE_SYS_SOCKET_H
#define _NOVICE_SYS_SOCKET_H

#include <sys/types.h>
#include <sys/uio.h>

#include "guest-kernel/uapi/net.h"

typedef uint32_t socklen_t;
typedef uint16_t sa_family_t;

#define PF_UNSPEC AF_UNSPEC
#define PF_INET   AF_INET
#define AF_INET6  10                   /* named only to be refused */

struct sockaddr { sa_family_t sa_family; char sa_data[14]; };
struct sockaddr_storage { sa_family_t ss_family; char ss_data[126]; } __attribute__((aligned(8)));
struct linger { int l_onoff, l_linger; };

struct msghdr {
    void         *msg_name;
    socklen_t     msg_namelen;
    struct iovec *msg_iov;
    size_t        msg_iovlen;
    void         *msg_control;
    size_t        msg_controllen;
    int           msg_flags;
};

int socket(int family, int type, int protocol);
int bind(int fd, const struct sockaddr *address, socklen_t size);
int listen(int fd, int backlog);
int accept(int fd, struct sockaddr *address, socklen_t *size);
int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int connect(int fd, const struct sockaddr *address, socklen_t size);
ssize_t send(int fd, const void *data, size_t n, int flags);
ssize_t sendto(int fd, const void *data, size_t n, int flags, const struct sockaddr *address, socklen_t size);
ssize_t sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t recv(int fd, void *buffer, size_t n, int flags);
ssize_t recvfrom(int fd, void *buffer, size_t n, int flags, struct sockaddr *address, socklen_t *size);
ssize_t recvmsg(int fd, struct msghdr *m, int flags);
int shutdown(int fd, int how);
int getsockname(int fd, struct sockaddr *address, socklen_t *size);
int getpeername(int fd, struct sockaddr *address, socklen_t *size);
int setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int getsockopt(int fd, int level, int option, void *value, socklen_t *size);

#endif
