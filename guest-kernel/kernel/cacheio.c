/* SPDX-License-Identifier: MIT */
/* cacheio.c: pages from and to the device.
 *
 * Pages are gathered into requests as long as they follow each other on the device; a page whose blocks lie apart takes
 * part in several. Each page counts the pieces under way, and the last one to arrive ends its journey.          */
#include "guest-kernel/kernel/cacheio.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"

#define SEGS       120                              /* of one request, so that its record fills a page */
#define BATCH      256                              /* dirty pages that are sorted and sent together   */
#define SECTORS    (PAGE_SIZE / BLK_SECTOR)         /* of a page                                       */
#define WINDOW_MIN 8
#define WINDOW_MAX 256

struct transfer {
    struct blk_request r;
    struct cache      *cache;
    struct cache_page *pages[SEGS];
    struct blk_seg     segs[SEGS];
};
_Static_assert(sizeof(struct transfer) <= PAGE_SIZE, "a page each");

/* The request that is being built. */
struct builder {
    struct cache    *cache;
    enum blk_op      op;
    struct transfer *t;
    bool             out_of_memory;
};

/* ---- Arriving ---- */

static void read_ended(struct cache_page *cp)
{
    uint64_t size = cp->cache->inode->size, at = cp->index << PAGE_SHIFT;
    if (size < at + PAGE_SIZE && !cp->failed)       /* what lies behind the end reads as zeros */
        memset((char *)page_va(cp->page) + (size > at ? size - at : 0), 0, PAGE_SIZE - (size > at ? size - at : 0));
    cp->reading = false;
    cp->uptodate = !cp->failed;
}

static void write_ended(struct cache_page *cp)
{
    cp->writing = false;
    cp->cache->writing--;
    cache_state.writing--;
    if (cp->failed)
        cp->cache->error = -EIO;
    cp->failed = false;
}

static void piece_ended(struct cache_page *cp)
{
    if (--cp->pending)
        return;
    if (cp->reading)
        read_ended(cp);
    else
        write_ended(cp);
    wake_all(&cp->cache->wait);
}

static void transfer_done(struct blk_request *r)
{
    struct transfer *t = r->private;
    for (unsigned i = 0; i < r->nsegs; i++) {
        if (r->status)
            t->pages[i]->failed = true;
        piece_ended(t->pages[i]);
    }
    kfree(t);
}

/* ---- Building ---- */

static void send(struct builder *b)
{
    struct transfer *t = b->t;
    b->t = 0;
    if (t)
        blk_submit(b->cache->dev, &t->r);
}

static struct transfer *new_transfer(struct builder *b, uint64_t sector)
{
    struct transfer *t = kmalloc(sizeof(*t));
    if (!t)
        return 0;
    t->cache = b->cache;
    t->r = (struct blk_request){ .op = b->op, .sector = sector, .segs = t->segs, .done = transfer_done, .private = t };
    return t;
}

/* `count` sectors of cp from its sector `first` on lie at `at`. */
static void add_piece(struct builder *b, struct cache_page *cp, unsigned first, unsigned count, uint64_t at)
{
    if (b->t && (b->t->r.nsegs == SEGS || b->t->r.sector + b->t->r.count != at))
        send(b);
    if (!b->t && !(b->t = new_transfer(b, at))) {
        cp->failed = b->out_of_memory = true;
        return;
    }
    struct blk_request *r = &b->t->r;
    b->t->pages[r->nsegs] = cp;
    r->segs[r->nsegs++] = (struct blk_seg){
        .frame = plat_pfn_to_frame(page_pfn(cp->page)), .offset = first * BLK_SECTOR, .len = count * BLK_SECTOR,
        .va = (char *)page_va(cp->page) + first * BLK_SECTOR,
    };
    r->count += count;
    cp->pending++;
}

/* The runs that were asked for last: most pages need no question of their own. */
struct run { uint64_t first, count, at, drops; };

static int find_run(struct inode *i, uint64_t sector, struct run *r)
{
    if (r->count && r->drops == i->cache->drops && sector >= r->first && sector < r->first + r->count)
        return 0;
    *r = (struct run){ .first = sector, .count = BATCH * SECTORS, .drops = i->cache->drops };
    int rc = i->ops->map(i, sector, &r->at, &r->count);
    if (rc || !r->count)
        r->count = 0;
    return rc ? rc : r->count ? 0 : -EIO;
}

/* The pieces of a page; holes are zeroed when reading, left out when writing. */
static int add_page(struct builder *b, struct cache_page *cp, struct run *run)
{
    uint64_t base = cp->index * SECTORS;
    for (unsigned s = 0; s < SECTORS;) {
        int rc = find_run(b->cache->inode, base + s, run);
        if (rc)
            return rc;
        unsigned n = MIN(SECTORS - s, run->first + run->count - (base + s));
        if (run->at != MAP_HOLE)
            add_piece(b, cp, s, n, run->at + (base + s - run->first));
        else if (b->op == BLK_READ)
            memset((char *)page_va(cp->page) + s * BLK_SECTOR, 0, n * BLK_SECTOR);
        s += n;
    }
    return b->out_of_memory ? -ENOMEM : 0;
}

