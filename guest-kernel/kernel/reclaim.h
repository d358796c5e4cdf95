/* SPDX-License-Identifier: MIT */
/* reclaim.h: where memory comes from when it is short.
 *
 * Who holds pages that could be given back registers a shrinker: the page cache (clean pages, then dirty ones written
 * first), swap (anonymous pages). reclaim() asks them in order of priority. It sleeps; the page allocator itself never calls it. */
#ifndef NOVICE_RECLAIM_H
#define NOVICE_RECLAIM_H

#include "guest-kernel/kernel/base.h"

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
void   reclaim_boot(void);                  /* the background thread */

#endif
