/* SPDX-License-Identifier: MIT */
/* blk_measure.c: how fast a block device is, without cache, file system or copies: requests straight to blk_submit.
 *
 * So many requests are kept in flight; those that have ended when the thread runs again are made anew together and started
 * with one kick, as a busy file system would.                                                                  */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/usercopy.h"
#include "guest-kernel/uapi/blkmeasure.h"

#define DEPTH_MAX  64u
#define BYTES_MAX  (1u << 20)
#define MEMORY_MAX (16ul << 20)

struct slot { struct blk_request request; struct blk_seg *segs; struct run *run; struct slot *next; };

struct run {
    struct blkdev     *dev;
    struct blk_measure m;
    struct slot       *ended;                       /* those that wait to be made again */
    struct wait_queue  queue;
    uint64_t           made, done, state;
    int                status;
    struct slot        slot[DEPTH_MAX];
};

static void request_done(struct blk_request *r)
{
    struct slot *s = container_of(r, struct slot, request);
    struct run *run = s->run;
    if (r->status)
        run->status = r->status;
    run->done++;
    s->next = run->ended;
    run->ended = s;
    wake_all(&run->queue);
}

static uint64_t next_sector(struct run *run)
{
    uint64_t places = run->m.span / run->m.bytes, n = run->made;
    if (run->m.random) {
        run->state = run->state * 6364136223846793005ul + 1442695040888963407ul;
        n = run->state >> 33;
    }
    return n % places * (run->m.bytes >> BLK_SECTOR_SHIFT);
}

static void start(struct run *run, struct slot *s)
{
    s->request = (struct blk_request){ .op = run->m.write ? BLK_WRITE : BLK_READ, .sector = next_sector(run), .segs = s->segs,
                                       .nsegs = run->m.bytes >> PAGE_SHIFT, .done = request_done };
    run->made++;
    blk_submit(run->dev, &s->request);
}

static void drive(struct run *run)
{
    uint64_t from = plat_clock_ns();
    while (run->done < run->m.count) {
        while (run->ended && run->made < run->m.count && !run->status) {
            struct slot *s = run->ended;
            run->ended = s->next;
            start(run, s);
        }
        blk_kick(run->dev);
        if (signal_waiting(current))
            run->status = -EINTR;
        if (run->status)
            run->m.count = run->made;               /* those in flight end, and no more */
        uint64_t seen = run->done;
        if (seen < run->m.count && (!run->ended || run->made == run->m.count))
            wait_event_always(&run->queue, run->done != seen);
    }
    run->m.ns = plat_clock_ns() - from;
}

static void slots_free(struct run *run)
{
    for (unsigned i = 0; i < run->m.depth; i++) {
        for (unsigned k = 0; run->slot[i].segs && k < run->m.bytes >> PAGE_SHIFT; k++)
            if (run->slot[i].segs[k].va)
                page_free(run->slot[i].segs[k].va);
        kfree(run->slot[i].segs);
    }
}

static int slots_make(struct run *run)
{
    unsigned pages = run->m.bytes >> PAGE_SHIFT;
    for (unsigned i = 0; i < run->m.depth; i++) {
        struct slot *s = &run->slot[i];
        s->run = run;
        s->segs = kmalloc(pages * sizeof(*s->segs));
        for (unsigned k = 0; s->segs && k < pages; k++) {
            void *page = pages_low() ? 0 : page_alloc();
            if (!page)
                return -ENOMEM;
            s->segs[k] = (struct blk_seg){ plat_pfn_to_frame(virt_to_pfn(page)), 0, PAGE_SIZE, page };
        }
        if (!s->segs)
            return -ENOMEM;
        s->next = run->ended;
        run->ended = s;
    }
    return 0;
}

static bool sound(const struct blkdev *d, const struct blk_measure *m)
{
    return m->bytes && m->bytes <= BYTES_MAX && m->bytes % PAGE_SIZE == 0 && m->depth && m->depth <= DEPTH_MAX &&
           (uint64_t)m->depth * m->bytes <= MEMORY_MAX && m->count && m->count < 1ul << 32 && m->span >= m->bytes &&
           m->span >> BLK_SECTOR_SHIFT <= d->sectors;
}

long blk_measure(struct blkdev *d, bool may_write, uptr_t arg)
{
    struct run *run = kmalloc(sizeof(*run));
    if (!run)
        return -ENOMEM;
    *run = (struct run){ .dev = d };
    wait_init(&run->queue);
    int rc = copy_from_user(&run->m, arg, sizeof(run->m)) ? -EFAULT : sound(d, &run->m) ? 0 : -EINVAL;
    if (rc == 0 && run->m.write && !may_write)
        rc = -EBADF;
    if (rc) {
        kfree(run);
        return rc;
    }
    rc = slots_make(run);
    if (rc == 0)
        drive(run);
    slots_free(run);
    rc = rc ? rc : run->status;
    if (rc == 0 && copy_to_user(arg, &run->m, sizeof(run->m)))
        rc = -EFAULT;
    kfree(run);
    return rc;
}
