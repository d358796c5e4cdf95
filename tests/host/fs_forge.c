/* SPDX-License-Identifier: MIT */
/* fs_forge.c: finds the fields of an image and writes into them what would hurt a driver that believes them: numbers at the edges of
 * what is allowed, blocks that are something else already, themselves, or their own parents. */
#include "tests/host/fs_forge.h"
#include "tests/host/fs_machine.h"

static const struct ext2_super *super_of(const struct forge *f) { return (const struct ext2_super *)(f->clean + 1024); }

static const struct ext2_group *groups_of(const struct forge *f)
{
    return (const struct ext2_group *)(f->clean + (super_of(f)->first_block + 1) * f->block);
}

static unsigned group_count(const struct forge *f)
{
    const struct ext2_super *s = super_of(f);
    return (s->blocks - s->first_block + s->blocks_per_group - 1) / s->blocks_per_group;
}

/* ---- Finding ---- */

static void note(uint32_t *places, unsigned *n, uint32_t at)
{
    if (*n < FORGE_PLACES)
        places[(*n)++] = at;
}

static void find_blocks(struct forge *f, uint32_t block, unsigned depth, uint32_t *data, unsigned *n)
{
    if (!block)
        return;
    if (!depth) {
        if (data)
            note(data, n, block * f->block);
        return;
    }
    note(f->table, &f->tables, block * f->block);
    for (unsigned k = 0; k < f->block / 4; k++)
        find_blocks(f, ((const uint32_t *)(f->clean + block * f->block))[k], depth - 1, data, n);
}

static void find_in_inode(struct forge *f, uint32_t ino, uint32_t at)
{
    const struct ext2_inode *r = (const struct ext2_inode *)(f->clean + at);
    bool dir = S_ISDIR(r->mode), log = (super_of(f)->compat & COMPAT_JOURNAL) && ino == super_of(f)->journal_ino;
    if (r->mode || ino % 16 == 0)
        note(f->inode, &f->inodes, at);
    if (!dir && !S_ISREG(r->mode))
        return;
    for (unsigned k = 0; k < EXT2_POINTERS; k++)
        find_blocks(f, r->block[k], k < EXT2_DIRECT ? 0 : k - EXT2_DIRECT + 1, dir ? f->dir : log ? f->log : 0, dir ? &f->dirs : &f->logs);
}

struct forge *forge_new(void *image, size_t size)
{
    struct forge *f = host_alloc(sizeof(*f));
    f->clean = image;
    f->size = size;
    const struct ext2_super *s = super_of(f);
    f->block = 1024 << s->log_block_size;
    unsigned record = s->revision ? s->inode_size : 128;
    for (unsigned g = 0; g < group_count(f); g++)
        for (unsigned k = 0; k < s->inodes_per_group; k++)
            find_in_inode(f, g * s->inodes_per_group + k + 1, groups_of(f)[g].inode_table * f->block + k * record);
    CHECK(f->inodes > 10 && f->dirs > 5 && f->tables > 5, "%u inodes, %u directories, %u tables\n", f->inodes, f->dirs, f->tables);
    return f;
}

/* ---- What to write ---- */

static uint32_t some_block(const struct forge *f)
{
    const struct ext2_super *s = super_of(f);
    const struct ext2_group *g = &groups_of(f)[host_dice(group_count(f))];
    switch (host_dice(9)) {
    case 0: return s->first_block;
    case 1: return s->first_block + 1;
    case 2: return g->block_bitmap;
    case 3: return g->inode_bitmap;
    case 4: return g->inode_table + host_dice(4);
    case 5: return f->table[host_dice(f->tables)] / f->block;
    case 6: return f->dir[host_dice(f->dirs)] / f->block;
    case 7: return f->logs ? f->log[host_dice(f->logs)] / f->block : 0;
    default: return host_dice(s->blocks);
    }
}

static uint32_t some_ino(const struct forge *f)
{
    static const uint32_t low[] = { 0, 1, 2, 5, 7, 8, 10, 11, 12, 13, 14, 15, 16 };
    uint32_t all = super_of(f)->inodes;
    return host_dice(3) ? low[host_dice(13)] : host_dice(2) ? all + host_dice(3) - 1 : host_dice(all);
}

