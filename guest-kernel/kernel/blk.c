/* SPDX-License-Identifier: MIT */
/* blk.c: the table of block devices, who may use them, and a request's way to its driver.
 *
 * A disk is registered by its driver; its partitions are found here and become devices of their own, which have no driver: a
 * request for one is moved by the partition's start and goes to the disk. Before a driver sees a request, its range has been
 * checked, and if it is larger than the driver takes, blk_split.c has cut it. A claim says who writes: a mounted
 * partition cannot at the same time be a guest's disk.                                                          */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/blk_data.h"
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/fs.h"

#define BLK_MAJOR 259u                              /* and those after it, 256 devices each */

struct list all_blkdevs = LIST_INIT(all_blkdevs);

static struct blkdev *disk_of(struct blkdev *d) { return d->whole ? d->whole : d; }

struct blkdev *blk_find(const char *name)
{
    list_for (d, &all_blkdevs, struct blkdev, link)
        if (strcmp(d->name, name) == 0)
            return d;
    return 0;
}

struct blkdev *blk_of_rdev(uint32_t rdev)
{
    list_for (d, &all_blkdevs, struct blkdev, link)
        if (d->rdev == rdev)
            return d;
    return 0;
}

static uint32_t free_rdev(void)
{
    uint32_t n = 0;
    while (blk_of_rdev(MAKEDEV(BLK_MAJOR + n / 256, n % 256)))
        n++;
    return MAKEDEV(BLK_MAJOR + n / 256, n % 256);
}

/* ---- Coming and going ---- */

static int add(struct blkdev *d)
{
    char path[40];
    if (blk_find(d->name))
        return -EEXIST;
    d->rdev = free_rdev();
    ksnprintf(path, sizeof(path), "/dev/%s", d->name);
    int rc = fs_make(path, S_IFBLK | 0660, d->rdev);
    if (rc == 0)
        list_append(&all_blkdevs, &d->link);
    return rc;
}

static void take_away(struct blkdev *d)
{
    char path[40], last[NAME_MAX + 1];
    struct inode *dir;
    d->gone = true;
    list_remove(&d->link);
    ksnprintf(path, sizeof(path), "/dev/%s", d->name);
    if (path_parent(path, &dir, last))
        return;
    dir->ops->unlink(dir, last);
    inode_put(dir);
}

static bool in_use(const struct blkdev *d) { return d->claimed || d->readers || d->opens; }

static bool parts_in_use(const struct blkdev *disk)
{
    list_for (d, &all_blkdevs, struct blkdev, link)
        if (d->whole == disk && in_use(d))
            return true;
    return false;
}

/* What is still in use cannot be freed: its users hold the pointer, and learn by `gone`. The last of them comes here. */
static void bury(struct blkdev *d)
{
    if (!d->gone || in_use(d))
        return;
    block_inode_drop(d);
    if (d->whole)
        kfree(d);
    else if (d->ops->release)
        d->ops->release(d);
}

static void drop_parts(struct blkdev *disk)
{
    list_for (d, &all_blkdevs, struct blkdev, link) {
        if (d->whole != disk)
            continue;
        take_away(d);
        bury(d);
    }
}

static int table_read(void *ctx, uint64_t sector, void *buf, size_t n) { return blk_rw(ctx, BLK_READ, sector, buf, n); }

static int add_part(struct blkdev *disk, const struct blk_part *p)
{
    struct blkdev *d = kmalloc(sizeof(*d));
    if (!d)
        return -ENOMEM;
    *d = *disk;
    d->whole = disk;
    d->start = p->start;
    d->sectors = p->sectors;
    d->readers = d->opens = d->writers = 0;
    d->claimed = false;
    d->inode = 0;
    d->stat_reads = d->stat_writes = d->stat_read_sectors = d->stat_write_sectors = 0;
    size_t n = strlen(disk->name);
    bool digit = n && disk->name[n - 1] >= '0' && disk->name[n - 1] <= '9';
    ksnprintf(d->name, sizeof(d->name), "%s%s%u", disk->name, digit ? "p" : "", p->number);
    int rc = add(d);
    if (rc)
        kfree(d);
    return rc;
}

