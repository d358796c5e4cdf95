/* SPDX-License-Identifier: MIT */
/* ext2_dir.c: directories: files full of records (inode, name), each reaching to the next; a free one has inode 0.
 *
 * When a directory is first searched, all its names are put into a hash table in memory (and how much room each of its blocks
 * has), so that a lookup and a new name take the same short time in a directory of ten thousand as in one of ten. */
#include "guest-kernel/fs/ext2.h"
#include "guest-kernel/kernel/proc.h"

#define GONE 0xffffffffu                            /* an entry of the table that was removed */
#define PROBES_MAX 4096u                            /* who needs more has named things alike on purpose */

/* slot: the name's hash above, its record's place (offset / 4 + 1) below; 0: never used. */
struct dir_index {
    uint64_t *slot;
    uint16_t *room;                                 /* the largest free piece of each block */
    uint32_t  slots, used, blocks, hint;
};

static uint32_t hash_name(const struct ext2 *fs, const char *name, size_t n)
{
    uint64_t h = fs->seed;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)name[i]) * 0x9e3779b97f4a7c15ul;
    return h >> 32 ^ h >> 47;
}

static uint32_t record_size(size_t name_len) { return ROUND_UP(sizeof(struct ext2_dirent) + name_len, 4ul); }

/* What of a record is not used by its name. */
static uint32_t spare(const struct ext2_dirent *d) { return d->rec_len - (d->ino ? record_size(d->name_len) : 0); }

static struct ext2_dirent *record_at(struct buf *b, uint32_t at) { return (struct ext2_dirent *)(b->data + at); }

static bool record_ok(const struct ext2 *fs, const struct ext2_dirent *d, uint32_t at)
{
    return at + sizeof(*d) <= fs->block_size && d->rec_len >= 8 && d->rec_len % 4 == 0 && d->rec_len <= fs->block_size - at &&
           spare(d) <= d->rec_len && d->ino <= fs->sb->inodes;
}

/* What programs may be shown as a name. */
static bool name_ok(const struct ext2_dirent *d)
{
    unsigned n = 0;
    while (n < d->name_len && d->name[n] && d->name[n] != '/')
        n++;
    return n && n == d->name_len;
}

static int damaged(struct inode *dir) { return ext2_complain(ext2_of(dir), "a directory is damaged; inode", dir->ino); }

/* The directory's n-th block. */
static struct buf *dir_block(struct inode *dir, uint32_t n, int *rc)
{
    uint32_t block;
    *rc = ext2_block(dir, n, false, &block);
    if (*rc == 0 && !block)
        *rc = damaged(dir);
    return *rc ? 0 : buf_get_file(ext2_of(dir), block, rc);
}

static uint32_t dir_blocks(const struct inode *dir) { return dir->size >> ext2_of(dir)->block_shift; }

/* The block with the record that f says. Looked at once more: another name of the same block may have changed it (E5). */
static struct buf *find_record(struct inode *dir, uint32_t offset, struct ext2_dirent **d, int *rc)
{
    struct ext2 *fs = ext2_of(dir);
    uint32_t want = offset & (fs->block_size - 1), at = 0;
    struct buf *b = dir_block(dir, offset >> fs->block_shift, rc);
    while (b && at < want && record_ok(fs, record_at(b, at), at))
        at += record_at(b, at)->rec_len;
    if (!b)
        return 0;
    *d = record_at(b, at);
    if (at == want && record_ok(fs, *d, at))
        return b;
    *rc = damaged(dir);
    buf_put(fs, b);
    return 0;
}

/* ---- The table in memory ---- */

void dir_index_free(struct ext2_node *n)
{
    if (!n->index)
        return;
    kfree(n->index->slot);
    kfree(n->index->room);
    kfree(n->index);
    n->index = 0;
}

static bool index_put(struct dir_index *x, uint32_t hash, uint32_t offset)
{
    uint32_t at = hash & (x->slots - 1), probes = 0;
    while (x->slot[at] && (uint32_t)x->slot[at] != GONE) {
        at = (at + 1) & (x->slots - 1);
        if (++probes == PROBES_MAX)
            return false;
    }
    x->used += !x->slot[at];
    x->slot[at] = (uint64_t)hash << 32 | (offset / 4 + 1);
    return true;
}

