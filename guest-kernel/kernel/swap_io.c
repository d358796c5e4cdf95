/* SPDX-License-Identifier: MIT */
/* swap_io.c: pages on their way to and from a swap area, and the cache of slots that are in memory too.
 *
 * Writes: pages are gathered while their slots follow one another, and go as one request that nobody waits for; when it
 * ends, those that nobody wanted back meanwhile are free. Reads bring the slots beside the wanted one as well:
 * what was put out together tends to be wanted together. All requests are static: there is no memory to be had for
 * them just when they are needed.                                                                               */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/swap.h"

#define WRITES 8u
#define READS  4u
#define AHEAD  8u                                   /* pages of one read, aligned */

struct swap_request {
    struct blk_request req;
    struct blk_seg     seg[SWAP_CLUSTER];
    struct page       *page[SWAP_CLUSTER];
    struct swap_area  *area;
    uint32_t           first;                       /* slot of page[0] */
    unsigned           n;
    bool               busy;
};

static struct {
    struct swap_request write[WRITES], read[READS];
    struct swap_request *gather;                    /* being filled, not yet started */
    unsigned            pending;                    /* writes under way */
    struct wait_queue   ended;
} io = { .ended = { LIST_INIT(io.ended.waiters) } };

uint64_t swap_freed;

unsigned swap_io_pending(void) { return io.pending; }

/* ---- The cache ---- */

void swap_attach(struct page *p, uint32_t number)
{
    struct swap_slot *s = swap_slot_of(number);
    BUG_ON(s->page || (p->flags & PAGE_SWAP));
    s->page = page_pfn(p) + 1;
    p->slot = number;
    p->flags |= PAGE_SWAP;
    page_get(p);
}

void swap_detach(struct page *p)
{
    uint32_t number = p->slot;
    BUG_ON(!(p->flags & PAGE_SWAP) || (p->flags & PAGE_BUSY));
    swap_slot_of(number)->page = 0;
    p->flags &= ~(PAGE_SWAP | PAGE_DIRTY);
    swap_slots_drop(&swap_area_of(number)->slots, swap_index(number));
    page_put(p);
}

/* ---- Writing ---- */

/* A page that came to rest: free if nobody has it and the disk is up to date. */
static void settle(struct page *p)
{
    p->flags &= ~PAGE_BUSY;
    if (p->refs != 1)
        return;
    if (swap_slot_of(p->slot)->refs > 1 && (p->flags & PAGE_DIRTY))
        return;                                     /* swap_clock.c finds it again */
    swap_detach(p);
    swap_freed++;
}

static void write_done(struct blk_request *req)
{
    struct swap_request *r = req->private;
    if (req->status && req->status != -ENOMEM && !r->area->failed) {   /* without memory for a request: another time */
        r->area->failed = true;
        kprintf("novice: swap: writing to %s failed (error %d): it gets no more pages\n", r->area->path, -req->status);
    }
    for (unsigned i = 0; i < r->n; i++) {
        if (req->status)
            r->page[i]->flags |= PAGE_DIRTY;
        settle(r->page[i]);
    }
    r->busy = false;
    io.pending--;
    wake_all(&io.ended);
}

static struct swap_request *idle_request(struct swap_request *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!r[i].busy)
            return &r[i];
    return 0;
}

static void start(struct swap_request *r, enum blk_op op, void (*done)(struct blk_request *))
{
    uint32_t run;
    for (unsigned i = 0; i < r->n; i++)
        r->seg[i] = (struct blk_seg){ plat_pfn_to_frame(page_pfn(r->page[i])), 0, PAGE_SIZE, page_va(r->page[i]) };
    r->req = (struct blk_request){ .op = op, .sector = swap_sector(r->area, r->first, &run), .segs = r->seg, .nsegs = r->n,
                                   .count = r->n * (PAGE_SIZE / BLK_SECTOR), .done = done, .private = r };
    blk_submit(r->area->dev, &r->req);
}

static void flush_gather(void)
{
    struct swap_request *r = io.gather;
    io.gather = 0;
    if (!r)
        return;
    io.pending++;
    reclaim_stats.swap_out += r->n;
    start(r, BLK_WRITE, write_done);
}

void swap_write_kick(void)
{
    struct blkdev *dev = io.gather ? io.gather->area->dev : 0;
    flush_gather();
    if (dev)
        blk_kick(dev);
}