static int scan(struct blkdev *disk)
{
    struct blk_part_source source = { table_read, disk, disk->sectors, disk->logical };
    struct blk_part *parts = kmalloc(BLK_PARTS_MAX * sizeof(*parts));
    if (!parts)
        return -ENOMEM;
    int n = blk_part_scan(&source, parts, BLK_PARTS_MAX);
    int rc = n < 0 ? n : 0;
    for (int i = 0; i < n && rc == 0; i++)
        rc = add_part(disk, &parts[i]);
    kfree(parts);
    return rc;
}

int blk_rescan(struct blkdev *d)
{
    if (d->whole)
        return -EINVAL;
    if (d->gone)
        return -ENXIO;
    if (parts_in_use(d))
        return -EBUSY;
    drop_parts(d);
    return scan(d);
}

/* What a driver says of itself has to hold together, or the cutting could not end. */
static bool sane(const struct blkdev *d)
{
    return d->ops && d->ops->submit && d->logical >= BLK_SECTOR && d->logical <= PAGE_SIZE &&
           (d->logical & (d->logical - 1)) == 0 && d->max_segs > 0 && d->max_sectors >= PAGE_SIZE / BLK_SECTOR &&
           d->name[0] && !strchr(d->name, '/') && d->sectors < 1ul << 54;
}

int blk_register(struct blkdev *d)
{
    if (!sane(d))
        return -EINVAL;
    d->whole = 0;
    d->start = 0;
    d->gone = false;
    d->physical = MAX(d->physical, d->logical);
    d->sectors = ROUND_DOWN(d->sectors, d->logical / BLK_SECTOR);
    int rc = add(d);
    if (rc)
        return rc;
    rc = scan(d);
    if (rc)
        kprintf("novice: %s: the partition table cannot be read: error %d\n", d->name, -rc);
    return 0;
}

int blk_unregister(struct blkdev *d, bool force)
{
    if (!force && (in_use(d) || parts_in_use(d)))
        return -EBUSY;
    drop_parts(d);
    take_away(d);
    bury(d);
    return 0;
}

/* ---- Who uses what ---- */

/* Calls that touch the same sectors as d: d itself, its disk, or its partitions. */
static bool related(const struct blkdev *d, const struct blkdev *other)
{
    return other == d || other == d->whole || other->whole == d;
}

int blk_claim(struct blkdev *d, bool write)
{
    if (d->gone)
        return -ENXIO;
    if (write && d->read_only)
        return -EROFS;
    list_for (o, &all_blkdevs, struct blkdev, link)
        if (related(d, o) && (o->claimed || o->writers || (write && o->readers)))
            return -EBUSY;
    if (write)
        d->claimed = true;
    else
        d->readers++;
    return 0;
}

void blk_release(struct blkdev *d, bool write)
{
    BUG_ON(write ? !d->claimed : d->readers == 0);
    if (write)
        d->claimed = false;
    else
        d->readers--;
    bury(d);
}

int blk_open(struct blkdev *d, bool write)
{
    if (d->gone)
        return -ENXIO;
    if (write && d->read_only)
        return -EROFS;
    if (write)
        list_for (o, &all_blkdevs, struct blkdev, link)
            if (related(d, o) && (o->claimed || o->readers))
                return -EBUSY;
    d->opens++;
    d->writers += write;
    return 0;
}

void blk_close(struct blkdev *d, bool write)
{
    d->opens--;
    d->writers -= write;
    bury(d);
}

/* ---- Requests ---- */

static void end(struct blk_request *r, int status)
{
    r->status = status;
    r->done(r);
}

/* The segments' sum in sectors, or 0 if one is malformed. */
static uint64_t count_sectors(const struct blkdev *d, const struct blk_request *r)
{
    uint64_t bytes = 0;
    uint32_t bits = 0;
    bool seen = true;
    for (const struct blk_seg *s = r->segs, *end = s + r->nsegs; s < end; s++) {
        if (s->offset >= PAGE_SIZE || s->len - 1 >= PAGE_SIZE - s->offset)        /* 0 - 1 is more than any page holds, too */
            return 0;
        bits |= s->len | s->offset;
        seen &= s->va != 0;
        bytes += s->len;
    }
    return bits % BLK_SECTOR || (d->needs_va && !seen) ? 0 : bytes / BLK_SECTOR;
}

