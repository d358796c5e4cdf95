/* SPDX-License-Identifier: MIT */
/* kmap.c: kernel addresses for frames that the direct map does not have: devices' registers, other domains' pages.
 *
 * L4 slot 273, whose L3 every space shares; below it tables are made when needed and kept. Addresses are given out
 * from a bitmap of 16384 pages (64 MiB), enough for what a kernel maps besides its memory.                        */
#include "guest-kernel/kernel/vm.h"

#define KMAP_PAGES 16384u

static uint64_t *used;                              /* KMAP_PAGES bits; made at the first use */
static unsigned next;                               /* where to look first: behind what was given out last */

pte_t *kmap_slot(const void *va)
{
    struct plat_space *s = &plat_kernel_space;
    pte_t *table = s->root;
    for (int level = PT_LEVELS; level > 1; level--) {
        pte_t *slot = &table[(uintptr_t)va >> (PAGE_SHIFT + 9 * (level - 1)) & (PT_ENTRIES - 1)];
        if (!(*slot & PTE_P)) {
            pte_t *below = page_alloc();
            if (!below)
                return 0;
            plat_table_use(s, below, level - 1);
            plat_pte_write(s, level, slot, plat_pte_make(virt_to_pfn(below), PTE_P | PTE_W | PTE_A));
        }
        table = pfn_to_virt(plat_pte_pfn(*slot));
    }
    return &table[(uintptr_t)va >> PAGE_SHIFT & (PT_ENTRIES - 1)];
}

static bool bit(unsigned n) { return used[n / 64] >> n % 64 & 1; }

static void set_bits(unsigned from, size_t n, bool on)
{
    for (size_t i = from; i < from + n; i++)
        used[i / 64] = on ? used[i / 64] | 1ul << i % 64 : used[i / 64] & ~(1ul << i % 64);
}

/* The first of n free pages side by side in [from, KMAP_PAGES); KMAP_PAGES if there are none. */
static unsigned find_run(unsigned from, size_t n)
{
    unsigned run = 0;
    for (unsigned i = from; i < KMAP_PAGES; i++) {
        run = bit(i) ? 0 : run + 1;
        if (run >= n)
            return i + 1 - n;
    }
    return KMAP_PAGES;
}

void *kmap_reserve(size_t n)
{
    if (!used && !(used = kmalloc(KMAP_PAGES / 8)))
        return 0;
    unsigned first = find_run(next, n);
    if (first == KMAP_PAGES)
        first = find_run(0, n);
    if (first == KMAP_PAGES || n == 0)
        return 0;
    char *va = (char *)KMAP_BASE + first * PAGE_SIZE;
    for (size_t k = 0; k < n; k++)
        if (!kmap_slot(va + k * PAGE_SIZE))
            return 0;
    set_bits(first, n, true);
    next = first + n;
    return va;
}

void kmap_forget(void *va, size_t n)
{
    set_bits(((uintptr_t)va - KMAP_BASE) >> PAGE_SHIFT, n, false);
}

void *kmap_frames(const uint64_t *frames, size_t n, uint64_t flags)
{
    char *va = kmap_reserve(n);
    if (!va)
        return 0;
    plat_batch_begin();
    for (size_t i = 0; i < n; i++)
        plat_pte_write(&plat_kernel_space, 1, kmap_slot(va + i * PAGE_SIZE),
                       plat_pte_make_frame(frames[i], flags | PTE_P | PTE_A | PTE_D | PTE_NX | PTE_SPECIAL));
    plat_batch_end();
    return va;
}

void kmap_release(void *va, size_t n)
{
    plat_batch_begin();
    for (size_t i = 0; i < n; i++)
        plat_pte_write(&plat_kernel_space, 1, kmap_slot((char *)va + i * PAGE_SIZE), 0);
    plat_batch_end();
    for (size_t i = 0; i < n; i++)
        plat_tlb_flush_page((uintptr_t)va + i * PAGE_SIZE);
    kmap_forget(va, n);
}
