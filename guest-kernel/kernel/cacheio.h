/* SPDX-License-Identifier: MIT */
/* cacheio.h: what cache.c and cacheio.c share. */
#ifndef NOVICE_CACHEIO_H
#define NOVICE_CACHEIO_H

#include "guest-kernel/kernel/cache.h"

struct cache_state {
    struct cache_page **table;
    uint64_t            mask;
    struct list         lru, busy;                  /* all pages, the oldest first; caches with something to write */
    size_t              pages, dirty, writing;
    bool                fs_dirty;                   /* a file system has metadata to write */
    struct wait_queue   flusher;
};
extern struct cache_state cache_state;

/* cache.c */
struct cache_page *cache_find(const struct cache *c, uint64_t index);
struct cache_page *cache_add(struct cache *c, uint64_t index, bool *raced);
void cache_remove(struct cache_page *cp);
void cache_clean(struct cache_page *cp);
void cache_check_shared(struct cache *c);
void cache_settle_shared(struct cache_page *cp);

/* cacheio.c: starts reading what of [index, index + n) is missing. A page that is a hole altogether is left out (*hole says
 * that the first was one) unless with_holes. */
int cache_read(struct cache *c, uint64_t index, uint64_t n, bool with_holes, bool *hole);

#endif
