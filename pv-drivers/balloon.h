/* SPDX-License-Identifier: MIT */
/* balloon.h: a domain's memory follows its target. SPEC 11.7.
 *
 * The driver watches memory/target and reports in memory/stat; how pages are taken from and given to the kernel's
 * allocator is the kernel's to say, by the three functions below.                                               */
#ifndef PV_DRIVERS_BALLOON_H
#define PV_DRIVERS_BALLOON_H

#include <stdint.h>

struct balloon_state {
    uint64_t current;         /* KiB that the domain has                          */
    uint64_t most;            /* KiB that it could use                            */
    uint64_t floor;           /* KiB that it never goes below                     */
    uint64_t free;            /* KiB                                              */
    uint64_t available;       /* KiB: free, or free for the asking (clean caches) */
    uint64_t swap_in, swap_out;   /* pages, ever                                  */
    uint64_t stalls;          /* times that an allocation had to wait, ever       */
};

/* ---- The kernel's ---- */
void     balloon_os_state(struct balloon_state *s);
/* Gives up to `pages` pages to the hypervisor; how many. Reclaims where it must, sleeps, and takes none that an allocation would
 * miss for which reclaim cannot make up. */
uint64_t balloon_os_give(uint64_t pages);
/* Takes up to `pages` pages from the hypervisor; how many it had. */
uint64_t balloon_os_take(uint64_t pages);

/* ---- The driver's ---- */
/* Starts the thread; it waits for the store by itself. 0 or -errno. */
int      balloon_start(void);
/* An allocation fails now for want of memory: said in dom0 at once. Does not sleep. */
void     balloon_starving(void);
/* 0 (memory lies idle) to 100 (it works for swap alone), from two states `ms` apart. Pure. */
unsigned balloon_pressure(const struct balloon_state *before, const struct balloon_state *now, uint64_t ms);

#endif
