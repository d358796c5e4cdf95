/* SPDX-License-Identifier: MIT */
/* mmu.c: page tables, written by plain stores.
 *
 * The PC lets a kernel write any table at any time, so most of these functions are one line; their namesakes in pv/
 * ask the hypervisor. What is longer here is start of day: the direct map by 2 MiB pages, and the kernel's image by
 * 4 KiB pages with W^X.                                                                                        */
#include "guest-kernel/native/cpu.h"

#define PTE_LARGE  (1ul << 7)
#define PTE_GLOBAL (1ul << 8)
#define PTE_FRAME  0x000ffffffffff000ul

extern pte_t boot_l4[], boot_l3k[];
extern char __text_start[], __text_end[], __rodata_end[], __kernel_end[];

struct plat_space plat_kernel_space = { .live = true };
static struct plat_space *loaded = &plat_kernel_space;
static pte_t *fix_l1;                               /* the top GiB of KERNEL_BASE: device registers */
static unsigned fix_used;
static bool smap;

pte_t plat_pte_make(uint64_t pfn, uint64_t flags) { return pfn << PAGE_SHIFT | flags; }
pte_t plat_pte_make_frame(uint64_t frame, uint64_t flags) { return frame << PAGE_SHIFT | flags; }
uint64_t plat_pte_pfn(pte_t pte) { return (pte & PTE_FRAME) >> PAGE_SHIFT; }
uint64_t plat_pfn_to_frame(uint64_t pfn) { return pfn; }
uint64_t plat_frame_to_pfn(uint64_t frame) { return frame; }

int plat_space_create(struct plat_space *s)
{
    s->root = s->user_root = page_alloc();
    s->live = false;
    if (!s->root)
        return -ENOMEM;
    memcpy(s->root + 256, plat_kernel_space.root + 256, 256 * sizeof(pte_t));
    return 0;
}

void plat_space_retire(struct plat_space *s) { s->live = false; }
void plat_space_destroy(struct plat_space *s) { page_free(s->root); }
void plat_table_use(struct plat_space *s, void *table, int level) { }
void plat_table_release(struct plat_space *s, void *table, int level) { }

void plat_pte_write(struct plat_space *s, int level, pte_t *slot, pte_t val) { *(volatile pte_t *)slot = val; }

void plat_pte_set(struct plat_space *s, uintptr_t va, pte_t *slot, pte_t val)
{
    pte_t old = *slot;
    *(volatile pte_t *)slot = val;
    if (old & PTE_P)
        invlpg(va);
}

void plat_batch_begin(void) { }
void plat_batch_end(void) { }
void plat_tlb_flush(void) { write_cr3(read_cr3()); }
void plat_tlb_flush_page(uintptr_t va) { invlpg(va); }

/* Called by plat_context_load (cpu.c). */
void mmu_load(struct plat_space *s);
void mmu_load(struct plat_space *s)
{
    if (s == loaded)
        return;
    loaded = s;
    s->live = true;
    write_cr3(virt_to_pfn(s->root) << PAGE_SHIFT);
}

int plat_make_contiguous(void *block, unsigned order) { return 0; }

void plat_user_open(void)
{
    if (smap)
        stac();
}

void plat_user_close(void)
{
    if (smap)
        clac();
}

static pte_t *table_below(pte_t *slot)
{
    if (!(*slot & PTE_P))
        *slot = plat_pte_make(virt_to_pfn(boot_page()), PTE_P | PTE_W);
    return pfn_to_virt(plat_pte_pfn(*slot));
}

/* All memory by 2 MiB pages, never executable. */
static void map_direct(uint64_t max_pfn)
{
    pte_t *l3 = boot_page();
    for (uint64_t pfn = 0; pfn < max_pfn; pfn += PT_ENTRIES) {
        pte_t *l2 = table_below(&l3[pfn >> 18]);
        l2[pfn >> 9 & 511] = plat_pte_make(pfn, PTE_P | PTE_W | PTE_NX | PTE_GLOBAL | PTE_LARGE);
    }
    boot_l4[272] = plat_pte_make(virt_to_pfn(l3), PTE_P | PTE_W);
}

/* The kernel's image by 4 KiB pages: text is read and executed, constants read, the rest read and written. */
static void map_image(void)
{
    pte_t *l2 = boot_page();
    for (uintptr_t va = KERNEL_BASE + 0x100000; va < (uintptr_t)__kernel_end; va += PAGE_SIZE) {
        uint64_t flags = PTE_P | PTE_GLOBAL | PTE_W | PTE_NX;
        if (va >= (uintptr_t)__text_start && va < (uintptr_t)__text_end)
            flags = PTE_P | PTE_GLOBAL;
        else if (va < (uintptr_t)__rodata_end)
            flags = PTE_P | PTE_GLOBAL | PTE_NX;
        table_below(&l2[va >> 21 & 511])[va >> PAGE_SHIFT & 511] = plat_pte_make((va - KERNEL_BASE) >> PAGE_SHIFT, flags);
    }
    boot_l3k[510] = plat_pte_make(virt_to_pfn(l2), PTE_P | PTE_W);
    pte_t *fix_l2 = table_below(&boot_l3k[511]);
    fix_l1 = table_below(&fix_l2[0]);
}

void *mmio_map(uint64_t pa)
{
    uintptr_t va = KERNEL_BASE + (1ul << 30) + fix_used * PAGE_SIZE;
    fix_l1[fix_used++] = plat_pte_make(pa >> PAGE_SHIFT, PTE_P | PTE_W | PTE_NX | PTE_PCD | PTE_PWT);
    return (void *)(va + (pa & (PAGE_SIZE - 1)));
}

void mmu_boot(struct plat_boot *boot)
{
    uint32_t r[4];
    map_direct(boot->max_pfn);
    map_image();
    table_below(&boot_l4[273]);
    boot_l4[0] = 0;
    plat_kernel_space.root = plat_kernel_space.user_root = pfn_to_virt(((uintptr_t)boot_l4 - KERNEL_BASE) >> PAGE_SHIFT);
    write_cr4(read_cr4() & ~0x80ul);                /* drops global entries too */
    write_cr3(read_cr3());
    cpuid(7, 0, r);
    smap = r[1] >> 20 & 1;
    write_cr4(read_cr4() | 0x80 | (r[1] >> 7 & 1) << 20 | (uint64_t)smap << 21);
    if (smap)
        clac();
}
