/* SPDX-License-Identifier: MIT */
/* heap.c: the machine's free frames.                                                          [read 21]
 *
 * While booting, RAM is a short list of ranges from which the first tables are cut. Once the frame table is
 * mapped, free frames stand in a buddy system whose links lie in the frame table itself, so that free memory
 * is never touched. Lists are kept by zone, zone k holding frames 2^k..2^(k+1)-1: a caller that needs
 * addresses of few bits looks in the low zones only, all others empty the high zones first.
 *
 * A frame is scrubbed when it is taken, by whomever, and not before every pCPU that may still have its old
 * owner's translation has flushed it (pitfalls A5). kalloc.c (small pieces) and frame.c (domains' frames)
 * build on this file.                                                                                    */
#include "hypervisor/mm/heap.h"

#include "hypercall-abi/errno.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/smpcall.h"

#define MAX_RANGES  256
#define NR_ZONES    33
#define BOOT_LIMIT  (1UL << 20)          /* boot page tables reach 4 GiB */

struct range { uint64_t first, end; };
struct range_list { struct range r[MAX_RANGES]; unsigned n; };

static struct {
    struct spinlock lock;                          /* rank heap */
    uint32_t head[NR_ZONES][HEAP_MAX_ORDER + 1];   /* mfn, FRAME_LIST_END when empty */
    uint32_t orders[NR_ZONES];                     /* bit o: head[zone][o] is not empty */
    uint64_t free, total;
    bool     ready;
} heap;

static struct range_list ram, unused;              /* boot only: all RAM, and what of it is free */

/* ---- booting ----------------------------------------------------------------------------------- */

static void range_append(struct range_list *l, uint64_t first, uint64_t end)
{
    if (first >= end)
        return;
    if (l->n == MAX_RANGES)
        panic("the memory map has more than %d ranges", MAX_RANGES);
    l->r[l->n++] = (struct range){ first, end };
}

/* Takes [first, end) out of every range of l. */
static void range_cut(struct range_list *l, uint64_t first, uint64_t end)
{
    unsigned n = l->n;

    for (unsigned i = 0; i < n; i++) {
        struct range old = l->r[i];
        if (end <= old.first || first >= old.end)
            continue;
        l->r[i].end = first > old.first ? first : old.first;
        range_append(l, end, old.end);
    }
}

void heap_add_range(uint64_t first_mfn, uint64_t end_mfn)
{
    if (end_mfn > FRAME_LIST_END)                  /* links are 32 bits wide: 16 TiB */
        end_mfn = FRAME_LIST_END;
    range_cut(&ram, first_mfn, end_mfn);           /* maps of bad firmware overlap */
    range_cut(&unused, first_mfn, end_mfn);
    range_append(&ram, first_mfn, end_mfn);
    range_append(&unused, first_mfn, end_mfn);
}

void heap_reserve_range(uint64_t first_mfn, uint64_t end_mfn)
{
    range_cut(&unused, first_mfn, end_mfn);
}

uint64_t heap_ram_end(void)
{
    uint64_t end = 0;

    for (unsigned i = 0; i < ram.n; i++)
        if (ram.r[i].end > ram.r[i].first && ram.r[i].end > end)
            end = ram.r[i].end;
    return end;
}

void heap_for_each_ram(void (*fn)(uint64_t first_mfn, uint64_t end_mfn))
{
    for (unsigned i = 0; i < ram.n; i++)
        if (ram.r[i].first < ram.r[i].end)
            fn(ram.r[i].first, ram.r[i].end);
}

mfn_t heap_boot_alloc(uint64_t frames)
{
    uint64_t align = frames >= 512 ? 512 : 1;      /* large ones are mapped by 2 MiB pages */
    struct range *best = NULL;
    uint64_t at = 0;

    BUG_ON(heap.ready);
    for (unsigned i = 0; i < unused.n; i++) {
        struct range *r = &unused.r[i];
        uint64_t end = r->end < BOOT_LIMIT ? r->end : BOOT_LIMIT;
        if (end < r->first + frames || end < frames)
            continue;
        uint64_t start = (end - frames) & ~(align - 1);
        if (start >= r->first && (!best || start > at)) {
            best = r;
            at = start;
        }
    }
    if (!best)
        panic("no room for %lu contiguous frames below 4 GiB: this machine has too little memory", frames);
    range_cut(&unused, at, at + frames);
    memset(mfn_to_virt(mfn(at)), 0, frames * PAGE_SIZE);
    return mfn(at);
}

/* ---- the buddy system --------------------------------------------------------------------------- */

static unsigned zone_of(uint64_t m)
{
    return m ? 63 - (unsigned)__builtin_clzl(m) : 0;
}

/* A free block's first frame has .partial = order + 1; its other frames 0. */
static void block_link(uint64_t m, unsigned order)
{
    unsigned zone = zone_of(m);

    frame_of(mfn(m))->partial = (uint16_t)(order + 1);
    frame_list_push(&heap.head[zone][order], frame_of(mfn(m)));
    heap.orders[zone] |= 1U << order;
}

static void block_unlink(uint64_t m, unsigned order)
{
    unsigned zone = zone_of(m);

    frame_of(mfn(m))->partial = 0;
    frame_list_remove(&heap.head[zone][order], frame_of(mfn(m)));
    if (heap.head[zone][order] == FRAME_LIST_END)
        heap.orders[zone] &= ~(1U << order);
}

static bool block_is_free(uint64_t m, unsigned order)
{
    if (m >= max_mfn)
        return false;
    const struct frame *f = frame_of(mfn(m));
    return f->owner == OWNER_NONE && f->partial == order + 1;
}

