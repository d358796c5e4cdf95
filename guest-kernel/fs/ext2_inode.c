/* SPDX-License-Identifier: MIT */
/* ext2_inode.c: inodes in memory: found, kept while idle, stored, erased.
 *
 * An inode that nobody uses stays for a while, and its pages with it, until others push it out. One whose last name is
 * gone is an orphan: on the disk it has no link, and hangs in the superblock's list, so that after a crash e2fsck, or the
 * next mount, frees it. When its last user goes it is doomed, and erased by whoever holds the lock next. */
#include "guest-kernel/fs/ext2.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"

#define IDLE_MAX 512
#define ATTRIBUTES_MAGIC 0xea020000u

static struct list *bucket(struct ext2 *fs, uint32_t ino) { return &fs->inodes[ino % INODE_BUCKETS]; }

/* Where inode `ino` lies: its table's buf, and the record in it. */
static struct buf *table_of(struct ext2 *fs, uint32_t ino, struct ext2_inode **out, int *rc)
{
    if (ino == 0 || ino > fs->sb->inodes) {
        *rc = -EIO;
        return 0;
    }
    uint32_t group = (ino - 1) / fs->sb->inodes_per_group;
    uint64_t at = (uint64_t)((ino - 1) % fs->sb->inodes_per_group) * fs->inode_size;
    struct buf *b = buf_get(fs, group_of(fs, group)->inode_table + (at >> fs->block_shift), rc);
    if (b) {
        b->table = true;
        *out = (struct ext2_inode *)(b->data + (at & (fs->block_size - 1)));
    }
    return b;
}

static struct ext2_node *make_node(struct ext2 *fs, uint32_t ino, uint32_t mode)
{
    struct inode *i = inode_alloc(fs->m, mode, &ext2_ops);
    struct ext2_node *n = i ? kmalloc(sizeof(*n)) : 0;
    if (!n || (S_ISREG(mode) && cache_create(i, fs->dev))) {
        kfree(n);
        kfree(i);
        return 0;
    }
    i->private = n;
    i->ino = ino;
    *n = (struct ext2_node){ .inode = i, .ino = ino };
    list_init(&n->idle);
    list_init(&n->changed);
    list_init(&n->orphan);
    list_append(bucket(fs, ino), &n->hash);
    return n;
}

/* n's record on the disk agrees with it. */
static void settle(struct ext2 *fs, struct ext2_node *n)
{
    n->meta = false;
    fs->nchanged -= !list_empty(&n->changed);
    list_remove(&n->changed);
}

static void free_node(struct ext2_node *n)
{
    struct inode *i = n->inode;
    list_remove(&n->hash);
    if (!list_empty(&n->idle))
        ext2_of(i)->nidle--;
    list_remove(&n->idle);
    settle(ext2_of(i), n);
    list_remove(&n->orphan);
    dir_index_free(n);
    cache_destroy(i);
    if (S_ISDIR(i->mode) && i->parent != i)
        inode_put(i->parent);
    kfree(n);
    kfree(i);
}

/* ---- From and to the disk ---- */

static uint64_t when(uint32_t s) { return s * NSEC_PER_SEC; }

static void load(struct inode *i, const struct ext2_inode *r)
{
    i->uid = r->uid | (uint32_t)r->uid_high << 16;
    i->gid = r->gid | (uint32_t)r->gid_high << 16;
    i->nlink = r->links;
    i->size = r->size | (S_ISREG(r->mode) ? (uint64_t)r->size_high << 32 : 0);
    i->atime = when(r->atime);
    i->mtime = when(r->mtime);
    i->ctime = when(r->ctime);
    i->blocks = r->blocks;
    if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
        i->rdev = r->block[0] ? (r->block[0] & 0xffff) : (r->block[1] & 0xff) | (r->block[1] >> 8 & 0xfff) << 8;
    node_of(i)->raw = *r;
}

static void fill_raw(struct inode *i, struct ext2_inode *r)
{
    r->mode = i->mode;
    r->uid = i->uid;
    r->uid_high = i->uid >> 16;
    r->gid = i->gid;
    r->gid_high = i->gid >> 16;
    r->links = i->nlink;
    r->size = i->size;
    if (S_ISREG(i->mode))
        r->size_high = i->size >> 32;
    r->atime = i->atime / NSEC_PER_SEC;
    r->mtime = i->mtime / NSEC_PER_SEC;
    r->ctime = i->ctime / NSEC_PER_SEC;
    r->blocks = i->blocks;
    if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
        r->block[0] = i->rdev & 0xffff;
}