static uint32_t some_number(const struct forge *f, uint32_t here)
{
    static const uint32_t edges[] = { 0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
    const struct ext2_super *s = super_of(f);
    switch (host_dice(6)) {
    case 0: return edges[host_dice(18)];
    case 1: return here;
    case 2: return some_block(f);
    case 3: return some_ino(f);
    case 4: return s->blocks - 1 + host_dice(3);
    default: return host_dice(2) ? host_dice(0) : host_dice(1000);
    }
}

static void put(uint64_t at, uint32_t v, unsigned n) { host_disk_write(&v, at, n); }

static uint32_t swapped(uint32_t v) { return __builtin_bswap32(v); }

/* ---- Where ---- */

static void forge_dirent(struct forge *f)
{
    uint32_t base = f->dir[host_dice(f->dirs)], at = 0;
    const struct ext2_dirent *d = (const struct ext2_dirent *)(f->clean + base);
    for (unsigned skip = host_dice(20); skip && at + d->rec_len < f->block && d->rec_len; skip--) {
        at += d->rec_len;
        d = (const struct ext2_dirent *)(f->clean + base + at);
    }
    const uint16_t lengths[] = { 0, 1, 3, 4, 7, 8, 11, 12, 0xffff, 0x8000, f->block, f->block - at, f->block - at + 4, f->block - at - 4 };
    static const uint8_t names[] = { 0, 1, 255, 254, 128 };
    switch (host_dice(5)) {
    case 0: put(base + at, some_ino(f), 4); break;
    case 1: put(base + at + 4, lengths[host_dice(14)], 2); break;
    case 2: put(base + at + 6, names[host_dice(5)], 1); break;
    case 3: put(base + at + 7, host_dice(256), 1); break;
    default: put(base + at + 8 + host_dice(4), host_dice(2) ? '/' : 0, 1);
    }
}

static void forge_super(struct forge *f)
{
    unsigned word = host_dice(4) ? host_dice(26) : host_dice(64), bytes = host_dice(3) ? 4 : 2;
    put(1024 + word * 4 + (bytes == 2 ? 2 * host_dice(2) : 0), host_dice(3) ? some_number(f, 0) : host_dice(40), bytes);
}

static void forge_bitmap(struct forge *f)
{
    const struct ext2_group *g = &groups_of(f)[host_dice(group_count(f))];
    uint64_t at = (uint64_t)(host_dice(2) ? g->block_bitmap : g->inode_bitmap) * f->block + host_dice(host_dice(2) ? 16 : 128);
    for (unsigned n = 1 + host_dice(64); n; n--)
        put(at++ % f->size, host_dice(3) ? 0 : 0xff, 1);
}

static void forge_log(struct forge *f)
{
    if (!f->logs)
        return;
    unsigned n = host_dice(3) ? 0 : host_dice(MIN(f->logs, 40u));
    put(f->log[n] + 4 * host_dice(n ? 40 : 14), swapped(some_number(f, host_dice(64))), 4);
}

static void forge_tables(struct forge *f)
{
    uint32_t at = f->table[host_dice(f->tables)], v = host_dice(2) ? at / f->block : some_block(f);
    unsigned from = host_dice(f->block / 4), n = host_dice(3) ? 1 : f->block / 4 - from;
    for (; n; n--, from++)
        put(at + from * 4, v, 4);
}

void forge_one(struct forge *f)
{
    uint32_t at;
    switch (host_dice(10)) {
    case 0:
        forge_super(f);
        break;
    case 1:
        at = (super_of(f)->first_block + 1) * f->block + 32 * host_dice(group_count(f));
        put(at + 4 * host_dice(8), some_number(f, at / f->block), host_dice(2) ? 4 : 2);
        break;
    case 2: case 3: case 4:
        at = f->inode[host_dice(f->inodes)];
        put(at + 4 * host_dice(32), host_dice(3) ? some_number(f, at / f->block) : some_block(f), host_dice(3) ? 4 : 2);
        break;
    case 5: case 6:
        forge_dirent(f);
        break;
    case 7:
        forge_tables(f);
        break;
    case 8:
        forge_bitmap(f);
        break;
    default:
        if (f->logs)
            forge_log(f);
        else
            put(host_dice(f->size), host_dice(256), 1);
    }
}
