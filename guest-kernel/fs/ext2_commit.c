/* SPDX-License-Identifier: MIT */
/* ext2_commit.c: changes of metadata reach the disk, all since the last commit at once.
 *
 * With a journal that is one atomic step (ext2_journal.c); then the blocks go to their places at leisure.
 *
 * Without one, a cut of power leaves a part. The order makes every part one that `e2fsck -p` repairs by itself:
 *   1. inodes without a name lose their link count: a name that still leads there is one "to a deleted inode", and is removed;
 *      bitmaps in which only more is taken than before: what nobody owns is given back; new directory and pointer blocks,
 *      to which nothing leads yet;
 *   2. directories and pointer blocks that exist already: new names lead to inodes that have no link yet: removed as above;
 *      new pointers lead to blocks that hold what they should, and that nobody else owns (E2);
 *   3. inodes of directories, then of all else, so that no inode has links before the name that leads to it can be reached;
 *   4. bitmaps in which what was freed is free.
 * After each the disk's own cache is flushed. A name never goes in the commit in which another came for the same inode, a new
 * directory is committed before anything is made in it, and a file that loses its name to another has a second one meanwhile: for
 * all three ext2_name.c commits in between.                                                                     */
#include "guest-kernel/fs/ext2.h"

/* Blocks that one operation may change besides, and the least that a running commit leaves free. */
static size_t operation_blocks(const struct ext2 *fs) { return MIN(fs->groups, 256u) + 32; }

static bool grown_large(const struct ext2 *fs)
{
    size_t room = fs->journal.block ? journal_room(fs) : 4096;
    return fs->ndirty + fs->nchanged + operation_blocks(fs) + 16 > room;
}

/* Inodes that nobody uses and nothing names. */
static void reap(struct ext2 *fs)
{
    struct list later = LIST_INIT(later);
    while (!list_empty(&fs->doomed)) {
        struct ext2_node *n = container_of(fs->doomed.next, struct ext2_node, orphan);
        list_remove(&n->orphan);
        if (n->inode->refs > 1) {                   /* its pages are just being written: no use, but in use */
            list_append(&later, &n->orphan);
            continue;
        }
        ext2_erase(fs, n->inode);
        if (fs->journal.block && grown_large(fs))
            ext2_commit(fs);
    }
    while (!list_empty(&later)) {
        struct list *l = later.next;
        list_remove(l);
        list_append(&fs->doomed, l);
    }
}

int ext2_begin(struct ext2 *fs)
{
    if (fs->m->read_only || fs->broken)
        return -EROFS;
    mutex_lock(&fs->lock);
    if (!list_empty(&fs->doomed))
        reap(fs);
    if (grown_large(fs))
        ext2_commit(fs);
    return 0;
}

void ext2_end(struct ext2 *fs)
{
    if (!fs->m->read_only && !fs->broken)
        reap(fs);
    mutex_unlock(&fs->lock);
    if (fs->ndirty)
        cache_fs_dirty();
}

/* ---- What goes into a commit ---- */

/* Without a journal: no list, whose links and head would not change at once. e2fsck finds those without links. */
static int store_unlinked(struct ext2 *fs)
{
    int rc = 0;
    list_for (n, &fs->orphans, struct ext2_node, orphan) {
        if (n->raw.dtime && list_empty(&n->changed))
            continue;
        n->raw.dtime = fs->sb->mount_time;
        rc = rc ? rc : ext2_store(fs, n);
    }
    return rc;
}

/* The superblock's list of orphans, through their dtime. */
static int store_orphans(struct ext2 *fs)
{
    uint32_t next = 0;
    list_for (n, &fs->orphans, struct ext2_node, orphan) {
        if (n->raw.dtime != next || !list_empty(&n->changed)) {
            n->raw.dtime = next;
            int rc = ext2_store(fs, n);
            if (rc)
                return rc;
        }
        next = n->ino;
    }
    if (fs->sb->last_orphan != next) {
        fs->sb->last_orphan = next;
        buf_dirty(fs, fs->sb_buf);
    }
    return 0;
}

