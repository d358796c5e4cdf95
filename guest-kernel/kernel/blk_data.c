/* SPDX-License-Identifier: MIT */
/* blk_data.c: the contents of a block device, for who opened /dev/NAME (blk_file.c).
 *
 * Without O_DIRECT a device is a file of fixed size with a cache of its own. With O_DIRECT the user's pages themselves are
 * what the device reads and writes: buffer, offset and length are multiples of the logical sector, and requests are as
 * large as the pages allow, many under way at once.                                                                */
#include "guest-kernel/kernel/blk_data.h"
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"

#define DIRECT_SEGS 120
#define DIRECT_BYTES (4ul << 20)                    /* under way at once, of one call */

/* ---- The cached way ---- */

static int block_map(struct inode *i, uint64_t sector, uint64_t *at, uint64_t *count)
{
    uint64_t sectors = i->size >> BLK_SECTOR_SHIFT;
    *at = sector < sectors ? sector : MAP_HOLE;
    *count = sector < sectors ? MIN(*count, sectors - sector) : *count;
    return 0;
}

static int block_reserve(struct inode *i, uint64_t offset, uint64_t n)
{
    return offset + n > i->size ? -ENOSPC : i->cache->dev->read_only ? -EROFS : 0;
}

static int block_fsync(struct inode *i, bool data_only)
{
    int rc = cache_write_back(i->cache, true);
    return rc ? rc : i->cache->dev->flush ? blk_flush(i->cache->dev) : 0;
}

static const struct inode_ops block_ops = {
    .page = cache_inode_page, .map = block_map, .reserve = block_reserve, .fsync = block_fsync,
};

struct inode *block_inode(struct blkdev *d)
{
    if (!d->inode) {
        struct inode *i = inode_alloc(0, S_IFBLK | 0600, &block_ops);
        if (!i || cache_create(i, d)) {
            kfree(i);
            return 0;
        }
        i->rdev = d->rdev;
        d->inode = i;
    }
    d->inode->size = d->sectors << BLK_SECTOR_SHIFT;
    return d->inode;
}

void block_inode_drop(struct blkdev *d)
{
    if (!d->inode || d->inode->refs > 1)
        return;
    cache_destroy(d->inode);
    kfree(d->inode);
    d->inode = 0;
}

/* ---- The direct way ---- */

struct direct {
    struct wait_queue wait;
    unsigned          pending;
    size_t            bytes;                        /* under way */
    int               status;
};

struct direct_request {
    struct blk_request r;
    struct direct     *d;
    struct page       *pages[DIRECT_SEGS];
    struct blk_seg     segs[DIRECT_SEGS];
};

static void direct_done(struct blk_request *r)
{
    struct direct_request *q = r->private;
    struct direct *d = q->d;
    if (r->status)
        d->status = r->status;
    for (unsigned i = 0; i < r->nsegs; i++)
        page_put(q->pages[i]);
    d->bytes -= r->count << BLK_SECTOR_SHIFT;
    d->pending--;
    kfree(q);
    wake_all(&d->wait);
}

/* The user's page behind va with a reference of ours, faulted in for writing if the device will write it. */
static struct page *hold_page(uptr_t va, bool write)
{
    for (unsigned tries = 0; tries < 3; tries++) {
        pte_t *slot = vm_slot(current->vm, va, false);
        pte_t pte = slot ? *slot : 0;
        if ((pte & PTE_P) && (!write || (pte & PTE_W))) {
            struct page *p = pte_page(pte);
            if (p)
                page_get(p);
            if (p && write)
                p->flags |= PAGE_DIRTY;             /* a device sets no mark in the entry, and swap goes by it */
            return p;
        }
        if (vm_fault(current->vm, va, PF_USER | (write ? PF_WRITE : 0)))
            return 0;
    }
    return 0;
}

/* One request from `buf` on, at most n bytes: how many, or -errno. */
static long direct_send(struct blkdev *dev, struct direct *d, bool write, uptr_t buf, size_t n, uint64_t pos)
{
    struct direct_request *q = kmalloc(sizeof(*q));
    if (!q)
        return -ENOMEM;
    q->r = (struct blk_request){ .op = write ? BLK_WRITE : BLK_READ, .sector = pos >> BLK_SECTOR_SHIFT, .segs = q->segs,
                                 .done = direct_done, .private = q };
    q->d = d;
    size_t done = 0;
    while (done < n && q->r.nsegs < DIRECT_SEGS) {
        size_t offset = (buf + done) & (PAGE_SIZE - 1), len = MIN(n - done, PAGE_SIZE - offset);
        struct page *p = hold_page(buf + done, !write);
        if (!p)
            break;
        q->pages[q->r.nsegs] = p;
        q->segs[q->r.nsegs++] = (struct blk_seg){ plat_pfn_to_frame(page_pfn(p)), offset, len, (char *)page_va(p) + offset };
        done += len;
    }
    if (!done) {
        kfree(q);
        return -EFAULT;
    }
    q->r.count = done >> BLK_SECTOR_SHIFT;
    d->pending++;
    d->bytes += done;
    blk_submit(dev, &q->r);
    return done;
}

static long direct_transfer(struct blkdev *dev, bool write, uptr_t buf, size_t n, uint64_t *pos)
{
    struct direct d = { .status = 0 };
    uint64_t size = dev->sectors << BLK_SECTOR_SHIFT;
    size_t done = 0, align = MAX(dev->logical, (uint32_t)BLK_SECTOR) - 1;
    long rc = 0;
    if ((*pos & align) || (n & align) || (buf & (BLK_SECTOR - 1)))
        return -EINVAL;
    if (write && (dev->read_only || *pos >= size))
        return dev->read_only ? -EROFS : -ENOSPC;
    n = *pos >= size ? 0 : MIN(n, size - *pos);
    wait_init(&d.wait);
    while (done < n && rc >= 0 && !d.status && !current->killed) {
        rc = direct_send(dev, &d, write, buf + done, n - done, *pos + done);
        done += rc > 0 ? rc : 0;
        if (d.bytes >= DIRECT_BYTES) {
            blk_kick(dev);
            wait_event_always(&d.wait, d.bytes < DIRECT_BYTES / 2);
        }
    }
    blk_kick(dev);
    wait_event_always(&d.wait, d.pending == 0);
    if (d.status || (rc < 0 && !done))
        return d.status ? d.status : rc;
    *pos += done;
    return done;
}

/* What the cache holds of the range must not disagree with the device. */
static int settle_cache(struct inode *i, uint64_t pos, size_t n, bool write)
{
    int rc = i->cache->ndirty || i->cache->writing ? cache_write_back(i->cache, true) : 0;
    if (write && i->cache->pages)
        cache_drop(i->cache, ROUND_DOWN(pos, PAGE_SIZE), ROUND_UP(pos + n, PAGE_SIZE));
    return rc;
}

/* ---- For blk_file.c ---- */

long block_data_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    if (!(f->flags & O_DIRECT))
        return cached_read(f->inode, buf, n, pos);
    int rc = settle_cache(f->inode, *pos, n, false);
    return rc ? rc : direct_transfer(f->inode->cache->dev, false, buf, n, pos);
}

long block_data_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    long rc = f->flags & O_DIRECT ? settle_cache(f->inode, *pos, n, true) : 0;
    if (rc == 0)
        rc = f->flags & O_DIRECT ? direct_transfer(f->inode->cache->dev, true, buf, n, pos) : cached_write(f->inode, buf, n, pos);
    if (rc > 0 && (f->flags & O_SYNC)) {
        int sync = block_fsync(f->inode, true);
        rc = sync ? sync : rc;
    }
    return rc;
}
