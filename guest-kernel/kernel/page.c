/* SPDX-License-Identifier: MIT */
/* page.c: memory in pages: a buddy allocator with reference counts.
 *
 * A free block of 2^k pages hangs in the list of order k. To allocate, the smallest block that is large enough is halved
 * until it fits; to free, a block is joined with its buddy, whose number differs in bit k, as long as that is free
 * too. The array of struct page stands in the first free memory large enough, sized by what the machine has.     */
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/swap.h"

#define ORDERS 10

static struct {
    struct page *map;                               /* by pfn */
    uint64_t     count;
    struct page *free[ORDERS];
    size_t       free_pages, total;
} mem;

struct page *page_of_pfn(uint64_t pfn) { return &mem.map[pfn]; }
struct page *page_of(const void *va) { return &mem.map[virt_to_pfn(va)]; }
uint64_t page_pfn(const struct page *p) { return p - mem.map; }
size_t pages_free_count(void) { return mem.free_pages; }
size_t pages_total(void) { return mem.total; }

/* The last hundredth, and 32 pages at least, are the kernel's own. */
bool pages_low(void) { return mem.free_pages < 32 + mem.total / 128; }

bool pages_scarce(void) { return mem.free_pages < 64 + mem.total / 32; }

static void list_take(struct page *p)
{
    if (p->prev)
        p->prev->next = p->next;
    else
        mem.free[p->order] = p->next;
    if (p->next)
        p->next->prev = p->prev;
    p->free = 0;
}

static void list_give(struct page *p, unsigned order)
{
    p->order = order;
    p->free = 1;
    p->prev = 0;
    p->next = mem.free[order];
    if (p->next)
        p->next->prev = p;
    mem.free[order] = p;
}

static void block_free(uint64_t pfn, unsigned order)
{
    mem.free_pages += 1ul << order;
    for (; order < ORDERS - 1; order++) {
        uint64_t buddy = pfn ^ 1ul << order;
        if (buddy + (1ul << order) > mem.count || !mem.map[buddy].free || mem.map[buddy].order != order)
            break;
        list_take(&mem.map[buddy]);
        pfn &= ~(1ul << order);
    }
    list_give(&mem.map[pfn], order);
}

static struct page *block_alloc(unsigned order)
{
    unsigned have = order;
    while (have < ORDERS && !mem.free[have])
        have++;
    if (have >= ORDERS)
        return 0;
    struct page *p = mem.free[have];
    list_take(p);
    while (have > order) {
        have--;
        list_give(p + (1ul << have), have);
    }
    p->order = order;
    p->refs = 1;
    p->flags = 0;
    mem.free_pages -= 1ul << order;
    return p;
}

void *pages_alloc(unsigned order)
{
    struct page *p = block_alloc(order);
    return p ? memset(page_va(p), 0, PAGE_SIZE << order) : 0;
}

void *pages_alloc_raw(unsigned order)
{
    struct page *p = block_alloc(order);
    return p ? page_va(p) : 0;
}

void pages_free(void *block)
{
    struct page *p = page_of(block);
    BUG_ON(p->refs == 0);
    if (--p->refs == 0)
        block_free(page_pfn(p), p->order);
    else if (p->refs == 1 && (p->flags & PAGE_SWAP))
        swap_page_idle(p);
}

void *page_alloc(void) { return pages_alloc(0); }
void page_free(void *page) { pages_free(page); }

void pages_add(uint64_t start, uint64_t end)
{
    for (; start < end; start++) {
        mem.total++;
        mem.map[start].refs = 0;
        block_free(start, 0);
    }
}

void pages_lost(size_t n) { mem.total -= n; }
uint64_t pages_end(void) { return mem.count; }

void pages_init(const struct plat_boot *boot)
{
    size_t need = ROUND_UP(boot->max_pfn * sizeof(struct page), PAGE_SIZE) >> PAGE_SHIFT;
    mem.count = boot->max_pfn;
    unsigned home = 0;
    while (home < boot->ranges && boot->range[home].end - boot->range[home].start < need)
        home++;
    if (home == boot->ranges)
        panic("no %zu free pages in a row for the page map", need);
    mem.map = pfn_to_virt(boot->range[home].start);
    memset(mem.map, 0, need << PAGE_SHIFT);
    for (unsigned i = 0; i < boot->ranges; i++)
        pages_add(boot->range[i].start + (i == home ? need : 0), boot->range[i].end);
}
