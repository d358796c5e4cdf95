/* SPDX-License-Identifier: MIT */
/* socket.c: sockets as open files, and the calls on them. What a socket speaks is behind struct socket_ops. */
#include "guest-kernel/kernel/net/socket.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/uapi/termios.h"

static const struct file_ops socket_file_ops;

/* ---- What the protocols use ---- */

struct socket *socket_alloc(const struct socket_ops *ops, int type, int protocol)
{
    struct socket *s = net_calloc(1, sizeof(*s));
    if (!s)
        return 0;
    s->ops = ops;
    s->type = type;
    s->protocol = protocol;
    wait_init(&s->can_read);
    wait_init(&s->can_write);
    wait_init(&s->reading.queue);
    wait_init(&s->writing.queue);
    list_init(&s->accepted);
    list_init(&s->link);
    list_init(&s->datagrams);
    s->queue_limit = MIN(256ul << 10, net_memory.limit / 8);
    return s;
}

void socket_free(struct socket *s) { net_free(s); }

void socket_wake(struct socket *s)
{
    wake_all(&s->can_read);
    wake_all(&s->can_write);
}

int socket_error(struct socket *s)
{
    int error = s->error;
    s->error = 0;
    return -error;
}

int turn_take(struct socket_turn *t)
{
    int rc = wait_event(&t->queue, !t->taken);
    if (rc == 0)
        t->taken = true;
    return rc;
}

void turn_give(struct socket_turn *t)
{
    t->taken = false;
    wake_all(&t->queue);
}

int socket_sleep(struct wait_queue *q, uint64_t deadline)
{
    int rc = sleep_on(q, deadline, true);
    return rc == -ETIMEDOUT ? -EAGAIN : rc;
}

struct socket *fd_socket(int fd, int *rc)
{
    struct file *f = fd_file(fd);
    *rc = !f ? -EBADF : f->ops != &socket_file_ops ? -ENOTSOCK : 0;
    return *rc ? 0 : f->private;
}

static bool may_wait(int fd, int flags) { return !(fd_file(fd)->flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT); }

/* ---- Addresses ---- */

static int address_in(struct net_address *out, uptr_t address, unsigned size)
{
    if (size < 8 || size > 128)
        return -EINVAL;
    *out = (struct net_address){ 0 };
    if (copy_from_user(out, address, MIN(size, sizeof(*out))))
        return -EFAULT;
    return out->family == AF_INET && size < sizeof(*out) ? -EINVAL : 0;
}

/* As much as the program has room for; the length is told whole. */
static int address_out(uptr_t address, uptr_t usize, const struct net_address *a)
{
    uint32_t room, size = sizeof(*a);
    if (!address)
        return 0;
    if (copy_from_user(&room, usize, sizeof(room)))
        return -EFAULT;
    if ((int32_t)room < 0)
        return -EINVAL;
    if (copy_to_user(address, a, MIN(room, size)) || copy_to_user(usize, &size, sizeof(size)))
        return -EFAULT;
    return 0;
}

/* One of this machine's, or none in particular. */
static bool address_ours(uint32_t address)
{
    struct netif *n;
    if (!address || (address & 0xff) == 127 || address == IPADDR_BROADCAST)
        return true;
    NETIF_FOREACH (n)
        if (netif_ip4_addr(n)->addr == address)
            return true;
    return false;
}

/* ---- A socket comes into being ---- */

static int socket_open(struct socket *s, int flags)
{
    struct file *f = file_alloc(&socket_file_ops, O_RDWR | (flags & O_NONBLOCK));
    if (!f)
        return -ENOMEM;
    f->private = s;
    int fd = fd_install(f, 0, flags & SOCK_CLOEXEC);
    if (fd < 0) {
        f->private = 0;
        file_put(f);
    }
    return fd;
}

static void socket_drop(struct socket *s)
{
    s->ops->close(s);
    socket_free(s);
    net_flush();
}

long sys_socket(int family, int type, int protocol)
{
    int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC), rc;
    type &= ~flags;
    if (family != AF_INET)
        return -EAFNOSUPPORT;
    if (type < SOCK_STREAM || type > SOCK_RAW)
        return -EINVAL;
    if (type == SOCK_RAW ? protocol <= 0 || protocol > 255 || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP :
        protocol && protocol != (type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP))
        return -EPROTONOSUPPORT;
    if (pages_low())
        return -ENOMEM;
    protocol = type == SOCK_RAW ? protocol : type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    const struct socket_ops *ops = type == SOCK_STREAM ? &stream_ops : type == SOCK_DGRAM ? &udp_ops : &raw_ops;
    struct socket *s = socket_alloc(ops, type, protocol);
    if (!s)
        return -ENOBUFS;
    rc = type == SOCK_STREAM ? stream_create(s) : type == SOCK_DGRAM ? udp_create(s) : raw_create(s);
    if (rc) {
        socket_free(s);
        return rc;
    }
    rc = socket_open(s, flags);
    if (rc < 0)
        socket_drop(s);
    return rc;
}

long sys_accept4(int fd, uptr_t address, uptr_t size, int flags)
{
    int rc;
    struct socket *made, *s = fd_socket(fd, &rc);
    struct net_address peer = { 0 };
    if (!s)
        return rc;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (s->ops != &stream_ops)
        return -EOPNOTSUPP;
    rc = stream_accept(s, may_wait(fd, 0), &made);
    if (rc)
        return rc;
    made->ops->name(made, true, &peer);
    peer.family = AF_INET;
    rc = address_out(address, size, &peer);
    int new = rc ? rc : socket_open(made, flags);
    if (new < 0)
        socket_drop(made);
    return new;
}

