/* SPDX-License-Identifier: MIT */
/* blk_glue.c: a frontend's disk as a block device of Novice's: /dev/xvda. */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/pv/blk_glue.h"
#include "pv-drivers/blkfront.h"

struct vdisk {
    struct blkdev    d;
    struct blkfront *front;
    struct list      pending;       /* requests that found no slot */
};

_Static_assert(sizeof(struct blk_seg) == sizeof(struct pv_blk_seg) && offsetof(struct blk_seg, va) == offsetof(struct pv_blk_seg, va) &&
               offsetof(struct blk_seg, len) == offsetof(struct pv_blk_seg, len), "blkfront reads the kernel's segments as they are");
_Static_assert((int)BLK_FLUSH == (int)PV_BLK_FLUSH && (int)BLK_DISCARD == (int)PV_BLK_DISCARD, "and its operations");

static bool start(struct vdisk *v, struct blk_request *r)
{
    struct blkfront_io io = { .op = (enum pv_blk_op)r->op, .fua = r->fua, .sector = r->sector, .count = r->count,
                              .segs = (const struct pv_blk_seg *)r->segs, .nsegs = r->op <= BLK_WRITE ? r->nsegs : 0, .token = r };
    return blkfront_submit(v->front, &io);
}

static void submit(struct blkdev *d, struct blk_request *r)
{
    struct vdisk *v = d->private;
    if (!list_empty(&v->pending) || !start(v, r))
        list_append(&v->pending, &r->link);
}

static void kick(struct blkdev *d) { blkfront_kick(((struct vdisk *)d->private)->front); }

static void release(struct blkdev *d) { kfree(d->private); }

void blkfront_os_done(struct blkfront *f, void *token, int status)
{
    struct blk_request *r = token;
    r->status = status;
    r->done(r);
}

void blkfront_os_room(struct blkfront *f)
{
    struct vdisk *v = f->os;
    while (v && !list_empty(&v->pending)) {
        struct blk_request *r = container_of(v->pending.next, struct blk_request, link);
        list_remove(&r->link);
        if (!start(v, r)) {
            list_prepend(&v->pending, &r->link);
            return;
        }
    }
}

int blkfront_os_attach(struct blkfront *f)
{
    static const struct blkdev_ops ops = { .submit = submit, .kick = kick, .release = release };
    struct vdisk *v = kmalloc(sizeof(*v));
    if (!v)
        return -ENOMEM;
    list_init(&v->pending);
    v->front = f;
    v->d = (struct blkdev){ .sectors = f->sectors, .logical = f->sector_size, .physical = f->physical_size, .max_segs = BLKFRONT_MAX_SEGS,
                            .max_sectors = BLKFRONT_MAX_SEGS * (PAGE_SIZE / BLK_SECTOR), .read_only = f->read_only,
                            .flush = f->flush || f->barrier, .fua = f->flush || f->barrier, .discard = f->discard, .ops = &ops, .private = v };
    blkfront_name(f->bus->id, v->d.name, sizeof(v->d.name));
    f->os = v;
    int rc = blk_register(&v->d);
    if (rc) {
        f->os = 0;
        kfree(v);
        return rc;
    }
    klog("blkfront: %s: %lu MiB%s\n", v->d.name, v->d.sectors >> 11, v->d.read_only ? ", read-only" : "");
    return 0;
}

int blkfront_os_detach(struct blkfront *f, bool force)
{
    struct vdisk *v = f->os;
    if (!v)
        return 0;
    while (force && !list_empty(&v->pending)) {
        struct blk_request *r = container_of(v->pending.next, struct blk_request, link);
        list_remove(&r->link);
        r->status = -ENXIO;
        r->done(r);
    }
    int rc = blk_unregister(&v->d, force);          /* frees v when nobody has it open */
    if (rc == 0)
        f->os = 0;
    return rc;
}
