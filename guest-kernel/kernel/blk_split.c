/* SPDX-License-Identifier: MIT */
/* blk_split.c: a request that is too large for its driver, as several that are not.
 *
 * The pieces are made when there is room for them: a split has a few, in flight at the same time, and each that ends makes
 * way for the next. Cuts lie where one segment ends, so that the pieces use the segments of the whole. What the driver
 * cannot do at all but with two requests (a durable write on a disk with only a flush) is made of two here.          */
#include "guest-kernel/kernel/blk.h"

#define PIECES 4u

struct split {
    struct blkdev      *disk;
    struct blk_request *whole;
    unsigned            next;                       /* the first segment not yet sent            */
    uint64_t            sector;                     /* where it goes                             */
    unsigned            in_flight;
    bool                sending;                    /* send() runs: who ends then only makes way  */
    bool                flushing;                   /* the flush after a durable write is on its way */
    int                 status;                     /* the first error                           */
    struct blk_request  piece[PIECES];
    bool                busy[PIECES];
};

/* Whether a driver that wants page lists can have segment i behind segment i - 1 in one request. */
static bool joins(const struct blk_seg *segs, int i)
{
    return segs[i - 1].offset + segs[i - 1].len == PAGE_SIZE && segs[i].offset == 0;
}

/* How many segments from `first` on fit into one request; their sectors in *count. 0: no cut leaves whole logical sectors. */
static unsigned piece_at(const struct blkdev *disk, const struct blk_request *r, unsigned first, uint64_t *count)
{
    const struct blk_seg *from = r->segs + first, *s = from, *good = from;
    const struct blk_seg *end = from + MIN(r->nsegs - first, disk->max_segs);
    uint64_t most = disk->max_sectors * (uint64_t)BLK_SECTOR, bytes = 0, unit = disk->logical - 1, good_bytes = 0;
    for (; s < end; s++) {
        if (disk->joined && s > from && !joins(s, 0))
            break;
        bytes += s->len;
        if (bytes > most)
            break;
        if ((bytes & unit) == 0) {
            good = s + 1;
            good_bytes = bytes;
        }
    }
    *count = good_bytes / BLK_SECTOR;
    return good - from;
}

bool blk_fits(const struct blkdev *disk, const struct blk_request *r)
{
    if (r->op != BLK_READ && r->op != BLK_WRITE)
        return true;
    if (r->fua && r->op == BLK_WRITE && disk->flush && !disk->fua)
        return false;
    if (r->nsegs > disk->max_segs || r->count > disk->max_sectors)
        return false;
    for (unsigned i = 1; disk->joined && i < r->nsegs; i++)
        if (!joins(r->segs, i))
            return false;
    return true;
}

static void send(struct split *s);

static void finish(struct split *s)
{
    struct blk_request *r = s->whole;
    r->status = s->status;
    kfree(s);
    r->done(r);
}

static void piece_done(struct blk_request *p)
{
    struct split *s = p->private;
    s->busy[p - s->piece] = false;
    s->in_flight--;
    if (p->status && !s->status)
        s->status = p->status;
    if (!s->sending)
        send(s);
}

static struct blk_request *new_piece(struct split *s)
{
    for (unsigned i = 0; i < PIECES; i++) {
        if (s->busy[i])
            continue;
        s->busy[i] = true;
        s->in_flight++;
        s->piece[i] = (struct blk_request){ .op = s->whole->op, .done = piece_done, .private = s, .dev = s->whole->dev };
        return &s->piece[i];
    }
    return 0;
}

static void send_next(struct split *s)
{
    struct blk_request *p;
    uint64_t count = 0;
    unsigned n = piece_at(s->disk, s->whole, s->next, &count);
    if (n == 0 || s->disk->gone) {                  /* segments that no cut of ours makes right */
        s->status = n ? -ENXIO : -EINVAL;
        return;
    }
    p = new_piece(s);
    p->sector = s->sector;
    p->count = count;
    p->segs = s->whole->segs + s->next;
    p->nsegs = n;
    p->fua = s->whole->fua && s->disk->fua;
    s->next += n;
    s->sector += count;
    s->disk->ops->submit(s->disk, p);
}

static bool wants_flush(const struct split *s)
{
    return s->whole->op == BLK_WRITE && s->whole->fua && !s->disk->fua && s->disk->flush && !s->flushing && !s->status;
}

static void send(struct split *s)
{
    s->sending = true;
    while (s->next < s->whole->nsegs && s->in_flight < PIECES && !s->status)
        send_next(s);
    if (s->in_flight == 0 && wants_flush(s)) {
        struct blk_request *p = new_piece(s);
        s->flushing = true;
        p->op = BLK_FLUSH;
        s->disk->ops->submit(s->disk, p);
    }
    s->sending = false;
    if (s->in_flight == 0)
        finish(s);
    else if (s->disk->ops->kick)
        s->disk->ops->kick(s->disk);
}

void blk_split(struct blkdev *disk, struct blk_request *r)
{
    struct split *s = kmalloc(sizeof(*s));
    if (!s) {
        r->status = -ENOMEM;
        r->done(r);
        return;
    }
    *s = (struct split){ .disk = disk, .whole = r, .sector = r->sector };
    send(s);
}