/* ---- Calls ---- */

long sys_bind(int fd, uptr_t address, unsigned size)
{
    int rc;
    struct net_address a;
    struct socket *s = fd_socket(fd, &rc);
    if (!s || (rc = address_in(&a, address, size)))
        return rc;
    if (a.family != AF_INET)
        return -EAFNOSUPPORT;
    if (!address_ours(a.address))
        return -EADDRNOTAVAIL;
    ip_addr_t ip = { a.address };
    return s->ops->bind(s, &ip, lwip_ntohs(a.port));
}

long sys_listen(int fd, int backlog)
{
    int rc;
    struct socket *s = fd_socket(fd, &rc);
    return !s ? rc : s->ops == &stream_ops ? stream_listen(s, backlog) : -EOPNOTSUPP;
}

long sys_connect(int fd, uptr_t address, unsigned size)
{
    int rc;
    struct net_address a;
    struct socket *s = fd_socket(fd, &rc);
    if (!s || (rc = address_in(&a, address, size)))
        return rc;
    if (a.family != AF_INET && !(a.family == AF_UNSPEC && s->type != SOCK_STREAM))
        return -EAFNOSUPPORT;
    /* Nobody in particular is oneself. A datagram socket is let go by AF_UNSPEC. */
    ip_addr_t ip = { a.family == AF_UNSPEC ? 0 : a.address ? a.address : PP_HTONL(IPADDR_LOOPBACK) };
    rc = s->ops->connect(s, &ip, lwip_ntohs(a.port), may_wait(fd, 0));
    net_flush();
    return rc;
}

long sys_sendto(int fd, uptr_t buf, size_t n, int flags, uptr_t address, unsigned size)
{
    int rc;
    struct net_address to;
    struct socket *s = fd_socket(fd, &rc);
    if (!s || (address && (rc = address_in(&to, address, size))))
        return rc;
    if (address && to.family != AF_INET)
        return -EAFNOSUPPORT;
    if (buf > USER_END || n > USER_END - buf)
        return -EFAULT;
    long sent = s->ops->send(s, buf, n, flags, may_wait(fd, flags), address ? &to : 0);
    net_flush();
    if (sent == -EPIPE && !(flags & MSG_NOSIGNAL))
        signal_send(current, SIGPIPE);
    return sent;
}

long sys_recvfrom(int fd, uptr_t buf, size_t n, int flags, uptr_t address, uptr_t size)
{
    int rc;
    struct net_address from = { .family = AF_INET };
    struct socket *s = fd_socket(fd, &rc);
    if (!s)
        return rc;
    if (buf > USER_END || n > USER_END - buf)
        return -EFAULT;
    long got = s->ops->receive(s, buf, n, flags, may_wait(fd, flags), &from);
    net_flush();
    rc = got >= 0 ? address_out(address, size, &from) : 0;
    return rc ? rc : got;
}

long sys_shutdown(int fd, int how)
{
    int rc;
    struct socket *s = fd_socket(fd, &rc);
    if (!s)
        return rc;
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    rc = s->ops->shutdown(s, how);
    socket_wake(s);
    net_flush();
    return rc;
}

static long tell_name(int fd, uptr_t address, uptr_t size, bool peer)
{
    int rc;
    struct net_address a = { .family = AF_INET };
    struct socket *s = fd_socket(fd, &rc);
    if (!s)
        return rc;
    if (!address)
        return -EFAULT;
    if (!s->ops->name(s, peer, &a) && peer)
        return -ENOTCONN;
    return address_out(address, size, &a);
}

long sys_getsockname(int fd, uptr_t address, uptr_t size) { return tell_name(fd, address, size, false); }
long sys_getpeername(int fd, uptr_t address, uptr_t size) { return tell_name(fd, address, size, true); }

/* ---- A socket as a file ---- */

static long socket_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct socket *s = f->private;
    long got = s->ops->receive(s, buf, n, 0, !(f->flags & O_NONBLOCK), 0);
    net_flush();
    return got;
}

static long socket_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct socket *s = f->private;
    long sent = s->ops->send(s, buf, n, 0, !(f->flags & O_NONBLOCK), 0);
    net_flush();
    if (sent == -EPIPE)
        signal_send(current, SIGPIPE);
    return sent;
}

static long socket_ioctl(struct file *f, unsigned long cmd, uptr_t arg)
{
    struct socket *s = f->private;
    int n;
    if (cmd != FIONREAD)
        return net_ioctl(cmd, arg);
    n = s->ops->readable(s);
    return copy_to_user(arg, &n, sizeof(n));
}

static short socket_poll(struct file *f, struct poll_table *t)
{
    struct socket *s = f->private;
    poll_wait(t, &s->can_read);
    poll_wait(t, &s->can_write);
    return s->ops->poll(s);
}

static void socket_close(struct file *f)
{
    if (f->private)
        socket_drop(f->private);
}

static const struct file_ops socket_file_ops = {
    .read = socket_read, .write = socket_write, .ioctl = socket_ioctl, .poll = socket_poll, .close = socket_close, .no_seek = true,
};
