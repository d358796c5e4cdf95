/* SPDX-License-Identifier: MIT */
/* page.h: who has a page of memory. page.c hands them out in powers of two; struct page counts their users.
 *
 * P1  refs is 0 exactly while a page is free. A user mapping and a file's page table hold one reference each.
 * P2  A page with refs > 1 is never mapped writable, unless all its mappings are shared ones; a reference of the swap cache
 *     does not count (page_sole).                                                                            */
#ifndef NOVICE_PAGE_H
#define NOVICE_PAGE_H

#include "guest-kernel/kernel/base.h"

struct page {
    uint32_t refs;
    uint8_t  order;       /* of the block that starts here, free or not */
    uint8_t  free;        /* starts a free block                        */
    uint8_t  flags;       /* PAGE_*, none after allocation              */
    struct page *next;    /* free list; chain of a space's tables       */
    union {
        struct page *prev;      /* free list                            */
        uint32_t     slot;      /* PAGE_SWAP: the swap slot's number (swap.h) */
    };
};

#define PAGE_ANON    1    /* a process's own: may go to swap            */
#define PAGE_SWAP    2    /* the cached contents of a swap slot         */
#define PAGE_DIRTY   4    /* newer than the slot                        */
#define PAGE_BUSY    8    /* the disk is at it                          */
#define PAGE_READING 16   /* contents still to come                     */
#define PAGE_FAILED  32   /* contents could not be read                 */

void pages_init(const struct plat_boot *boot);
/* Gives a range to the allocator: at boot, and the initrd's pages after unpacking. */
void pages_add(uint64_t start_pfn, uint64_t end_pfn);

/* A block of 2^order pages, zeroed, refs = 1 on its first; null when there is none. */
void *pages_alloc(unsigned order);
/* Drops one reference; frees the block with the last. */
void  pages_free(void *block);
/* Not cleared: for what is about to be overwritten. */
void *pages_alloc_raw(unsigned order);
static inline void *page_alloc_raw(void) { return pages_alloc_raw(0); }
struct page *page_of(const void *va);
struct page *page_of_pfn(uint64_t pfn);
uint64_t page_pfn(const struct page *p);
static inline void *page_va(const struct page *p) { return pfn_to_virt(page_pfn(p)); }
static inline void page_get(struct page *p) { p->refs++; }
static inline void page_put(struct page *p) { pages_free(page_va(p)); }
size_t pages_free_count(void);
size_t pages_total(void);           /* that are ours now: a balloon changes it */
/* The balloon's: so many allocated pages are no memory any more (pages_add brings them back). */
void   pages_lost(size_t n);
uint64_t pages_end(void);           /* the page map's */
/* True while memory is so short that user allocations should fail, so that the kernel can go on. */
bool pages_low(void);
/* Earlier: while files should not grow nor processes be made, so that those that exist can go on. */
bool pages_scarce(void);

#endif