bool swap_io_room(void) { return (io.gather && io.gather->n < SWAP_CLUSTER) || idle_request(io.write, WRITES); }

static bool follows(const struct swap_request *r, uint32_t number)
{
    uint32_t run;
    swap_sector(r->area, r->first, &run);
    return r->n < SWAP_CLUSTER && r->n < run && number == swap_number((unsigned)(r->area - swap_areas), r->first + r->n);
}

void swap_write(struct page *p)
{
    if (io.gather && !follows(io.gather, p->slot))
        swap_write_kick();
    if (!io.gather) {
        struct swap_request *r = idle_request(io.write, WRITES);
        if (!r)
            return;                                 /* stays dirty in the cache: found again later */
        r->busy = true;
        r->n = 0;
        r->area = swap_area_of(p->slot);
        r->first = swap_index(p->slot);
        io.gather = r;
    }
    p->flags = (p->flags & ~PAGE_DIRTY) | PAGE_BUSY;
    io.gather->page[io.gather->n++] = p;
}

void swap_io_wait(void)
{
    swap_write_kick();
    if (io.pending)
        sleep_on(&io.ended, plat_clock_ns() + NSEC_PER_SEC, false);
}

/* ---- Reading ---- */

static void read_done(struct blk_request *req)
{
    struct swap_request *r = req->private;
    for (unsigned i = 0; i < r->n; i++) {
        r->page[i]->flags |= req->status ? PAGE_FAILED : 0;
        r->page[i]->flags &= ~(PAGE_BUSY | PAGE_READING);
    }
    r->busy = false;
    wake_all(&io.ended);
}

/* Puts the slot's page-to-be into the cache and into r. */
static void add(struct swap_request *r, uint32_t number, void *page)
{
    struct page *p = page_of(page);
    p->flags |= PAGE_ANON | PAGE_BUSY | PAGE_READING;
    swap_slot_of(number)->refs++;
    swap_attach(p, number);
    page_put(p);                                    /* the cache's reference remains */
    r->page[r->n++] = p;
}

static bool to_be_read(const struct swap_area *a, uint32_t slot)
{
    const struct swap_slot *s = slot > 0 && slot < a->slots.count ? swap_slot(&a->slots, slot) : 0;
    return s && s->refs && s->refs != SLOT_BAD && !s->page;
}

/* The slots to read: the wanted one and, while memory is not short, those of its aligned group that are used and next to it. */
static void choose(const struct swap_area *a, uint32_t at, uint32_t *from, uint32_t *end)
{
    uint32_t run, group = ROUND_DOWN(at, AHEAD);
    bool plenty = !pages_scarce();
    *from = at;
    while (plenty && *from > group && to_be_read(a, *from - 1))
        --*from;
    swap_sector(a, *from, &run);
    if (*from + run <= at)                          /* not in a row on the device */
        *from = at;
    swap_sector(a, *from, &run);
    *end = at + 1;
    while (plenty && *end < group + AHEAD && *end < *from + run && to_be_read(a, *end))
        ++*end;
}

int swap_read(uint32_t number)
{
    void *page = page_alloc_user_raw();
    struct swap_request *r;
    uint32_t from, end, at = swap_index(number);
    if (!page)
        return -ENOMEM;
    while (!(r = idle_request(io.read, READS)))
        sleep_on(&io.ended, FOREVER, false);
    if (!to_be_read(swap_area_of(number), at)) {
        page_free(page);                            /* somebody else was faster, or it is gone */
        return 1;
    }
    *r = (struct swap_request){ .busy = true, .area = swap_area_of(number) };
    choose(r->area, at, &from, &end);
    r->first = from;
    for (uint32_t n = from; n < end; n++) {
        void *place = n == at ? page : page_alloc_raw();
        BUG_ON(!place);                             /* memory was plenty: choose() */
        add(r, number - at + n, place);
    }
    struct page *p = page_of(page);
    page_get(p);
    reclaim_stats.swap_in += r->n;
    start(r, BLK_READ, read_done);
    blk_kick(r->area->dev);
    swap_wait_read(p);
    int rc = p->flags & PAGE_FAILED ? -EIO : 0;
    page_put(p);
    return rc;
}

void swap_wait_read(const struct page *p)
{
    while (p->flags & PAGE_READING)
        sleep_on(&io.ended, FOREVER, false);
}
