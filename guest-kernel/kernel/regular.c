/* SPDX-License-Identifier: MIT */
/* regular.c: the contents of regular files, for processes (buffers are user addresses) and for the kernel itself.
 *
 * A file of ramfs is its pages; one on a disk has a cache (cache.h) and must be given blocks before its pages change. */
#include "guest-kernel/kernel/blk_data.h"
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"

#define CHUNK (256 * PAGE_SIZE)                     /* written or read ahead at once */

/* The user's buffer, or the kernel's own. */
struct place {
    uintptr_t at;
    bool      kernel;
};

static int to_place(const struct place *p, size_t offset, const void *from, size_t n)
{
    if (!p->kernel)
        return from ? copy_to_user(p->at + offset, from, n) : clear_user(p->at + offset, n);
    if (from)
        memcpy((char *)p->at + offset, from, n);
    else
        memset((char *)p->at + offset, 0, n);
    return 0;
}

static int from_place(const struct place *p, size_t offset, void *to, size_t n)
{
    if (!p->kernel)
        return copy_from_user(to, p->at + offset, n);
    memcpy(to, (const char *)p->at + offset, n);
    return 0;
}

static size_t piece_at(uint64_t pos, size_t n) { return MIN(n, PAGE_SIZE - (pos & (PAGE_SIZE - 1))); }

/* ---- Reading ---- */

static int read_piece(struct inode *i, const struct place *p, size_t offset, uint64_t pos, size_t n)
{
    int rc;
    struct page *page;
    if (!i->cache) {
        page = i->ops->page(i, pos >> PAGE_SHIFT, false, &rc);
        if (rc)
            return rc;
        rc = to_place(p, offset, page ? (char *)page_va(page) + (pos & (PAGE_SIZE - 1)) : 0, n);
        if (page)
            page_put(page);
        return rc;
    }
    struct cache_page *cp = cache_get(i->cache, pos >> PAGE_SHIFT, CACHE_READ, &rc);
    if (rc)
        return rc;
    rc = to_place(p, offset, cp ? (char *)page_va(cp->page) + (pos & (PAGE_SIZE - 1)) : 0, n);
    if (cp)
        cache_put(cp);
    return rc;
}

static long read_at(struct inode *i, const struct place *p, size_t n, uint64_t pos)
{
    size_t done = 0, asked = 0;
    if (!i->ops->page)
        return -EINVAL;
    n = pos >= i->size ? 0 : MIN(n, i->size - pos);
    while (done < n && !current->killed) {
        size_t piece = piece_at(pos + done, n - done);
        if (i->cache && done >= asked) {
            uint64_t first = (pos + done) >> PAGE_SHIFT, end = (pos + MIN(n, done + CHUNK) + PAGE_SIZE - 1) >> PAGE_SHIFT;
            cache_ahead(i->cache, first, end - first);
            asked = (end << PAGE_SHIFT) - pos;
        }
        int rc = read_piece(i, p, done, pos + done, piece);
        if (rc)
            return done ? (long)done : rc;
        done += piece;
        if (((pos + done) >> PAGE_SHIFT) % 64 == 0)
            breathe();
    }
    return done;
}

/* ---- Writing ---- */

static int write_page(struct inode *i, const struct place *p, size_t offset, uint64_t pos, size_t n)
{
    int rc;
    struct page *page = i->ops->page(i, pos >> PAGE_SHIFT, true, &rc);
    if (!page)
        return rc ? rc : -EIO;
    rc = from_place(p, offset, (char *)page_va(page) + (pos & (PAGE_SIZE - 1)), n);
    page_put(page);
    return rc;
}

/* Into the cache; blocks are there. */
static int write_cached(struct inode *i, const struct place *p, size_t offset, uint64_t pos, size_t n)
{
    int rc;
    struct cache_page *cp = cache_get(i->cache, pos >> PAGE_SHIFT, n == PAGE_SIZE ? CACHE_FILL : CACHE_CHANGE, &rc);
    if (!cp)
        return rc ? rc : -EIO;
    rc = from_place(p, offset, (char *)page_va(cp->page) + (pos & (PAGE_SIZE - 1)), n);
    cache_dirty(cp);
    cache_put(cp);
    return rc;
}

/* The pages of a chunk of which only part is written, read before blocks are given to them: afterwards a new block could
 * not be told from one with contents. */
struct edges { struct cache_page *first, *last; };

static int hold_edges(struct inode *i, uint64_t pos, size_t n, struct edges *e)
{
    int rc = 0;
    uint64_t end = pos + n;
    *e = (struct edges){ 0, 0 };
    if ((pos & (PAGE_SIZE - 1)) || end < ROUND_DOWN(pos, PAGE_SIZE) + PAGE_SIZE)
        e->first = cache_get(i->cache, pos >> PAGE_SHIFT, CACHE_CHANGE, &rc);
    if (rc == 0 && (end & (PAGE_SIZE - 1)) && (end >> PAGE_SHIFT) != (pos >> PAGE_SHIFT))
        e->last = cache_get(i->cache, end >> PAGE_SHIFT, CACHE_CHANGE, &rc);
    return rc;
}

static void release_edges(struct edges *e)
{
    if (e->first)
        cache_put(e->first);
    if (e->last)
        cache_put(e->last);
}

static void grow_to(struct inode *i, uint64_t size)
{
    if (size <= i->size)
        return;
    i->size = size;
    if (i->ops->changed)
        i->ops->changed(i);
}

