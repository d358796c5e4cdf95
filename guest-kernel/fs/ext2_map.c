/* SPDX-License-Identifier: MIT */
/* ext2_map.c: from a block of a file to a block of the disk: twelve pointers in the inode, then trees of one, two and
 * three levels of blocks full of pointers. */
#include "guest-kernel/fs/ext2.h"
#include "guest-kernel/kernel/proc.h"

/* The way to a block: which pointer in the inode, then which in each table; span[k]: how many blocks an entry there names. */
struct way {
    unsigned depth;                                 /* tables between the inode and the block */
    uint32_t slot[4];
    uint64_t span[4];
};

static int find_way(const struct ext2 *fs, uint64_t n, struct way *w)
{
    uint64_t per = fs->per_block, span = 1;
    w->depth = 0;
    w->span[0] = 1;
    w->slot[0] = n;
    if (n < EXT2_DIRECT)
        return 0;
    n -= EXT2_DIRECT;
    for (w->depth = 1; w->depth <= 3; w->depth++) {
        span *= per;
        if (n < span)
            break;
        n -= span;
    }
    if (w->depth > 3)
        return -EFBIG;
    w->slot[0] = EXT2_DIRECT + w->depth - 1;
    w->span[0] = span;
    for (unsigned k = 1; k <= w->depth; k++) {
        span /= per;
        w->slot[k] = n / span;
        w->span[k] = span;
        n %= span;
    }
    return 0;
}

/* How many blocks from slot `at` on follow each other (or are holes all), at most max. */
static uint64_t run_length(const uint32_t *p, uint32_t at, uint32_t end, uint64_t max)
{
    uint64_t n = 1;
    while (n < max && at + n < end && p[at + n] == (p[at] ? p[at] + n : 0))
        n++;
    return n;
}

/* Blocks from n on: *out the first's (0: a hole), *count in: wanted, out: so many in a row. */
static int map_blocks(struct inode *i, uint64_t n, uint32_t *out, uint64_t *count)
{
    struct ext2 *fs = ext2_of(i);
    struct ext2_node *node = node_of(i);
    struct way w;
    int rc = find_way(fs, n, &w);
    if (rc)
        return rc;
    const uint32_t *table = node->raw.block;
    uint32_t end = w.depth ? EXT2_POINTERS : EXT2_DIRECT;
    struct buf *b = 0;
    for (unsigned k = 0;; k++) {
        *out = table[w.slot[k]];
        if (k == w.depth || *out == 0)
            break;
        struct buf *next = buf_get_file(fs, *out, &rc);
        if (b)
            buf_put(fs, b);
        if (!next)
            return rc;
        b = next;
        table = (const uint32_t *)b->data;
        end = fs->per_block;
        if (k + 1 == w.depth) {
            *out = table[w.slot[k + 1]];
            *count = run_length(table, w.slot[k + 1], end, *count);
            buf_put(fs, b);
            return 0;
        }
    }
    if (w.depth == 0)
        *count = run_length(table, w.slot[0], end, *count);
    else                                            /* a table is missing: what its last level would name is a hole at least */
        *count = MIN(*count, (uint64_t)(fs->per_block - w.slot[w.depth]));
    if (b)
        buf_put(fs, b);
    return 0;
}

int ext2_map(struct inode *i, uint64_t sector, uint64_t *at, uint64_t *count)
{
    struct ext2 *fs = ext2_of(i);
    uint64_t within = sector & (fs->sectors - 1);
    uint64_t want = (within + *count + fs->sectors - 1) / fs->sectors;
    uint32_t block;
    if (sector / fs->sectors >= fs->max_block) {
        *at = MAP_HOLE;
        return 0;
    }
    int rc = map_blocks(i, sector / fs->sectors, &block, &want);
    if (rc)
        return rc;
    if (block && (block < fs->sb->first_block || block + want > fs->sb->blocks))
        return -EIO;
    *at = block ? (uint64_t)block * fs->sectors + within : MAP_HOLE;
    *count = MIN(*count, want * fs->sectors - within);
    return 0;
}

