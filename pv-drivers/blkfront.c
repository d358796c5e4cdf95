/* SPDX-License-Identifier: MIT */
/* blkfront.c: a disk's requests, onto the ring and back.
 *
 * Each request has a slot from submission to completion. A slot waits until there is room on the ring, grants the memory
 * it names to the backend for just as long as the request is under way, and is turned into one ring request, or several in a row
 * if the backend takes fewer segments at once. When the backend goes away the slots that were on the ring wait again, with the grants
 * that they hold, and go out anew when the next one has come: nobody above sees more than a pause.           */
#include "pv-drivers/blkfront_ring.h"
#include "hypercall-abi/errno.h"

#define RETRY_MS        20

/* ---- Grants of one slot ---- */

static uint32_t *slot_ref(struct blkfront_slot *s, unsigned i)
{
    return s->chunk > BLKIF_MAX_SEGMENTS_PER_REQUEST ? &s->indirect[i].gref : &s->refs[i];
}

/* Ends what is granted; false if the backend still has some of it mapped: those stay. */
static bool slot_ungrant(struct blkfront_slot *s)
{
    while (s->nrefs) {
        if (!os_grant_end(*slot_ref(s, s->nrefs - 1)))
            return false;
        s->nrefs--;
    }
    return true;
}

static bool slot_indirect_page(struct blkfront *f, struct blkfront_slot *s)
{
    if (s->indirect)
        return true;
    void *page = os_page_alloc();
    if (!page)
        return false;
    int ref = os_grant(f->bus->other_domid, os_frame(page), true);
    if (ref < 0) {
        os_page_free(page);
        return false;
    }
    s->indirect = page;
    s->indirect_ref = (uint32_t)ref;
    return true;
}

/* Grants the next segments, as many as the backend takes at once. They may be granted already, for a backend that went away. */
static bool slot_grant(struct blkfront *f, struct blkfront_slot *s)
{
    unsigned left = s->io.nsegs - s->done_segs;
    bool only_read = s->io.op == PV_BLK_WRITE;
    if (s->nrefs && s->chunk <= f->max_segs)
        return true;
    if (!slot_ungrant(s))
        return false;
    s->chunk = left < f->max_segs ? left : f->max_segs;
    if (s->chunk > BLKIF_MAX_SEGMENTS_PER_REQUEST && !slot_indirect_page(f, s))
        s->chunk = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    s->chunk_sectors = 0;
    for (unsigned i = 0; i < s->chunk; i++) {
        const struct pv_blk_seg *seg = &s->io.segs[s->done_segs + i];
        int ref = os_grant(f->bus->other_domid, seg->frame, only_read);
        if (ref < 0) {
            slot_ungrant(s);
            return false;
        }
        *slot_ref(s, i) = (uint32_t)ref;
        s->nrefs = i + 1;
        s->chunk_sectors += seg->len / PV_SECTOR;
    }
    return true;
}

/* ---- Onto the ring ---- */

static void fill_segs(const struct blkfront_slot *s, struct blkif_request_segment *to, const uint32_t *refs)
{
    for (unsigned i = 0; i < s->chunk; i++) {
        const struct pv_blk_seg *seg = &s->io.segs[s->done_segs + i];
        if (refs)
            to[i].gref = refs[i];
        to[i].first_sect = (uint8_t)(seg->offset / PV_SECTOR);
        to[i].last_sect = (uint8_t)((seg->offset + seg->len) / PV_SECTOR - 1);
    }
}

static void put_transfer(struct blkfront *f, struct blkfront_slot *s, struct blkif_request *r, uint64_t id)
{
    uint8_t op = s->io.op == PV_BLK_WRITE ? BLKIF_OP_WRITE : BLKIF_OP_READ;
    if (s->chunk <= BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        *r = (struct blkif_request){ .operation = op, .nr_segments = (uint8_t)s->chunk, .handle = f->vdev_low, .id = id,
                                     .sector_number = s->io.sector + s->done_sectors };
        fill_segs(s, r->seg, s->refs);
        return;
    }
    struct blkif_request_indirect *in = (struct blkif_request_indirect *)r;
    *in = (struct blkif_request_indirect){ .operation = BLKIF_OP_INDIRECT, .indirect_op = op, .nr_segments = (uint16_t)s->chunk, .id = id,
                                           .sector_number = s->io.sector + s->done_sectors, .handle = f->vdev_low,
                                           .indirect_grefs = { s->indirect_ref } };
    fill_segs(s, s->indirect, 0);
}

