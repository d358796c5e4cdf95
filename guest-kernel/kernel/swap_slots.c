/* SPDX-License-Identifier: MIT */
/* swap_slots.c: the bookkeeping of a swap area; see swap_slots.h. Pure: no disk, no page. */
#include "guest-kernel/kernel/swap_slots.h"
#include "guest-kernel/kernel/base.h"

struct swap_slot *swap_slot(const struct swap_slots *t, uint32_t n)
{
    return &t->chunk[n / SLOTS_PER_CHUNK][n % SLOTS_PER_CHUNK];
}

void swap_slots_free(struct swap_slots *t)
{
    for (uint32_t i = 0; t->chunk && i < (t->count + SLOTS_PER_CHUNK - 1) / SLOTS_PER_CHUNK; i++)
        kfree(t->chunk[i]);
    kfree(t->chunk);
    *t = (struct swap_slots){ 0 };
}

int swap_slots_init(struct swap_slots *t, uint32_t count)
{
    uint32_t chunks = (count + SLOTS_PER_CHUNK - 1) / SLOTS_PER_CHUNK;
    *t = (struct swap_slots){ .count = count, .hand = 1, .chunk = kmalloc(chunks * sizeof(*t->chunk)) };
    if (!t->chunk)
        return -ENOMEM;
    for (uint32_t i = 0; i < chunks; i++) {
        t->chunk[i] = kmalloc(SLOTS_PER_CHUNK * sizeof(struct swap_slot));
        if (!t->chunk[i]) {
            swap_slots_free(t);
            return -ENOMEM;
        }
    }
    swap_slots_spoil(t, 0);
    return 0;
}

void swap_slots_spoil(struct swap_slots *t, uint32_t n)
{
    if (n < t->count && swap_slot(t, n)->refs == 0) {
        swap_slot(t, n)->refs = SLOT_BAD;
        t->used++;
    }
}

uint32_t swap_slots_take(struct swap_slots *t)
{
    if (t->used >= t->count)
        return 0;
    for (;; t->hand++) {
        if (t->hand >= t->count)
            t->hand = 1;
        if (swap_slot(t, t->hand)->refs == 0)
            break;
    }
    *swap_slot(t, t->hand) = (struct swap_slot){ .refs = 1 };
    t->used++;
    return t->hand++;
}

bool swap_slots_drop(struct swap_slots *t, uint32_t n)
{
    struct swap_slot *s = swap_slot(t, n);
    BUG_ON(s->refs == 0 || s->refs == SLOT_BAD);
    if (--s->refs)
        return false;
    t->used--;
    return true;
}
