/* SPDX-License-Identifier: MIT */
/* pagetable.c: the walks over a space's tables.
 *
 * vm.c thinks in areas, this file in entries: find one, clear, protect or share a range of them, free them all. Tables
 * are made when first needed and freed with the space. Every store goes through plat_pte_write (platform.h rule 3).  */
#include "guest-kernel/kernel/swap.h"
#include "guest-kernel/kernel/vm.h"

#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A)
#define L1_SPAN     (PT_ENTRIES * PAGE_SIZE)

static unsigned slot_index(uintptr_t va, int level) { return va >> (PAGE_SHIFT + 9 * (level - 1)) & (PT_ENTRIES - 1); }

void space_table_add(struct plat_space *s, void *table)
{
    struct page *p = page_of(table);
    p->next = s->tables;
    s->tables = p;
}

void *space_table_next(const struct plat_space *s, const void *table)
{
    struct page *p = table ? page_of(table)->next : s->tables;
    return p ? page_va(p) : 0;
}

static void unchain(struct plat_space *s, const void *table)
{
    struct page **at = &s->tables, *p = page_of(table);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
}

/* The table that slot, an entry of a table of `level`, points at. */
static pte_t *table_below(struct plat_space *s, int level, pte_t *slot, bool create)
{
    if (*slot & PTE_P)
        return pfn_to_virt(plat_pte_pfn(*slot));
    pte_t *table = create ? page_alloc() : 0;
    if (!table)
        return 0;
    space_table_add(s, table);
    plat_table_use(s, table, level - 1);
    plat_pte_write(s, level, slot, plat_pte_make(virt_to_pfn(table), TABLE_FLAGS));
    return table;
}

pte_t *vm_slot(struct vm_space *s, uintptr_t va, bool create)
{
    pte_t *table = s->plat.root;
    for (int level = PT_LEVELS; level > 1 && table; level--)
        table = table_below(&s->plat, level, &table[slot_index(va, level)], create);
    return table ? &table[slot_index(va, 1)] : 0;
}

uint64_t vm_slot_machine_address(struct vm_space *s, uintptr_t va)
{
    pte_t *slot = vm_slot(s, va, true);
    return slot ? plat_pfn_to_frame(virt_to_pfn(slot)) << PAGE_SHIFT | ((uintptr_t)slot & (PAGE_SIZE - 1)) : 0;
}

/* Parked entries: the pfn inverted in bits 12 to 50. */
#define PARK_MASK 0x7ffffffffful
pte_t vm_parked(const struct page *p) { return (~page_pfn(p) & PARK_MASK) << PAGE_SHIFT | PTE_PARKED; }

struct page *pte_page(pte_t pte)
{
    if (pte & PTE_P)
        return pte & PTE_SPECIAL ? 0 : page_of_pfn(plat_pte_pfn(pte));
    return pte & PTE_PARKED ? page_of_pfn(~(pte >> PAGE_SHIFT) & PARK_MASK) : 0;
}