static bool index_resize(struct dir_index *x)
{
    uint32_t slots = MAX(x->slots, 64u), old = x->slots, live = 0;
    for (uint32_t i = 0; i < old; i++)
        live += x->slot[i] && (uint32_t)x->slot[i] != GONE;
    while (slots < live * 3 + 16)
        slots *= 2;
    uint64_t *was = x->slot, *now = slots * 8ul <= 2ul << 20 ? kmalloc(slots * 8ul) : 0;
    if (!now)
        return false;
    x->slot = now;
    x->slots = slots;
    x->used = 0;
    bool ok = true;
    for (uint32_t i = 0; i < old && ok; i++)
        ok = !was[i] || (uint32_t)was[i] == GONE || index_put(x, was[i] >> 32, ((uint32_t)was[i] - 1) * 4);
    kfree(was);
    return ok;
}

static bool index_add(struct dir_index *x, uint32_t hash, uint32_t offset)
{
    if ((x->used + 1) * 4 > x->slots * 3 && !index_resize(x))
        return false;
    return index_put(x, hash, offset);
}

static void index_remove(struct dir_index *x, uint32_t hash, uint32_t offset)
{
    uint64_t want = (uint64_t)hash << 32 | (offset / 4 + 1);
    for (uint32_t at = hash & (x->slots - 1); x->slot[at]; at = (at + 1) & (x->slots - 1))
        if (x->slot[at] == want) {
            x->slot[at] |= GONE;
            return;
        }
}

static bool index_blocks(struct dir_index *x, uint32_t blocks)
{
    if (blocks <= x->blocks)
        return true;
    uint32_t room = 16;
    while (room < blocks)
        room *= 2;
    if (room > x->blocks || !x->room) {
        uint16_t *bigger = kmalloc(room * 2ul);
        if (!bigger)
            return false;
        if (x->room)
            memcpy(bigger, x->room, x->blocks * 2ul);
        kfree(x->room);
        x->room = bigger;
    }
    x->blocks = blocks;
    return true;
}

/* Reads one block's records into the table. */
static int index_block(struct inode *dir, struct dir_index *x, uint32_t n)
{
    struct ext2 *fs = ext2_of(dir);
    int rc;
    struct buf *b = dir_block(dir, n, &rc);
    uint32_t room = 0;
    if (!b)
        return rc;
    for (uint32_t at = 0; at < fs->block_size && rc == 0;) {
        struct ext2_dirent *d = record_at(b, at);
        if (!record_ok(fs, d, at) || (d->ino && !name_ok(d))) {
            rc = damaged(dir);
            break;
        }
        if (d->ino && !index_add(x, hash_name(fs, d->name, d->name_len), (n << fs->block_shift) + at))
            rc = -ENOMEM;
        room = MAX(room, spare(d));
        at += d->rec_len;
    }
    buf_put(fs, b);
    x->room[n] = MIN(room, 0xffffu);
    breathe();
    return rc;
}

static int index_build(struct inode *dir)
{
    struct ext2_node *node = node_of(dir);
    if (node->index)
        return 0;
    struct dir_index *x = kmalloc(sizeof(*x));
    if (!x)
        return -ENOMEM;
    int rc = index_resize(x) && index_blocks(x, dir_blocks(dir)) ? 0 : -ENOMEM;
    for (uint32_t n = 0; rc == 0 && n < dir_blocks(dir); n++)
        rc = index_block(dir, x, n);
    node->index = x;
    if (rc)
        dir_index_free(node);
    return rc;
}

/* ---- Names ---- */

int dir_find(struct inode *dir, const char *name, struct found *f)
{
    struct ext2 *fs = ext2_of(dir);
    size_t len = strlen(name);
    uint32_t hash = hash_name(fs, name, len);
    int rc = index_build(dir);
    if (rc)
        return rc;
    struct dir_index *x = node_of(dir)->index;
    for (uint32_t at = hash & (x->slots - 1); x->slot[at]; at = (at + 1) & (x->slots - 1)) {
        if (x->slot[at] >> 32 != hash || (uint32_t)x->slot[at] == GONE)
            continue;
        uint32_t offset = ((uint32_t)x->slot[at] - 1) * 4;
        struct ext2_dirent *d;
        struct buf *b = find_record(dir, offset, &d, &rc);
        if (!b)
            return rc;
        bool same = d->ino && d->name_len == len && memcmp(d->name, name, len) == 0;
        *f = (struct found){ d->ino, offset };
        buf_put(fs, b);
        if (same)
            return 0;
    }
    return -ENOENT;
}

