/* SPDX-License-Identifier: MIT */
/* heap.h: free frames (a buddy system), and small allocations of the hypervisor itself. */
#ifndef ENSO_HEAP_H
#define ENSO_HEAP_H

#include "hypervisor/model.h"

/* Boot: the RAM ranges of the memory map, less what is in use; before hypmap_init only heap_boot_alloc works. */
void heap_add_range(uint64_t first_mfn, uint64_t end_mfn);
void heap_reserve_range(uint64_t first_mfn, uint64_t end_mfn);   /* image, modules, low 1 MiB */
mfn_t heap_boot_alloc(uint64_t frames);                          /* contiguous, zeroed; panics when there is none */
void heap_init(void);                                            /* frame table is mapped: builds the free lists */

uint64_t heap_free_frames(void);
uint64_t heap_total_frames(void);

/* 2^order contiguous frames for the hypervisor itself (owner OWNER_HV, one reference), zeroed. NULL: none. */
void *heap_alloc(unsigned order);
void  heap_free(void *p, unsigned order);
/* Frames for domains come through mm/frame.h, which uses these two. Frames are scrubbed before they get another owner. */
int   heap_take(unsigned order, unsigned max_addr_bits, mfn_t *m);   /* 0 or -ENOMEM; content is zero */
void  heap_give(mfn_t m, unsigned order);                         /* marks dirty */

/* Small allocations, zeroed, 64-aligned when size >= 64. NULL: none. Up to 1 MiB. */
void *kalloc(size_t size);
void  kfree(void *p);

#endif
