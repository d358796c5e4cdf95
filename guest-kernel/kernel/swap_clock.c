/* SPDX-License-Identifier: MIT */
/* swap_clock.c: which pages leave memory: second chance, over the page tables of all processes.
 *
 * A hand goes round: process after process, address after address. A page whose entry the processor marked as used since the last
 * time loses the mark and stays; one without it is taken out: an anonymous page's entry becomes its slot's number, and when no
 * other entry has the page it goes to the disk, or is free at once if the disk has it already; a file's page and one of shared memory
 * are merely unmapped, for the page cache to keep or drop, and for shared.c to put out. Nothing sleeps while the hand moves. */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/shared.h"
#include "guest-kernel/kernel/swap.h"

#define STEPS 4096u                                 /* entries looked at without letting others run */

static struct {
    int       pid;                                  /* where the hand is */
    uintptr_t va;
    unsigned  turns;                                /* times round since the present search began */
    unsigned  area, slot;                           /* the hand over the cache */
} hand;

struct search {
    struct vm_space *s;
    struct vm_area  *a;
    size_t           wanted, taken;
    unsigned         steps;
    uintptr_t        stopped;                       /* where the walk ended early */
};

/* True if the page is on its way out; the others that map it will be met later. */
static bool evict_anonymous(struct search *c, pte_t *slot, pte_t pte, struct page *p)
{
    if (!(p->flags & PAGE_SWAP)) {
        uint32_t number = swap_slot_new();
        if (!number)
            return false;
        swap_attach(p, number);
        p->flags |= PAGE_DIRTY;
    }
    if (pte & PTE_D)
        p->flags |= PAGE_DIRTY;
    swap_get(p->slot);
    plat_pte_write(&c->s->plat, 1, slot, pte_of_swap(p->slot));
    c->s->resident--;
    c->s->swapped++;
    page_put(p);
    if (p->refs != 1 || (p->flags & PAGE_BUSY))
        return false;                               /* others map it still, or it is being written */
    if (p->flags & PAGE_DIRTY) {
        swap_write(p);
    } else {
        swap_detach(p);
        swap_freed++;
    }
    return true;
}

/* A page that is found again without this entry; true if no other entry has it. */
static bool unmap_one(struct search *c, pte_t *slot, struct page *p)
{
    plat_pte_write(&c->s->plat, 1, slot, 0);
    c->s->resident--;
    page_put(p);
    return p->refs == 1;
}

static bool kept_elsewhere(const struct vm_area *a) { return a->inode && (a->inode->cache || (is_shared_memory(a->inode) && swap_any())); }

static int look_at(void *arg, uintptr_t va, pte_t *slot)
{
    struct search *c = arg;
    pte_t pte = *slot;
    struct page *p = pte & PTE_P ? pte_page(pte) : 0;
    if (!p)
        return 0;
    c->stopped = va;
    if (c->taken >= c->wanted || c->steps >= STEPS || !swap_io_room())
        return 1;
    c->steps++;
    reclaim_stats.scanned++;
    bool anonymous = p->flags & PAGE_ANON;
    if (anonymous ? !(p->flags & PAGE_SWAP) && !swap_any() : !kept_elsewhere(c->a))
        return 0;
    if (pte & PTE_A)
        plat_pte_write(&c->s->plat, 1, slot, pte & ~PTE_A);
    else
        c->taken += anonymous ? evict_anonymous(c, slot, pte, p) : unmap_one(c, slot, p);
    return 0;
}

/* The process with the least number from the hand on. */
static struct proc *next_process(void)
{
    struct proc *found = 0;
    list_for (p, &all_procs, struct proc, all)
        if (p->vm && !p->vm->locked && p->pid >= hand.pid && (!found || p->pid < found->pid))
            found = p;
    return found;
}

/* One process from the hand's address on: false if the walk ended early. */
static bool search_process(struct search *c, struct proc *p)
{
    c->s = p->vm;
    list_for (a, &p->vm->areas, struct vm_area, link) {
        if (a->end <= hand.va || (a->flags & VM_DEVICE))
            continue;
        c->a = a;
        if (vm_walk(p->vm, MAX(a->start, hand.va), a->end, look_at, c)) {
            hand.va = c->stopped;
            return false;
        }
    }
    return true;
}

/* Moves the hand until so many pages are taken out of tables, STEPS were made, or no write can be queued. */
static size_t turn_hand(size_t wanted)
{
    struct search c = { .wanted = wanted };
    plat_batch_begin();
    while (hand.turns < 3 && c.taken < wanted && c.steps < STEPS && swap_io_room()) {
        struct proc *p = next_process();
        if (!p) {
            hand.turns++;
            hand.pid = 0;
            hand.va = 0;
            plat_tlb_flush();                       /* with the batch: entries are met again, and must show what was done to them */
            continue;
        }
        if (p->pid != hand.pid) {
            hand.pid = p->pid;
            hand.va = 0;
        }
        if (!search_process(&c, p))
            break;
        hand.pid = p->pid + 1;
        hand.va = 0;
    }
    plat_batch_end();
    plat_tlb_flush();                               /* before what was taken out is used anew, and so that used marks are set again */
    return c.taken;
}

/* Pages that only the cache has: read ahead in vain, or changed while they were written. And when slots are out, those of pages that
 * are in memory go to pages that are to leave it. */
static void sweep_cache(size_t steps)
{
    bool full = !swap_any();
    while (steps-- > 0) {
        struct swap_area *a = &swap_areas[hand.area];
        if (!a->used || hand.slot >= a->slots.count) {
            hand.area = (hand.area + 1) % SWAP_AREAS;
            hand.slot = 1;
            steps -= MIN(steps, 64ul);
            continue;
        }
        const struct swap_slot *s = swap_slot(&a->slots, hand.slot++);
        struct page *p = s->page ? page_of_pfn(s->page - 1) : 0;
        if (!p || (p->flags & PAGE_BUSY))
            continue;
        if (p->refs != 1) {
            if (full && s->refs == 1)
                swap_detach(p);
            continue;
        }
        if ((p->flags & PAGE_DIRTY) && s->refs > 1) {
            if (swap_io_room())
                swap_write(p);
        } else {
            swap_detach(p);
            swap_freed++;
        }
    }
}

size_t swap_shrink(size_t pages)
{
    uint64_t from = swap_freed;
    size_t unmapped = 0;
    hand.turns = 0;
    sweep_cache(swap_any() ? 1024 : 64 * 1024);
    while (swap_freed - from < pages) {
        size_t got = unmapped < 2 * pages ? turn_hand(pages) : 0;
        unmapped += got;
        got += shared_evict(pages);
        if (swap_io_pending() || !swap_io_room())
            swap_io_wait();
        else
            swap_write_kick();
        if (!got && !swap_io_pending() && (hand.turns >= 3 || unmapped >= 2 * pages))
            break;
        breathe();
    }
    swap_write_kick();
    return swap_freed - from;
}