static uint8_t type_of(const struct ext2 *fs, uint32_t mode)
{
    static const uint8_t types[16] = { [1] = 5, [2] = 3, [4] = 2, [6] = 4, [8] = 1, [10] = 7, [12] = 6 };
    return fs->sb->incompat & INCOMPAT_FILETYPE ? types[mode >> 12 & 15] : 0;
}

static void changed(struct inode *dir, struct buf *b)
{
    buf_dirty(ext2_of(dir), b);
    node_of(dir)->raw.flags &= ~EXT2_INDEX_FL;      /* the tree of hashes, if there was one, no longer agrees */
    node_of(dir)->meta = true;
    ext2_changed(dir);
}

static void write_record(struct ext2_dirent *d, const char *name, size_t len, uint32_t ino, uint8_t type)
{
    d->ino = ino;
    d->name_len = len;
    d->type = type;
    memcpy(d->name, name, len);
}

/* Puts the record into block n if it has room: its offset in the block, or -ENOSPC. */
static long add_in(struct inode *dir, struct buf *b, const char *name, size_t len, uint32_t ino, uint8_t type)
{
    struct ext2 *fs = ext2_of(dir);
    uint32_t need = record_size(len);
    for (uint32_t at = 0; at < fs->block_size;) {
        struct ext2_dirent *d = record_at(b, at);
        if (!record_ok(fs, d, at))
            return -EIO;
        if (spare(d) < need) {
            at += d->rec_len;
            continue;
        }
        if (d->ino) {                               /* the new one takes what the old one does not need */
            uint32_t rest = spare(d);
            d->rec_len -= rest;
            at += d->rec_len;
            d = record_at(b, at);
            d->rec_len = rest;
        }
        write_record(d, name, len, ino, type);
        changed(dir, b);
        return at;
    }
    return -ENOSPC;
}

static uint32_t largest_room(const struct ext2 *fs, struct buf *b)
{
    uint32_t room = 0;
    for (uint32_t at = 0; at < fs->block_size && record_ok(fs, record_at(b, at), at); at += record_at(b, at)->rec_len)
        room = MAX(room, spare(record_at(b, at)));
    return room;
}

/* A block more at the end, one free record. */
static int append_block(struct inode *dir)
{
    struct ext2 *fs = ext2_of(dir);
    uint32_t block, n = dir_blocks(dir);
    if (!index_blocks(node_of(dir)->index, n + 1))
        return -ENOMEM;
    int rc = ext2_block(dir, n, true, &block);
    if (rc)
        return rc;
    struct buf *b = buf_new(fs, block, &rc);
    if (!b)
        return rc;                                  /* the block stays allocated behind the end; the next append takes it */
    record_at(b, 0)->rec_len = fs->block_size;
    node_of(dir)->index->room[n] = MIN(fs->block_size, 0xffffu);
    dir->size += fs->block_size;
    changed(dir, b);
    buf_put(fs, b);
    return 0;
}

static uint32_t find_room(struct dir_index *x, uint32_t need)
{
    for (uint32_t k = 0; k < x->blocks; k++) {
        uint32_t n = (x->hint + k) % x->blocks;
        if (x->room[n] >= need)
            return x->hint = n;
    }
    return x->blocks;
}

int dir_add(struct inode *dir, const char *name, uint32_t ino, uint32_t mode)
{
    struct ext2 *fs = ext2_of(dir);
    size_t len = strlen(name);
    int rc = len > EXT2_NAME_MAX ? -ENAMETOOLONG : index_build(dir);
    if (rc)
        return rc;
    struct dir_index *x = node_of(dir)->index;
    uint32_t n = find_room(x, record_size(len));
    if (n == x->blocks && (rc = append_block(dir)) != 0)
        return rc;
    struct buf *b = dir_block(dir, n, &rc);
    if (!b)
        return rc;
    long at = add_in(dir, b, name, len, ino, type_of(fs, mode));
    x->room[n] = largest_room(fs, b);
    buf_put(fs, b);
    if (at < 0)
        return at == -ENOSPC ? -EIO : (int)at;
    if (!index_add(x, hash_name(fs, name, len), (n << fs->block_shift) + at))
        dir_index_free(node_of(dir));               /* built anew when there is memory */
    return 0;
}

