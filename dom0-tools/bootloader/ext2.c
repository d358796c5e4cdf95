/* SPDX-License-Identifier: MIT */
/* ext2.c: see ext2.h. SPEC is the file system's own documentation.           */
#include "dom0-tools/bootloader/ext2.h"

#include <string.h>

#define SUPER        1024u
#define ROOT_INO     2u
#define MAGIC        0xef53u
#define BLOCK_MOST   65536u
#define DIR_MOST     (16ull << 20)        /* bytes of one directory that are looked at */
#define LINKS_MOST   8u
#define PATH_MOST    1024u
#define EXTENTS_FLAG 0x80000u
#define INLINE_FLAG  0x10000000u
#define MODE_TYPE    0xf000u
#define MODE_DIR     0x4000u
#define MODE_FILE    0x8000u
#define MODE_LINK    0xa000u

/* Incompatible features that change nothing for a reader, or that we know: typed directory entries, a journal to be
 * replayed, extents, 64 bit, a mount guard, flexible groups, checksum seeds, large directories. */
#define INCOMPAT_KNOWN (0x2u | 0x4u | 0x40u | 0x80u | 0x100u | 0x200u | 0x2000u | 0x4000u)

static bool fs_read(struct ext2 *fs, uint64_t at, void *buf, size_t n)
{
    return at <= fs->where.len && n <= fs->where.len - at && volume_read(fs->v, fs->where.start + at, buf, n);
}

static bool sane(const struct ext2 *fs)
{
    return fs->block_size >= 1024 && fs->block_size <= BLOCK_MOST && fs->blocks > fs->first_block &&
           fs->blocks <= fs->where.len / fs->block_size && fs->inodes > 0 && fs->inodes_per_group > 0 &&
           fs->inode_size >= 128 && fs->inode_size <= fs->block_size && (fs->inode_size & (fs->inode_size - 1)) == 0 &&
           fs->group_desc_size >= 32 && fs->group_desc_size <= 1024;
}

bool ext2_open(struct ext2 *fs, struct volume *v, const struct extent *where)
{
    uint8_t s[1024];
    uint32_t incompat, shift;

    memset(fs, 0, sizeof(*fs));
    fs->v = v;
    fs->where = *where;
    if (!fs_read(fs, SUPER, s, sizeof(s)) || le16(s + 56) != MAGIC)
        return false;
    shift = le32(s + 24);
    incompat = le32(s + 76) ? le32(s + 96) : 0;
    if (shift > 6 || incompat & ~INCOMPAT_KNOWN)
        return false;
    fs->block_size = 1024u << shift;
    fs->wide = incompat & 0x80;
    fs->blocks = le32(s + 4) | (fs->wide ? (uint64_t)le32(s + 336) << 32 : 0);
    fs->inodes = le32(s);
    fs->first_block = le32(s + 20);
    fs->inodes_per_group = le32(s + 40);
    fs->inode_size = le32(s + 76) ? le16(s + 88) : 128;
    fs->group_desc_size = fs->wide ? le16(s + 254) : 32;
    fs->group_table = (fs->first_block + 1) * fs->block_size;
    if (!sane(fs))
        return false;
    fs->groups = (fs->inodes - 1) / fs->inodes_per_group + 1;
    return true;
}

/* ---- inodes ----------------------------------------------------------------------------- */

static bool read_inode(struct ext2 *fs, uint32_t ino, struct ext2_file *f)
{
    uint8_t desc[64] = { 0 }, inode[128];
    uint32_t group, slot;
    uint64_t table;

    if (ino == 0 || ino > fs->inodes)
        return false;
    group = (ino - 1) / fs->inodes_per_group;
    slot = (ino - 1) % fs->inodes_per_group;
    if (!fs_read(fs, fs->group_table + (uint64_t)group * fs->group_desc_size, desc, fs->wide && fs->group_desc_size >= 64 ? 64 : 32))
        return false;
    table = le32(desc + 8) | (uint64_t)le32(desc + 40) << 32;
    if (table == 0 || table >= fs->blocks)
        return false;
    if (!fs_read(fs, table * fs->block_size + (uint64_t)slot * fs->inode_size, inode, sizeof(inode)))
        return false;
    f->ino = ino;
    f->mode = (uint16_t)le16(inode);
    f->size = le32(inode + 4);
    if ((f->mode & MODE_TYPE) == MODE_FILE)
        f->size |= (uint64_t)le32(inode + 108) << 32;
    f->flags = le32(inode + 32);
    memcpy(f->block, inode + 40, sizeof(f->block));
    return !(f->flags & INLINE_FLAG);
}

