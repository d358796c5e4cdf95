/* SPDX-License-Identifier: MIT */
/* netback_tx.c: frames out of a guest. SPEC 11.5.
 *
 * A pass takes at most a budget of requests off the ring, each read once into our memory and judged there; then one hypercall
 * copies all their bytes into frames of ours; then the frames go their way and the answers go home. The guest can write ring and
 * pages as it likes meanwhile: nothing is looked at twice. A large TCP segment becomes frames of the size it names (net_gso.c): its
 * headers are copied first, by themselves, and what they say decides where the rest is copied to.
 *
 * T1  A frame's parts lie each in one page of the guest's, and together in one of ours: sizes are checked before a copy is made.
 * T2  Every slot consumed is answered once, in order, so the answers never overtake the requests.
 * T3  What no honest frontend does (an index beyond the ring, a chain without end, a part across a page) stops the vif.
 *     What an honest one may get wrong (a grant that is gone, a frame too long) is answered with an error.          */
#include "pv-drivers/net_gso.h"
#include "pv-drivers/netback_ring.h"

#define PASS_FRAMES 64u           /* after so many, no further one is begun */
#define GSO_MOST    256u          /* frames out of one: a guest's single request shall not cost us more */
#define WORKS_MOST  (PASS_FRAMES + GSO_MOST)
#define PASS_SLOTS  192u
#define MOST_PARTS  XEN_NETIF_NR_SLOTS_MIN
#define MOST_EXTRAS 4u
#define BURST_BYTES 65536         /* a rate below a frame still lets frames through */

/* One frame on its way. */
struct work {
    struct net_frame frame;
    unsigned         copy, copies;           /* which of the copies are its          */
    uint16_t         flags;                  /* NETTXF_*                             */
    int16_t          status;                 /* the answer                           */
    unsigned         head;                   /* whose status the answer is: its own, or the first segment's */
};

/* Parts as the guest wrote them, read once. */
struct chain {
    struct netif_tx_request part[MOST_PARTS];
    unsigned                parts, slots, extras;
    uint16_t                size;            /* the whole frame's                    */
    uint16_t                gso_size;        /* 0: a frame as it is                   */
    uint16_t                id[MOST_PARTS + MOST_EXTRAS];
    bool                    extra[MOST_PARTS + MOST_EXTRAS];
};

/* A pass never sleeps, so one set serves all. */
static struct {
    struct work    work[WORKS_MOST];
    struct os_copy copy[PASS_SLOTS + WORKS_MOST];               /* a segment's bytes may begin within a part */
    struct { uint16_t id; int16_t work; } slot[PASS_SLOTS];      /* work -1: extra information */
    unsigned       works, copies, slots;
} pass;

/* ---- Reading the ring ---- */

static const char *read_gso(struct chain *c, const struct netif_extra_info *x)
{
    if (x->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4)
        return "segments of a kind that was not offered";
    if (!x->u.gso.size)
        return "segments without a size";
    c->gso_size = x->u.gso.size;
    return 0;
}

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
        const char *wrong = x.type == XEN_NETIF_EXTRA_TYPE_GSO ? read_gso(c, &x) : 0;
        if (wrong)
            return wrong;
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
    c->gso_size = 0;
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
    uint64_t now, passed;
    int64_t most, rate = (int64_t)b->rate_bytes;
    if (!rate)
        return true;
    now = os_now_ns();
    passed = (now - b->credit_at) / b->rate_ns;
    if (passed) {
        most = rate > BURST_BYTES ? rate : BURST_BYTES;
        b->credit = passed > (uint64_t)((most - b->credit) / rate) ? most : b->credit + (int64_t)passed * rate;
        b->credit_at += passed * b->rate_ns;
    }
    if (b->credit >= (int64_t)size) {
        b->credit -= (int64_t)size;
        return true;
    }
    b->count.rate_waits++;
    os_timer_set(&b->wake, (unsigned)((b->credit_at + b->rate_ns - now) / 1000000u) + 1, back_wake, b);
    return false;
}

/* ---- Deciding ---- */

