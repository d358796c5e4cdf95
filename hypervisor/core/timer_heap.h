/* SPDX-License-Identifier: MIT */
/* timer_heap.h: the earliest of many timers: a binary heap of pointers, slot[1] the earliest. No lock, no clock: host-tested. */
#ifndef ENSO_TIMER_HEAP_H
#define ENSO_TIMER_HEAP_H

#include "hypervisor/model.h"

/* Every timer of a heap knows its slot (heap_index), so that it can be taken out from the middle. The caller sees to
 * room: count < limit on insertion. True: t is the earliest now. */
bool timer_heap_insert(struct timer_heap *h, struct timer *t);
/* Takes t, which is in h, out. True: it was the earliest. */
bool timer_heap_remove(struct timer_heap *h, struct timer *t);
static inline struct timer *timer_heap_first(const struct timer_heap *h) { return h->count ? h->slot[1] : NULL; }

#endif
