/* SPDX-License-Identifier: MIT */
/* ext2_alloc.c: which blocks and inodes are free. What is freed stays taken in the bitmaps until the commit (E2). */
#include "guest-kernel/fs/ext2.h"

struct ext2_group *group_of(struct ext2 *fs, uint32_t group)
{
    uint32_t per = fs->block_size / sizeof(struct ext2_group);
    return (struct ext2_group *)fs->group_buf[group / per]->data + group % per;
}

void group_dirty(struct ext2 *fs, uint32_t group)
{
    buf_dirty(fs, fs->group_buf[group / (fs->block_size / sizeof(struct ext2_group))]);
}

static struct buf *bitmap(struct ext2 *fs, uint32_t block, int *rc)
{
    struct buf *b = buf_get(fs, block, rc);
    if (b)
        b->bits = true;
    return b;
}

static bool test_bit(const uint8_t *map, uint32_t n) { return map[n / 8] >> n % 8 & 1; }

/* The first clear bit of [from, to), or `to`. */
static uint32_t clear_bit_after(const uint8_t *map, uint32_t from, uint32_t to)
{
    while (from < to) {
        if (from % 64 == 0 && to - from >= 64 && ((const uint64_t *)map)[from / 64] == ~0ul)
            from += 64;
        else if (test_bit(map, from))
            from++;
        else
            return from;
    }
    return to;
}

static uint32_t group_blocks(const struct ext2 *fs, uint32_t group)
{
    uint32_t start = fs->sb->first_block + group * fs->sb->blocks_per_group;
    return MIN(fs->sb->blocks_per_group, fs->sb->blocks - start);
}

static int alloc_in(struct ext2 *fs, uint32_t group, uint32_t from, uint32_t *out)
{
    int rc;
    struct ext2_group *g = group_of(fs, group);
    if (g->free_blocks == 0)
        return -ENOSPC;
    struct buf *b = bitmap(fs, g->block_bitmap, &rc);
    if (!b)
        return rc;
    uint32_t n = group_blocks(fs, group), bit = clear_bit_after(b->data, from, n);
    if (bit == n && from)
        bit = clear_bit_after(b->data, 0, n);
    rc = bit < n ? 0 : -ENOSPC;
    *out = fs->sb->first_block + group * fs->sb->blocks_per_group + bit;
    if (rc == 0 && ext2_own(fs, *out))
        rc = ext2_damage(fs, "a block of the file system's own counts as free", *out);
    if (rc == 0) {
        b->data[bit / 8] |= 1 << bit % 8;
        buf_dirty(fs, b);
        g->free_blocks--;
        fs->free_blocks -= fs->free_blocks > 0;
        group_dirty(fs, group);
    }
    buf_put(fs, b);
    return rc;
}

static int alloc_anywhere(struct ext2 *fs, uint32_t goal, uint32_t *out)
{
    goal = goal < fs->sb->first_block || goal >= fs->sb->blocks ? 0 : goal - fs->sb->first_block;
    uint32_t home = goal / fs->sb->blocks_per_group, from = goal % fs->sb->blocks_per_group;
    for (uint32_t n = 0; n < fs->groups; n++) {
        int rc = alloc_in(fs, (home + n) % fs->groups, n ? 0 : from, out);
        if (rc != -ENOSPC)
            return rc;
    }
    return -ENOSPC;
}

/* -ENOSPC though blocks are pending: the caller leaves the lock, commits and tries again (ext2_map.c). */
int block_alloc(struct ext2 *fs, uint32_t goal, uint32_t *out) { return alloc_anywhere(fs, goal, out); }

static void free_bits(struct ext2 *fs, uint32_t start, uint32_t count)
{
    while (count) {
        int rc;
        uint32_t at = start - fs->sb->first_block, group = at / fs->sb->blocks_per_group, bit = at % fs->sb->blocks_per_group;
        uint32_t n = MIN(count, fs->sb->blocks_per_group - bit), freed = 0;
        struct ext2_group *g = group_of(fs, group);
        struct buf *b = bitmap(fs, g->block_bitmap, &rc);
        for (uint32_t i = bit; b && i < bit + n; i++) {
            freed += test_bit(b->data, i);
            b->data[i / 8] &= ~(1 << i % 8);
        }
        if (b) {
            buf_dirty(fs, b);
            buf_put(fs, b);
        }
        g->free_blocks += freed;
        fs->free_blocks += freed;
        group_dirty(fs, group);
        start += n;
        count -= n;
    }
}

/* A larger array in place of *array; false without memory. */
static bool grow(void **array, size_t *room, size_t size)
{
    size_t more = *room ? *room * 2 : 64;
    void *bigger = more * size <= 2ul << 20 ? kmalloc(more * size) : 0;
    if (!bigger)
        return false;
    if (*array)
        memcpy(bigger, *array, *room * size);
    kfree(*array);
    *array = bigger;
    *room = more;
    return true;
}