/* The copies that bring [from, from + len) of a frame to `to`. */
static void plan_copies(struct work *w, const struct chain *c, uint32_t from, uint32_t len, uint8_t *to)
{
    for (unsigned i = 0; i < c->parts && len; i++) {
        const struct netif_tx_request *r = &c->part[i];
        if (from >= r->size) {
            from -= r->size;
            continue;
        }
        uint32_t n = r->size - from < len ? r->size - from : len;
        pass.copy[pass.copies++] = (struct os_copy){ .ref = r->gref, .offset = (uint16_t)(r->offset + from), .len = (uint16_t)n, .local = to };
        w->copies++;
        to += n;
        len -= n;
        from = 0;
    }
}

static struct work *work_new(const struct chain *c, unsigned head)
{
    struct work *w = &pass.work[pass.works++];
    *w = (struct work){ .copy = pass.copies, .flags = c->part[0].flags, .head = head };
    return w;
}

static void plan_frame(struct work *w, const struct chain *c)
{
    if (c->size < NET_HEADER || c->size > NET_FRAME_MAX)
        w->status = NETIF_RSP_ERROR;
    else if (!net_frame_alloc(&w->frame))
        w->status = NETIF_RSP_DROPPED;
    else {
        plan_copies(w, c, 0, c->size, w->frame.data);
        w->frame.len = c->size;
    }
}

/* Through the frame that the first segment will lie in. */
static bool read_headers(struct netback *b, struct work *w, const struct chain *c, struct net_gso *g)
{
    bool ok = true;
    w->frame.len = c->size < NET_GSO_HEADERS ? c->size : NET_GSO_HEADERS;
    plan_copies(w, c, 0, w->frame.len, w->frame.data);
    os_grant_copy(b->domid, &pass.copy[w->copy], w->copies);
    for (unsigned i = 0; i < w->copies; i++)
        ok &= pass.copy[w->copy + i].status == 0;
    pass.copies = w->copy;
    w->copies = 0;
    b->count.copies++;
    return ok && net_gso_read(g, &w->frame, c->size, c->gso_size) && g->segments <= GSO_MOST;
}

static void plan_segments(struct netback *b, struct work *w, const struct chain *c)
{
    struct net_gso g;
    unsigned head = w->head;
    if (!net_frame_alloc(&w->frame)) {
        w->status = NETIF_RSP_DROPPED;
        return;
    }
    if (!read_headers(b, w, c, &g)) {
        w->status = NETIF_RSP_ERROR;
        return;
    }
    if (b->rate_bytes)
        b->credit -= (int64_t)(g.segments - 1) * g.headers;       /* credit_for() knew of one frame's headers only */
    for (unsigned i = 0;; w = work_new(c, head)) {
        if (i > 0 && !net_frame_alloc(&w->frame)) {
            w->status = NETIF_RSP_DROPPED;              /* those before it go; TCP sends the rest again */
            return;
        }
        uint32_t len = net_gso_header(&g, i, &w->frame);
        plan_copies(w, c, g.headers + i * g.size, len, w->frame.data + g.headers);
        w->flags |= NETTXF_csum_blank;                  /* whatever the guest says: the sum is of what we make */
        if (++i == g.segments)
            return;
    }
}

static void plan(struct netback *b, const struct chain *c)
{
    unsigned head = pass.works;
    for (unsigned i = 0; i < c->slots; i++) {
        pass.slot[pass.slots].id = c->id[i];
        pass.slot[pass.slots++].work = c->extra[i] ? -1 : (int16_t)head;
    }
    b->tx.req_cons += c->slots;
    struct work *w = work_new(c, head);
    if (c->gso_size)
        plan_segments(b, w, c);
    else
        plan_frame(w, c);
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
        if (pass.works >= PASS_FRAMES || pass.slots + MOST_PARTS + MOST_EXTRAS > PASS_SLOTS)
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
    pass.work[w->head].status = w->status;
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
    if (b->over >= PASS_FRAMES) {                       /* this turn was used up before */
        b->over -= PASS_FRAMES;
        return true;
    }
    bool more = collect(b);
    if (pass.works > PASS_FRAMES)
        b->over += pass.works - PASS_FRAMES;
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