int ext2_store(struct ext2 *fs, struct ext2_node *n)
{
    int rc;
    struct ext2_inode *slot;
    struct buf *b = table_of(fs, n->ino, &slot, &rc);
    if (!b)
        return rc;
    fill_raw(n->inode, &n->raw);
    if (n->inode->size > 0x7fffffff && S_ISREG(n->inode->mode))
        fs->sb->ro_compat |= RO_COMPAT_LARGE;
    *slot = n->raw;
    buf_dirty(fs, b);
    buf_put(fs, b);
    settle(fs, n);
    return 0;
}

void ext2_changed(struct inode *i)
{
    struct ext2_node *n = node_of(i);
    struct ext2 *fs = ext2_of(i);
    if (i->size != (n->raw.size | (S_ISREG(i->mode) ? (uint64_t)n->raw.size_high << 32 : 0)))
        n->meta = true;
    if (list_empty(&n->changed) && !fs->m->read_only) {
        list_append(&fs->changed, &n->changed);
        fs->nchanged++;
        cache_fs_dirty();
    }
}

/* ---- Finding ---- */

void ext2_set_parent(struct inode *i, struct inode *dir)
{
    if (!S_ISDIR(i->mode) || i->parent == dir)
        return;
    if (dir != i)
        inode_get(dir);
    if (i->parent != i)
        inode_put(i->parent);
    i->parent = dir;
}

bool ext2_is_below(const struct inode *i, const struct inode *dir)
{
    for (;; i = i->parent) {
        if (i == dir)
            return true;
        if (i->parent == i)
            return false;
    }
}

static struct inode *find(struct ext2 *fs, uint32_t ino)
{
    list_for (n, bucket(fs, ino), struct ext2_node, hash)
        if (n->ino == ino)
            return n->inode;
    return 0;
}

bool ext2_known(struct ext2 *fs, uint32_t ino) { return find(fs, ino) != 0; }

static struct inode *found(struct ext2 *fs, struct inode *i)
{
    struct ext2_node *n = node_of(i);
    if (!list_empty(&n->idle)) {
        list_remove(&n->idle);
        fs->nidle--;
    }
    inode_get(i);
    return i;
}

static bool known_type(uint32_t mode)
{
    return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) ||
           (mode & S_IFMT) == S_IFSOCK;
}

/* E5 */
static bool plausible(const struct ext2 *fs, const struct ext2_inode *r)
{
    uint64_t size = r->size | (S_ISREG(r->mode) ? (uint64_t)r->size_high << 32 : 0);
    return known_type(r->mode) && (!S_ISREG(r->mode) || size <= fs->max_size) &&
           (!S_ISDIR(r->mode) || size >> fs->block_shift <= fs->sb->blocks);
}

static int read_inode(struct ext2 *fs, uint32_t ino, bool names, struct inode **out)
{
    int rc;
    struct ext2_inode *slot;
    struct buf *b = table_of(fs, ino, &slot, &rc);
    if (!b)
        return rc;
    struct ext2_inode raw = *slot;
    buf_put(fs, b);
    if (!plausible(fs, &raw) || names != (raw.links != 0))
        return ext2_complain(fs, names ? "a name leads to an inode that is free or damaged" : "an orphan is none", ino);
    struct ext2_node *n = make_node(fs, ino, raw.mode);
    if (!n)
        return -ENOMEM;
    load(n->inode, &raw);
    *out = n->inode;
    return 0;
}

int ext2_iget(struct ext2 *fs, uint32_t ino, struct inode **out)
{
    struct inode *i = find(fs, ino);
    if (!i)
        return read_inode(fs, ino, true, out);
    *out = found(fs, i);
    return 0;
}

int ext2_iget_orphan(struct ext2 *fs, uint32_t ino, struct inode **out)
{
    if (find(fs, ino))
        return ext2_complain(fs, "the list of orphans runs in a ring", ino);
    int rc = read_inode(fs, ino, false, out);
    if (rc == 0)
        ext2_orphan(*out);
    return rc;
}

struct inode *ext2_inode_new(struct ext2 *fs, uint32_t ino, uint32_t mode, uint32_t rdev)
{
    struct ext2_node *n = make_node(fs, ino, mode);
    if (!n)
        return 0;
    n->inode->rdev = rdev;
    n->raw.generation = wall_ns() >> 20;
    n->meta = true;
    ext2_changed(n->inode);
    return n->inode;
}

/* ---- Going ---- */

void ext2_orphan(struct inode *i)
{
    struct ext2_node *n = node_of(i);
    if (list_empty(&n->orphan))
        list_append(&ext2_of(i)->orphans, &n->orphan);
    ext2_changed(i);
}