/* ---- which block holds the n-th of a file: *at 0 is a hole --------------------------------- */

static bool by_pointers(struct ext2 *fs, const struct ext2_file *f, uint64_t n, uint64_t *at)
{
    uint64_t per = fs->block_size / 4, span = 1;
    unsigned depth = 0;
    uint8_t word[4];

    if (n < 12) {
        *at = le32(f->block + 4 * n);
        return true;
    }
    n -= 12;
    for (depth = 1, span = per; n >= span; depth++, span *= per) {
        n -= span;
        if (depth == 3)
            return false;
    }
    *at = le32(f->block + 4 * (11 + depth));
    while (depth-- && *at) {
        span /= per;
        if (*at >= fs->blocks || !fs_read(fs, *at * fs->block_size + n / span * 4, word, 4))
            return false;
        n %= span;
        *at = le32(word);
    }
    return true;
}

/* One node of the tree: the last entry that begins at or before n. */
static int pick_extent(const uint8_t *node, unsigned room, uint64_t n, const uint8_t **entry, unsigned *depth)
{
    unsigned count = le16(node + 2);

    *entry = NULL;
    if (le16(node) != 0xf30a || count > room || le16(node + 6) > 5)
        return -1;
    *depth = le16(node + 6);
    for (unsigned i = 0; i < count; i++)
        if (le32(node + 12 + 12 * i) <= n)
            *entry = node + 12 + 12 * i;
    return 0;
}

static bool by_extents(struct ext2 *fs, const struct ext2_file *f, uint64_t n, uint64_t *at)
{
    static uint8_t block[BLOCK_MOST];
    const uint8_t *entry, *node = f->block;
    unsigned depth, room = 4, before = 6;

    for (;;) {
        uint64_t child;

        if (pick_extent(node, room, n, &entry, &depth) || depth >= before)
            return false;
        *at = 0;
        if (!entry)
            return true;
        before = depth;
        if (depth == 0)
            break;
        child = le32(entry + 4) | (uint64_t)le16(entry + 8) << 32;
        if (child == 0 || child >= fs->blocks || !fs_read(fs, child * fs->block_size, block, fs->block_size))
            return false;
        node = block;
        room = fs->block_size / 12 - 1;
    }
    /* More than 32768 blocks: written to disk space that has never been filled. */
    if (le16(entry + 4) <= 32768 && n - le32(entry) < le16(entry + 4))
        *at = (le32(entry + 8) | (uint64_t)le16(entry + 6) << 32) + (n - le32(entry));
    return true;
}

static bool block_of(struct ext2 *fs, const struct ext2_file *f, uint64_t n, uint64_t *at)
{
    bool ok = f->flags & EXTENTS_FLAG ? n <= UINT32_MAX && by_extents(fs, f, n, at) : by_pointers(fs, f, n, at);

    return ok && *at < fs->blocks;
}

bool ext2_read(struct ext2 *fs, const struct ext2_file *f, uint64_t off, void *buf, size_t n)
{
    uint8_t *to = buf;

    if (off > f->size || n > f->size - off)
        return false;
    while (n) {
        uint64_t at;
        uint32_t in = (uint32_t)(off % fs->block_size);
        size_t len = fs->block_size - in < n ? fs->block_size - in : n;

        if (!block_of(fs, f, off / fs->block_size, &at))
            return false;
        if (!at)
            memset(to, 0, len);
        else if (!fs_read(fs, at * fs->block_size + in, to, len))
            return false;
        to += len;
        off += len;
        n -= len;
    }
    return true;
}

bool ext2_is_file(const struct ext2_file *f)
{
    return (f->mode & MODE_TYPE) == MODE_FILE;
}

