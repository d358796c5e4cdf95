/* SPDX-License-Identifier: MIT */
/* stream.c: TCP sockets.
 *
 * lwIP calls the on_* functions from upcalls and from within our own calls; they note what happened and wake who waits. A
 * connection that both sides have closed is lwIP's alone (let_go): it lingers there while the socket may live on,
 * so s->tcp is null or alive, never in between.                                                                  */
#include "guest-kernel/kernel/net/socket.h"
#include "guest-kernel/kernel/file.h"

#include "lwip/pbuf.h"
#include "lwip/tcp.h"
#include "lwip/priv/tcp_priv.h"

#define LOW_WATER  (TCP_SND_BUF / 4)        /* a writer that waited goes on when so much fits */
#define UNREAD_MAX 1024                     /* segments: the window bounds their bytes, not what crumbs of one byte cost */

/* ---- What lwIP tells ---- */

static void let_go(struct socket *s)
{
    struct tcp_pcb *pcb = s->tcp;
    s->tcp = 0;
    s->state = SOCKET_DONE;
    tcp_arg(pcb, 0);
    tcp_recv(pcb, 0);
    tcp_sent(pcb, 0);
    tcp_err(pcb, 0);
}

static void on_error(void *arg, err_t err)
{
    struct socket *s = arg;
    bool connecting = s->state == SOCKET_CONNECTING;
    s->tcp = 0;                             /* lwIP has freed it */
    if (!list_empty(&s->link)) {            /* it never reached accept, and the backlog no longer counts it */
        list_remove(&s->link);
        stream_drop(s);
        socket_free(s);
        return;
    }
    s->state = connecting ? SOCKET_IDLE : SOCKET_DONE;
    if (err != ERR_CLSD)
        s->error = err == ERR_ABRT ? ETIMEDOUT : err == ERR_RST && connecting ? ECONNREFUSED : -net_error(err);
    s->fin = true;
    socket_wake(s);
}

static err_t on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct socket *s = arg;
    if (!p) {
        s->fin = true;
        if (s->write_shut)
            let_go(s);
        socket_wake(s);
        return ERR_OK;
    }
    if (s->read_shut) {
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
        return ERR_OK;
    }
    if (net_memory.used > net_memory.limit / 8 * 7 || s->segments >= UNREAD_MAX)
        return ERR_MEM;                     /* lwIP keeps it and offers it again; the window is closed meanwhile */
    for (const struct pbuf *q = p; q; q = q->next)
        s->segments++;
    if (s->rx)
        s->rx_tail->next = p;
    else
        s->rx = p;
    while (p->next)
        p = p->next;
    s->rx_tail = p;
    wake_all(&s->can_read);
    return ERR_OK;
}

static bool roomy(const struct tcp_pcb *pcb) { return pcb->snd_buf >= LOW_WATER && pcb->snd_queuelen < TCP_SNDQUEUELOWAT; }

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct socket *s = arg;
    if (roomy(pcb))
        wake_all(&s->can_write);
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct socket *s = arg;
    s->state = SOCKET_CONNECTED;
    socket_wake(s);
    return ERR_OK;
}

static void take_charge(struct socket *s, struct tcp_pcb *pcb)
{
    s->tcp = pcb;
    tcp_arg(pcb, s);
    tcp_recv(pcb, on_receive);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
}

/* A connection is complete: it waits in the listener's list, counted against its backlog. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct socket *listener = arg, *s;
    if (!listener || !pcb || err != ERR_OK)
        return ERR_VAL;
    s = socket_alloc(&stream_ops, SOCK_STREAM, IPPROTO_TCP);
    if (!s)
        return ERR_MEM;
    take_charge(s, pcb);
    s->state = SOCKET_CONNECTED;
    s->receive_ns = listener->receive_ns;
    s->send_ns = listener->send_ns;
    if (listener->nodelay)
        tcp_nagle_disable(pcb);
    tcp_backlog_delayed(pcb);
    list_append(&listener->accepted, &s->link);
    wake_all(&listener->can_read);
    return ERR_OK;
}

/* ---- Beginning ---- */

int stream_create(struct socket *s)
{
    struct tcp_pcb *pcb = tcp_new();
    if (!pcb)
        return -ENOBUFS;
    take_charge(s, pcb);
    pcb->so_options |= s->options;
    if (s->nodelay)
        tcp_nagle_disable(pcb);
    return 0;
}

/* After a connection that failed, a socket may be used again. */
static int need_pcb(struct socket *s)
{
    if (s->tcp)
        return 0;
    if (s->state != SOCKET_IDLE)
        return -EINVAL;
    s->fin = false;
    return stream_create(s);
}

static int stream_bind(struct socket *s, const ip_addr_t *address, uint16_t port)
{
    int rc = need_pcb(s);
    if (rc == 0 && (s->state != SOCKET_IDLE || s->tcp->local_port))
        rc = -EINVAL;
    return rc ? rc : net_error(tcp_bind(s->tcp, address, port));
}