/* The block of extended attributes, which several inodes may share: its second word counts them. */
static void drop_attributes(struct ext2 *fs, struct inode *i)
{
    int rc;
    struct ext2_node *n = node_of(i);
    struct buf *b = n->raw.file_acl ? buf_get_file(fs, n->raw.file_acl, &rc) : 0;
    if (!b)
        return;
    uint32_t *users = (uint32_t *)b->data + 1;
    bool is_one = *(uint32_t *)b->data == ATTRIBUTES_MAGIC, last = is_one && *users <= 1;
    if (is_one && !last) {
        --*users;
        buf_dirty(fs, b);
    }
    buf_put(fs, b);
    if (last)
        block_free(fs, n->raw.file_acl);
    n->raw.file_acl = 0;
}

/* All of its blocks, its number, and its record on the disk. */
static int free_contents(struct ext2 *fs, struct inode *i)
{
    struct ext2_node *n = node_of(i);
    bool directory = S_ISDIR(i->mode), blocks = !S_ISLNK(i->mode) || i->blocks > (n->raw.file_acl ? fs->sectors : 0);
    if (i->cache) {
        cache_drop(i->cache, 0, ~0ul & ~(PAGE_SIZE - 1));
        list_remove(&i->cache->link);
    }
    int rc = S_ISCHR(i->mode) || S_ISBLK(i->mode) || !blocks ? 0 : ext2_free_blocks(i, 0, ~0ul >> 2);
    if (rc == 0) {
        drop_attributes(fs, i);
        if (!S_ISLNK(i->mode) || blocks)
            memset(n->raw.block, 0, sizeof(n->raw.block));
        i->size = i->blocks = 0;
        n->raw.dtime = wall_ns() / NSEC_PER_SEC;
        rc = ext2_store(fs, n);
    }
    if (rc == 0) {
        ino_free(fs, n->ino);
        if (directory) {
            uint32_t group = (n->ino - 1) / fs->sb->inodes_per_group;
            group_of(fs, group)->dirs -= group_of(fs, group)->dirs > 0;
            group_dirty(fs, group);
        }
    }
    if (rc)
        kprintf("novice: ext2 on %s: inode %u could not be freed: error %d\n", fs->dev->name, n->ino, -rc);
    return rc;
}

int ext2_erase(struct ext2 *fs, struct inode *i)
{
    if (i->cache) {                                 /* nobody finds it any more; who has, is waited for */
        cache_drop(i->cache, 0, ~0ul & ~(PAGE_SIZE - 1));
        list_remove(&i->cache->link);
        while (i->refs > 1)
            sleep_until(plat_clock_ns() + NSEC_PER_MS, false);
    }
    int rc = free_contents(fs, i);
    free_node(node_of(i));
    return rc;
}

/* The machine is going down: files without a name are gone, whoever may still have them open. */
void ext2_abandon_orphans(struct ext2 *fs)
{
    mutex_lock(&fs->lock);
    while (!list_empty(&fs->orphans)) {
        struct ext2_node *n = container_of(fs->orphans.next, struct ext2_node, orphan);
        list_remove(&n->orphan);
        free_contents(fs, n->inode);
    }
    mutex_unlock(&fs->lock);
}

/* The last reference is gone (inode_put). */
bool ext2_idle(struct inode *i)
{
    struct ext2_node *n = node_of(i);
    struct ext2 *fs = ext2_of(i);
    if (!list_empty(&n->idle))                      /* somebody who had found it in the cache looked in */
        return true;
    if (i->nlink == 0 && !fs->m->read_only && !fs->broken) {
        list_remove(&n->orphan);
        list_append(&fs->doomed, &n->orphan);
        i->refs = 1;                                /* the list's */
        cache_fs_dirty();
        if (!fs->lock.held && ext2_begin(fs) == 0)
            ext2_end(fs);
        return true;
    }
    list_append(&fs->idle, &n->idle);
    if (++fs->nidle > IDLE_MAX && !fs->lock.held)
        ext2_evict_idle(fs, IDLE_MAX * 3 / 4);
    return true;
}

static bool to_be_written(const struct ext2_node *n)
{
    const struct cache *c = n->inode->cache;
    return !list_empty(&n->changed) || (c && (c->ndirty || c->writing || !list_empty(&c->shared)));
}

/* The oldest go, those with something to write excepted, unless `all`. */
static void evict(struct ext2 *fs, unsigned keep, bool all)
{
    for (unsigned passed = 0; fs->nidle > keep && passed < fs->nidle;) {
        struct ext2_node *n = container_of(fs->idle.next, struct ext2_node, idle);
        if (!n->inode->refs && (all || !to_be_written(n))) {
            if (to_be_written(n))
                ext2_complain(fs, "what was written to a file is lost; inode", n->ino);
            free_node(n);
            continue;
        }
        list_remove(&n->idle);
        list_append(&fs->idle, &n->idle);
        passed++;
    }
}

