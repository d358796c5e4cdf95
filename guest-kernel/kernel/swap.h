/* SPDX-License-Identifier: MIT */
/* swap.h: anonymous memory on a disk.
 *
 * An area is a partition or a file with Linux's header (SWAPSPACE2), cut into slots of a page. A page that is put out gets a
 * slot; the entries that named it hold the slot's number instead, not present.
 *
 * W1  A slot's count is the number of page-table entries that name it, and one more while a page in memory caches it.
 * W2  A page with PAGE_SWAP is the cached contents of page->slot; the cache holds one of its references.
 * W3  PAGE_DIRTY: the slot on the disk does not have what the page has. A mapping's PTE_D says the same.
 * W4  PAGE_BUSY: the disk reads or writes the page: it is not freed, nor its slot given away, before the request ends. */
#ifndef NOVICE_SWAP_H
#define NOVICE_SWAP_H

#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/swap_slots.h"

#define SWAP_AREAS   4
#define SWAP_CLUSTER 32u                 /* pages of one request */

/* A run of slots that lies in a row on the device. */
struct swap_extent { uint32_t first, count; uint64_t sector; };
struct blkdev;
struct inode;
struct swap_area {
    char                path[64];
    struct blkdev      *dev;
    struct inode       *file;            /* null: the whole device */
    struct swap_extent *extents;
    unsigned            nextents;
    struct swap_slots   slots;
    bool                used, closing, failed;
};
extern struct swap_area swap_areas[SWAP_AREAS];

/* An entry's number: the area and the slot in it. */
static inline uint32_t swap_number(unsigned area, uint32_t slot) { return area << 26 | slot; }
static inline struct swap_area *swap_area_of(uint32_t number) { return &swap_areas[number >> 26 & (SWAP_AREAS - 1)]; }
static inline uint32_t swap_index(uint32_t number) { return number & ((1u << 26) - 1); }
static inline struct swap_slot *swap_slot_of(uint32_t number)
{
    return swap_slot(&swap_area_of(number)->slots, swap_index(number));
}
/* Where a slot lies, and how many follow it in a row, itself included. */
uint64_t swap_sector(const struct swap_area *a, uint32_t slot, uint32_t *run);

/* ---- Page-table entries: the number inverted, as parked entries do (L1TF) ---- */
#define PTE_SWAPPED (1ul << 8)
static inline bool     pte_swapped(pte_t e) { return !(e & PTE_P) && (e & PTE_SWAPPED); }
static inline pte_t    pte_of_swap(uint32_t n) { return ((~(uint64_t)n & 0x7ffffffffful) << PAGE_SHIFT) | PTE_SWAPPED; }
static inline uint32_t pte_swap(pte_t e) { return (uint32_t)~(e >> PAGE_SHIFT); }

/* One more entry names the slot (fork); one less. */
void swap_get(uint32_t number);
void swap_put(uint32_t number);
/* The page of a slot, with a reference for the caller, read if it is not in memory. -ENOMEM, -EIO, or 1: things changed, look
 * again. Sleeps. */
int  swap_in(uint32_t number, struct page **page);
/* Is there one mapping of p at most (so that it may be written without a copy)? */
bool page_sole(const struct page *p);
/* p's last reference but the cache's went (page.c). */
void swap_page_idle(struct page *p);
/* A sole page was written to: lets go of its slot if slots are short. */
void swap_page_written(struct page *p);

/* swap_io.c */
bool swap_io_room(void);                            /* can a page be queued without sleeping? */
void swap_io_wait(void);                            /* until a write ended, or there are none */
unsigned swap_io_pending(void);                     /* writes under way */
/* Queues a page that only the cache has (W2) for writing; neighbours go in one request. Does not sleep. */
void swap_write(struct page *p);
void swap_write_kick(void);                         /* starts what is queued */
int  swap_read(uint32_t number);                    /* the slot's page, and its neighbours', into the cache; waits for them */
void swap_wait_read(const struct page *p);          /* sleeps until p (on which the caller has a reference) is read */
/* Takes p out of the cache; with the last reference it is freed. */
void swap_detach(struct page *p);
void swap_attach(struct page *p, uint32_t number);  /* p gains the cache's reference */

/* swap_clock.c */
size_t swap_shrink(size_t pages);
/* swap.c */
uint32_t swap_slot_new(void);                       /* a free slot's number with count 1, or 0 */
bool   swap_any(void);                              /* a free slot, and a device that works? */
void   swap_totals(size_t *total, size_t *free);    /* pages */
void   swap_boot(void);
struct vm_space;
void   swap_in_space(struct vm_space *s);           /* brings all of s in: its memory is about to be locked */
extern uint64_t swap_freed;                         /* pages that ever went back to the allocator by swapping */

#endif
