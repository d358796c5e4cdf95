/* SPDX-License-Identifier: MIT */
/* shared.c: anonymous memory that several processes share: MAP_SHARED without a file.
 *
 * It is an inode without a name, so that fork's two sides, and faults at any time later, find the same pages. A table of entries, in
 * chunks of a page, says for each page where it is: nowhere yet, in memory, or in a slot of a swap area. The clock
 * (swap_clock.c) takes a page that is not used out of the page tables; one that no table has is evicted here.
 *
 * S1  An entry that names a page holds one of its references; the page is not in the swap cache.
 * S2  An entry that names a slot counts in it as a page-table entry does (W1).
 * So a page that came back must be written again when it goes, which spares us to learn who wrote to it.        */
#include "guest-kernel/kernel/shared.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/swap.h"

#define PER_CHUNK (PAGE_SIZE / sizeof(entry_t))
#define STEPS     4096u                             /* entries looked at in one go */

typedef uint64_t entry_t;                           /* 0, a struct page's address, or a slot's number and the lowest bit */

struct shared {
    struct list link;
    uint64_t    pages, hand;
    entry_t    *chunk[];
};

static struct list all = LIST_INIT(all);

static bool in_swap(entry_t e) { return e & 1; }
static uint32_t number_of(entry_t e) { return (uint32_t)(e >> 1); }
static entry_t of_number(uint32_t n) { return (entry_t)n << 1 | 1; }
static struct page *page_in(entry_t e) { return e && !in_swap(e) ? (struct page *)e : 0; }

static uint64_t chunks(const struct shared *s) { return (s->pages + PER_CHUNK - 1) / PER_CHUNK; }

static entry_t *entry_at(struct shared *s, uint64_t index)
{
    return index < s->pages && s->chunk[index / PER_CHUNK] ? &s->chunk[index / PER_CHUNK][index % PER_CHUNK] : 0;
}

static entry_t *entry_make(struct shared *s, uint64_t index)
{
    if (index < s->pages && !s->chunk[index / PER_CHUNK]) {
        entry_t *chunk = page_alloc_user();         /* may sleep: somebody else may be faster */
        if (!s->chunk[index / PER_CHUNK])
            s->chunk[index / PER_CHUNK] = chunk;
        else if (chunk)
            page_free(chunk);
    }
    return entry_at(s, index);
}

/* ---- Coming ---- */

/* The slot's page, on which the caller has a reference and the disk does not work, becomes the entry's (S1). */
static void take_back(entry_t *e, struct page *p)
{
    uint32_t number = number_of(*e);
    page_get(p);
    *e = (entry_t)p;
    swap_put(number);
    swap_detach(p);
    p->flags &= ~PAGE_ANON;
}

static int bring_back(entry_t *e)
{
    entry_t seen = *e;
    struct page *p;
    int rc = swap_in(number_of(seen), &p);
    if (rc)
        return MIN(rc, 0);
    while (p->flags & PAGE_BUSY)                    /* on its way out still */
        swap_io_wait();
    if (*e == seen)
        take_back(e, p);
    page_put(p);
    return 0;
}

static int fill(entry_t *e)
{
    void *page = page_alloc_user();
    if (!page)
        return -ENOMEM;
    if (*e)
        page_free(page);
    else
        *e = (entry_t)page_of(page);
    return 0;
}

static struct page *shared_page(struct inode *i, uint64_t index, bool create, int *rc)
{
    entry_t *e = entry_make(i->private, index);
    *rc = e ? 0 : -ENOMEM;
    while (*rc == 0 && !page_in(*e))
        *rc = in_swap(*e) ? bring_back(e) : fill(e);
    if (*rc)
        return 0;
    page_get(page_in(*e));
    return page_in(*e);
}

/* ---- Going ---- */

static bool evict(entry_t *e)
{
    struct page *p = page_in(*e);
    uint32_t number = p && p->refs == 1 ? swap_slot_new() : 0;
    if (!number)
        return false;
    swap_attach(p, number);
    p->flags |= PAGE_DIRTY;
    swap_get(number);
    *e = of_number(number);
    page_put(p);                                    /* the cache's reference remains */
    swap_write(p);
    return true;
}

static size_t evict_some(struct shared *s, size_t pages, unsigned *steps)
{
    size_t n = 0;
    for (uint64_t left = s->pages; left > 0 && n < pages && *steps < STEPS && swap_io_room(); left--, ++*steps) {
        s->hand = s->hand + 1 < s->pages ? s->hand + 1 : 0;
        entry_t *e = entry_at(s, s->hand);
        n += e && evict(e);
    }
    return n;
}

/* Each piece of memory in its turn: who was asked goes to the end of the line. */
size_t shared_evict(size_t pages)
{
    struct list *first = 0;
    unsigned steps = 0;
    size_t n = 0;
    while (!list_empty(&all) && all.next != first && n < pages && steps < STEPS && swap_any() && swap_io_room()) {
        struct shared *s = container_of(all.next, struct shared, link);
        first = first ? first : &s->link;
        n += evict_some(s, pages - n, &steps);
        list_remove(&s->link);
        list_append(&all, &s->link);
    }
    return n;
}

static void restore_one(entry_t *e, const struct swap_area *area)
{
    if (!in_swap(*e) || swap_area_of(number_of(*e)) != area)
        return;
    const struct swap_slot *slot = swap_slot_of(number_of(*e));
    struct page *p = slot->page ? page_of_pfn(slot->page - 1) : 0;
    if (p && !(p->flags & (PAGE_READING | PAGE_FAILED | PAGE_BUSY)))
        take_back(e, p);
}

void shared_restore(const struct swap_area *area)
{
    list_for (s, &all, struct shared, link)
        for (uint64_t c = 0; c < chunks(s); c++)
            for (unsigned i = 0; s->chunk[c] && i < PER_CHUNK; i++)
                restore_one(&s->chunk[c][i], area);
}

/* ---- The inode ---- */

static void shared_release(struct inode *i)
{
    struct shared *s = i->private;
    list_remove(&s->link);
    for (uint64_t n = 0; n < s->pages; n++) {
        entry_t *e = entry_at(s, n);
        if (e && in_swap(*e))
            swap_put(number_of(*e));
        else if (e && *e)
            page_put(page_in(*e));
    }
    for (uint64_t c = 0; c < chunks(s); c++)
        if (s->chunk[c])
            page_free(s->chunk[c]);
    kfree(s);
}

static const struct inode_ops shared_ops = { .page = shared_page, .release = shared_release };

bool is_shared_memory(const struct inode *i) { return i->ops == &shared_ops; }

struct inode *shared_memory(uint64_t size)
{
    uint64_t pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    struct shared *s = kmalloc(sizeof(*s) + (pages + PER_CHUNK - 1) / PER_CHUNK * sizeof(s->chunk[0]));
    struct inode *i = s ? inode_alloc(0, S_IFREG | 0600, &shared_ops) : 0;
    if (!i) {
        kfree(s);
        return 0;
    }
    s->pages = pages;
    list_append(&all, &s->link);
    i->private = s;
    i->size = size;
    return i;
}