/* At most CHUNK bytes of a file with a cache, ending at a page's end. */
static long write_chunk(struct inode *i, const struct place *p, size_t offset, uint64_t pos, size_t n)
{
    struct edges e;
    size_t done = 0;
    int rc = hold_edges(i, pos, n, &e);
    if (pos + n > i->size)
        cache_zero_tail(i->cache, i->size);         /* a mapping may have written there */
    if (rc == 0)
        rc = i->ops->reserve(i, pos, n);
    while (rc == 0 && done < n) {
        size_t piece = piece_at(pos + done, n - done);
        rc = write_cached(i, p, offset + done, pos + done, piece);
        if (rc)
            break;
        done += piece;
        grow_to(i, pos + done);
    }
    release_edges(&e);
    return done ? (long)done : rc;
}

static long write_blocks(struct inode *i, const struct place *p, size_t n, uint64_t pos)
{
    size_t done = 0, most = CHUNK;
    long rc = 0;
    while (done < n && !current->killed) {
        uint64_t at = pos + done;
        size_t piece = MIN(n - done, most - (at & (PAGE_SIZE - 1)));
        rc = write_chunk(i, p, done, at, piece);
        if (rc == -ENOSPC && most > PAGE_SIZE) {
            most = PAGE_SIZE;                       /* not for all of it: as much as there is */
            continue;
        }
        if (rc <= 0)
            break;
        done += rc;
        cache_throttle(i->cache);
        breathe();
        if ((size_t)rc < piece)
            break;
    }
    return done ? (long)done : rc;
}

static long write_pages(struct inode *i, const struct place *p, size_t n, uint64_t pos)
{
    size_t done = 0;
    while (done < n && !current->killed) {
        size_t piece = piece_at(pos + done, n - done);
        int rc = write_page(i, p, done, pos + done, piece);
        if (rc)
            return done ? (long)done : rc;
        done += piece;
        grow_to(i, pos + done);
        if (((pos + done) >> PAGE_SHIFT) % 64 == 0)
            breathe();
    }
    return done;
}

/* A writer that may move the file's end has the inode to itself. */
static long write_at(struct inode *i, const struct place *p, size_t n, uint64_t *pos, bool append)
{
    bool alone = i->cache && (append || *pos + n > i->size);
    long rc;
    if (i->mount && i->mount->read_only)
        return -EROFS;
    if (alone)
        mutex_lock(&i->lock);
    if (append)
        *pos = i->size;
    rc = i->cache ? write_blocks(i, p, n, *pos) : write_pages(i, p, n, *pos);
    if (alone)
        mutex_unlock(&i->lock);
    if (alone && rc != (long)n && S_ISREG(i->mode) && i->ops->truncate)
        i->ops->truncate(i, i->size);               /* blocks that were given behind the end */
    return rc;
}

static void touch(struct inode *i)
{
    i->mtime = i->ctime = wall_ns();
    if (i->ops->changed)
        i->ops->changed(i);
}

/* ---- The kernel's own calls ---- */

long inode_read(struct inode *i, void *buf, size_t n, uint64_t pos)
{
    return read_at(i, &(struct place){ (uintptr_t)buf, true }, n, pos);
}

long inode_write(struct inode *i, const void *buf, size_t n, uint64_t pos)
{
    long rc = write_at(i, &(struct place){ (uintptr_t)buf, true }, n, &pos, false);
    if (rc > 0)
        touch(i);
    return rc;
}

int inode_fsync(struct inode *i, bool data_only) { return i->ops->fsync ? i->ops->fsync(i, data_only) : 0; }

int inode_truncate(struct inode *i, uint64_t size)
{
    if (i->mount && i->mount->read_only)
        return -EROFS;
    return i->ops->truncate && S_ISREG(i->mode) ? i->ops->truncate(i, size) : -EINVAL;
}

int inode_punch(struct inode *i, uint64_t offset, uint64_t n)
{
    return i->ops->punch ? i->ops->punch(i, offset, n) : -EOPNOTSUPP;
}

int inode_bmap(struct inode *i, uint64_t sector, uint64_t *at, uint64_t *count)
{
    return i->ops->map ? i->ops->map(i, sector, at, count) : -EOPNOTSUPP;
}

/* ---- Open files ---- */

static long regular_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    long rc = read_at(f->inode, &(struct place){ buf, false }, n, *pos);
    if (rc > 0)
        *pos += rc;
    f->inode->atime = wall_ns();
    return rc;
}

static long regular_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct inode *i = f->inode;
    if (!i->ops->page || !i->ops->truncate)
        return -EINVAL;
    if (n == 0)
        return 0;
    if (*pos > 1ul << 43 || n > 1ul << 43)
        return -EFBIG;
    long rc = write_at(i, &(struct place){ buf, false }, n, pos, f->flags & O_APPEND);
    if (rc <= 0)
        return rc;
    *pos += rc;
    touch(i);
    int sync = f->flags & O_SYNC ? inode_fsync(i, true) : 0;
    return sync ? sync : rc;
}

const struct file_ops regular_file_ops = { .read = regular_read, .write = regular_write };

/* A block device through its cache (blockfile.c): regular files' way, but for its fixed size. */
long cached_read(struct inode *i, uptr_t buf, size_t n, uint64_t *pos)
{
    long rc = read_at(i, &(struct place){ buf, false }, n, *pos);
    if (rc > 0)
        *pos += rc;
    return rc;
}

long cached_write(struct inode *i, uptr_t buf, size_t n, uint64_t *pos)
{
    if (*pos >= i->size)
        return -ENOSPC;
    long rc = write_blocks(i, &(struct place){ buf, false }, MIN(n, i->size - *pos), *pos);
    if (rc > 0)
        *pos += rc;
    return rc;
}
