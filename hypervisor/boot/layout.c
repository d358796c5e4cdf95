/* SPDX-License-Identifier: MIT */
/* layout.c: where things lie in a new domain's memory, in Xen's order.                                  [read 85]
 *
 *     kernel | ramdisk | P2M list | [its tables] | start_info | store ring | console ring | page tables | boot stack | 512 KiB or more
 *
 * The page tables map all of it, themselves included, so their number depends on itself: it is raised until it
 * suffices. A kernel that names a place for its P2M (INIT_P2M) gets the list mapped there too, through tables that
 * stand right behind it, so that it can give list and tables back as one piece.                                 */
#include "hypervisor/boot/layout.h"

#define SHIFT_L1   21            /* what one table of each level maps, as a power of two */
#define SHIFT_L2   30
#define SHIFT_L3   39
#define PADDING    (512UL << 10)
#define ALIGNMENT  (4UL << 20)
#define PAGE       4096UL

static uint64_t pages(uint64_t bytes) { return (bytes + PAGE - 1) / PAGE; }

/* Tables of one level that map [from, to). */
static uint64_t tables_of_level(uint64_t from, uint64_t to, unsigned shift)
{
    return ((to - 1) >> shift) - (from >> shift) + 1;
}

static uint64_t tables_below_l4(uint64_t from, uint64_t to)
{
    return tables_of_level(from, to, SHIFT_L1) + tables_of_level(from, to, SHIFT_L2) + tables_of_level(from, to, SHIFT_L3);
}

/* The end of the mapping for a boot stack that ends at PFN `end`. */
static uint64_t mapped_frames(const struct layout *l, uint64_t end)
{
    uint64_t va = l->virt_base + end * PAGE + PADDING;

    return (((va + ALIGNMENT - 1) & ~(ALIGNMENT - 1)) - l->virt_base) / PAGE;
}

static void place_tables(struct layout *l, uint64_t at)
{
    l->tables = at;
    for (l->nr_tables = 4;; l->nr_tables++) {
        uint64_t last;
        l->stack = l->tables + l->nr_tables;
        l->mapped = mapped_frames(l, l->stack + 1);
        last = l->virt_base + l->mapped * PAGE;
        if (last < l->virt_base || 1 + tables_below_l4(l->virt_base, last) <= l->nr_tables)
            return;                      /* a window that wraps is refused below */
    }
}

static void place_p2m(struct layout *l, const struct elf_image *elf, uint64_t frames)
{
    l->nr_p2m = pages(frames * sizeof(uint64_t));
    l->p2m_apart = elf->init_p2m != ELF_UNSET;
    l->p2m_virt = l->p2m_apart ? elf->init_p2m : l->virt_base + l->p2m * PAGE;
    l->p2m_tables = l->p2m + l->nr_p2m;
    l->nr_p2m_tables = l->p2m_apart ? tables_below_l4(l->p2m_virt, l->p2m_virt + l->nr_p2m * PAGE) : 0;
}

/* The window above virt_base must not run into the end of the address space or the hypervisor's part, nor onto the P2M. */
static bool window_ok(const struct layout *l)
{
    uint64_t start = l->virt_base, end = start + l->mapped * PAGE;

    if (end < start || end > -ALIGNMENT || (start < 0xffff880000000000UL && end > 0x0000800000000000UL))
        return false;
    return !l->p2m_apart || l->p2m_virt >= end || l->p2m_virt + l->nr_p2m * PAGE <= start;
}

int layout_make(const struct elf_image *elf, size_t ramdisk_size, uint64_t frames, struct layout *l, const char **why)
{
    *l = (struct layout){ .virt_base = elf->virt_base };
    l->ramdisk = pages(elf->end - elf->virt_base);
    l->nr_ramdisk = pages(ramdisk_size);
    l->p2m = l->ramdisk + l->nr_ramdisk;
    *why = "is too large for the memory it is given";
    if (elf->end - elf->virt_base > frames * PAGE || l->p2m >= frames)
        return -1;
    place_p2m(l, elf, frames);
    l->start_info = l->p2m_tables + l->nr_p2m_tables;
    l->store = l->start_info + 1;
    l->console = l->store + 1;
    place_tables(l, l->console + 1);
    if (l->mapped > frames)
        return -1;
    *why = "does not fit into the address space where it wants to lie";
    return window_ok(l) ? 0 : -1;
}
