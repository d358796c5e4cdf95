/* SPDX-License-Identifier: MIT */
/* timer_heap.c: the heap behind timer.c.                                                      [read 35]
 *
 * A parent is never later than its children, so the earliest timer is at slot[1] and both operations walk one path
 * of log2(count) steps. slot[0] is unused: index 0 in a timer says that it is in no heap.                        */
#include "hypervisor/core/timer_heap.h"

static void put(struct timer_heap *h, uint32_t i, struct timer *t)
{
    h->slot[i] = t;
    t->heap_index = i;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct timer *t)
{
    for (; i > 1 && t->expires < h->slot[i / 2]->expires; i /= 2)
        put(h, i, h->slot[i / 2]);
    put(h, i, t);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct timer *t)
{
    uint32_t child;

    for (; (child = 2 * i) <= h->count; i = child) {
        if (child < h->count && h->slot[child + 1]->expires < h->slot[child]->expires)
            child++;
        if (t->expires <= h->slot[child]->expires)
            break;
        put(h, i, h->slot[child]);
    }
    put(h, i, t);
}

bool timer_heap_insert(struct timer_heap *h, struct timer *t)
{
    sift_up(h, ++h->count, t);
    return t->heap_index == 1;
}

bool timer_heap_remove(struct timer_heap *h, struct timer *t)
{
    uint32_t i = t->heap_index;
    struct timer *last = h->slot[h->count--];

    t->heap_index = 0;
    if (last != t) {
        /* The last one fills the hole, and may belong above or below it. */
        if (i > 1 && last->expires < h->slot[i / 2]->expires)
            sift_up(h, i, last);
        else
            sift_down(h, i, last);
    }
    return i == 1;
}