static void put_request(struct blkfront *f, struct blkfront_slot *s)
{
    struct blkif_request *r = &RING_SLOT(&f->ring, f->ring.req_prod_pvt)->req;
    uint64_t id = (uint64_t)(s - f->slots);
    if (s->flushing || s->io.op == PV_BLK_FLUSH) {
        uint8_t op = f->flush ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE_BARRIER;
        *r = (struct blkif_request){ .operation = op, .handle = f->vdev_low, .id = id, .sector_number = 0 };
    } else if (s->io.op == PV_BLK_DISCARD) {
        struct blkif_request_discard *d = (struct blkif_request_discard *)r;
        *d = (struct blkif_request_discard){ .operation = BLKIF_OP_DISCARD, .handle = f->vdev_low, .id = id,
                                             .sector_number = s->io.sector, .nr_sectors = s->io.count };
    } else {
        put_transfer(f, s, r, id);
    }
    f->ring.req_prod_pvt++;
    f->on_ring++;
    s->state = SLOT_ON_RING;
}

static void wait_in_line(struct blkfront *f, struct blkfront_slot *s)
{
    s->state = SLOT_WAITING;
    s->next = 0;
    *f->waiting_end = s;
    f->waiting_end = &s->next;
}

static void retry(void *arg);

static void retry_later(struct blkfront *f)
{
    if (!f->retrying) {
        f->retrying = true;
        os_timer_set(&f->retry, RETRY_MS, retry, f);
    }
}

/* What waits goes onto the ring while there is room. */
static void pump(struct blkfront *f)
{
    while (f->connected && !f->broken && f->waiting && f->on_ring < f->ring.nr_ents) {
        struct blkfront_slot *s = f->waiting;
        bool transfers = !s->flushing && (s->io.op == PV_BLK_READ || s->io.op == PV_BLK_WRITE);
        if (transfers && !slot_grant(f, s)) {
            retry_later(f);                      /* no grant references just now */
            return;
        }
        f->waiting = s->next;
        if (!f->waiting)
            f->waiting_end = &f->waiting;
        put_request(f, s);
    }
}

void blkfront_kick(struct blkfront *f)
{
    if (!f->connected || f->in_handler || f->ring.req_prod_pvt == f->ring.sring->req_prod)
        return;
    if (ring_publish(&f->ring.sring->req_prod, &f->ring.sring->req_event, f->ring.req_prod_pvt))
        os_event_send((uint32_t)f->port);
}

bool blkfront_submit(struct blkfront *f, const struct blkfront_io *io)
{
    struct blkfront_slot *s = f->free;
    if (!s)
        return false;
    f->free = s->next;
    s->io = *io;
    s->flushing = false;
    s->status = 0;
    s->done_segs = s->chunk = s->nrefs = 0;
    s->done_sectors = 0;
    wait_in_line(f, s);
    pump(f);
    return true;
}

/* ---- Back from the ring ---- */

static void slot_finish(struct blkfront *f, struct blkfront_slot *s)
{
    void *token = s->io.token;
    int status = s->status;
    s->state = SLOT_FREE;
    s->next = f->free;
    f->free = s;
    blkfront_os_done(f, token, status);
}

/* The memory is the caller's again only when the backend has let go of it. */
static void slot_end(struct blkfront *f, struct blkfront_slot *s)
{
    s->state = SLOT_ENDING;
    if (!slot_ungrant(s)) {
        retry_later(f);
        return;
    }
    if (s->status == 0 && !s->flushing && s->done_segs < s->io.nsegs) {
        wait_in_line(f, s);                      /* the next part of a long request */
    } else if (s->status == 0 && !s->flushing && s->io.fua && (f->flush || f->barrier)) {
        s->flushing = true;
        wait_in_line(f, s);
    } else {
        slot_finish(f, s);
    }
}

static void retry(void *arg)
{
    struct blkfront *f = arg;
    f->retrying = false;
    for (unsigned i = 0; i < BLKFRONT_SLOTS; i++)
        if (f->slots[i].state == SLOT_ENDING)
            slot_end(f, &f->slots[i]);
    pump(f);
    blkfront_kick(f);
    blkfront_os_room(f);
}

static int status_of(struct blkfront *f, const struct blkfront_slot *s, int16_t status)
{
    if (status == BLKIF_RSP_OKAY)
        return 0;
    if (status != BLKIF_RSP_EOPNOTSUPP)
        return -XEN_EIO;
    if (s->io.op == PV_BLK_FLUSH || s->flushing)
        f->flush = f->barrier = false;           /* it said it could, and cannot */
    if (s->io.op == PV_BLK_DISCARD)
        f->discard = false;
    return -XEN_EOPNOTSUPP;
}

