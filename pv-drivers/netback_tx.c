/* SPDX-License-Identifier: MIT */
/* netback_tx.c: frames out of a guest. SPEC 11.5.
 *
 * A pass takes at most a budget of requests off the ring, each read once into our memory and judged there; then one hypercall
 * copies all their bytes into frames of ours; then the frames go their way and the answers go home. The guest can write ring and
 * pages as it likes meanwhile: nothing is looked at twice.
 *
 * T1  A frame's parts lie each in one page of the guest's, and together in one of ours: sizes are checked before a copy is made.
 * T2  Every slot consumed is answered once, in order, so the answers never overtake the requests.
 * T3  What no honest frontend does (an index beyond the ring, a chain without end, a part across a page) stops the vif.
 *     What an honest one may get wrong (a grant that is gone, a frame too long) is answered with an error.          */
#include "pv-drivers/netback_ring.h"

#define PASS_FRAMES 64u
#define PASS_SLOTS  192u
#define MOST_PARTS  XEN_NETIF_NR_SLOTS_MIN
#define MOST_EXTRAS 4u
#define BURST_BYTES 65536u        /* a rate below a frame still lets frames through */

/* One frame on its way. */
struct work {
    struct net_frame frame;
    unsigned         copy, copies;           /* which of the copies are its          */
    uint16_t         flags;                  /* NETTXF_*                             */
    int16_t          status;                 /* the answer                           */
};

/* Parts as the guest wrote them, read once. */
struct chain {
    struct netif_tx_request part[MOST_PARTS];
    unsigned                parts, slots, extras;
    uint16_t                size;            /* the whole frame's                    */
    bool                    gso;
    uint16_t                id[MOST_PARTS + MOST_EXTRAS];
    bool                    extra[MOST_PARTS + MOST_EXTRAS];
};

/* A pass never sleeps, so one set serves all. */
static struct {
    struct work    work[PASS_FRAMES];
    struct os_copy copy[PASS_SLOTS];
    struct { uint16_t id; int16_t work; } slot[PASS_SLOTS];      /* work -1: extra information */
    unsigned       works, copies, slots;
} pass;

/* ---- Reading the ring ---- */

static const char *read_extras(struct netback *b, struct chain *c, uint32_t avail)
{
    struct netif_extra_info x;
    do {
        if (c->slots >= avail)
            return "extra information is missing";
        if (c->extras == MOST_EXTRAS)
            return "too much extra information";
        RING_COPY_OUT(&x, RING_SLOT(&b->tx, b->tx.req_cons + c->slots));
        if (x.type == XEN_NETIF_EXTRA_TYPE_NONE || x.type >= XEN_NETIF_EXTRA_TYPE_MAX)
            return "extra information of a type that there is not";
        c->gso |= x.type == XEN_NETIF_EXTRA_TYPE_GSO;
        c->id[c->slots] = 0;
        c->extra[c->slots++] = true;
        c->extras++;
    } while (x.flags & XEN_NETIF_EXTRA_FLAG_MORE);
    return 0;
}

/* T1. Null, or what is wrong. The first part's size is the whole frame's, less the others'. */
static const char *read_chain(struct netback *b, struct chain *c, uint32_t avail)
{
    struct netif_tx_request *r;
    uint32_t others = 0;
    c->parts = c->slots = c->extras = 0;
    c->gso = false;
    do {
        if (c->slots >= avail)
            return "a frame without its end";
        if (c->parts == MOST_PARTS)
            return "a frame in too many parts";
        r = &c->part[c->parts];
        RING_COPY_OUT(r, &RING_SLOT(&b->tx, b->tx.req_cons + c->slots)->req);
        c->id[c->slots] = r->id;
        c->extra[c->slots++] = false;
        if (c->parts++ == 0) {
            c->size = r->size;
            const char *wrong = r->flags & NETTXF_extra_info ? read_extras(b, c, avail) : 0;
            if (wrong)
                return wrong;
            continue;
        }
        others += r->size;
        if ((uint32_t)r->offset + r->size > 4096u)
            return "a part that crosses its page";
    } while (r->flags & NETTXF_more_data);
    if (others >= c->size && c->parts > 1)
        return "parts longer than their frame";
    c->part[0].size = (uint16_t)(c->size - others);
    if ((uint32_t)c->part[0].offset + c->part[0].size > 4096u)
        return "a part that crosses its page";
    return 0;
}

/* ---- The rate: so many bytes an interval, saved up to one interval's ---- */

