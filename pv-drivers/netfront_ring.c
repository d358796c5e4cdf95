/* SPDX-License-Identifier: MIT */
/* netfront_ring.c: frames out and in through the rings.
 *
 * Nothing is copied here: a frame to send is granted where it lies until the backend answers, and the backend fills pages that
 * were granted before. The backend serves us and is trusted with our traffic, not with our memory: its answers are checked. */
#include "pv-drivers/netfront_ring.h"

#define REFILL_MS   20
#define RX_MINIMUM  16u           /* with fewer buffers than this out, memory is asked for again */

/* ---- The queue before the ring ---- */

static bool queue_push(struct netfront *f, const struct net_frame *frame)
{
    if (f->queue_count == FRONT_QUEUE)
        return false;
    f->queue[(f->queue_head + f->queue_count++) % FRONT_QUEUE] = *frame;
    return true;
}

static void queue_push_front(struct netfront *f, const struct net_frame *frame)
{
    f->queue_head = (f->queue_head + FRONT_QUEUE - 1) % FRONT_QUEUE;
    f->queue[f->queue_head] = *frame;
    f->queue_count++;
}

static struct net_frame queue_pop(struct netfront *f)
{
    struct net_frame frame = f->queue[f->queue_head];
    f->queue_head = (f->queue_head + 1) % FRONT_QUEUE;
    f->queue_count--;
    return frame;
}

static void drop(struct netfront *f, struct net_frame *frame)
{
    f->count.tx_dropped++;
    net_frame_free(frame);
}

void front_queue_drop(struct netfront *f)
{
    while (f->queue_count) {
        struct net_frame frame = queue_pop(f);
        drop(f, &frame);
    }
}

/* ---- Sending ---- */

/* F1. The backend has it still: it keeps the page until it lets go, and the frame is gone for us. */
static bool slot_end(struct front_slot *s)
{
    uint32_t ref = s->ref;
    s->ref = 0;
    if (os_grant_end(ref))
        return true;
    os_grant_end_and_free(ref, net_frame_take_page(&s->frame));
    return false;
}

static void tx_put(struct netfront *f, struct net_frame *frame)
{
    int ref = os_grant(f->domid, os_frame(frame->page), true);
    if (ref < 0) {
        drop(f, frame);
        return;
    }
    uint16_t id = f->tx_free[--f->tx_free_count];
    bool blank = frame->flags & NET_CSUM_PARTIAL;
    struct netif_tx_request req = {
        .gref = (uint32_t)ref, .offset = (uint16_t)((uintptr_t)frame->data & 4095), .id = id, .size = (uint16_t)frame->len,
        .flags = blank ? NETTXF_csum_blank | NETTXF_data_validated : frame->flags & NET_CSUM_GOOD ? NETTXF_data_validated : 0,
    };
    f->tx_slot[id] = (struct front_slot){ *frame, (uint32_t)ref };
    f->tx_order[f->tx.req_prod_pvt % FRONT_SLOTS] = id;
    RING_SLOT(&f->tx, f->tx.req_prod_pvt)->req = req;
    f->tx.req_prod_pvt++;
    f->count.tx_frames++;
}

static void tx_fill(struct netfront *f)
{
    while (f->queue_count && f->tx_free_count) {
        struct net_frame frame = queue_pop(f);
        tx_put(f, &frame);
    }
}

static void tx_publish(struct netfront *f)
{
    struct netif_tx_sring *s = f->tx.sring;
    if (f->tx.req_prod_pvt != s->req_prod && ring_publish(&s->req_prod, &s->req_event, f->tx.req_prod_pvt)) {
        f->count.tx_kicks++;
        os_event_send(f->event);
    }
}

static void tx_answer(struct netfront *f, const struct netif_tx_response *rsp)
{
    if (rsp->status == NETIF_RSP_NULL)
        return;
    if (rsp->id >= FRONT_SLOTS || !f->tx_slot[rsp->id].ref) {
        f->count.tx_errors++;                       /* an answer that was not asked for */
        return;
    }
    if (rsp->status != NETIF_RSP_OKAY)
        f->count.tx_errors++;
    struct front_slot *s = &f->tx_slot[rsp->id];
    if (slot_end(s))
        net_frame_free(&s->frame);
    f->tx_free[f->tx_free_count++] = rsp->id;
}

/* What the backend has answered so far. False: it answers more than it was asked. */
static bool tx_answers(struct netfront *f)
{
    int32_t n = ring_waiting(&f->tx.sring->rsp_prod, f->tx.rsp_cons, f->tx.req_prod_pvt - f->tx.rsp_cons);
    if (n < 0)
        f->count.tx_errors++;
    for (int32_t i = 0; i < n; i++) {
        struct netif_tx_response rsp;
        RING_COPY_OUT(&rsp, &RING_SLOT(&f->tx, f->tx.rsp_cons)->rsp);
        f->tx.rsp_cons++;
        tx_answer(f, &rsp);
    }
    return n >= 0;
}

