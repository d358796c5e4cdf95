/* SPDX-License-Identifier: MIT */
/* datagram.c: UDP sockets and raw ones. Datagrams wait in a list of their own with where they came from; what the list has no
 * room for is dropped, as the protocol allows. */
#include "guest-kernel/kernel/net/socket.h"
#include "guest-kernel/kernel/vm.h"
#include "guest-kernel/kernel/file.h"

#include "lwip/pbuf.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

#define DATAGRAM_MAX 65507
#define QUEUE_COST   256                    /* what an empty datagram counts */

struct datagram {
    struct list        link;
    struct pbuf       *p;
    struct net_address from;
};

/* ---- Receiving ---- */

static bool enqueue(struct socket *s, struct pbuf *p, const ip_addr_t *address, uint16_t port)
{
    struct datagram *d = 0;
    if (!s->read_shut && s->queued + p->tot_len + QUEUE_COST <= s->queue_limit && net_room_for_data())
        d = net_malloc(sizeof(*d));
    if (!d)
        return false;
    d->p = p;
    d->from = (struct net_address){ .family = AF_INET, .port = lwip_htons(port), .address = address->addr };
    s->queued += p->tot_len + QUEUE_COST;
    list_append(&s->datagrams, &d->link);
    wake_all(&s->can_read);
    return true;
}

static void dequeue(struct socket *s, struct datagram *d)
{
    list_remove(&d->link);
    s->queued -= d->p->tot_len + QUEUE_COST;
}

static void datagram_free(struct datagram *d)
{
    pbuf_free(d->p);
    net_free(d);
}

static void on_udp(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *address, u16_t port)
{
    if (!enqueue(arg, p, address, port))
        pbuf_free(p);
}

/* A raw socket listens in: the stack goes on with the packet, we keep a copy. */
static u8_t on_raw(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *address)
{
    struct pbuf *copy = net_room_for_data() ? pbuf_clone(PBUF_RAW, PBUF_RAM, p) : 0;
    if (copy && !enqueue(arg, copy, address, 0))
        pbuf_free(copy);
    return 0;
}

static long copy_out(const struct datagram *d, uptr_t buf, size_t n)
{
    size_t done = 0;
    for (struct pbuf *p = d->p; p && done < n; p = p->next) {
        size_t piece = MIN(n - done, (size_t)p->len);
        if (copy_to_user(buf + done, p->payload, piece))
            return -EFAULT;
        done += piece;
    }
    return done;
}

/* Off the list before the copy, which may sleep; back at its head after a peek. */
static long datagram_receive(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, struct net_address *from)
{
    uint64_t deadline = socket_deadline(s->receive_ns);
    while (list_empty(&s->datagrams)) {
        if (s->error)
            return socket_error(s);
        if (s->read_shut)
            return 0;
        int rc = wait ? socket_sleep(&s->can_read, deadline) : -EAGAIN;
        if (rc)
            return rc;
    }
    struct datagram *d = container_of(s->datagrams.next, struct datagram, link);
    size_t whole = d->p->tot_len;
    dequeue(s, d);
    long rc = copy_out(d, buf, n);
    if (from)
        *from = d->from;
    if (flags & MSG_PEEK) {
        s->queued += whole + QUEUE_COST;
        list_prepend(&s->datagrams, &d->link);
    } else {
        datagram_free(d);
    }
    return rc >= 0 && (flags & MSG_TRUNC) ? (long)whole : rc;
}

static size_t datagram_readable(struct socket *s)
{
    return list_empty(&s->datagrams) ? 0 : container_of(s->datagrams.next, struct datagram, link)->p->tot_len;
}

/* ---- Sending ---- */

static int transmit(struct socket *s, struct pbuf *p, const ip_addr_t *to, uint16_t port)
{
    err_t err;
    if (s->type == SOCK_RAW)
        err = to ? raw_sendto(s->raw, p, to) : raw_send(s->raw, p);
    else
        err = to ? udp_sendto(s->udp, p, to, port) : udp_send(s->udp, p);
    return err == ERR_VAL ? -EACCES : err == ERR_RTE ? -ENETUNREACH : net_error(err);
}