int stream_listen(struct socket *s, int backlog)
{
    backlog = backlog < 1 ? 1 : MIN(backlog, SOMAXCONN);
    if (s->state == SOCKET_LISTENING) {
        tcp_backlog_set(s->tcp, backlog);
        return 0;
    }
    int rc = need_pcb(s);
    if (rc == 0 && s->state != SOCKET_IDLE)
        rc = -EINVAL;
    if (rc == 0 && !s->tcp->local_port)
        rc = net_error(tcp_bind(s->tcp, IP4_ADDR_ANY, 0));
    if (rc)
        return rc;
    err_t err;
    struct tcp_pcb *listening = tcp_listen_with_backlog_and_err(s->tcp, backlog, &err);
    if (!listening)
        return net_error(err);
    s->tcp = listening;
    s->state = SOCKET_LISTENING;
    tcp_arg(listening, s);
    tcp_accept(listening, on_accept);
    return 0;
}

long stream_accept(struct socket *s, bool wait, struct socket **out)
{
    uint64_t deadline = socket_deadline(s->receive_ns);
    for (;;) {
        if (s->state != SOCKET_LISTENING)
            return -EINVAL;
        if (!list_empty(&s->accepted))
            break;
        int rc = wait ? socket_sleep(&s->can_read, deadline) : -EAGAIN;
        if (rc)
            return rc;
    }
    *out = container_of(s->accepted.next, struct socket, link);
    list_remove(&(*out)->link);
    if ((*out)->tcp)
        tcp_backlog_accepted((*out)->tcp);
    return 0;
}

static int stream_connect(struct socket *s, const ip_addr_t *address, uint16_t port, bool wait)
{
    uint64_t deadline = socket_deadline(s->send_ns);
    if (s->state == SOCKET_CONNECTED || s->state == SOCKET_DONE)
        return -EISCONN;
    if (s->state == SOCKET_LISTENING)
        return -EOPNOTSUPP;
    if (s->state == SOCKET_CONNECTING && !wait)
        return -EALREADY;
    if (s->state == SOCKET_IDLE) {
        int rc = s->error ? socket_error(s) : need_pcb(s);
        if (rc == 0 && !port)
            rc = -ECONNREFUSED;
        if (rc)
            return rc;
        s->state = SOCKET_CONNECTING;
        err_t err = tcp_connect(s->tcp, address, port, on_connected);
        if (err != ERR_OK) {
            s->state = SOCKET_IDLE;
            return net_error(err);
        }
        net_flush();
    }
    while (s->state == SOCKET_CONNECTING) {
        int rc = wait ? socket_sleep(&s->can_write, deadline) : -EINPROGRESS;
        if (rc)
            return rc == -EAGAIN ? -EINPROGRESS : rc;
    }
    return socket_error(s);
}

/* ---- Ending ---- */

/* Our side says no more. If theirs has, the connection is lwIP's to finish. */
static void close_writing(struct socket *s)
{
    s->write_shut = true;
    if (!s->tcp)
        return;
    struct tcp_pcb *pcb = s->tcp;
    if (s->fin)
        let_go(s);
    if (tcp_shutdown(pcb, 0, 1) != ERR_OK) {        /* not tcp_close, which resets when something is unread */
        if (s->tcp)
            let_go(s);
        tcp_abort(pcb);
    }
}

static int stream_shutdown(struct socket *s, int how)
{
    if (s->state != SOCKET_CONNECTED && s->state != SOCKET_DONE)
        return -ENOTCONN;
    if (how != SHUT_WR)
        s->read_shut = true;
    if (how != SHUT_RD && !s->write_shut)
        close_writing(s);
    return 0;
}

static void stream_close(struct socket *s)
{
    struct tcp_pcb *pcb = s->tcp;
    bool listening = s->state == SOCKET_LISTENING, unread = s->rx != 0;
    list_for (a, &s->accepted, struct socket, link) {
        list_remove(&a->link);
        a->abort_on_close = true;
        stream_close(a);
        socket_free(a);
    }
    stream_drop(s);
    if (!pcb)
        return;
    if (listening) {
        tcp_arg(pcb, 0);
        tcp_accept(pcb, 0);
        tcp_close(pcb);
        return;
    }
    let_go(s);
    /* What they sent and nobody read is lost, and they are told (RFC 2525, 2.17). */
    if (unread || s->abort_on_close || tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
}

/* ---- Asking ---- */

static bool stream_name(struct socket *s, bool peer, struct net_address *out)
{
    if (!s->tcp || (peer && s->state != SOCKET_CONNECTED))
        return false;
    out->port = lwip_htons(peer ? s->tcp->remote_port : s->tcp->local_port);
    out->address = peer ? s->tcp->remote_ip.addr : s->tcp->local_ip.addr;
    return true;
}

static short stream_poll(struct socket *s)
{
    short ready = 0;
    if (s->state == SOCKET_LISTENING)
        return list_empty(&s->accepted) ? 0 : POLLIN;
    if (s->rx || s->fin || s->read_shut || s->error)
        ready |= POLLIN;
    if (s->error)
        ready |= POLLERR | POLLOUT;
    if (s->write_shut || s->state == SOCKET_DONE || (s->state == SOCKET_CONNECTED && roomy(s->tcp)))
        ready |= POLLOUT;
    if (s->state == SOCKET_DONE || s->state == SOCKET_IDLE)
        ready |= POLLHUP;
    return ready;
}

const struct socket_ops stream_ops = {
    .bind = stream_bind, .connect = stream_connect, .send = stream_send, .receive = stream_receive, .shutdown = stream_shutdown,
    .name = stream_name, .poll = stream_poll, .readable = stream_readable, .close = stream_close,
};