/* ---- directories --------------------------------------------------------------------------------- */

/* Calls one() for each entry until it returns true. */
static bool each_entry(struct ext2 *fs, const struct ext2_file *dir,
                       bool (*one)(void *arg, const char *name, uint32_t ino), void *arg)
{
    static uint8_t block[BLOCK_MOST];

    if ((dir->mode & MODE_TYPE) != MODE_DIR)
        return false;
    for (uint64_t off = 0; off + fs->block_size <= dir->size && off < DIR_MOST; off += fs->block_size) {
        uint32_t at = 0;

        if (!ext2_read(fs, dir, off, block, fs->block_size))
            return false;
        while (at + 8 <= fs->block_size) {
            uint32_t ino = le32(block + at), len = le16(block + at + 4), name_len = block[at + 6];
            char name[EXT2_NAME + 1];

            if (len < 8 || len > fs->block_size - at || name_len + 8 > len)
                break;
            memcpy(name, block + at + 8, name_len);
            name[name_len] = '\0';
            if (ino && name_len && strlen(name) == name_len && one(arg, name, ino))
                return true;
            at += len;
        }
    }
    return false;
}

struct wanted {
    const char *name;
    size_t      len;
    uint32_t    ino;
};

static bool is_wanted(void *arg, const char *name, uint32_t ino)
{
    struct wanted *w = arg;

    if (strlen(name) != w->len || memcmp(name, w->name, w->len) != 0)
        return false;
    w->ino = ino;
    return true;
}

static bool link_target(struct ext2 *fs, const struct ext2_file *f, char *buf, size_t size)
{
    if (f->size == 0 || f->size >= size)
        return false;
    if (f->size < sizeof(f->block) && !(f->flags & EXTENTS_FLAG))
        memcpy(buf, f->block, (size_t)f->size);
    else if (!ext2_read(fs, f, 0, buf, (size_t)f->size))
        return false;
    buf[f->size] = '\0';
    return strlen(buf) == f->size;
}

/* A link in the middle: what it says stands for the name, the rest of the path stays. */
static bool splice(char path[PATH_MOST], const char *target, const char *rest)
{
    char fresh[2 * PATH_MOST];
    size_t n = strlen(target), m = strlen(rest);

    if (n + m + 2 > PATH_MOST)
        return false;
    memcpy(fresh, target, n);
    fresh[n] = '/';
    memcpy(fresh + n + 1, rest, m + 1);
    memcpy(path, fresh, n + m + 2);
    return true;
}

bool ext2_find(struct ext2 *fs, const char *path, struct ext2_file *f)
{
    char left[PATH_MOST], target[PATH_MOST];
    struct ext2_file dir;
    unsigned links = 0;
    char *at = left;

    if (strlen(path) >= sizeof(left) || !read_inode(fs, ROOT_INO, f))
        return false;
    strcpy(left, path);
    dir = *f;
    for (;;) {
        struct wanted w = { .name = at };

        while (*at == '/')
            at++;
        if (!*at)
            return true;
        w.name = at;
        w.len = strcspn(at, "/");
        if (w.len > EXT2_NAME)
            return false;
        dir = *f;
        if (!each_entry(fs, &dir, is_wanted, &w) || !read_inode(fs, w.ino, f))
            return false;
        at += w.len;
        if ((f->mode & MODE_TYPE) != MODE_LINK)
            continue;
        if (++links > LINKS_MOST || !link_target(fs, f, target, sizeof(target)) || !splice(left, target, at))
            return false;
        if (target[0] == '/' ? !read_inode(fs, ROOT_INO, f) : (*f = dir, false))
            return false;
        at = left;
    }
}

struct listing {
    bool (*one)(void *arg, const char *name);
    void *arg;
};

static bool pass_on(void *arg, const char *name, uint32_t ino)
{
    const struct listing *l = arg;

    (void)ino;
    return l->one(l->arg, name);
}

bool ext2_list(struct ext2 *fs, const char *path, bool (*one)(void *arg, const char *name), void *arg)
{
    struct listing l = { one, arg };
    struct ext2_file dir;

    return ext2_find(fs, path, &dir) && each_entry(fs, &dir, pass_on, &l);
}
