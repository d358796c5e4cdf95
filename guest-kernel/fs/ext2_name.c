/* SPDX-License-Identifier: MIT */
/* ext2_name.c: names come, go and move. Each operation takes the lock, looks once more, and leaves a consistent whole. */
#include "guest-kernel/fs/ext2.h"
#include "guest-kernel/kernel/syscalls.h"

static bool dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static void touch(struct inode *i)
{
    i->mtime = i->ctime = wall_ns();
    ext2_changed(i);
}

static void relink(struct inode *i, int by)
{
    if (by < 0 && i->nlink == 0)
        return;                                     /* damage: more names than links */
    i->nlink += by;
    i->ctime = wall_ns();
    node_of(i)->meta = true;
    ext2_changed(i);
    if (i->nlink == 0)
        ext2_orphan(i);
}

/* The inode that a name in dir leads to (E5): none of those that the file system keeps to itself, none without names, and a directory
 * only by its one name, below itself never. */
static int get_named(struct inode *dir, const char *name, struct found *f, struct inode **out)
{
    struct ext2 *fs = ext2_of(dir);
    struct inode *i;
    int rc = strlen(name) > EXT2_NAME_MAX ? -ENAMETOOLONG : dir_find(dir, name, f);
    if (rc)
        return rc;
    if (f->ino < fs->first_ino)
        return ext2_complain(fs, "a name leads to an inode that has none", f->ino);
    rc = ext2_iget(fs, f->ino, &i);
    if (rc)
        return rc;
    bool second = S_ISDIR(i->mode) && i->parent != dir && (i->parent != i || ext2_is_below(dir, i));
    if (i->nlink == 0 || second) {
        inode_put(i);
        return ext2_complain(fs, second ? "a directory has two names" : "a name leads to an inode that is gone", f->ino);
    }
    *out = i;
    return 0;
}

int ext2_lookup(struct inode *dir, const char *name, struct inode **out)
{
    struct ext2 *fs = ext2_of(dir);
    struct found f;
    mutex_lock(&fs->lock);
    int rc = get_named(dir, name, &f, out);
    if (rc == 0)
        ext2_set_parent(*out, dir);
    ext2_end(fs);
    return rc;
}

/* A new inode without a name; blocks are committed once and tried again when all that is left is pending. */
static int make(struct inode *dir, uint32_t mode, uint32_t rdev, struct inode **out)
{
    struct ext2 *fs = ext2_of(dir);
    uint32_t ino;
    int rc = ino_alloc(fs, dir, S_ISDIR(mode), &ino);
    if (rc == -ENOSPC && fs->nfreed_inodes && (rc = ext2_commit(fs)) == 0)
        rc = ino_alloc(fs, dir, S_ISDIR(mode), &ino);
    if (rc)
        return rc;
    *out = ext2_inode_new(fs, ino, mode, rdev);
    if (*out)
        return 0;
    ino_free(fs, ino);
    return -ENOMEM;
}

/* Making failed after all: the inode goes by the way of all inodes without a name. */
static void unmake(struct inode *i)
{
    i->nlink = 0;
    ext2_orphan(i);
    inode_put(i);
}

