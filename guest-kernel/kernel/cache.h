/* SPDX-License-Identifier: MIT */
/* cache.h: pages of files that lie on a block device, and of the device itself.
 *
 * An inode with a cache has `map` among its operations, which tells where its sectors lie; all else (what is read ahead,
 * when dirty pages go back, what is given up when memory is short) is decided here, for every file system alike.
 *
 * C1  A page in a cache holds one reference of the cache's; more references are mappings and transfers under way.
 * C2  A dirty page has blocks: who makes it dirty has called `reserve` for the bytes it changed.
 * C3  A page is given up only when clean, at rest, unpinned and with no reference but the cache's.
 * C4  A page that processes may write through a mapping (`shared`) counts as suspect until the last mapping is gone: its
 *     contents are compared by a hash at each write-back.                                                      */
#ifndef NOVICE_CACHE_H
#define NOVICE_CACHE_H

#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/fs.h"

struct cache_page {
    struct list        lru, all, dirty;             /* everybody's, the cache's, the cache's dirty (or shared) ones */
    struct cache_page *chain;                       /* of the hash table */
    struct cache      *cache;
    struct page       *page;
    uint64_t           index, hash;
    uint32_t           pins;                        /* users who will come back to this record */
    uint16_t           pending;                     /* pieces on their way from or to the device */
    bool               uptodate, reading, writing, is_dirty, shared, used, failed, gone;
};

struct cache {
    struct list       link;                         /* among those with something to write */
    struct inode     *inode;
    struct blkdev    *dev;
    struct list       all, dirty, shared;
    size_t            pages, ndirty, writing;
    uint64_t          round;                        /* of cache.c's write_back_all, that it last took part in */
    struct wait_queue wait;
    int               error;                        /* of a write, until somebody is told */
    uint64_t          drops;                        /* counts cache_drop: what was known of blocks before is void */
    uint64_t          next;                         /* the page after the last read: who reads on from here reads in sequence */
    uint64_t          ahead_end;                    /* read ahead up to here */
    unsigned          window;                       /* pages to read ahead */
};

/* Gives i a cache on dev; -ENOMEM. */
int  cache_create(struct inode *i, struct blkdev *dev);
/* Drops all pages without writing them, and the cache. */
void cache_destroy(struct inode *i);

enum cache_use { CACHE_READ, CACHE_CHANGE, CACHE_FILL };    /* FILL: every byte will be written */
/* The page, pinned and up to date; null with *rc 0 for a hole that is only read. */
struct cache_page *cache_get(struct cache *c, uint64_t index, enum cache_use use, int *rc);
void cache_put(struct cache_page *cp);
/* Its contents changed. */
void cache_dirty(struct cache_page *cp);
/* Starts reading what of [index, index + n) is missing, and ahead of it if the reads are in sequence. */
void cache_ahead(struct cache *c, uint64_t index, uint64_t n);
/* Answers inode_ops.page. */
struct page *cache_inode_page(struct inode *i, uint64_t index, bool create, int *rc);
/* Sends dirty pages to the device, and with `wait` sees them arrive: 0 or the first error since the last call. */
int  cache_write_back(struct cache *c, bool wait);
/* Forgets the pages of [from, to) without writing them; waits for those under way. Part pages are zeroed. */
void cache_drop(struct cache *c, uint64_t from, uint64_t to);
/* The file grew: what lies behind its old end in that page is zero. */
void cache_zero_tail(struct cache *c, uint64_t size);
/* A writer has made pages dirty: sleeps while too many are. */
void cache_throttle(struct cache *c);
/* All that is dirty, of every file and file system. */
int  cache_sync_all(void);
int  cache_write_all(void);             /* data only */
/* A file system has metadata to write: it will be asked to (fs_type.sync). */
void cache_fs_dirty(void);
void cache_boot(void);
struct cache_totals { size_t pages, dirty, writing; };
struct cache_totals cache_totals(void);

#endif
