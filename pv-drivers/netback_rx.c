/* SPDX-License-Identifier: MIT */
/* netback_rx.c: frames into a guest. SPEC 11.5.
 *
 * Frames for a guest wait in a queue of its own, and one hypercall copies as many as it posted buffers for. A guest that posts
 * none fills its queue and loses what comes after; if it goes on so, the queue is emptied, since its frames are stale and
 * our memory is not its to keep.
 *
 * R1  An answer stands in the slot of the request that it answers: one frame, one buffer, in order.                  */
#include "pv-drivers/netback_ring.h"

#define PASS_FRAMES 64u
#define STALE_NS    (10 * 1000000000ull)

/* Never sleeps, as in netback_tx.c. */
static struct {
    struct os_copy copy[PASS_FRAMES];
    uint16_t       id[PASS_FRAMES];
} pass;

static struct net_frame *queue_at(struct netback *b, unsigned i) { return &b->queue[(b->queue_head + i) % BACK_QUEUE]; }

static void queue_drop_first(struct netback *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        net_frame_free(queue_at(b, i));
    b->queue_head = (b->queue_head + n) % BACK_QUEUE;
    b->queue_count -= n;
}

void back_queue_drop(struct netback *b)
{
    b->count.rx_dropped += b->queue_count;
    queue_drop_first(b, b->queue_count);
}

/* The queue is full. After a time there is no point in keeping it. */
static void stall(struct netback *b)
{
    uint64_t now = os_now_ns();
    if (!b->stalled_at)
        b->stalled_at = now ? now : 1;
    else if (now - b->stalled_at > STALE_NS && b->queue_count > 1) {
        b->count.rx_dropped += b->queue_count - 1;
        queue_drop_first(b, b->queue_count - 1);
    }
}

void netback_transmit(struct netback *b, struct net_frame *frame)
{
    if (!b->connected || b->broken) {
        b->count.rx_dropped++;
        net_frame_free(frame);
        return;
    }
    if (b->queue_count == BACK_QUEUE)
        back_rx(b);                                     /* a burst longer than the queue */
    bool stale = b->stalled_at && os_now_ns() - b->stalled_at > STALE_NS;
    if (b->queue_count == BACK_QUEUE || (stale && b->queue_count)) {
        stall(b);
        b->count.rx_dropped++;
        net_frame_free(frame);
        return;
    }
    *queue_at(b, b->queue_count++) = *frame;
}

/* How many frames there are buffers for; asks to be told of more when that is too few. */
static unsigned buffers(struct netback *b)
{
    struct netif_rx_sring *s = b->rx.sring;
    int32_t n = ring_waiting(&s->req_prod, b->rx.req_cons, BACK_SLOTS);
    if (n >= 0 && (uint32_t)n < b->queue_count) {
        ring_arm(&s->req_prod, &s->req_event, b->rx.req_cons + (uint32_t)n);
        n = ring_waiting(&s->req_prod, b->rx.req_cons, BACK_SLOTS);
    }
    if (n < 0) {
        back_break(b, "the receive index is beyond it");
        return 0;
    }
    unsigned most = b->queue_count < PASS_FRAMES ? b->queue_count : PASS_FRAMES;
    return (uint32_t)n < most ? (unsigned)n : most;
}

static void plan(struct netback *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct net_frame *f = queue_at(b, i);
        struct netif_rx_request req;
        RING_COPY_OUT(&req, &RING_SLOT(&b->rx, b->rx.req_cons + i)->req);
        pass.id[i] = req.id;
        pass.copy[i] = (struct os_copy){ .ref = req.gref, .len = (uint16_t)f->len, .local = f->data, .to_guest = true, .status = -1 };
    }
    b->rx.req_cons += n;
}

static void answer(struct netback *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct net_frame *f = queue_at(b, i);
        bool ok = pass.copy[i].status == 0;
        struct netif_rx_response rsp = {
            .id = pass.id[i], .status = ok ? (int16_t)f->len : NETIF_RSP_ERROR,
            .flags = f->flags & NET_CSUM_PARTIAL ? NETRXF_csum_blank | NETRXF_data_validated : f->flags & NET_CSUM_GOOD ? NETRXF_data_validated : 0,
        };
        RING_SLOT(&b->rx, b->rx.rsp_prod_pvt++)->rsp = rsp;         /* R1 */
        if (ok)
            b->count.rx_frames++;
        else
            b->count.rx_errors++;
    }
}

bool back_rx(struct netback *b)
{
    struct netif_rx_sring *s = b->rx.sring;
    bool any = false;
    unsigned n;
    while (b->connected && !b->broken && b->queue_count && (n = buffers(b)) > 0) {
        plan(b, n);
        b->count.copies++;
        os_grant_copy(b->domid, pass.copy, n);
        answer(b, n);
        queue_drop_first(b, n);
        b->stalled_at = 0;
        any = true;
    }
    if (any && ring_publish(&s->rsp_prod, &s->rsp_event, b->rx.rsp_prod_pvt)) {
        b->count.kicks++;
        os_event_send(b->event);
    }
    return any;
}

void netback_kick(struct netback *b) { back_rx(b); }