/* We are woken when half of what is out has been answered: one event for many frames, and none is left lying for long. (Asking
 * for none at all below 64 was measured: a stream to us gets slower by a third.) */
static void tx_reap(struct netfront *f)
{
    struct netif_tx_sring *s = f->tx.sring;
    for (int rounds = 0; rounds < 2; rounds++) {
        if (!tx_answers(f))
            return;
        ring_arm(&s->rsp_prod, &s->rsp_event, f->tx.rsp_cons + (f->tx.req_prod_pvt - f->tx.rsp_cons) / 2);
        if (ring_load(&s->rsp_prod) == f->tx.rsp_cons)
            return;
    }
    os_event_raise(f->event);
}

void netfront_transmit(struct netfront *f, struct net_frame *frame)
{
    if (f->connected && !f->queue_count && !f->tx_free_count)
        tx_reap(f);
    if (f->connected && !f->queue_count && f->tx_free_count)
        tx_put(f, frame);
    else if (!queue_push(f, frame))
        drop(f, frame);
}

void netfront_kick(struct netfront *f)
{
    if (!f->connected)
        return;
    if (f->tx_free_count < FRONT_SLOTS / 2)
        tx_reap(f);
    tx_fill(f);
    tx_publish(f);
}

/* ---- Receiving ---- */

static void rx_refill(struct netfront *f);

static void rx_refill_later(void *arg)
{
    struct netfront *f = arg;
    if (f->connected)
        rx_refill(f);
}

static bool rx_post(struct netfront *f)
{
    uint32_t at = f->rx.req_prod_pvt % FRONT_SLOTS;
    struct front_slot *s = &f->rx_slot[at];
    if (!net_frame_alloc(&s->frame))
        return false;
    int ref = os_grant(f->domid, os_frame(s->frame.page), false);
    if (ref < 0) {
        net_frame_free(&s->frame);
        return false;
    }
    s->ref = (uint32_t)ref;
    RING_SLOT(&f->rx, f->rx.req_prod_pvt)->req = (struct netif_rx_request){ .id = (uint16_t)at, .gref = s->ref };
    f->rx.req_prod_pvt++;
    return true;
}

static void rx_refill(struct netfront *f)
{
    struct netif_rx_sring *s = f->rx.sring;
    while (f->rx.req_prod_pvt - f->rx.rsp_cons < FRONT_SLOTS && rx_post(f))
        ;
    if (f->rx.req_prod_pvt != s->req_prod && ring_publish(&s->req_prod, &s->req_event, f->rx.req_prod_pvt))
        os_event_send(f->event);
    if (f->rx.req_prod_pvt - f->rx.rsp_cons < RX_MINIMUM)
        os_timer_set(&f->refill, REFILL_MS, rx_refill_later, f);
}

static void rx_deliver(struct netfront *f, struct net_frame *frame, uint16_t flags)
{
    if (frame->len < NET_HEADER) {
        f->count.rx_errors++;
        net_frame_free(frame);
        return;
    }
    frame->flags = flags & NETRXF_data_validated ? NET_CSUM_GOOD : 0;
    if (flags & NETRXF_csum_blank)
        net_csum_place(frame);
    f->count.rx_frames++;
    net_receive(f->port, frame);
}

static void gather_end(struct netfront *f, uint16_t flags)
{
    f->gathering = false;
    if (!f->gather_bad) {
        rx_deliver(f, &f->gather, flags);
        return;
    }
    f->count.rx_errors++;
    net_frame_free(&f->gather);
}

/* A further part goes behind the first, in whose page there is room for as long a frame as we ever take. */
static void gather_add(struct netfront *f, struct net_frame *part, bool bad)
{
    struct net_frame *g = &f->gather;
    size_t used = (size_t)(g->data - (uint8_t *)g->page) + g->len;
    if (bad || f->gather_bad || used + part->len > 4096)
        f->gather_bad = true;
    else {
        __builtin_memcpy(g->data + g->len, part->data, part->len);
        g->len += part->len;
    }
    net_frame_free(part);
}