/* ---- Reading ---- */

static bool all_hole(const struct run *r, uint64_t index)
{
    return r->at == MAP_HOLE && r->first + r->count >= (index + 1) * SECTORS;
}

int cache_read(struct cache *c, uint64_t index, uint64_t n, bool with_holes, bool *hole)
{
    struct builder b = { .cache = c, .op = BLK_READ };
    struct run run = { 0 };
    int rc = 0;
    for (uint64_t at = index; at < index + n && rc == 0; at++) {
        bool raced;
        if (cache_find(c, at))
            continue;
        /* First the page, then the question where it lies: who moves blocks finds the page and waits for it. */
        struct cache_page *cp = cache_add(c, at, &raced);
        if (!cp && raced)
            continue;
        if (!cp) {
            rc = at > index ? 0 : -ENOMEM;          /* reading ahead may stop short */
            break;
        }
        rc = find_run(c->inode, at * SECTORS, &run);
        if (rc || (all_hole(&run, at) && !with_holes)) {
            *hole |= at == index;
            cp->reading = false;
            wake_all(&c->wait);
            cache_remove(cp);
            continue;
        }
        cp->pending = 1;                            /* ours, so that it does not end before all is said */
        rc = add_page(&b, cp, &run);
        if (rc)
            cp->failed = true;
        piece_ended(cp);
    }
    send(&b);
    blk_kick(c->dev);
    return rc;
}

/* Sequential reads double the window; at its middle the next one is started, so that the device is never idle. */
void cache_ahead(struct cache *c, uint64_t index, uint64_t n)
{
    bool hole = false, sequential = index == c->next || (index == 0 && c->next == 0);
    uint64_t end = (c->inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT, want = index + n;
    if (sequential) {
        c->window = MIN(MAX(c->window * 2, (unsigned)WINDOW_MIN), (unsigned)WINDOW_MAX);
        if (want + c->window / 2 > c->ahead_end || c->ahead_end > want + 2 * WINDOW_MAX)
            want += c->window;
        else
            want = index + n;
    } else {
        c->window = 0;
    }
    c->next = index + n;
    if (!sequential || index == 0)
        c->ahead_end = index;
    uint64_t from = MAX(index, MIN(c->ahead_end, index + n));
    want = MIN(want, end);
    if (want > from) {
        if (n > 1 || sequential || !cache_find(c, index))
            cache_read(c, from, want - from, false, &hole);
        c->ahead_end = MAX(want, c->ahead_end);
    }
}

/* ---- Writing ---- */

/* Takes up to BATCH dirty pages at rest, the oldest dirt first, off the list and sorts them. */
static unsigned gather(struct cache *c, struct cache_page **batch)
{
    unsigned n = 0;
    list_for (cp, &c->dirty, struct cache_page, dirty) {
        if (n == BATCH)
            break;
        if (cp->writing || cp->reading)
            continue;
        cache_clean(cp);
        cp->writing = true;
        cp->pending = 1;
        c->writing++;
        cache_state.writing++;
        unsigned at = n++;
        while (at > 0 && batch[at - 1]->index > cp->index) {
            batch[at] = batch[at - 1];
            at--;
        }
        batch[at] = cp;
    }
    return n;
}

static int write_batch(struct cache *c, struct cache_page **batch, unsigned n)
{
    struct builder b = { .cache = c, .op = BLK_WRITE };
    struct run run = { 0 };
    int rc = 0;
    for (unsigned i = 0; i < n; i++) {
        struct cache_page *cp = batch[i];
        if (cp->shared)
            cache_settle_shared(cp);
        if (rc == 0)
            rc = add_page(&b, cp, &run);
        if (rc)
            cache_dirty(cp);                        /* not all of it went: later */
        cp->failed = false;
        piece_ended(cp);
    }
    send(&b);
    blk_kick(c->dev);
    return rc;
}

int cache_write_back(struct cache *c, bool wait)
{
    struct cache_page **batch = kmalloc(BATCH * sizeof(*batch));
    int rc = batch ? 0 : -ENOMEM;
    if (wait)                                       /* what is under way may be dirty anew */
        wait_event_always(&c->wait, c->writing == 0);
    cache_check_shared(c);
    for (size_t left = c->ndirty; rc == 0 && left;) {
        unsigned n = gather(c, batch);
        if (n == 0)
            break;
        rc = write_batch(c, batch, n);
        left -= MIN(left, n);
    }
    kfree(batch);
    if (wait) {
        wait_event_always(&c->wait, c->writing == 0);
        rc = rc ? rc : c->error;
        c->error = 0;
    }
    return rc;
}