/* Puts a block in, joined with its free neighbours; heap lock held. */
static void block_insert(uint64_t m, unsigned order)
{
    heap.free += 1UL << order;
    while (order < HEAP_MAX_ORDER) {
        uint64_t buddy = m ^ (1UL << order);
        if (zone_of(buddy) != zone_of(m) || !block_is_free(buddy, order))
            break;
        block_unlink(buddy, order);
        m &= ~(1UL << order);
        order++;
    }
    block_link(m, order);
}

/* Takes a block of exactly `order` out of the highest zone that lies below 2^top_zone; heap lock held. */
static bool block_take(unsigned order, unsigned top_zone, uint64_t *m)
{
    for (unsigned zone = top_zone; zone-- > 0;) {
        uint32_t fit = heap.orders[zone] >> order << order;
        if (!fit)
            continue;
        unsigned have = (unsigned)__builtin_ctz(fit);
        *m = heap.head[zone][have];
        block_unlink(*m, have);
        while (have > order) {                     /* keep the lower half, give back the upper */
            have--;
            block_link(*m + (1UL << have), have);
        }
        heap.free -= 1UL << order;
        return true;
    }
    return false;
}

static void insert_range(uint64_t first, uint64_t end)
{
    while (first < end) {
        unsigned order = 0;
        while (order < HEAP_MAX_ORDER && !(first & (1UL << order)) && first + (2UL << order) <= end &&
               zone_of(first) == zone_of(first + (2UL << order) - 1))
            order++;
        for (uint64_t m = first; m < first + (1UL << order); m++) {
            struct frame *f = frame_of(mfn(m));
            *f = (struct frame){ .owner = OWNER_NONE, .flush_epoch = f->flush_epoch };
        }
        block_insert(first, order);
        first += 1UL << order;
    }
}

/* Frames that are no RAM are never counted down to nothing: references on them come and go far above zero. */
#define IO_FRAME (struct frame){ .type_info = FT_WRITABLE | FT_VALIDATED | 1UL << 40, .refs = 1UL << 40, .owner = OWNER_IO }

void heap_init(void)
{
    uint64_t in_use = 0;

    spin_init(&heap.lock, LOCK_heap);
    for (unsigned z = 0; z < NR_ZONES; z++)
        for (unsigned o = 0; o <= HEAP_MAX_ORDER; o++)
            heap.head[z][o] = FRAME_LIST_END;
    for (uint64_t m = 0; m < max_mfn; m++)
        *frame_of(mfn(m)) = IO_FRAME;
    for (unsigned i = 0; i < ram.n; i++)
        for (uint64_t m = ram.r[i].first; m < ram.r[i].end; m++, in_use++)
            *frame_of(mfn(m)) = (struct frame){ .refs = 1, .owner = OWNER_HV };
    heap.ready = true;
    heap.total = in_use;
    for (unsigned i = 0; i < unused.n; i++)
        insert_range(unused.r[i].first, unused.r[i].end);
}

void heap_unreserve_range(uint64_t first_mfn, uint64_t end_mfn)
{
    for (uint64_t m = first_mfn; m < end_mfn; m++)
        if (m >= max_mfn || frame_of(mfn(m))->owner != OWNER_HV)
            return;
    spin_lock(&heap.lock);
    insert_range(first_mfn, end_mfn);
    spin_unlock(&heap.lock);
}

uint64_t heap_free_frames(void)  { return heap.free; }
uint64_t heap_total_frames(void) { return heap.total; }

/* Nobody may still reach these frames through a TLB entry made for their last owner. */
static void flush_stale(uint64_t m, unsigned order)
{
    uint64_t mask = 0;

    for (uint64_t i = m; i < m + (1UL << order); i++)
        mask |= frame_stale_pcpus(frame_of(mfn(i)), ~0UL);
    if (mask)
        frame_flush_pcpus(mask);
}

int heap_take(unsigned order, unsigned max_addr_bits, mfn_t *m)
{
    unsigned top = max_addr_bits && max_addr_bits < PAGE_SHIFT + NR_ZONES ?
                   (max_addr_bits > PAGE_SHIFT ? max_addr_bits - PAGE_SHIFT : 0) : NR_ZONES;
    uint64_t at;
    bool ok;

    if (order > HEAP_MAX_ORDER)
        return -XEN_ENOMEM;
    spin_lock(&heap.lock);
    ok = block_take(order, top, &at);
    for (uint64_t i = 0; ok && i < 1UL << order; i++)
        frame_of(mfn(at + i))->owner = OWNER_HV;   /* nobody's buddy any more */
    spin_unlock(&heap.lock);
    if (!ok)
        return -XEN_ENOMEM;
    flush_stale(at, order);
    memset(mfn_to_virt(mfn(at)), 0, PAGE_SIZE << order);
    *m = mfn(at);
    return 0;
}

void heap_give(mfn_t m, unsigned order)
{
    spin_lock(&heap.lock);
    for (uint64_t i = m.raw; i < m.raw + (1UL << order); i++) {
        struct frame *f = frame_of(mfn(i));
        BUG_ON(f->owner == OWNER_NONE);
        f->type_info = 0;
        f->refs = 0;
        f->partial = 0;
        f->owner = OWNER_NONE;
    }
    block_insert(m.raw, order);
    spin_unlock(&heap.lock);
}

void *heap_alloc(unsigned order)
{
    mfn_t m;

    if (heap_take(order, 0, &m))
        return NULL;
    for (uint64_t i = 0; i < 1UL << order; i++)
        frame_of(mfn(m.raw + i))->refs = 1;
    return mfn_to_virt(m);
}

void heap_free(void *p, unsigned order)
{
    if (p)
        heap_give(virt_to_mfn(p), order);
}