/* ---- Growing ---- */

static uint32_t goal_of(struct ext2 *fs, struct ext2_node *n)
{
    if (n->last_block)
        return n->last_block + 1;
    uint32_t group = (n->ino - 1) / fs->sb->inodes_per_group;
    return fs->sb->first_block + group * fs->sb->blocks_per_group;
}

static int alloc_for(struct inode *i, uint32_t *out)
{
    struct ext2 *fs = ext2_of(i);
    struct ext2_node *n = node_of(i);
    int rc = block_alloc(fs, goal_of(fs, n), out);
    if (rc == 0) {
        n->last_block = *out;
        i->blocks += fs->sectors;
        n->meta = true;
        ext2_changed(i);
    }
    return rc;
}

/* A new table of pointers. */
static int alloc_table(struct inode *i, uint32_t *out)
{
    struct ext2 *fs = ext2_of(i);
    int rc = alloc_for(i, out);
    if (rc)
        return rc;
    struct buf *b = buf_new(fs, *out, &rc);
    if (b) {
        buf_put(fs, b);
        return 0;
    }
    block_free(fs, *out);
    *out = 0;
    i->blocks -= fs->sectors;
    return rc;
}

static int fill_block(struct inode *i, uint64_t n, uint32_t *out)
{
    struct ext2 *fs = ext2_of(i);
    struct way w;
    int rc = find_way(fs, n, &w);
    uint32_t *table = node_of(i)->raw.block;
    struct buf *b = 0;
    for (unsigned k = 0; rc == 0; k++) {
        uint32_t *p = &table[w.slot[k]];
        if (*p == 0) {
            rc = k == w.depth ? alloc_for(i, p) : alloc_table(i, p);
            if (rc)
                break;
            if (b)
                buf_dirty(fs, b);
        }
        *out = *p;
        if (k == w.depth)
            break;
        struct buf *next = buf_get_file(fs, *out, &rc);
        if (b)
            buf_put(fs, b);
        b = next;
        if (b)
            table = (uint32_t *)b->data;
    }
    if (b)
        buf_put(fs, b);
    return rc;
}

int ext2_block(struct inode *i, uint64_t n, bool create, uint32_t *out)
{
    uint64_t one = 1;
    int rc = map_blocks(i, n, out, &one);
    return rc || *out || !create ? rc : fill_block(i, n, out);
}

#define SLICE 1024                                  /* blocks that are given all or not at all */

static void free_fresh(struct inode *i, uint64_t first, const uint64_t *fresh)
{
    for (unsigned k = 0; k < SLICE; k++)
        if (fresh[k / 64] >> k % 64 & 1)
            ext2_free_blocks(i, first + k, first + k + 1);
}

/* At most SLICE blocks. One that was given and then not written would show what it held before: so all or none. */
static int reserve_slice(struct inode *i, uint64_t first, uint64_t end)
{
    uint64_t fresh[SLICE / 64] = { 0 };
    for (uint64_t at = first; at < end;) {
        uint32_t block;
        uint64_t n = end - at;
        int rc = map_blocks(i, at, &block, &n);
        for (; rc == 0 && !block && n; n--, at++) {
            rc = fill_block(i, at, &(uint32_t){ 0 });
            if (rc == 0)
                fresh[(at - first) / 64] |= 1ul << (at - first) % 64;
        }
        if (rc) {
            free_fresh(i, first, fresh);
            return rc;
        }
        at += n;
    }
    return 0;
}

static int reserve_locked(struct inode *i, uint64_t first, uint64_t end)
{
    int rc = 0;
    for (; first < end && rc == 0; first += SLICE)
        rc = reserve_slice(i, first, MIN(end, first + SLICE));
    return rc;
}

