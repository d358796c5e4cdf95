/* SPDX-License-Identifier: MIT */
/* stream_data.c: what programs send and receive on TCP sockets.
 *
 * Out: the data are copied in a piece at a time, then lwIP copies them into the pages that are sent. In: segments are copied out
 * of the pages in which they came. Copying may sleep on a page fault, and the connection may be gone afterwards: hence
 * the turns, and hence everything is looked at again after each copy.                                           */
#include "guest-kernel/kernel/net/socket.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/vm.h"

#include "lwip/pbuf.h"
#include "lwip/tcp.h"

#define BOUNCE_ORDER 2
#define MEMORY_WAIT (50 * NSEC_PER_MS)      /* a writer without memory looks again after that */

/* ---- Sending ---- */

/* 0: go on; else what to return. */
static int may_send(struct socket *s)
{
    if (s->error)
        return socket_error(s);
    if (s->write_shut || s->state == SOCKET_DONE)
        return -EPIPE;
    return s->state == SOCKET_CONNECTED ? 0 : -ENOTCONN;
}

/* Waits until something fits: *room bytes. Looks at the clock too if only memory is short. */
static int wait_for_room(struct socket *s, bool wait, uint64_t deadline, size_t *room)
{
    bool starved = false;
    for (;;) {
        int rc = may_send(s);
        if (rc)
            return rc;
        bool memory = net_room_for_data();
        *room = s->tcp->snd_buf;
        if (*room && s->tcp->snd_queuelen < TCP_SND_QUEUELEN - 8 && memory && !starved)
            return 0;
        if (!wait)
            return -EAGAIN;
        uint64_t soon = memory ? FOREVER : plat_clock_ns() + MEMORY_WAIT;
        rc = socket_sleep(&s->can_write, MIN(deadline, soon));
        starved = false;
        if (rc == -EAGAIN && plat_clock_ns() < deadline)
            continue;
        if (rc)
            return rc;
    }
}

/* One piece: copied in first, since that may sleep, then given to lwIP, which copies it into pages of its own. */
static long send_piece(struct socket *s, uptr_t buf, size_t n, void *bounce, int flags, bool last)
{
    if (copy_from_user(bounce, buf, n))
        return -EFAULT;
    int rc = may_send(s);
    if (rc)
        return rc;
    n = MIN(n, (size_t)s->tcp->snd_buf);
    err_t err = ERR_MEM;
    for (; n > 0; n /= 2) {
        err = tcp_write(s->tcp, bounce, n, TCP_WRITE_FLAG_COPY | (last && !(flags & MSG_MORE) ? 0 : TCP_WRITE_FLAG_MORE));
        if (err != ERR_MEM)
            break;
    }
    if (s->tcp && (err == ERR_OK || err == ERR_MEM))
        tcp_output(s->tcp);
    net_flush();
    return err == ERR_OK ? (long)n : err == ERR_MEM ? 0 : net_error(err);
}

static long send_all(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, void *bounce, size_t bounce_size)
{
    uint64_t deadline = socket_deadline(s->send_ns);
    size_t done = 0, room;
    while (done < n) {
        long rc = wait_for_room(s, wait, deadline, &room);
        if (rc == 0) {
            size_t piece = MIN(MIN(n - done, room), bounce_size);
            rc = send_piece(s, buf + done, piece, bounce, flags, done + piece == n);
            if (rc == 0)                    /* memory is short this moment */
                rc = !wait ? -EAGAIN : socket_sleep(&s->can_write, MIN(deadline, plat_clock_ns() + MEMORY_WAIT));
            if (rc == -EAGAIN && wait && plat_clock_ns() < deadline)
                rc = 0;
        }
        if (rc < 0)
            return done ? (long)done : rc;
        done += rc;
    }
    return done;
}

long stream_send(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, const struct net_address *to)
{
    char small[256];
    int rc = may_send(s);
    if (rc || n == 0 || (rc = turn_take(&s->writing)))
        return rc;
    unsigned order = n > 2 * PAGE_SIZE ? BOUNCE_ORDER : n > PAGE_SIZE ? 1 : 0;
    void *page = n > sizeof(small) ? pages_alloc_raw(order) : 0;
    if (n > sizeof(small) && !page && order)
        page = pages_alloc_raw(order = 0);
    long sent = page ? send_all(s, buf, n, flags, wait, page, PAGE_SIZE << order) : send_all(s, buf, n, flags, wait, small, sizeof(small));
    turn_give(&s->writing);
    if (page)
        pages_free(page);
    return sent;
}

/* ---- Receiving ---- */

static int wait_for_data(struct socket *s, bool wait, uint64_t deadline)
{
    while (!s->rx) {
        if (s->error)
            return socket_error(s);
        if (s->fin || s->read_shut)
            return 0;
        if (s->state != SOCKET_CONNECTED)
            return s->state == SOCKET_DONE ? 0 : -ENOTCONN;
        int rc = wait ? socket_sleep(&s->can_read, deadline) : -EAGAIN;
        if (rc)
            return rc;
    }
    return 0;
}

/* The first unread segment, or what is left of it, has been read. */
static void rx_take(struct socket *s, size_t n)
{
    struct pbuf *p = s->rx;
    if (n < p->len) {
        p->payload = (char *)p->payload + n;
        p->len -= n;
        return;
    }
    s->rx = p->next;
    s->segments--;
    p->next = 0;
    p->tot_len = p->len;
    pbuf_free(p);
}

/* Segments do not go away while we sleep in a copy: it is our turn, and lwIP only appends. */
static long copy_out(struct socket *s, uptr_t buf, size_t n, bool peek)
{
    struct pbuf *p = s->rx;
    size_t done = 0, told = 0;
    while (p && done < n) {
        size_t piece = MIN(n - done, (size_t)p->len);
        if (copy_to_user(buf + done, p->payload, piece))
            break;
        done += piece;
        if (peek) {
            p = p->next;
            continue;
        }
        rx_take(s, piece);
        p = s->rx;
        if (s->tcp && done - told > 32768) {
            tcp_recved(s->tcp, done - told);
            told = done;
        }
    }
    if (s->tcp && !peek && done > told)             /* however it ended: what is off the list is room again */
        tcp_recved(s->tcp, done - told);
    return done || n == 0 ? (long)done : -EFAULT;
}

static long receive_some(struct socket *s, uptr_t buf, size_t n, int flags, bool wait)
{
    uint64_t deadline = socket_deadline(s->receive_ns);
    size_t done = 0;
    do {
        long rc = wait_for_data(s, wait, deadline);
        if (rc == 0 && s->rx)
            rc = copy_out(s, buf + done, n - done, flags & MSG_PEEK);
        if (rc <= 0)
            return done ? (long)done : rc;
        done += rc;
        net_flush();
    } while (done < n && (flags & MSG_WAITALL) && !(flags & MSG_PEEK));
    return done;
}

long stream_receive(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, struct net_address *from)
{
    if (s->state == SOCKET_LISTENING || (s->state == SOCKET_IDLE && !s->error))
        return -ENOTCONN;
    int rc = n ? turn_take(&s->reading) : 0;
    if (rc || n == 0)
        return rc;
    long got = receive_some(s, buf, n, flags, wait);
    turn_give(&s->reading);
    return got;
}

size_t stream_readable(struct socket *s)
{
    size_t n = 0;
    for (struct pbuf *p = s->rx; p; p = p->next)
        n += p->len;
    return n;
}

void stream_drop(struct socket *s)
{
    while (s->rx)
        rx_take(s, s->rx->len);
}