/* 0 if r may go to d's disk; r->count is set. */
static int check(struct blkdev *d, struct blk_request *r)
{
    struct blkdev *disk = disk_of(d);
    uint64_t unit = d->logical / BLK_SECTOR;
    if (d->gone || disk->gone)
        return -ENXIO;
    if (r->op == BLK_FLUSH)
        return 0;
    if (r->op != BLK_READ && (d->read_only || disk->read_only))
        return -EROFS;
    if (r->op == BLK_DISCARD && !disk->discard)
        return -EOPNOTSUPP;
    if (r->op != BLK_DISCARD)
        r->count = count_sectors(disk, r);
    if (!r->count || r->sector > d->sectors || r->count > d->sectors - r->sector || r->sector % unit || r->count % unit)
        return -EINVAL;
    return 0;
}

static void account(struct blkdev *d, const struct blk_request *r)
{
    if (r->op == BLK_READ) {
        d->stat_reads++;
        d->stat_read_sectors += r->count;
    } else if (r->op == BLK_WRITE) {
        d->stat_writes++;
        d->stat_write_sectors += r->count;
    }
}

void blk_submit(struct blkdev *d, struct blk_request *r)
{
    struct blkdev *disk = disk_of(d);
    int rc = check(d, r);
    r->status = 0;
    r->dev = d;
    if (rc || (r->op == BLK_FLUSH && !disk->flush)) {
        end(r, rc);
        return;
    }
    account(d, r);
    if (d != disk) {
        account(disk, r);
        r->sector += d->start;
    }
    if (blk_fits(disk, r))
        disk->ops->submit(disk, r);
    else
        blk_split(disk, r);
}

void blk_kick(struct blkdev *d)
{
    struct blkdev *disk = disk_of(d);
    if (!d->gone && !disk->gone && disk->ops->kick)
        disk->ops->kick(disk);
}

/* ---- Sleeping ones ---- */

struct sync {
    struct blk_request request;
    struct wait_queue  queue;
    bool               done;
};

static void sync_done(struct blk_request *r)
{
    struct sync *s = container_of(r, struct sync, request);
    s->done = true;
    wake_all(&s->queue);
}

static int sync_run(struct blkdev *d, struct sync *s)
{
    wait_init(&s->queue);
    s->done = false;
    s->request.done = sync_done;
    blk_submit(d, &s->request);
    blk_kick(d);
    wait_event_always(&s->queue, s->done);
    return s->request.status;
}

#define SYNC_SEGS 32

static int rw_piece(struct blkdev *d, enum blk_op op, uint64_t sector, char *buf, size_t n, size_t *did)
{
    struct blk_seg seg[SYNC_SEGS];
    struct sync s = { .request = { .op = op, .sector = sector, .segs = seg } };
    size_t at = 0;
    while (at < n && s.request.nsegs < SYNC_SEGS) {
        uint32_t offset = (uintptr_t)(buf + at) % PAGE_SIZE;
        uint32_t len = MIN(n - at, PAGE_SIZE - offset);
        seg[s.request.nsegs++] = (struct blk_seg){ plat_pfn_to_frame(virt_to_pfn(buf + at)), offset, len, buf + at };
        at += len;
    }
    *did = at;
    return sync_run(d, &s);
}

int blk_rw(struct blkdev *d, enum blk_op op, uint64_t sector, void *buf, size_t n)
{
    int rc = 0;
    for (size_t at = 0, did; at < n && rc == 0; at += did)
        rc = rw_piece(d, op, sector + at / BLK_SECTOR, (char *)buf + at, n - at, &did);
    return rc;
}

int blk_flush(struct blkdev *d)
{
    struct sync s = { .request = { .op = BLK_FLUSH } };
    return sync_run(d, &s);
}
