/* SPDX-License-Identifier: MIT */
/* reclaim.h: where memory comes from when it is short.
 *
 * Who holds pages that could be given back registers a shrinker: the page cache (clean pages, then dirty ones written
 * first), swap (anonymous pages). reclaim() asks them in order of priority. It sleeps; the page allocator itself never calls it. */
#ifndef NOVICE_RECLAIM_H
#define NOVICE_RECLAIM_H

#include "guest-kernel/kernel/base.h"

#define SHRINK_CACHE 10           /* priorities: what can be read again for nothing,  */
#define SHRINK_SWAP  20           /* what must be written first                       */

struct shrinker {
    struct list  link;
    const char  *name;
    unsigned     priority;                  /* lower is asked first */
    size_t     (*count)(void);              /* pages that it could perhaps give */
    size_t     (*shrink)(size_t pages);     /* gives up to so many back to the page allocator: how many. May sleep. */
};

void   shrinker_register(struct shrinker *s);
/* Tries to free `pages` pages; returns how many. May sleep and do I/O; never call it from an upcall or while holding what a
 * shrinker needs. */
size_t reclaim(size_t pages);
/* For user memory and file pages: a page (zeroed), having reclaimed if memory is low; null only when nothing helped. May sleep. */
void  *page_alloc_user(void);
void  *page_alloc_user_raw(void);           /* likewise, not cleared */
/* Before a process or a file is made: false when memory stays so scarce that it must fail. May sleep. */
bool   reclaim_room(void);
/* Makes `pages` pages free beyond what others will need soon: false if that cannot be now. May sleep. */
bool   reclaim_spare(size_t pages);
/* When nothing helped: waits a little for memory from outside (a balloon's); false when none is to be expected. Null: no balloon. */
extern bool (*reclaim_outside_help)(void);
/* Pages that could be had without writing anonymous memory to swap: free ones and the caches'. */
size_t reclaim_available(void);
/* Counters for /proc/vmstat and the balloon's reports. */
struct reclaim_stats { uint64_t freed, direct, background, oom, swap_in, swap_out, scanned; };
extern struct reclaim_stats reclaim_stats;
void   reclaim_boot(void);                  /* the background thread */

#endif
