/* SPDX-License-Identifier: MIT */
/* kalloc.c: pieces smaller than a frame, for the hypervisor's own structs.                    [read 22]
 *
 * A page is cut into equal pieces of a power of two; its free pieces are chained through themselves, and
 * what the page holds stands in its frame record, which the hypervisor's own frames do not need otherwise.
 * A page whose pieces are all free goes back to the heap at once, so that what a domain cost is given back
 * to the frame when it ends. Larger pieces are whole frames of the heap.                                 */
#include "hypervisor/mm/heap.h"

#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"

#define MIN_SHIFT   5                    /* 32 bytes */
#define NR_CLASSES  7                    /* 32 .. 2048 */
#define NO_PIECE    0xffffU
#define WHOLE       0x100U               /* .partial of a run of frames: WHOLE | order */

/* In a cut page's frame: .partial = class + 1; .next, .prev link pages of a class with a free piece;
 * .type_info = pieces in use << 16 | offset of the first free piece. */
static struct {
    struct spinlock lock;                /* rank kalloc */
    bool ready;
    uint32_t head[NR_CLASSES];
} pool;

static void pool_start(void)
{
    spin_init(&pool.lock, LOCK_kalloc);
    for (unsigned c = 0; c < NR_CLASSES; c++)
        pool.head[c] = FRAME_LIST_END;
    pool.ready = true;
}

static void page_state(struct frame *f, unsigned used, unsigned first_free)
{
    f->type_info = (uint64_t)used << 16 | first_free;
}

/* Makes page, fresh from the heap, one of class c with all pieces free; pool lock held. */
static void page_add(unsigned c, char *page)
{
    unsigned size = 1U << (c + MIN_SHIFT);
    struct frame *f = frame_of(virt_to_mfn(page));

    for (unsigned at = 0; at < PAGE_SIZE; at += size)
        *(uint16_t *)(page + at) = (uint16_t)(at + size < PAGE_SIZE ? at + size : NO_PIECE);
    f->partial = (uint16_t)(c + 1);
    page_state(f, 0, 0);
    frame_list_push(&pool.head[c], f);
}

/* A piece of class c, or NULL when no page has one left; pool lock held. */
static void *piece_take(unsigned c)
{
    if (pool.head[c] == FRAME_LIST_END)
        return NULL;
    struct frame *f = frame_of(mfn(pool.head[c]));
    unsigned at = f->type_info & 0xffff, used = (unsigned)(f->type_info >> 16) + 1;
    char *p = (char *)mfn_to_virt(frame_mfn(f)) + at;
    unsigned next = *(uint16_t *)p;
    page_state(f, used, next);
    if (next == NO_PIECE)
        frame_list_remove(&pool.head[c], f);
    return p;
}

/* The heap's lock ranks above the pool's, so a page is fetched with neither held. */
static void *piece_alloc(unsigned c)
{
    spin_lock(&pool.lock);
    void *p = piece_take(c);
    spin_unlock(&pool.lock);
    if (p)
        return p;
    char *page = heap_alloc(0);
    if (!page)
        return NULL;
    spin_lock(&pool.lock);
    page_add(c, page);
    p = piece_take(c);
    spin_unlock(&pool.lock);
    return p;
}

void *kalloc(size_t size)
{
    void *p;

    if (size > (PAGE_SIZE << 8))
        return NULL;
    if (size > PAGE_SIZE / 2) {
        unsigned order = 0;
        while ((PAGE_SIZE << order) < size)
            order++;
        p = heap_alloc(order);
        if (p)
            frame_of(virt_to_mfn(p))->partial = (uint16_t)(WHOLE | order);
        return p;
    }
    unsigned c = 0;
    while ((1UL << (c + MIN_SHIFT)) < size)
        c++;
    if (!pool.ready)
        pool_start();
    p = piece_alloc(c);
    if (p)
        memset(p, 0, 1UL << (c + MIN_SHIFT));
    return p;
}

/* Returns piece p of page f; pool lock held. True: the page is empty now, and unlinked. */
static bool piece_give(struct frame *f, void *p)
{
    unsigned c = f->partial - 1U;
    unsigned used = (unsigned)(f->type_info >> 16) - 1, first = f->type_info & 0xffff;

    *(uint16_t *)p = (uint16_t)first;
    if (first == NO_PIECE)
        frame_list_push(&pool.head[c], f);
    page_state(f, used, (unsigned)((uintptr_t)p & (PAGE_SIZE - 1)));
    if (used)
        return false;
    frame_list_remove(&pool.head[c], f);
    return true;
}

void kfree(void *p)
{
    if (!p)
        return;
    struct frame *f = frame_of(virt_to_mfn(p));
    BUG_ON(f->owner != OWNER_HV || !f->partial);
    if (f->partial & WHOLE) {
        heap_free(p, f->partial & 0xff);
        return;
    }
    spin_lock(&pool.lock);
    bool empty = piece_give(f, p);
    spin_unlock(&pool.lock);
    if (empty)
        heap_free((void *)((uintptr_t)p & PAGE_MASK), 0);
}
