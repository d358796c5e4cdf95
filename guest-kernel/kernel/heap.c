/* SPDX-License-Identifier: MIT */
/* heap.c: memory in pieces smaller than a page, by size classes of powers of two.
 *
 * A page of class k is cut into objects of 2^k bytes; its free objects are chained through their first words, and
 * struct page counts those in use. A page whose last object goes is given back, so nothing stays behind.          */
#include "guest-kernel/kernel/page.h"

#define CLASS_MIN 5                                 /* 32 bytes   */
#define CLASS_MAX 10                                /* 1 KiB      */

/* At the start of a slab page. */
struct slab {
    struct slab *next, *prev;
    void        *free;
    uint32_t     class, used;
    uint64_t     magic;
};
#define SLAB_MAGIC 0x62616c7365636976ul

static struct slab *with_room[CLASS_MAX + 1];

static unsigned class_of(size_t size)
{
    unsigned class = CLASS_MIN;
    while ((1ul << class) < size)
        class++;
    return class;
}

static void room_list_add(struct slab *s)
{
    s->prev = 0;
    s->next = with_room[s->class];
    if (s->next)
        s->next->prev = s;
    with_room[s->class] = s;
}

static void room_list_remove(struct slab *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        with_room[s->class] = s->next;
    if (s->next)
        s->next->prev = s->prev;
}

static struct slab *slab_create(unsigned class)
{
    struct slab *s = page_alloc_raw();
    if (!s)
        return 0;
    *s = (struct slab){ .class = class, .magic = SLAB_MAGIC };
    size_t size = 1ul << class;
    for (size_t at = ROUND_UP(sizeof(*s), size); at + size <= PAGE_SIZE; at += size) {
        void **object = (void **)((char *)s + at);
        *object = s->free;
        s->free = object;
    }
    room_list_add(s);
    return s;
}

void *kmalloc(size_t size)
{
    if (size > 1ul << CLASS_MAX) {
        unsigned order = 0;
        while ((PAGE_SIZE << order) < size)
            order++;
        return order < 10 ? pages_alloc(order) : 0;
    }
    unsigned class = class_of(size);
    struct slab *s = with_room[class] ? with_room[class] : slab_create(class);
    if (!s)
        return 0;
    void **object = s->free;
    s->free = *object;
    s->used++;
    if (!s->free)
        room_list_remove(s);
    return memset(object, 0, 1ul << class);
}

/* Objects never start a page (the slab's record does), whole blocks always do. */
void kfree(void *p)
{
    if (!p)
        return;
    if (((uintptr_t)p & (PAGE_SIZE - 1)) == 0) {
        pages_free(p);
        return;
    }
    struct slab *s = (struct slab *)ROUND_DOWN((uintptr_t)p, PAGE_SIZE);
    BUG_ON(s->magic != SLAB_MAGIC || s->used == 0);
    bool was_full = !s->free;
    *(void **)p = s->free;
    s->free = p;
    s->used--;
    if (s->used == 0) {
        if (!was_full)
            room_list_remove(s);
        s->magic = 0;
        pages_free(s);
    } else if (was_full) {
        room_list_add(s);
    }
}

char *kstrdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = kmalloc(n);
    return copy ? memcpy(copy, s, n) : 0;
}
