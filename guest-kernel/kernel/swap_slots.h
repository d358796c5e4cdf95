/* SPDX-License-Identifier: MIT */
/* swap_slots.h: which slots of a swap area are in use, by how many, and which have their page in memory. */
#ifndef NOVICE_SWAP_SLOTS_H
#define NOVICE_SWAP_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

struct swap_slot {
    uint32_t refs;                 /* W1; 0: free                        */
    uint32_t page;                 /* pfn + 1 of the page in memory, or 0 */
};

#define SLOT_BAD        (~0u)      /* refs of a slot that is not to be used */
#define SLOTS_PER_CHUNK 512u
struct swap_slots {
    uint32_t count, used;          /* slots 0 to count - 1; slot 0 is the header's and always used */
    uint32_t hand;                 /* the next search begins here        */
    struct swap_slot **chunk;
};

/* 0 or -ENOMEM. */
int  swap_slots_init(struct swap_slots *t, uint32_t count);
void swap_slots_free(struct swap_slots *t);
struct swap_slot *swap_slot(const struct swap_slots *t, uint32_t n);
/* A free slot, now with one reference; they come in ascending runs, so that what is put out together lies together. 0: full. */
uint32_t swap_slots_take(struct swap_slots *t);
/* Marks n as unusable: a bad block. */
void swap_slots_spoil(struct swap_slots *t, uint32_t n);
/* Drops a reference: true when the slot is free now. */
bool swap_slots_drop(struct swap_slots *t, uint32_t n);

#endif