static bool all_there(struct inode *i, uint64_t first, uint64_t end)
{
    while (first < end) {
        uint32_t block;
        uint64_t n = end - first;
        if (map_blocks(i, first, &block, &n) || !block)
            return false;
        first += n;
    }
    return true;
}

int ext2_reserve(struct inode *i, uint64_t offset, uint64_t n)
{
    struct ext2 *fs = ext2_of(i);
    uint64_t first = offset >> fs->block_shift, end = (offset + n + fs->block_size - 1) >> fs->block_shift;
    if (offset + n > fs->max_size)
        return -EFBIG;
    if (all_there(i, first, end))
        return fs->m->read_only || fs->broken ? -EROFS : 0;
    for (unsigned tries = 0;; tries++) {
        int rc = ext2_begin(fs);
        if (rc)
            return rc;
        rc = reserve_locked(i, first, end);
        bool again = rc == -ENOSPC && tries == 0 && fs->nfreed;
        if (again)
            again = ext2_commit(fs) == 0;           /* what was freed becomes free */
        ext2_end(fs);
        if (!again)
            return rc;
    }
}

/* ---- Shrinking ---- */

static void give_back(struct inode *i, uint32_t *p)
{
    struct ext2 *fs = ext2_of(i);
    block_free(fs, *p);
    *p = 0;
    i->blocks -= MIN(i->blocks, (uint64_t)fs->sectors);
    node_of(i)->meta = true;
}

static bool all_zero(const uint32_t *p, uint32_t n)
{
    while (n && !*p)
        p++, n--;
    return n == 0;
}

/* Frees [first, last), counted from this subtree's start, below *p, whose entries span `span` blocks each (0: *p is a
 * block of the file). The table itself goes when it has become empty. */
static int free_tree(struct inode *i, uint32_t *p, uint64_t span, uint64_t first, uint64_t last, uint32_t *left)
{
    struct ext2 *fs = ext2_of(i);
    int rc;
    if (*p == 0)
        return 0;
    if ((*left)-- == 0)
        return ext2_damage(fs, "a file has more blocks than there are; inode", i->ino);
    if (span == 0) {
        give_back(i, p);
        return 0;
    }
    struct buf *b = buf_get_file(fs, *p, &rc);
    if (!b)
        return rc;
    breathe();
    uint32_t *table = (uint32_t *)b->data;
    bool touched = false;
    for (uint64_t k = first / span; k < fs->per_block && k * span < last && rc == 0; k++) {
        uint64_t base = k * span;
        if (!table[k])
            continue;
        rc = free_tree(i, &table[k], span == 1 ? 0 : span / fs->per_block, first > base ? first - base : 0, MIN(last - base, span),
                       left);
        touched |= !table[k];
    }
    bool empty = all_zero(table, fs->per_block);
    if (touched && !empty)
        buf_dirty(fs, b);
    buf_put(fs, b);
    if (empty)
        give_back(i, p);
    return rc;
}

int ext2_free_blocks(struct inode *i, uint64_t first, uint64_t last)
{
    struct ext2 *fs = ext2_of(i);
    uint32_t *block = node_of(i)->raw.block;
    uint64_t base = EXT2_DIRECT, span = 1;
    uint32_t left = fs->sb->blocks;                 /* a table in a table of its own, or two names of one: an end to it */
    int rc = 0;
    node_of(i)->last_block = 0;
    for (uint64_t n = first; n < MIN(last, (uint64_t)EXT2_DIRECT); n++)
        if (block[n])
            give_back(i, &block[n]);
    for (unsigned k = 0; k < 3 && rc == 0; k++) {
        uint64_t size = span * fs->per_block;       /* blocks below this pointer */
        if (first < base + size && last > base)
            rc = free_tree(i, &block[EXT2_DIRECT + k], span, first > base ? first - base : 0, MIN(last - base, size), &left);
        base += size;
        span = size;
    }
    ext2_changed(i);
    return rc;
}