void ext2_evict_idle(struct ext2 *fs, unsigned keep) { evict(fs, keep, false); }

/* At the unmount, when all that can be written is. */
bool ext2_in_use(struct ext2 *fs)
{
    if (fs->broken)                                 /* never to be erased */
        while (!list_empty(&fs->doomed) && container_of(fs->doomed.next, struct ext2_node, orphan)->inode->refs == 1)
            free_node(container_of(fs->doomed.next, struct ext2_node, orphan));
    evict(fs, 0, true);
    for (unsigned b = 0; b < INODE_BUCKETS; b++)
        list_for (n, &fs->inodes[b], struct ext2_node, hash)
            if (n->inode != fs->m->root || n->inode->refs > 1)
                return true;
    return false;
}

/* The file system goes, or is read anew: nobody uses one of them. */
void ext2_forget_all(struct ext2 *fs)
{
    for (unsigned b = 0; b < INODE_BUCKETS; b++)
        list_for (n, &fs->inodes[b], struct ext2_node, hash)
            n->inode->parent = n->inode;            /* which may be gone before it */
    for (unsigned b = 0; b < INODE_BUCKETS; b++)
        while (!list_empty(&fs->inodes[b]))
            free_node(container_of(fs->inodes[b].next, struct ext2_node, hash));
}

void ext2_release(struct inode *i) { BUG_ON(1); }   /* ext2_idle keeps them all */

/* ---- Size ---- */

int ext2_truncate(struct inode *i, uint64_t size)
{
    struct ext2 *fs = ext2_of(i);
    int rc = fs->m->read_only ? -EROFS : size > fs->max_size ? -EFBIG : 0;
    if (rc)
        return rc;
    mutex_lock(&i->lock);
    uint64_t old = i->size;
    if (size > old)
        cache_zero_tail(i->cache, old);
    i->size = size;
    if (size < old || i->blocks) {                  /* a failed write may have left blocks behind the end */
        cache_drop(i->cache, size, ~0ul & ~(PAGE_SIZE - 1));
        rc = ext2_begin(fs);
        if (rc == 0) {
            rc = ext2_free_blocks(i, (size + fs->block_size - 1) >> fs->block_shift, ~0ul >> 2);
            ext2_end(fs);
        }
    }
    i->mtime = i->ctime = wall_ns();
    ext2_changed(i);
    mutex_unlock(&i->lock);
    return rc;
}

int ext2_punch(struct inode *i, uint64_t offset, uint64_t n)
{
    struct ext2 *fs = ext2_of(i);
    uint64_t end = MIN(offset + n, i->size);
    if (offset >= end)
        return 0;
    uint64_t first = (offset + fs->block_size - 1) >> fs->block_shift, last = end >> fs->block_shift;
    if (end == i->size)
        last = (end + fs->block_size - 1) >> fs->block_shift;
    int rc = ext2_begin(fs);
    if (rc)
        return rc;
    ext2_end(fs);
    cache_drop(i->cache, offset, end);
    if (first < last && (rc = ext2_begin(fs)) == 0) {
        rc = ext2_free_blocks(i, first, last);
        ext2_end(fs);
        cache_drop(i->cache, first << fs->block_shift, MIN(last << fs->block_shift, ROUND_UP(end, PAGE_SIZE)));
    }
    i->mtime = i->ctime = wall_ns();
    ext2_changed(i);
    return rc;
}

int ext2_fsync(struct inode *i, bool data_only)
{
    struct ext2 *fs = ext2_of(i);
    struct ext2_node *n = node_of(i);
    int rc = i->cache ? cache_write_back(i->cache, true) : 0;
    if (rc || fs->m->read_only)
        return rc;
    bool names = !list_empty(&fs->changed) || fs->ndirty;
    if (fs->broken)
        return -EIO;
    if (n->meta || fs->lock.held || (!data_only && names))     /* held: by a commit, perhaps, that took it over */
        return ext2_commit_now(fs);
    return fs->dev->flush ? blk_flush(fs->dev) : 0;
}

const struct inode_ops ext2_ops = {
    .lookup = ext2_lookup, .create = ext2_create, .link = ext2_link, .unlink = ext2_unlink, .rename = ext2_rename,
    .readlink = ext2_readlink, .truncate = ext2_truncate, .page = cache_inode_page, .entry = ext2_entry,
    .release = ext2_release, .symlink = ext2_symlink, .idle = ext2_idle, .changed = ext2_changed, .fsync = ext2_fsync,
    .punch = ext2_punch, .map = ext2_map, .reserve = ext2_reserve,
};
