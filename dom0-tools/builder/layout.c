/* SPDX-License-Identifier: MIT */
/* layout.c: arithmetic of a new domain's first address space (layout.h).     */
#include "dom0-tools/builder/layout.h"

#include <string.h>

#include "hypercall-abi/abi.h"

#define PAGES(bytes)   (((bytes) + 4095) >> 12)
#define SPARE          (512ull << 10)
#define BOOT_ALIGN     (4ull << 20)

#define PTE_PRESENT    0x001ull
#define PTE_WRITE      0x002ull
#define PTE_USER       0x004ull
#define PTE_ACCESSED   0x020ull
#define PTE_DIRTY      0x040ull

/* How many naturally aligned blocks of 2^shift bytes [va, last] touches. */
static uint64_t blocks(uint64_t va, uint64_t last, unsigned shift)
{
    return (last >> shift) - (va >> shift) + 1;
}

/* L1, L2 and L3 tables for pages of [va, va + pages); the L4 not counted. */
static uint64_t tables_for(uint64_t va, uint64_t pages)
{
    uint64_t last = va + (pages << 12) - 1;

    return blocks(va, last, 21) + blocks(va, last, 30) + blocks(va, last, 39);
}

/* The boot mapping holds its own tables, so the number is found by trying. */
static void place_tables(struct layout *l, uint64_t next)
{
    uint64_t n = 4;

    for (;;) {
        uint64_t end = ((next + n + 1) << 12) + SPARE;
        uint64_t want;

        end = ((l->virt_base + end + BOOT_ALIGN - 1) & ~(BOOT_ALIGN - 1)) - l->virt_base;
        l->mapped = end >> 12;
        want = 1 + tables_for(l->virt_base, l->mapped);
        if (want <= n)
            break;
        n = want;
    }
    l->tables = next;
    l->table_pages = n;
    l->stack = next + n;
}

static bool canonical(uint64_t va)
{
    return va < 1ull << 47 || va >= ~0ull << 47;
}

static int check_boot_place(const struct layout *l, struct complaint *why)
{
    uint64_t first = l->virt_base, last = first + (l->mapped << 12) - 1;

    if (canonical(first) && canonical(last) && last > first && first >> 47 == last >> 47 &&
        !(first < HYPERVISOR_VIRT_END && last >= HYPERVISOR_VIRT_START))
        return 0;
    return complain(why, "the kernel's addresses, %#llx to %#llx, are none that a guest may use",
                    (unsigned long long)first, (unsigned long long)last);
}

/* The P2M's own mapping must not meet the boot mapping or the hypervisor. */
static int check_p2m_place(const struct layout *l, struct complaint *why)
{
    uint64_t first = l->p2m_va, last = first + (l->p2m_pages << 12) - 1;
    uint64_t boot_last = l->virt_base + (l->mapped << 12) - 1;

    if (!canonical(first) || !canonical(last) || last < first ||
        (first < HYPERVISOR_VIRT_END && last >= HYPERVISOR_VIRT_START))
        return complain(why, "the kernel wants its P2M at %#llx, which is no address of a guest's",
                        (unsigned long long)first);
    if (first >> 39 <= boot_last >> 39 && last >> 39 >= l->virt_base >> 39)
        return complain(why, "the kernel wants its P2M at %#llx, within 512 GiB of the kernel itself",
                        (unsigned long long)first);
    return 0;
}

int layout_make(struct layout *l, const struct elf_kernel *k, uint64_t pages, uint64_t ramdisk_len,
                struct complaint *why)
{
    uint64_t next = PAGES(k->end), need;

