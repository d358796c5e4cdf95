/* SPDX-License-Identifier: MIT */
/* layout.h: where everything goes in a new domain's memory.
 *
 * PFNs count a domain's frames from 0; PFN p is mapped at virt_base + 4096 p
 * in the boot mapping. From below: what the kernel left free, the kernel, the
 * ramdisk, the P2M (unless the kernel names another address for it), the
 * start_info page, the store's and the console's ring pages, the boot page
 * tables, the boot stack; the boot mapping ends with at least 512 KiB to
 * spare, on a 4 MiB boundary. SPEC "start of day".                           */
#ifndef ENSO_LAYOUT_H
#define ENSO_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "dom0-tools/builder/elf.h"

struct layout {
    uint64_t virt_base, pages;
    uint64_t ramdisk, ramdisk_len;    /* PFN, bytes                              */
    uint64_t p2m, p2m_pages;          /* PFN                                     */
    uint64_t p2m_va;                  /* where the guest finds it                */
    uint64_t p2m_tables;              /* tables for p2m_va, right behind the P2M */
    uint64_t p2m_table_pages;         /* 0: the P2M is in the boot mapping       */
    uint64_t start_info, store, console;
    uint64_t tables, table_pages;     /* boot page tables, the L4 first          */
    uint64_t stack;
    uint64_t mapped;                  /* PFNs below this are in the boot mapping */
};

/* -1 with a sentence that says how much memory the domain would need. */
int layout_make(struct layout *l, const struct elf_kernel *k, uint64_t pages, uint64_t ramdisk_len,
                struct complaint *why);

static inline uint64_t layout_va(const struct layout *l, uint64_t pfn)
{
    return l->virt_base + (pfn << 12);
}

/* Page-table frames must never be mapped writable. */
static inline bool layout_is_table(const struct layout *l, uint64_t pfn)
{
    return (pfn >= l->tables && pfn < l->tables + l->table_pages) ||
           (pfn >= l->p2m_tables && pfn < l->p2m_tables + l->p2m_table_pages);
}

/* Writes every table. `table` gives a table's frame, zeroed, by its PFN and may
 * return NULL to give up; mfns is the P2M. The L4 is at PFN l->tables.       */
int layout_tables(const struct layout *l, const uint64_t *mfns, uint64_t *(*table)(void *arg, uint64_t pfn), void *arg);

#endif