static long datagram_send(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, const struct net_address *to)
{
    ip_addr_t address = { to ? to->address : 0 };
    if (s->error)
        return socket_error(s);
    if (s->write_shut)
        return -EPIPE;
    if (!to && s->state != SOCKET_CONNECTED)
        return -EDESTADDRREQ;
    if (n > DATAGRAM_MAX)
        return -EMSGSIZE;
    if (to && !to->address)
        address.addr = PP_HTONL(IPADDR_LOOPBACK);
    if (to && s->type == SOCK_DGRAM && !to->port)
        return -EINVAL;
    struct pbuf *p = net_room_for_data() ? pbuf_alloc(s->type == SOCK_RAW ? PBUF_IP : PBUF_TRANSPORT, n, PBUF_RAM) : 0;
    if (!p)
        return -ENOBUFS;
    int rc = copy_from_user(p->payload, buf, n);
    if (rc == 0)
        rc = transmit(s, p, to ? &address : 0, to ? lwip_ntohs(to->port) : 0);
    pbuf_free(p);
    return rc ? rc : (long)n;
}

/* ---- The rest ---- */

static int datagram_bind(struct socket *s, const ip_addr_t *address, uint16_t port)
{
    if (s->type == SOCK_RAW)
        return net_error(raw_bind(s->raw, address));
    return s->udp->local_port ? -EINVAL : net_error(udp_bind(s->udp, address, port));
}

static int datagram_connect(struct socket *s, const ip_addr_t *address, uint16_t port, bool wait)
{
    if (!address->addr) {
        if (s->type == SOCK_RAW)
            raw_disconnect(s->raw);
        else
            udp_disconnect(s->udp);
        s->state = SOCKET_IDLE;
        return 0;
    }
    int rc = net_error(s->type == SOCK_RAW ? raw_connect(s->raw, address) : udp_connect(s->udp, address, port));
    if (rc == 0)
        s->state = SOCKET_CONNECTED;
    return rc;
}

static int datagram_shutdown(struct socket *s, int how)
{
    if (s->state != SOCKET_CONNECTED)
        return -ENOTCONN;
    s->read_shut |= how != SHUT_WR;
    s->write_shut |= how != SHUT_RD;
    return 0;
}

/* A connected socket that was never bound says from where its datagrams would leave. */
static bool datagram_name(struct socket *s, bool peer, struct net_address *out)
{
    if (peer && s->state != SOCKET_CONNECTED)
        return false;
    out->address = peer ? s->pcb->remote_ip.addr : s->pcb->local_ip.addr;
    if (s->type == SOCK_DGRAM)
        out->port = lwip_htons(peer ? s->udp->remote_port : s->udp->local_port);
    if (!peer && !out->address && s->state == SOCKET_CONNECTED) {
        struct netif *n = ip4_route(&s->pcb->remote_ip);
        out->address = n ? netif_ip4_addr(n)->addr : 0;
    }
    return true;
}

static short datagram_poll(struct socket *s)
{
    return (list_empty(&s->datagrams) && !s->read_shut && !s->error ? 0 : POLLIN) | POLLOUT | (s->error ? POLLERR : 0);
}

static void datagram_close(struct socket *s)
{
    list_for (d, &s->datagrams, struct datagram, link) {
        list_remove(&d->link);
        datagram_free(d);
    }
    if (s->type == SOCK_RAW)
        raw_remove(s->raw);
    else
        udp_remove(s->udp);
}

int udp_create(struct socket *s)
{
    s->udp = udp_new();
    if (!s->udp)
        return -ENOBUFS;
    udp_recv(s->udp, on_udp, s);
    return 0;
}

int raw_create(struct socket *s)
{
    s->raw = raw_new(s->protocol);
    if (!s->raw)
        return -ENOBUFS;
    raw_recv(s->raw, on_raw, s);
    return 0;
}

const struct socket_ops udp_ops = {
    .bind = datagram_bind, .connect = datagram_connect, .send = datagram_send, .receive = datagram_receive,
    .shutdown = datagram_shutdown, .name = datagram_name, .poll = datagram_poll, .readable = datagram_readable, .close = datagram_close,
};
const struct socket_ops raw_ops = {
    .bind = datagram_bind, .connect = datagram_connect, .send = datagram_send, .receive = datagram_receive,
    .shutdown = datagram_shutdown, .name = datagram_name, .poll = datagram_poll, .readable = datagram_readable, .close = datagram_close,
};