void block_free(struct ext2 *fs, uint32_t block)
{
    if (block < fs->sb->first_block || block >= fs->sb->blocks || ext2_own(fs, block)) {
        ext2_complain(fs, "a file gives back a block that is not a file's", block);
        return;                                     /* damage: e2fsck's */
    }
    buf_forget(fs, block);
    struct freed *last = fs->nfreed ? &fs->freed[fs->nfreed - 1] : 0;
    if (last && last->start + last->count == block) {
        last->count++;
    } else if (fs->nfreed < fs->freed_room || grow((void **)&fs->freed, &fs->freed_room, sizeof(struct freed))) {
        fs->freed[fs->nfreed++] = (struct freed){ block, 1 };
    } else {
        free_bits(fs, block, 1);                    /* no memory to remember it: free at once */
    }
}

static void free_ino_bit(struct ext2 *fs, uint32_t ino)
{
    int rc;
    uint32_t group = (ino - 1) / fs->sb->inodes_per_group, bit = (ino - 1) % fs->sb->inodes_per_group;
    struct buf *b = bitmap(fs, group_of(fs, group)->inode_bitmap, &rc);
    if (!b)
        return;
    if (test_bit(b->data, bit)) {
        b->data[bit / 8] &= ~(1 << bit % 8);
        buf_dirty(fs, b);
        group_of(fs, group)->free_inodes++;
        fs->free_inodes++;
        group_dirty(fs, group);
    }
    buf_put(fs, b);
}

void ino_free(struct ext2 *fs, uint32_t ino)
{
    if (fs->nfreed_inodes < fs->freed_inodes_room || grow((void **)&fs->freed_inodes, &fs->freed_inodes_room, sizeof(uint32_t)))
        fs->freed_inodes[fs->nfreed_inodes++] = ino;
    else
        free_ino_bit(fs, ino);
}

/* At a commit: what was freed since the last one is free. */
int apply_freed(struct ext2 *fs)
{
    for (size_t i = 0; i < fs->nfreed; i++)
        free_bits(fs, fs->freed[i].start, fs->freed[i].count);
    for (size_t i = 0; i < fs->nfreed_inodes; i++)
        free_ino_bit(fs, fs->freed_inodes[i]);
    fs->nfreed = fs->nfreed_inodes = 0;
    return 0;
}

/* Files near their directory; directories where most room is. */
static uint32_t pick_group(struct ext2 *fs, struct inode *dir, bool directory)
{
    uint32_t home = (dir->ino - 1) / fs->sb->inodes_per_group, best = home;
    if (!directory)
        return home;
    for (uint32_t g = 0; g < fs->groups; g++)
        if (group_of(fs, g)->free_inodes && group_of(fs, g)->free_blocks > group_of(fs, best)->free_blocks)
            best = g;
    return best;
}

static int ino_alloc_in(struct ext2 *fs, uint32_t group, bool directory, uint32_t *out)
{
    int rc;
    struct ext2_group *g = group_of(fs, group);
    if (g->free_inodes == 0)
        return -ENOSPC;
    struct buf *b = bitmap(fs, g->inode_bitmap, &rc);
    if (!b)
        return rc;
    uint32_t n = fs->sb->inodes_per_group;
    uint32_t first = fs->first_ino - 1, from = first > group * n ? first - group * n : 0;
    uint32_t bit = clear_bit_after(b->data, from, n);
    rc = bit < n ? 0 : -ENOSPC;
    *out = group * n + bit + 1;
    if (rc == 0 && ext2_known(fs, *out))
        rc = ext2_damage(fs, "an inode is free and in use", *out);
    if (rc == 0) {
        b->data[bit / 8] |= 1 << bit % 8;
        buf_dirty(fs, b);
        g->free_inodes--;
        fs->free_inodes -= fs->free_inodes > 0;
        g->dirs += directory;
        group_dirty(fs, group);
    }
    buf_put(fs, b);
    return rc;
}

int ino_alloc(struct ext2 *fs, struct inode *dir, bool directory, uint32_t *out)
{
    uint32_t home = pick_group(fs, dir, directory);
    for (uint32_t n = 0; n < fs->groups; n++) {
        int rc = ino_alloc_in(fs, (home + n) % fs->groups, directory, out);
        if (rc != -ENOSPC)
            return rc;
    }
    return -ENOSPC;
}

void count_free(struct ext2 *fs)
{
    fs->free_blocks = fs->free_inodes = 0;
    for (uint32_t g = 0; g < fs->groups; g++) {
        fs->free_blocks += group_of(fs, g)->free_blocks;
        fs->free_inodes += group_of(fs, g)->free_inodes;
    }
}
