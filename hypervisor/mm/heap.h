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
void heap_unreserve_range(uint64_t first_mfn, uint64_t end_mfn); /* modules, when they have been used: after heap_init */
uint64_t heap_ram_end(void);                                     /* highest RAM frame + 1 */
void heap_for_each_ram(void (*fn)(uint64_t first_mfn, uint64_t end_mfn));
#define HEAP_MAX_ORDER 12

uint64_t heap_free_frames(void);
uint64_t heap_total_frames(void);

/* 2^order contiguous frames for the hypervisor itself (owner OWNER_HV, one reference), zeroed. NULL: none. */
void *heap_alloc(unsigned order);
void  heap_free(void *p, unsigned order);
/* Frames for domains come through mm/frame.h, which uses these two. Frames are scrubbed when they are taken. */
int   heap_take(unsigned order, unsigned max_addr_bits, mfn_t *m);   /* 0 or -ENOMEM; content is zero */
void  heap_give(mfn_t m, unsigned order);                        

/* Small allocations, zeroed, 64-aligned when size >= 64. NULL: none. Up to 1 MiB. */
void *kalloc(size_t size);
void  kfree(void *p);

#endif