static int add_new(struct inode *dir, const char *name, struct inode *i)
{
    struct found f;
    int rc = dir_find(dir, name, &f);
    if (rc != -ENOENT)
        return rc ? rc : -EEXIST;
    if (S_ISDIR(i->mode) && dir->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    rc = S_ISDIR(i->mode) ? dir_init(i, dir->ino) : 0;
    return rc ? rc : dir_add(dir, name, i->ino, i->mode);
}

static int fill_link(struct inode *i, const char *target)
{
    struct ext2 *fs = ext2_of(i);
    size_t n = strlen(target);
    i->size = n;
    if (n < EXT2_FAST_LINK) {
        memcpy(node_of(i)->raw.block, target, n);
        return 0;
    }
    uint32_t block;
    int rc = n >= fs->block_size ? -ENAMETOOLONG : ext2_block(i, 0, true, &block);
    if (rc)
        return rc;
    struct buf *b = buf_new(fs, block, &rc);
    if (!b)
        return rc;
    memcpy(b->data, target, n);
    buf_put(fs, b);
    return 0;
}

static int create_locked(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, const char *target, struct inode **out)
{
    struct found f;
    struct inode *i;
    int rc = dots(name) ? -EEXIST : strlen(name) > EXT2_NAME_MAX ? -ENAMETOOLONG : dir->nlink == 0 ? -ENOENT :
             dir_find(dir, name, &f);
    if (rc != -ENOENT || dir->nlink == 0)
        return rc ? rc : -EEXIST;
    rc = make(dir, mode, rdev, &i);
    if (rc)
        return rc;
    if (target)
        rc = fill_link(i, target);
    if (rc == 0)
        rc = add_new(dir, name, i);
    if (rc) {
        unmake(i);
        return rc;
    }
    if (S_ISDIR(mode)) {
        i->nlink = 2;
        ext2_set_parent(i, dir);
        relink(dir, 1);
    }
    touch(dir);
    *out = i;
    return 0;
}

static int create(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, const char *target, struct inode **out)
{
    struct ext2 *fs = ext2_of(dir);
    for (unsigned tries = 0;; tries++) {
        int rc = ext2_begin(fs);
        if (rc)
            return rc;
        rc = create_locked(dir, name, mode, rdev, target, out);
        bool again = rc == -ENOSPC && tries == 0 && fs->nfreed && ext2_commit(fs) == 0;
        if (rc == 0 && S_ISDIR(mode) && !fs->journal.block)
            ext2_commit(fs);                        /* before anything is made in it: ext2_commit.c */
        ext2_end(fs);
        if (!again)
            return rc;
    }
}

int ext2_create(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, struct inode **out)
{
    return create(dir, name, mode, rdev, 0, out);
}

int ext2_symlink(struct inode *dir, const char *name, const char *target)
{
    struct inode *i;
    int rc = create(dir, name, S_IFLNK | 0777, 0, target, &i);
    if (rc == 0)
        inode_put(i);
    return rc;
}

int ext2_link(struct inode *dir, const char *name, struct inode *i)
{
    struct ext2 *fs = ext2_of(dir);
    int rc = ext2_begin(fs);
    if (rc)
        return rc;
    rc = i->nlink >= EXT2_LINK_MAX ? -EMLINK : i->nlink == 0 || dir->nlink == 0 ? -ENOENT : add_new(dir, name, i);
    if (rc == 0) {
        node_of(i)->linked = fs->commits + 1;
        relink(i, 1);
        touch(dir);
    }
    ext2_end(fs);
    return rc;
}

/* A name that may go: its inode with a reference. */
static int may_remove(struct inode *dir, const char *name, struct found *f, struct inode **out)
{
    struct inode *i;
    int rc = get_named(dir, name, f, &i);
    if (rc)
        return rc;
    if (i->covered_by || i == dir->mount->root)
        rc = -EBUSY;
    else if (S_ISDIR(i->mode))
        rc = dir_empty(i);
    if (rc)
        inode_put(i);
    else
        *out = i;
    return rc;
}

/* i lost its name in dir. */
static void unnamed(struct inode *dir, struct inode *i)
{
    if (S_ISDIR(i->mode)) {
        i->nlink = 1;                               /* its own "." goes with it */
        if (dir->nlink > 2)
            relink(dir, -1);
        ext2_set_parent(i, i);
    }
    relink(i, -1);
}

int ext2_unlink(struct inode *dir, const char *name)
{
    struct ext2 *fs = ext2_of(dir);
    struct found f;
    struct inode *i = 0;
    int rc = ext2_begin(fs);
    if (rc)
        return rc;
    rc = dots(name) ? -EINVAL : may_remove(dir, name, &f, &i);
    if (rc == 0 && node_of(i)->linked == fs->commits + 1 && !fs->journal.block)
        ext2_commit(fs);                            /* its other name is on the disk before this one goes */
    if (rc == 0) {
        rc = dir_remove(dir, name, &f);
        if (rc == 0) {
            unnamed(dir, i);
            touch(dir);
        }
        inode_put(i);
    }
    ext2_end(fs);
    return rc;
}

/* ---- Moving ---- */

struct move {
    struct inode *from, *to, *i, *old;              /* old: who has new_name so far, if anybody */
    const char   *name, *new_name;
    struct found  at;                               /* of new_name */
    struct inode *keep;                             /* where old has another name meanwhile */
    char          kept[12];
};

static int may_replace(struct move *m)
{
    int rc = get_named(m->to, m->new_name, &m->at, &m->old);
    if (rc == -ENOENT)
        return S_ISDIR(m->i->mode) && m->to->nlink >= EXT2_LINK_MAX ? -EMLINK : 0;
    if (rc || m->old == m->i)
        return rc;
    bool dir = S_ISDIR(m->i->mode);
    return S_ISDIR(m->old->mode) != dir ? (dir ? -ENOTDIR : -EISDIR) : m->old->covered_by ? -EBUSY : dir ? dir_empty(m->old) : 0;
}

/* Without a journal: who is replaced must not be without a name, nor its name without it, at any moment. So it has one in lost+found,
 * as e2fsck would give it, from before until after. (Of a directory, which was empty, the name may be lost. So may any where
 * lost+found is missing or full.) */
static int keep_replaced(struct move *m)
{
    struct ext2 *fs = ext2_of(m->to);
    struct found f;
    if (S_ISDIR(m->old->mode))
        return 0;
    if (m->old->nlink > 1)                          /* it has another name: on the disk, after this */
        return node_of(m->old)->linked == fs->commits + 1 ? ext2_commit(fs) : 0;
    if (get_named(fs->m->root, "lost+found", &f, &m->keep))
        return 0;
    ksnprintf(m->kept, sizeof(m->kept), "#%lu", m->old->ino);
    ext2_set_parent(m->keep, fs->m->root);
    if (S_ISDIR(m->keep->mode) && dir_add(m->keep, m->kept, m->old->ino, m->old->mode) == 0) {
        relink(m->old, 1);
        touch(m->keep);
        return ext2_commit(fs);
    }
    inode_put(m->keep);
    m->keep = 0;
    return 0;
}

static int remove_name(struct inode *dir, const char *name)
{
    struct found f;
    int rc = dir_find(dir, name, &f);
    return rc ? rc : dir_remove(dir, name, &f);
}

static int put_name(struct move *m)
{
    if (!m->old)
        return dir_add(m->to, m->new_name, m->i->ino, m->i->mode);
    int rc = dir_set(m->to, &m->at, m->i->ino, m->i->mode);
    if (rc == 0)
        unnamed(m->to, m->old);
    return rc;
}

static int let_go(struct move *m)
{
    int rc = m->keep ? remove_name(m->keep, m->kept) : 0;
    if (m->keep && rc == 0)
        relink(m->old, -1);
    if (m->keep)
        inode_put(m->keep);
    return rc;
}

static int move_locked(struct move *m)
{
    struct ext2 *fs = ext2_of(m->from);
    bool ordered = !fs->journal.block, dir = S_ISDIR(m->i->mode);
    if (ordered && dir && m->from != m->to)
        return -EXDEV;                              /* two names of a directory, or none, are beyond e2fsck -p: mv moves what is in it */
    int rc = m->i->covered_by ? -EBUSY : m->to->nlink == 0 ? -ENOENT : dir && ext2_is_below(m->to, m->i) ? -EINVAL : may_replace(m);
    if (rc || m->old == m->i)
        return rc;
    rc = ordered && m->old ? keep_replaced(m) : 0;
    rc = rc ? rc : put_name(m);
    if (rc == 0 && ordered)
        rc = ext2_commit(fs);                       /* with both names on the disk before the old one goes */
    rc = rc ? rc : remove_name(m->from, m->name);
    int kept = let_go(m);
    if (rc)
        return rc;
    if (dir && m->from != m->to) {
        dir_set_parent(m->i, m->to->ino);
        ext2_set_parent(m->i, m->to);
        relink(m->to, 1);
        if (m->from->nlink > 2)
            relink(m->from, -1);
    }
    m->i->ctime = wall_ns();
    node_of(m->i)->meta = true;
    ext2_changed(m->i);
    touch(m->from);
    touch(m->to);
    return kept;
}

int ext2_rename(struct inode *from, const char *name, struct inode *to, const char *new_name)
{
    struct move m = { .from = from, .to = to, .name = name, .new_name = new_name };
    struct ext2 *fs = ext2_of(from);
    struct found f;
    int rc = dots(name) || dots(new_name) ? -EINVAL : ext2_begin(fs);
    if (rc)
        return rc;
    rc = get_named(from, name, &f, &m.i);
    if (rc == 0) {
        rc = move_locked(&m);
        inode_put(m.i);
        if (m.old)
            inode_put(m.old);
    }
    ext2_end(fs);
    return rc;
}

long ext2_readlink(struct inode *i, char *buf, size_t n)
{
    struct ext2 *fs = ext2_of(i);
    uint32_t block;
    n = MIN(n, i->size);
    if (i->size < EXT2_FAST_LINK && i->blocks <= (node_of(i)->raw.file_acl ? fs->sectors : 0)) {
        memcpy(buf, node_of(i)->raw.block, n);
        buf[n] = 0;
        return n;
    }
    int rc = ext2_block(i, 0, false, &block);
    struct buf *b = rc == 0 && block ? buf_get_file(fs, block, &rc) : 0;
    if (!b)
        return rc ? rc : -EIO;
    n = MIN(n, (size_t)fs->block_size);
    memcpy(buf, b->data, n);
    buf[n] = 0;
    buf_put(fs, b);
    return n;
}
