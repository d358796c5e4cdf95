/* SPDX-License-Identifier: MIT */
/* ext2_buf.c: blocks of metadata in memory.
 *
 * They are apart from the page cache since they obey other laws: a dirty one is written by a commit and never before.
 * Clean ones without users wait in a list by age to be wanted again, or their memory. */
#include "guest-kernel/fs/ext2.h"
#include "guest-kernel/kernel/proc.h"

#define CLEAN_MAX 8192                              /* kept at most, and less when memory is short */
#define RUN_MAX   64                                /* blocks of one request */

static struct buf **bucket(struct ext2 *fs, uint32_t block) { return &fs->bufs[block * 2654435761u >> 22]; }

static struct buf *find(struct ext2 *fs, uint32_t block)
{
    struct buf *b = *bucket(fs, block);
    while (b && b->block != block)
        b = b->chain;
    return b;
}

static void destroy(struct ext2 *fs, struct buf *b)
{
    struct buf **at = bucket(fs, b->block);
    while (*at && *at != b)
        at = &(*at)->chain;
    if (*at)
        *at = b->chain;
    list_remove(&b->link);
    kfree(b->data);
    kfree(b);
}

static struct buf *make(struct ext2 *fs, uint32_t block)
{
    struct buf *b = kmalloc(sizeof(*b));
    uint8_t *data = b ? kmalloc(fs->block_size) : 0;
    if (!data) {
        kfree(b);
        return 0;
    }
    struct buf **at = bucket(fs, block);
    *b = (struct buf){ .chain = *at, .block = block, .data = data, .refs = 1 };
    list_init(&b->link);
    *at = b;
    return b;
}

static void take(struct ext2 *fs, struct buf *b)
{
    if (b->refs++ == 0 && !b->dirty) {
        list_remove(&b->link);
        fs->nclean--;
    }
}

void buf_put(struct ext2 *fs, struct buf *b)
{
    BUG_ON(b->refs == 0);
    if (--b->refs || b->dirty)
        return;
    list_append(&fs->clean, &b->link);
    if (++fs->nclean > CLEAN_MAX)
        buf_shrink(fs, 1);
}

size_t buf_shrink(struct ext2 *fs, size_t want)
{
    size_t got = 0;
    while (got < want && !list_empty(&fs->clean)) {
        destroy(fs, container_of(fs->clean.next, struct buf, link));
        fs->nclean--;
        got++;
    }
    return got;
}

struct buf *buf_get(struct ext2 *fs, uint32_t block, int *rc)
{
    *rc = 0;
    struct buf *b = find(fs, block);
    if (b) {
        take(fs, b);
        wait_event_always(&fs->wait, !b->reading);
    } else {
        if (block < fs->sb->first_block || block >= fs->sb->blocks) {
            *rc = ext2_complain(fs, "a block is named that lies outside", block);
            return 0;
        }
        b = make(fs, block);
        if (!b) {
            *rc = -ENOMEM;
            return 0;
        }
        b->reading = true;
        b->failed = blk_rw(fs->dev, BLK_READ, (uint64_t)block * fs->sectors, b->data, fs->block_size) != 0;
        b->reading = false;
        wake_all(&fs->wait);
    }
    if (!b->failed)
        return b;
    *rc = -EIO;
    if (--b->refs == 0)
        destroy(fs, b);
    return 0;
}

struct buf *buf_get_file(struct ext2 *fs, uint32_t block, int *rc)
{
    if (!ext2_own(fs, block))
        return buf_get(fs, block, rc);
    *rc = ext2_complain(fs, "a file names a block of the file system's own", block);
    return 0;
}

struct buf *buf_new(struct ext2 *fs, uint32_t block, int *rc)
{
    struct buf *b = find(fs, block);
    *rc = -ENOMEM;
    if (b && (b->refs || b->dirty)) {
        *rc = ext2_damage(fs, "a block is free and in use", block);
        return 0;
    }
    if (b)
        take(fs, b);
    else
        b = make(fs, block);
    if (!b)
        return 0;
    *rc = 0;
    memset(b->data, 0, fs->block_size);
    buf_dirty(fs, b);
    b->fresh = true;
    return b;
}

void buf_dirty(struct ext2 *fs, struct buf *b)
{
    BUG_ON(!fs->lock.held);                         /* E1 */
    if (b->dirty)
        return;
    b->dirty = true;
    list_append(&fs->dirty, &b->link);
    fs->ndirty++;
}

void buf_clean(struct ext2 *fs, struct buf *b)
{
    if (!b->dirty)
        return;
    b->dirty = b->fresh = false;
    list_remove(&b->link);
    fs->ndirty--;
    if (b->refs == 0) {
        list_append(&fs->clean, &b->link);
        fs->nclean++;
    }
}

void buf_forget(struct ext2 *fs, uint32_t block)
{
    struct buf *b = find(fs, block);
    if (!b)
        return;
    buf_clean(fs, b);
    if (b->refs)
        return;                                     /* its user is about to put it: then it is merely clean */
    fs->nclean--;
    destroy(fs, b);
}

void buf_drop_all(struct ext2 *fs)
{
    for (unsigned i = 0; i < BUF_BUCKETS; i++)
        while (fs->bufs[i])
            destroy(fs, fs->bufs[i]);
    fs->nclean = fs->ndirty = 0;
}

/* ---- Many at once ---- */

struct write_set {
    unsigned          pending;
    int               status;
    struct wait_queue wait;
};

struct run {
    struct blk_request r;
    struct write_set  *set;
    struct blk_seg     segs[RUN_MAX];
};

static void run_done(struct blk_request *r)
{
    struct run *run = r->private;
    struct write_set *set = run->set;
    if (r->status)
        set->status = -EIO;
    kfree(run);
    if (--set->pending == 0)
        wake_all(&set->wait);
}

static void run_add(struct ext2 *fs, struct run *run, const struct block_write *w)
{
    run->segs[run->r.nsegs++] = (struct blk_seg){
        .frame = plat_pfn_to_frame(virt_to_pfn(w->data)), .offset = (uintptr_t)w->data & (PAGE_SIZE - 1), .len = fs->block_size,
        .va = (void *)w->data,
    };
    run->r.count += fs->sectors;
}

int blocks_write(struct ext2 *fs, const struct block_write *w, size_t n)
{
    struct write_set set = { .pending = 1 };
    wait_init(&set.wait);
    for (size_t i = 0; i < n && !set.status;) {
        struct run *run = kmalloc(sizeof(*run));
        if (!run) {
            set.status = -ENOMEM;
            break;
        }
        run->set = &set;
        run->r = (struct blk_request){ .op = BLK_WRITE, .sector = (uint64_t)w[i].block * fs->sectors, .segs = run->segs,
                                       .done = run_done, .private = run };
        uint32_t next = w[i].block;
        while (i < n && run->r.nsegs < RUN_MAX && w[i].block == next) {
            run_add(fs, run, &w[i++]);
            next++;
        }
        set.pending++;
        blk_submit(fs->dev, &run->r);
    }
    blk_kick(fs->dev);
    set.pending--;
    wait_event_always(&set.wait, set.pending == 0);
    return set.status;
}