static bool credit_for(struct netback *b, uint32_t size)
{
    uint64_t now, passed, most;
    if (!b->rate_bytes)
        return true;
    now = os_now_ns();
    passed = (now - b->credit_at) / b->rate_ns;
    if (passed) {
        most = b->rate_bytes > BURST_BYTES ? b->rate_bytes : BURST_BYTES;
        b->credit = passed > most / b->rate_bytes ? most : b->credit + passed * b->rate_bytes;
        if (b->credit > most)
            b->credit = most;
        b->credit_at += passed * b->rate_ns;
    }
    if (b->credit >= size) {
        b->credit -= size;
        return true;
    }
    b->count.rate_waits++;
    os_timer_set(&b->wake, (unsigned)((b->credit_at + b->rate_ns - now) / 1000000u) + 1, back_wake, b);
    return false;
}

/* ---- Deciding ---- */

static void plan_copies(struct work *w, const struct chain *c)
{
    uint8_t *to = w->frame.data;
    for (unsigned i = 0; i < c->parts; i++) {
        const struct netif_tx_request *r = &c->part[i];
        if (!r->size)
            continue;
        pass.copy[pass.copies++] = (struct os_copy){ .ref = r->gref, .offset = r->offset, .len = r->size, .local = to };
        to += r->size;
        w->copies++;
    }
    w->frame.len = c->size;
}

static void plan(struct netback *b, const struct chain *c)
{
    struct work *w = &pass.work[pass.works];
    *w = (struct work){ .copy = pass.copies, .flags = c->part[0].flags };
    for (unsigned i = 0; i < c->slots; i++) {
        pass.slot[pass.slots].id = c->id[i];
        pass.slot[pass.slots++].work = c->extra[i] ? -1 : (int16_t)pass.works;
    }
    pass.works++;
    b->tx.req_cons += c->slots;
    if (c->gso || c->size < NET_HEADER || c->size > NET_FRAME_MAX)
        w->status = NETIF_RSP_ERROR;
    else if (!net_frame_alloc(&w->frame))
        w->status = NETIF_RSP_DROPPED;
    else
        plan_copies(w, c);
}

/* True: the ring holds more than this pass took and credit allows. */
static bool collect(struct netback *b)
{
    struct chain c;
    int32_t waiting = ring_waiting(&b->tx.sring->req_prod, b->tx.req_cons, BACK_SLOTS);
    uint32_t end = b->tx.req_cons + (uint32_t)waiting;
    pass.works = pass.copies = pass.slots = 0;
    if (waiting < 0) {
        back_break(b, "the transmit index is beyond it");
        return false;
    }
    while (b->tx.req_cons != end) {
        if (pass.works == PASS_FRAMES || pass.slots + MOST_PARTS + MOST_EXTRAS > PASS_SLOTS)
            return true;
        const char *wrong = read_chain(b, &c, end - b->tx.req_cons);
        if (wrong) {
            back_break(b, wrong);
            return false;
        }
        if (!credit_for(b, c.size))
            return false;
        plan(b, &c);
    }
    return ring_arm(&b->tx.sring->req_prod, &b->tx.sring->req_event, b->tx.req_cons);
}

/* ---- Doing ---- */

static void forward(struct netback *b, struct work *w)
{
    bool ok = w->status == NETIF_RSP_OKAY;
    for (unsigned i = 0; i < w->copies; i++)
        ok &= pass.copy[w->copy + i].status == 0;
    if (ok && (w->flags & NETTXF_csum_blank))
        ok = net_csum_place(&w->frame);
    else if (ok && (w->flags & NETTXF_data_validated))
        w->frame.flags |= NET_CSUM_GOOD;
    if (ok) {
        b->count.tx_frames++;
        net_receive(b->port, &w->frame);
        return;
    }
    if (w->status == NETIF_RSP_OKAY)
        w->status = NETIF_RSP_ERROR;
    if (w->frame.owner)
        net_frame_free(&w->frame);
    b->count.tx_errors++;
}

/* T2 */
static void answer(struct netback *b)
{
    struct netif_tx_sring *s = b->tx.sring;
    for (unsigned i = 0; i < pass.slots; i++) {
        int work = pass.slot[i].work;
        struct netif_tx_response rsp = { pass.slot[i].id, work < 0 ? NETIF_RSP_NULL : pass.work[work].status };
        RING_SLOT(&b->tx, b->tx.rsp_prod_pvt++)->rsp = rsp;
    }
    if (ring_publish(&s->rsp_prod, &s->rsp_event, b->tx.rsp_prod_pvt)) {
        b->count.kicks++;
        os_event_send(b->event);
    }
}

bool back_tx(struct netback *b, bool *did_work)
{
    bool more = collect(b);
    if (!pass.slots)
        return more;
    *did_work = true;
    b->count.passes++;
    if (pass.copies) {
        b->count.copies++;
        for (unsigned i = 0; i < pass.copies; i++)
            pass.copy[i].status = -1;
        os_grant_copy(b->domid, pass.copy, pass.copies);
    }
    for (unsigned i = 0; i < pass.works; i++)
        forward(b, &pass.work[i]);
    answer(b);
    net_receive_done(b->port);
    return more && !b->broken;
}