/* Those of which merely times and the like changed may wait if there are more than one commit holds. */
static int store_changed(struct ext2 *fs, bool directories_only)
{
    size_t most = fs->journal.block ? journal_room(fs) - 8 : ~0ul;
    list_for (n, &fs->changed, struct ext2_node, changed) {
        if (directories_only && !S_ISDIR(n->inode->mode))
            continue;
        int rc = n->meta || fs->ndirty < most ? ext2_store(fs, n) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

static void store_totals(struct ext2 *fs)
{
    if (fs->sb->free_blocks == fs->free_blocks && fs->sb->free_inodes == fs->free_inodes)
        return;
    fs->sb->free_blocks = fs->free_blocks;
    fs->sb->free_inodes = fs->free_inodes;
    buf_dirty(fs, fs->sb_buf);
}

static bool any(const struct buf *b) { return true; }
static bool first_part(const struct buf *b) { return b->fresh || b->table || b->bits; }

/* Writes the dirty bufs that `which` picks to their places. */
static int write_in_place(struct ext2 *fs, bool (*which)(const struct buf *))
{
    size_t n = 0, room = fs->ndirty;
    struct block_write *w = room ? kmalloc(room * sizeof(*w)) : 0;
    int rc;
    if (!room)
        return 0;
    if (!w)
        return -ENOMEM;
    list_for (b, &fs->dirty, struct buf, link) {
        if (!which(b))
            continue;
        size_t at = n++;
        for (; at > 0 && w[at - 1].block > b->block; at--)
            w[at] = w[at - 1];
        w[at] = (struct block_write){ b->block, b->data };
    }
    rc = blocks_write(fs, w, n);
    kfree(w);
    if (rc == 0)
        list_for (b, &fs->dirty, struct buf, link)
            if (which(b))
                buf_clean(fs, b);
    return rc;
}

static int flush(struct ext2 *fs) { return fs->dev->flush ? blk_flush(fs->dev) : 0; }

static int commit_journal(struct ext2 *fs)
{
    apply_freed(fs);
    int rc = store_orphans(fs);
    rc = rc ? rc : store_changed(fs, false);
    store_totals(fs);
    if (rc == 0 && fs->ndirty == 0)
        return flush(fs);
    if (rc == 0)
        rc = journal_write(fs);
    if (rc == 0)
        rc = write_in_place(fs, any);
    fs->in_place = true;
    return rc;
}

static int write_and_flush(struct ext2 *fs, bool (*which)(const struct buf *))
{
    if (!fs->ndirty)
        return 0;
    int rc = write_in_place(fs, which);
    return rc ? rc : flush(fs);
}

static int commit_ordered(struct ext2 *fs)
{
    int rc = store_unlinked(fs);
    rc = rc ? rc : write_in_place(fs, first_part);
    rc = rc ? rc : flush(fs);                       /* in any case: what fsync wrote of the data is waiting for it */
    rc = rc ? rc : write_and_flush(fs, any);
    rc = rc ? rc : store_changed(fs, true);
    rc = rc ? rc : write_and_flush(fs, any);
    rc = rc ? rc : store_changed(fs, false);
    store_totals(fs);
    rc = rc ? rc : write_and_flush(fs, any);
    if (rc == 0 && (fs->nfreed || fs->nfreed_inodes)) {
        apply_freed(fs);
        store_totals(fs);
        rc = write_in_place(fs, any);
    }
    return rc;
}

int ext2_commit(struct ext2 *fs)
{
    if (fs->broken)
        return -EIO;
    int rc = fs->journal.block ? commit_journal(fs) : commit_ordered(fs);
    fs->commits++;
    if (rc == 0 || rc == -ENOMEM)
        return rc;
    fs->broken = true;
    kprintf("novice: ext2 on %s: writing metadata failed (error %d): read-only from now on\n", fs->dev->name, -rc);
    return rc;
}

int ext2_commit_now(struct ext2 *fs)
{
    int rc = ext2_begin(fs);
    if (rc)
        return rc;
    rc = ext2_commit(fs);
    ext2_end(fs);
    return rc;
}