static void rx_part(struct netfront *f, struct front_slot *s, const struct netif_rx_response *rsp)
{
    bool bad = rsp->status < 0 || rsp->offset > 4096u || (uint32_t)rsp->offset + (uint32_t)rsp->status > 4096u;
    bool more = rsp->flags & NETRXF_more_data;
    if (!slot_end(s)) {                             /* the page is not ours to read: the whole frame is lost */
        f->count.rx_errors++;
        f->gather_bad = true;
        if (f->gathering && !more)
            gather_end(f, 0);
        return;
    }
    s->frame.data = (uint8_t *)s->frame.page + (bad ? 0 : rsp->offset);
    s->frame.len = bad ? 0 : (uint32_t)rsp->status;
    if (f->gathering) {
        gather_add(f, &s->frame, bad);
    } else if (!more && !bad) {
        rx_deliver(f, &s->frame, rsp->flags);
        return;
    } else {
        f->gather = s->frame;
        f->gathering = true;
        f->gather_bad = bad;
    }
    if (!more)
        gather_end(f, rsp->flags);
}

/* Extra information takes a response's place and with it a buffer, which comes back empty. We asked for none of what it tells. */
static void rx_extra(struct netfront *f, struct front_slot *s, const struct netif_extra_info *x)
{
    f->extra_next = x->flags & XEN_NETIF_EXTRA_FLAG_MORE;
    if (slot_end(s))
        net_frame_free(&s->frame);
}

static void rx_slot(struct netfront *f, uint32_t at)
{
    struct front_slot *s = &f->rx_slot[at % FRONT_SLOTS];
    union netif_rx_sring_entry e;
    RING_COPY_OUT(&e.rsp, &RING_SLOT(&f->rx, at)->rsp);
    if (f->extra_next) {
        struct netif_extra_info x;
        __builtin_memcpy(&x, &e, sizeof(x));
        rx_extra(f, s, &x);
        return;
    }
    f->extra_next = e.rsp.flags & NETRXF_extra_info;
    rx_part(f, s, &e.rsp);
}

/* One round, as much as was there when it began; more comes as a new event, so that a flood leaves the kernel its turns. */
static void rx_reap(struct netfront *f)
{
    struct netif_rx_sring *s = f->rx.sring;
    int32_t n = ring_waiting(&s->rsp_prod, f->rx.rsp_cons, f->rx.req_prod_pvt - f->rx.rsp_cons);
    if (n < 0) {
        f->count.rx_errors++;
        return;
    }
    for (int32_t i = 0; i < n; i++)
        rx_slot(f, f->rx.rsp_cons++);
    if (n > 0 || f->rx.req_prod_pvt - f->rx.rsp_cons < RX_MINIMUM)
        rx_refill(f);
    if (n > 0)
        net_receive_done(f->port);
    if (ring_arm(&s->rsp_prod, &s->rsp_event, f->rx.rsp_cons))
        os_event_raise(f->event);
}

void front_event(void *arg)
{
    struct netfront *f = arg;
    f->count.events++;
    if (!f->connected)
        return;
    tx_reap(f);
    tx_fill(f);
    tx_publish(f);
    rx_reap(f);
}

/* ---- Beginning and end ---- */

void front_rings_start(struct netfront *f)
{
    f->tx.req_prod_pvt = f->tx.rsp_cons = f->rx.req_prod_pvt = f->rx.rsp_cons = 0;
    f->tx.nr_ents = f->rx.nr_ents = FRONT_SLOTS;
    for (f->tx_free_count = 0; f->tx_free_count < FRONT_SLOTS; f->tx_free_count++)
        f->tx_free[f->tx_free_count] = (uint16_t)(FRONT_SLOTS - 1 - f->tx_free_count);
    f->gathering = f->gather_bad = f->extra_next = false;
    f->connected = true;
    rx_refill(f);
    tx_fill(f);
    tx_publish(f);
}

/* What was sent and not answered is sent again, before all else and in its order, once there is a backend: the old one may have
 * passed it on or not, and the network allows for both. */
static void tx_take_back(struct netfront *f)
{
    for (uint32_t at = f->tx.req_prod_pvt; at != f->tx.rsp_cons;) {
        struct front_slot *s = &f->tx_slot[f->tx_order[--at % FRONT_SLOTS]];
        if (!s->ref || !slot_end(s))
            continue;
        if (f->queue_count < FRONT_QUEUE)
            queue_push_front(f, &s->frame);
        else
            drop(f, &s->frame);
    }
    for (unsigned i = 0; i < FRONT_SLOTS; i++)      /* answered out of order, by a backend that we do not know */
        if (f->tx_slot[i].ref && slot_end(&f->tx_slot[i]))
            net_frame_free(&f->tx_slot[i].frame);
}

void front_rings_stop(struct netfront *f)
{
    f->connected = false;
    os_timer_cancel(&f->refill);
    tx_answers(f);
    tx_take_back(f);
    for (unsigned i = 0; i < FRONT_SLOTS; i++)
        if (f->rx_slot[i].ref && slot_end(&f->rx_slot[i]))
            net_frame_free(&f->rx_slot[i].frame);
    if (f->gathering)
        net_frame_free(&f->gather);
    f->gathering = false;
}