static bool take_response(struct blkfront *f, const struct blkif_response *r)
{
    struct blkfront_slot *s = r->id < BLKFRONT_SLOTS ? &f->slots[r->id] : 0;
    if (!s || s->state != SLOT_ON_RING)
        return false;
    f->on_ring--;
    s->status = status_of(f, s, r->status);
    if (!s->flushing) {
        s->done_segs += s->chunk;
        s->done_sectors += s->chunk_sectors;
    }
    slot_end(f, s);
    return true;
}

static void take_responses(struct blkfront *f)
{
    int32_t n = ring_waiting(&f->ring.sring->rsp_prod, f->ring.rsp_cons, f->on_ring);
    bool good = n >= 0;
    for (; good && n > 0; n--) {
        struct blkif_response r;
        RING_COPY_OUT(&r, &RING_SLOT(&f->ring, f->ring.rsp_cons)->rsp);
        f->ring.rsp_cons++;
        good = take_response(f, &r);
    }
    if (!good) {
        f->broken = true;
        os_log("blkfront: disk %u: the backend answers what was not asked; it is not listened to until it starts anew\n", f->bus->id);
    }
}

static void event(void *arg)
{
    struct blkfront *f = arg;
    if (!f->connected || f->broken)
        return;
    f->in_handler = true;
    do
        take_responses(f);
    while (!f->broken && ring_arm(&f->ring.sring->rsp_prod, &f->ring.sring->rsp_event, f->ring.rsp_cons));
    blkfront_os_room(f);
    pump(f);
    f->in_handler = false;
    blkfront_kick(f);
}

/* ---- The ring comes and goes ---- */

void blkfront_init(struct blkfront *f)
{
    f->port = -1;
    f->max_segs = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    f->waiting_end = &f->waiting;
    for (unsigned i = BLKFRONT_SLOTS; i-- > 0;) {
        f->slots[i].next = f->free;
        f->free = &f->slots[i];
    }
}

int blkfront_ring_make(struct blkfront *f, unsigned order)
{
    struct blkif_sring *shared = os_alloc((size_t)PV_PAGE << order);
    if (!shared)
        return -XEN_ENOMEM;
    RING_INIT_SHARED(shared);
    f->ring = (struct blkif_front_ring){ 0, 0, RING_SLOTS(blkif, (size_t)PV_PAGE << order), shared };
    f->order = order;
    f->on_ring = 0;
    f->broken = false;
    int rc = 0;
    unsigned n = 0;
    for (; n < 1u << order && rc >= 0; n++) {
        rc = os_grant(f->bus->other_domid, os_frame((char *)shared + n * PV_PAGE), false);
        f->ring_refs[n] = (uint32_t)rc;
    }
    if (rc >= 0)
        rc = f->port = os_event_alloc(f->bus->other_domid, event, f);
    else
        n--;
    if (rc >= 0)
        return 0;
    while (n-- > 0)
        os_grant_end(f->ring_refs[n]);
    os_free(shared);
    f->ring.sring = 0;
    f->port = -1;
    return rc;
}

static void ring_free(struct blkfront *f)
{
    bool free = true;
    if (!f->ring.sring)
        return;
    for (unsigned n = 0; n < 1u << f->order; n++)
        free &= os_grant_end(f->ring_refs[n]);
    if (free)
        os_free(f->ring.sring);                  /* else a few pages are lost: the backend still writes to them */
    f->ring.sring = 0;
    if (f->port >= 0)
        os_event_close((uint32_t)f->port);
    f->port = -1;
}

void blkfront_ring_drop(struct blkfront *f)
{
    f->connected = false;
    ring_free(f);
    for (unsigned i = 0; i < BLKFRONT_SLOTS; i++) {
        struct blkfront_slot *s = &f->slots[i];
        if (s->state == SLOT_ON_RING) {
            wait_in_line(f, s);
            f->resubmitted++;
        }
    }
    f->on_ring = 0;
}

void blkfront_ring_run(struct blkfront *f)
{
    f->connected = true;
    pump(f);
    blkfront_kick(f);
    blkfront_os_room(f);
    retry_later(f);                              /* the kernel's record of the timer is made now: when it is needed, swapping out may wait for it */
}

void blkfront_fail_all(struct blkfront *f, int err)
{
    f->waiting = 0;
    f->waiting_end = &f->waiting;
    for (unsigned i = 0; i < BLKFRONT_SLOTS; i++) {
        struct blkfront_slot *s = &f->slots[i];
        if (s->state != SLOT_FREE) {
            s->status = err;
            slot_end(f, s);
        }
    }
}

void blkfront_free_slots(struct blkfront *f)
{
    os_timer_cancel(&f->retry);
    for (unsigned i = 0; i < BLKFRONT_SLOTS; i++)
        if (f->slots[i].indirect)
            os_grant_end_and_free(f->slots[i].indirect_ref, f->slots[i].indirect);
}