    memset(l, 0, sizeof(*l));
    l->virt_base = k->virt_base;
    l->pages = pages;
    l->ramdisk = next;
    l->ramdisk_len = ramdisk_len;
    next += PAGES(ramdisk_len);
    l->p2m_pages = PAGES(pages * 8);
    if (!k->has_init_p2m) {
        l->p2m = next;
        l->p2m_va = layout_va(l, next);
        next += l->p2m_pages;
    }
    l->start_info = next++;
    l->store = next++;
    l->console = next++;
    place_tables(l, next);
    if (check_boot_place(l, why))
        return -1;
    need = l->stack + 1;
    if (k->has_init_p2m) {
        l->p2m = need;
        l->p2m_va = k->init_p2m;
        l->p2m_tables = l->p2m + l->p2m_pages;
        l->p2m_table_pages = tables_for(l->p2m_va, l->p2m_pages);
        need = l->p2m_tables + l->p2m_table_pages;
    }
    if (need > pages)
        return complain(why, "memory = %llu is not enough: the kernel%s and its tables need %llu MiB before it starts",
                        (unsigned long long)(pages >> 8), ramdisk_len ? ", the ramdisk" : "",
                        (unsigned long long)((need + 255) >> 8));
    if (l->mapped > pages)
        l->mapped = pages;
    return k->has_init_p2m ? check_p2m_place(l, why) : 0;
}

/* ---- writing the tables -------------------------------------------------------------- */

struct maker {
    const struct layout *l;
    const uint64_t *mfns;
    uint64_t *(*table)(void *arg, uint64_t pfn);
    void *arg;
    uint64_t next, end;            /* PFNs of tables not yet used                */
    struct {
        uint64_t prefix, pfn;      /* the table last used at this level          */
    } last[4];
};

#define NO_PREFIX UINT64_MAX

/* The PFN of the level's table for va, made and hung into the one above it if
 * new; 0 on failure. Levels: 3 is the L4, 0 the L1. Addresses only rise, so
 * one remembered table a level is enough.                                    */
static uint64_t table_at(struct maker *m, unsigned level, uint64_t va)
{
    uint64_t prefix = level == 3 ? 0 : va >> (21 + 9 * level);
    uint64_t above, *entries;

    if (m->last[level].prefix == prefix)
        return m->last[level].pfn;
    above = table_at(m, level + 1, va);
    if (!above || m->next == m->end)
        return 0;
    entries = m->table(m->arg, above);
    if (!entries)
        return 0;
    m->last[level].prefix = prefix;
    m->last[level].pfn = m->next++;
    entries[va >> (21 + 9 * level) & 511] =
        m->mfns[m->last[level].pfn] << 12 | PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY;
    return m->last[level].pfn;
}

static int map_run(struct maker *m, uint64_t va, uint64_t pfn, uint64_t count)
{
    while (count) {
        uint64_t l1 = table_at(m, 0, va), slot = va >> 12 & 511;
        uint64_t *entries = l1 ? m->table(m->arg, l1) : NULL;

        if (!entries)
            return -1;
        for (; slot < 512 && count; slot++, pfn++, count--, va += 4096)
            entries[slot] = m->mfns[pfn] << 12 | PTE_PRESENT | PTE_USER | PTE_ACCESSED |
                            (layout_is_table(m->l, pfn) ? 0 : PTE_WRITE | PTE_DIRTY);
    }
    return 0;
}

static void forget_below_root(struct maker *m)
{
    for (unsigned level = 0; level < 3; level++)
        m->last[level].prefix = NO_PREFIX;
}

int layout_tables(const struct layout *l, const uint64_t *mfns, uint64_t *(*table)(void *arg, uint64_t pfn), void *arg)
{
    struct maker m = { .l = l, .mfns = mfns, .table = table, .arg = arg,
                       .next = l->tables + 1, .end = l->tables + l->table_pages };

    m.last[3].prefix = 0;
    m.last[3].pfn = l->tables;
    forget_below_root(&m);
    if (map_run(&m, l->virt_base, 0, l->mapped))
        return -1;
    if (!l->p2m_table_pages)
        return 0;
    m.next = l->p2m_tables;
    m.end = m.next + l->p2m_table_pages;
    forget_below_root(&m);
    return map_run(&m, l->p2m_va, l->p2m, l->p2m_pages);
}