int dir_remove(struct inode *dir, const char *name, const struct found *f)
{
    struct ext2 *fs = ext2_of(dir);
    struct dir_index *x = node_of(dir)->index;
    uint32_t n = f->offset >> fs->block_shift, want = f->offset & (fs->block_size - 1), before = 0;
    int rc;
    struct ext2_dirent *d;
    struct buf *b = find_record(dir, f->offset, &d, &rc);
    if (!b)
        return rc;
    for (uint32_t at = 0; at < want; at += record_at(b, at)->rec_len)
        before = at;
    if (want)
        record_at(b, before)->rec_len += d->rec_len;
    d->ino = 0;
    changed(dir, b);
    if (x) {
        x->room[n] = largest_room(fs, b);
        index_remove(x, hash_name(fs, name, strlen(name)), f->offset);
    }
    buf_put(fs, b);
    return 0;
}

int dir_set(struct inode *dir, const struct found *f, uint32_t ino, uint32_t mode)
{
    struct ext2 *fs = ext2_of(dir);
    int rc;
    struct ext2_dirent *d;
    struct buf *b = find_record(dir, f->offset, &d, &rc);
    if (!b)
        return rc;
    d->ino = ino;
    d->type = type_of(fs, mode);
    changed(dir, b);
    buf_put(fs, b);
    return 0;
}

int dir_init(struct inode *dir, uint32_t parent)
{
    struct ext2 *fs = ext2_of(dir);
    uint32_t block;
    int rc = ext2_block(dir, 0, true, &block);
    if (rc)
        return rc;
    struct buf *b = buf_new(fs, block, &rc);
    if (!b)
        return rc;
    record_at(b, 0)->rec_len = 12;
    write_record(record_at(b, 0), ".", 1, dir->ino, type_of(fs, S_IFDIR));
    record_at(b, 12)->rec_len = fs->block_size - 12;
    write_record(record_at(b, 12), "..", 2, parent, type_of(fs, S_IFDIR));
    dir->size = fs->block_size;
    changed(dir, b);
    buf_put(fs, b);
    return 0;
}

int dir_set_parent(struct inode *dir, uint32_t parent)
{
    struct found f;
    int rc = dir_find(dir, "..", &f);
    return rc ? rc : dir_set(dir, &f, parent, S_IFDIR);
}

int dir_empty(struct inode *dir)
{
    char name[EXT2_NAME_MAX + 1];
    uint64_t cookie = 0, ino;
    uint8_t type;
    int rc;
    while ((rc = ext2_entry(dir, &cookie, name, &ino, &type)) == 0)
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            return -ENOTEMPTY;
    return rc == -ENOENT ? 0 : rc;
}

/* The cookie is an offset into the directory. It may point into a record that has grown over the place since: so blocks are
 * walked from their start. */
int ext2_entry(struct inode *dir, uint64_t *cookie, char *name, uint64_t *ino, uint8_t *type)
{
    static const uint8_t types[8] = { 0, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK, DT_LNK };
    struct ext2 *fs = ext2_of(dir);
    for (uint64_t n; (n = *cookie >> fs->block_shift) < dir_blocks(dir); *cookie = (n + 1) << fs->block_shift) {
        int rc;
        struct buf *b = dir_block(dir, n, &rc);
        if (rc)
            return rc;
        uint32_t from = *cookie & (fs->block_size - 1);
        for (uint32_t at = 0; b && at < fs->block_size; at += record_at(b, at)->rec_len) {
            struct ext2_dirent *d = record_at(b, at);
            if (!record_ok(fs, d, at) || (d->ino && !name_ok(d))) {
                buf_put(fs, b);
                return damaged(dir);
            }
            if (at < from || !d->ino)
                continue;
            memcpy(name, d->name, d->name_len);
            name[d->name_len] = 0;
            *ino = d->ino;
            *type = types[d->type & 7];
            *cookie = (n << fs->block_shift) + at + d->rec_len;
            buf_put(fs, b);
            return 0;
        }
        if (b)
            buf_put(fs, b);
    }
    return -ENOENT;
}