int vm_walk(struct vm_space *s, uintptr_t start, uintptr_t end, int (*fn)(void *arg, uintptr_t va, pte_t *slot), void *arg)
{
    for (uintptr_t va = start; va < end;) {
        uintptr_t stop = MIN(end, ROUND_DOWN(va, L1_SPAN) + L1_SPAN);
        pte_t *slot = vm_slot(s, va, false);
        if (!slot) {
            va = stop;
            continue;
        }
        for (; va < stop; va += PAGE_SIZE, slot++) {
            int rc = *slot ? fn(arg, va, slot) : 0;
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int clear_one(void *arg, uintptr_t va, pte_t *slot)
{
    struct vm_space *s = arg;
    pte_t pte = *slot;
    struct page *p = pte_page(pte);
    plat_pte_write(&s->plat, 1, slot, 0);
    if (p) {
        page_put(p);
        s->resident--;
    } else if (pte_swapped(pte)) {
        swap_put(pte_swap(pte));
        s->swapped--;
    }
    return 0;
}

void vm_clear(struct vm_space *s, uintptr_t start, uintptr_t end)
{
    plat_batch_begin();
    vm_walk(s, start, end, clear_one, s);
    plat_batch_end();
}

/* Takes out the level-1 tables under [start, end) whose span no area uses any more. Their entries are clear already. */
void vm_trim_tables(struct vm_space *s, uintptr_t start, uintptr_t end)
{
    uintptr_t step = L1_SPAN;
    for (uintptr_t va = ROUND_DOWN(start, L1_SPAN); va < end; va = ROUND_DOWN(va, step) + step) {
        pte_t *slot = s->plat.root;
        int level = PT_LEVELS;
        for (; level > 2 && slot; level--)
            slot = table_below(&s->plat, level, &slot[slot_index(va, level)], false);
        step = slot ? L1_SPAN : L1_SPAN << 9 * (level - 1);     /* over what a missing table would have mapped */
        if (!slot || vm_span_used(s, va, va + L1_SPAN))
            continue;
        slot += slot_index(va, 2);
        if (!(*slot & PTE_P))
            continue;
        pte_t *table = pfn_to_virt(plat_pte_pfn(*slot));
        plat_pte_write(&s->plat, 2, slot, 0);
        plat_tlb_flush();                           /* walks may have cached the entry */
        plat_table_release(&s->plat, table, 1);
        unchain(&s->plat, table);
        page_free(table);
    }
}

struct protect { struct vm_space *s; const struct vm_area *a; };

/* Rights are only taken here; vm_fault gives them, page by page. */
static int protect_one(void *arg, uintptr_t va, pte_t *slot)
{
    struct protect *p = arg;
    pte_t pte = *slot;
    struct page *page = pte_page(pte);
    if (!page)
        return 0;
    if (!(p->a->flags & (VM_READ | VM_WRITE | VM_EXEC))) {
        page->flags |= pte & PTE_D ? PAGE_DIRTY : 0;
        plat_pte_write(&p->s->plat, 1, slot, vm_parked(page));
    } else if (pte & PTE_P) {
        pte = p->a->flags & VM_WRITE ? pte : pte & ~PTE_W;
        pte = p->a->flags & VM_EXEC ? pte & ~PTE_NX : pte | PTE_NX;
        if (pte != *slot)
            plat_pte_write(&p->s->plat, 1, slot, pte);
    }
    return 0;
}

void vm_reprotect(struct vm_space *s, const struct vm_area *a, uintptr_t start, uintptr_t end)
{
    struct protect p = { s, a };
    plat_batch_begin();
    vm_walk(s, start, end, protect_one, &p);
    plat_batch_end();
}

struct share { struct vm_space *parent, *child; bool cow; pte_t *to; };

/* The child's entry equals the parent's, frame number and all: nothing to convert. */
static int share_one(void *arg, uintptr_t va, pte_t *slot)
{
    struct share *sh = arg;
    pte_t pte = *slot;
    struct page *page = pte_page(pte);
    bool swapped = pte_swapped(pte);
    if (!page && !swapped)
        return 0;
    if (!sh->to || slot_index(va, 1) == 0)
        sh->to = vm_slot(sh->child, va, true);
    else
        sh->to = (pte_t *)ROUND_DOWN((uintptr_t)sh->to, PAGE_SIZE) + slot_index(va, 1);
    if (!sh->to)
        return -ENOMEM;
    if (sh->cow && (pte & PTE_W)) {                 /* P2 */
        pte = (pte & ~PTE_W) | PTE_COW;
        plat_pte_write(&sh->parent->plat, 1, slot, pte);
    }
    plat_pte_write(&sh->child->plat, 1, sh->to, pte);
    if (swapped) {
        swap_get(pte_swap(pte));
        sh->child->swapped++;
    } else {
        page_get(page);
        sh->child->resident++;
    }
    return 0;
}

/* Table by table, so that share_one looks for the child's table once in each. */
int vm_share(struct vm_space *parent, struct vm_space *child, const struct vm_area *a)
{
    int rc = 0;
    plat_batch_begin();
    for (uintptr_t va = a->start; va < a->end && rc == 0;) {
        uintptr_t stop = MIN(a->end, ROUND_DOWN(va, L1_SPAN) + L1_SPAN);
        struct share sh = { parent, child, !(a->flags & VM_SHARED), 0 };
        rc = vm_walk(parent, va, stop, share_one, &sh);
        va = stop;
    }
    plat_batch_end();
    return rc;
}

static int drop_one(void *arg, uintptr_t va, pte_t *slot)
{
    struct page *p = pte_page(*slot);
    if (p)
        page_put(p);
    else if (pte_swapped(*slot))
        swap_put(pte_swap(*slot));
    return 0;
}

/* Pages area by area (V2), then the tables, whose contents no longer matter. */
void vm_free_tables(struct vm_space *s)
{
    list_for (a, &s->areas, struct vm_area, link)
        vm_walk(s, a->start, a->end, drop_one, 0);
    for (struct page *p = s->plat.tables, *next; p; p = next) {
        next = p->next;
        page_put(p);
    }
    s->plat.tables = 0;
    s->resident = s->swapped = 0;
}

static int install(struct vm_space *s, uintptr_t va, pte_t pte)
{
    pte_t *slot = vm_slot(s, va, true);
    if (!slot)
        return -ENOMEM;
    plat_pte_write(&s->plat, 1, slot, pte);
    return 0;
}

static uint64_t special_flags(unsigned prot)
{
    return PTE_P | PTE_U | PTE_A | PTE_D | PTE_NX | PTE_SPECIAL | (prot & VM_WRITE ? PTE_W : 0);
}

int vm_install_frame(struct vm_space *s, uintptr_t va, uint64_t frame, unsigned prot)
{
    return install(s, va, plat_pte_make_frame(frame, special_flags(prot)));
}

int vm_install_page(struct vm_space *s, uintptr_t va, void *page, unsigned prot)
{
    return install(s, va, plat_pte_make(virt_to_pfn(page), special_flags(prot)));
}
