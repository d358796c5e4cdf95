/* SPDX-License-Identifier: MIT */
/* sockopt.c: options of sockets. Most are one int; the rows below say where it lives. */
#include "guest-kernel/kernel/net/socket.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/vm.h"

#include "lwip/tcp.h"

struct linger { int32_t on, seconds; };

static unsigned option_bit(int option)
{
    return option == SO_REUSEADDR ? SOF_REUSEADDR : option == SO_BROADCAST ? SOF_BROADCAST : option == SO_KEEPALIVE ? SOF_KEEPALIVE : 0;
}

/* ---- Setting ---- */

static long set_time(struct socket *s, int option, uptr_t value, unsigned size)
{
    struct timeval tv;
    if (size < sizeof(tv))
        return -EINVAL;
    if (copy_from_user(&tv, value, sizeof(tv)))
        return -EFAULT;
    if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000 || tv.tv_sec > 1l << 30)
        return -EINVAL;
    *(option == SO_RCVTIMEO ? &s->receive_ns : &s->send_ns) = tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * 1000;
    return 0;
}

static long set_linger(struct socket *s, uptr_t value, unsigned size)
{
    struct linger l;
    if (size < sizeof(l))
        return -EINVAL;
    if (copy_from_user(&l, value, sizeof(l)))
        return -EFAULT;
    s->abort_on_close = l.on && l.seconds == 0;
    return 0;
}

static long set_socket(struct socket *s, int option, int value)
{
    unsigned bit = option_bit(option);
    if (bit) {
        s->options = value ? s->options | bit : s->options & ~bit;
        if (s->pcb)
            s->pcb->so_options = value ? s->pcb->so_options | bit : s->pcb->so_options & ~bit;
        return 0;
    }
    if (option == SO_RCVBUF && s->type != SOCK_STREAM)
        s->queue_limit = MIN(MAX(value, 4096), (int)MIN(1ul << 20, net_memory.limit / 8));
    return option == SO_RCVBUF || option == SO_SNDBUF ? 0 : -ENOPROTOOPT;
}

static long set_tcp(struct socket *s, int option, int value)
{
    struct tcp_pcb *pcb = s->state == SOCKET_LISTENING ? 0 : s->tcp;
    if (option == TCP_NODELAY) {
        s->nodelay = value;
        if (pcb && value)
            tcp_nagle_disable(pcb);
        else if (pcb)
            tcp_nagle_enable(pcb);
        return 0;
    }
    if (option < TCP_KEEPIDLE || option > TCP_KEEPCNT)
        return -ENOPROTOOPT;
    if (value < 1 || value > 32767)
        return -EINVAL;
    if (pcb && option == TCP_KEEPIDLE)
        pcb->keep_idle = value * 1000u;
    else if (pcb && option == TCP_KEEPINTVL)
        pcb->keep_intvl = value * 1000u;
    else if (pcb)
        pcb->keep_cnt = value;
    return 0;
}

static long set_ip(struct socket *s, int option, int value)
{
    if (option != IP_TTL && option != IP_TOS)
        return -ENOPROTOOPT;
    if (value < (option == IP_TTL) || value > 255)
        return -EINVAL;
    if (s->pcb)
        *(option == IP_TTL ? &s->pcb->ttl : &s->pcb->tos) = value;
    return 0;
}

long sys_setsockopt(int fd, int level, int option, uptr_t uvalue, unsigned size)
{
    int rc, value;
    struct socket *s = fd_socket(fd, &rc);
    if (!s)
        return rc;
    if (level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO))
        return set_time(s, option, uvalue, size);
    if (level == SOL_SOCKET && option == SO_LINGER)
        return set_linger(s, uvalue, size);
    if (size < sizeof(value))
        return -EINVAL;
    if (copy_from_user(&value, uvalue, sizeof(value)))
        return -EFAULT;
    if (level == SOL_SOCKET)
        return set_socket(s, option, value);
    if (level == IPPROTO_TCP && s->type == SOCK_STREAM)
        return set_tcp(s, option, value);
    return level == IPPROTO_IP ? set_ip(s, option, value) : -ENOPROTOOPT;
}

/* ---- Telling ---- */

static long tell(uptr_t to, uptr_t usize, const void *value, uint32_t n)
{
    uint32_t room;
    if (copy_from_user(&room, usize, sizeof(room)))
        return -EFAULT;
    if ((int32_t)room < 0)
        return -EINVAL;
    n = MIN(n, room);
    return copy_to_user(to, value, n) || copy_to_user(usize, &n, sizeof(n)) ? -EFAULT : 0;
}

static long get_socket(struct socket *s, int option, int *value)
{
    switch (option) {
    case SO_TYPE:       *value = s->type; return 0;
    case SO_PROTOCOL:   *value = s->protocol; return 0;
    case SO_DOMAIN:     *value = AF_INET; return 0;
    case SO_ACCEPTCONN: *value = s->state == SOCKET_LISTENING; return 0;
    case SO_ERROR:      *value = -socket_error(s); return 0;
    case SO_SNDBUF:     *value = TCP_SND_BUF; return 0;
    case SO_RCVBUF:     *value = s->type == SOCK_STREAM ? TCP_WND : (int)s->queue_limit; return 0;
    }
    *value = (s->options & option_bit(option)) != 0;
    return option_bit(option) ? 0 : -ENOPROTOOPT;
}

static long get_tcp(struct socket *s, int option, int *value)
{
    struct tcp_pcb *pcb = s->state == SOCKET_LISTENING ? 0 : s->tcp;
    if (option == TCP_NODELAY)
        *value = s->nodelay;
    else if (option == TCP_KEEPIDLE)
        *value = pcb ? pcb->keep_idle / 1000 : 0;
    else if (option == TCP_KEEPINTVL)
        *value = pcb ? pcb->keep_intvl / 1000 : 0;
    else if (option == TCP_KEEPCNT)
        *value = pcb ? pcb->keep_cnt : 0;
    else
        return -ENOPROTOOPT;
    return 0;
}

long sys_getsockopt(int fd, int level, int option, uptr_t to, uptr_t usize)
{
    int rc, value = 0;
    struct socket *s = fd_socket(fd, &rc);
    if (!s)
        return rc;
    if (level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO)) {
        uint64_t ns = option == SO_RCVTIMEO ? s->receive_ns : s->send_ns;
        struct timeval tv = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000 };
        return tell(to, usize, &tv, sizeof(tv));
    }
    if (level == SOL_SOCKET && option == SO_LINGER) {
        struct linger l = { s->abort_on_close, 0 };
        return tell(to, usize, &l, sizeof(l));
    }
    if (level == SOL_SOCKET)
        rc = get_socket(s, option, &value);
    else if (level == IPPROTO_TCP && s->type == SOCK_STREAM)
        rc = get_tcp(s, option, &value);
    else if (level == IPPROTO_IP && (option == IP_TTL || option == IP_TOS))
        value = s->pcb ? option == IP_TTL ? s->pcb->ttl : s->pcb->tos : 0;
    else
        rc = -ENOPROTOOPT;
    return rc ? rc : tell(to, usize, &value, sizeof(value));
}
