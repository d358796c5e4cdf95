/* SPDX-License-Identifier: MIT */
/* hypmap.c: the hypervisor's own address space.                                               [read 20]
 *
 * Slots 256 to 271 of every L4 are ours, and all but one of them lead to the same L3 tables in every address
 * space: the M2P that guests may read, the frame table, device registers and stacks, the image, and all RAM.
 * Slot 257 is each domain's own: there lie the descriptor tables of its vCPUs. Nothing is writable and
 * executable at once, in any alias. The tables are built while the boot ones are loaded, from frames of
 * heap_boot_alloc, and change later only by additions. SPEC 2.                                            */
#include "hypervisor/mm/hypmap.h"

#include "hypercall-abi/errno.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/smpcall.h"

#define BIG_PAGE      (2UL << 20)
#define SLOT(va)      ((va) >> 39 & 511)
#define KERNEL_RW     (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | PTE_NX)
#define KERNEL_RO     (PTE_P | PTE_A | PTE_G | PTE_NX)
#define KERNEL_RX     (PTE_P | PTE_A | PTE_G)
#define GUEST_RO      (PTE_P | PTE_U | PTE_A | PTE_NX)
#define TABLE         (PTE_P | PTE_RW | PTE_A | PTE_U)   /* the leaf decides */

mfn_t idle_root;
uint64_t max_mfn, max_pa;
uint64_t *m2p_table;
uint64_t m2p_frames;

static uint64_t io_next;                 /* next free address of the IOMAP slot; changes while booting only */

/* ---- building ---------------------------------------------------------------------------------- */

static uint64_t *table_new(void)
{
    return heap_total_frames() ? heap_alloc(0) : mfn_to_virt(heap_boot_alloc(1));
}

/* The table that entry i of t leads to, made if it is not there. NULL: no memory. */
static uint64_t *table_below(uint64_t *t, unsigned i)
{
    if (!(t[i] & PTE_P)) {
        uint64_t *new = table_new();
        if (!new)
            return NULL;
        t[i] = virt_to_phys(new) | TABLE;
    }
    BUG_ON(t[i] & PTE_PS);
    return phys_to_virt(t[i] & PTE_ADDR);
}

/* Maps one page of 4 KiB, or 2 MiB. */
static int map_page(uint64_t va, uint64_t pa, uint64_t flags, bool big)
{
    uint64_t *t = mfn_to_virt(idle_root);

    for (unsigned shift = 39; shift > (big ? 21U : 12U); shift -= 9) {
        t = table_below(t, va >> shift & 511);
        if (!t)
            return -XEN_ENOMEM;
    }
    t[va >> (big ? 21 : 12) & 511] = pa | flags | (big ? PTE_PS : 0);
    return 0;
}

/* Maps [pa, pa + size) at va by the largest pages that fit. Boot only: memory cannot fail. */
static void map_range(uint64_t va, uint64_t pa, uint64_t size, uint64_t flags)
{
    for (uint64_t done = 0; done < size;) {
        bool big = !((va + done) & (BIG_PAGE - 1)) && !((pa + done) & (BIG_PAGE - 1)) && size - done >= BIG_PAGE;
        BUG_ON(map_page(va + done, pa + done, flags, big));
        done += big ? BIG_PAGE : PAGE_SIZE;
    }
}

/* Replaces a 2 MiB page by 512 small ones that map the same. */
static void split(uint64_t *entry)
{
    uint64_t old = *entry & ~PTE_PS, *new = table_new();

    if (!new)
        panic("no memory for a page table");
    for (unsigned i = 0; i < 512; i++)
        new[i] = old + i * PAGE_SIZE;
    WRITE_ONCE(*entry, virt_to_phys(new) | TABLE);
}

/* The 4 KiB entry that maps va. */
static uint64_t *leaf_of(uint64_t va)
{
    uint64_t *t = mfn_to_virt(idle_root);

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = &t[va >> shift & 511];
        if (*entry & PTE_PS)
            split(entry);
        t = table_below(t, va >> shift & 511);
    }
    return &t[va >> 12 & 511];
}

/* The image's RAM is mapped by small pages, since hypmap_seal() takes the right to write from some of them. */
static void map_ram(uint64_t first_mfn, uint64_t end_mfn)
{
    uint64_t image_end = (image_to_phys(__bss_end) + BIG_PAGE - 1) & ~(BIG_PAGE - 1);
    uint64_t pa = first_mfn << PAGE_SHIFT, end = end_mfn << PAGE_SHIFT;

    while (pa < end) {
        bool image = pa >= IMAGE_PHYS && pa < image_end;
        uint64_t stop = image ? image_end : pa < IMAGE_PHYS ? IMAGE_PHYS : end;
        if (stop > end)
            stop = end;
        if (image)
            for (; pa < stop; pa += PAGE_SIZE)
                map_page(DIRECTMAP_VIRT + pa, pa, KERNEL_RW, false);
        else
            map_range(DIRECTMAP_VIRT + pa, pa, stop - pa, KERNEL_RW);
        pa = stop;
    }
}

static void map_image_part(const char *start, const char *end, uint64_t flags)
{
    for (const char *p = start; p < end; p += PAGE_SIZE)
        map_page((uint64_t)p, image_to_phys(p), flags, false);
}

static uint64_t pages_for(uint64_t bytes) { return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT; }

static void map_frame_tables(void)
{
    uint64_t n = pages_for(max_mfn * sizeof(struct frame));
    mfn_t m = heap_boot_alloc(n);

    map_range(FRAMETABLE_VIRT, m.raw << PAGE_SHIFT, n << PAGE_SHIFT, KERNEL_RW);

    m2p_frames = pages_for(max_mfn * sizeof(uint64_t));
    m = heap_boot_alloc(m2p_frames);
    m2p_table = mfn_to_virt(m);
    for (uint64_t i = 0; i < m2p_frames * PAGE_SIZE / sizeof(uint64_t); i++)
        m2p_table[i] = M2P_INVALID;
    map_range(M2P_VIRT, m.raw << PAGE_SHIFT, m2p_frames << PAGE_SHIFT, GUEST_RO);
}

void hypmap_init(void)
{
    max_mfn = heap_ram_end();
    max_pa = max_mfn << PAGE_SHIFT;
    BUG_ON(max_mfn > (10UL << 39) >> PAGE_SHIFT);
    idle_root = heap_boot_alloc(1);
    heap_for_each_ram(map_ram);
    map_image_part(__image_start, __text_end, KERNEL_RX);
    map_image_part(__rodata_start, __rodata_end, KERNEL_RO);
    map_image_part(__data_start, __bss_end, KERNEL_RW);
    map_frame_tables();
    table_below(mfn_to_virt(idle_root), SLOT(IOMAP_VIRT));   /* its L3 exists before anyone copies the slot */
    io_next = IOMAP_VIRT;
    write_cr3(idle_root.raw << PAGE_SHIFT);
}

void hypmap_identity_low(bool on)
{
    uint64_t *l4 = mfn_to_virt(idle_root);

    if (on)
        BUG_ON(map_page(0, 0, PTE_P | PTE_RW | PTE_A | PTE_D, true));
    else if (l4[0] & PTE_P) {
        uint64_t *l3 = phys_to_virt(l4[0] & PTE_ADDR);
        uint64_t *l2 = phys_to_virt(l3[0] & PTE_ADDR);
        l4[0] = 0;
        smp_flush_tlb(~0UL);             /* other pCPUs came in through it */
        heap_free(l2, 0);
        heap_free(l3, 0);
    }
}

void hypmap_seal(void)
{
    for (const char *p = __image_start; p < __rodata_end; p += PAGE_SIZE)
        if (p < __text_end || p >= __rodata_start)
            *leaf_of((uint64_t)image_alias(p)) = image_to_phys(p) | KERNEL_RO;
    flush_tlb_this();
}

/* ---- devices, stacks --------------------------------------------------------------------------- */

static uint64_t iomap_take(uint64_t size, uint64_t align)
{
    uint64_t va = (io_next + align - 1) & ~(align - 1);

    if (va + size > IOMAP_VIRT + (1UL << 39))
        panic("the window for device registers is full");
    io_next = va + size + PAGE_SIZE;             /* a gap that nobody maps */
    return va;
}

void *hypmap_io(uint64_t phys, size_t size)
{
    uint64_t first = phys & PAGE_MASK, end = (phys + size + PAGE_SIZE - 1) & PAGE_MASK;
    uint64_t va = iomap_take(end - first, PAGE_SIZE);

    for (uint64_t at = first; at < end; at += PAGE_SIZE)
        if (map_page(va + at - first, at, KERNEL_RW | PTE_PCD | PTE_PWT, false))
            panic("no memory to map device registers at 0x%lx", phys);
    return (void *)(va + (phys - first));
}

void *hypmap_stack_block(void)
{
    uint64_t va = iomap_take(STACK_BLOCK, STACK_BLOCK);

    for (unsigned page = 0; page < STACK_BLOCK / PAGE_SIZE; page++) {
        if (page <= 8 && page % 2 == 0)
            continue;                                /* a guard */
        void *p = heap_alloc(0);
        if (!p || map_page(va + page * PAGE_SIZE, virt_to_phys(p), KERNEL_RW, false))
            return NULL;
    }
    return (void *)va;
}

void *hypmap_exec_page(mfn_t m)
{
    uint64_t va = iomap_take(PAGE_SIZE, PAGE_SIZE);

    return map_page(va, m.raw << PAGE_SHIFT, KERNEL_RX, false) ? NULL : (void *)va;
}

void hypmap_seal_frame(mfn_t m)
{
    *leaf_of((uint64_t)mfn_to_virt(m)) = m.raw << PAGE_SHIFT | KERNEL_RO;
    flush_tlb_this();
}

/* ---- a domain's own slot ------------------------------------------------------------------------ */

int perdomain_init(struct domain *d)
{
    uint64_t *l3 = heap_alloc(0), *l2 = heap_alloc(0);

    if (!l3 || !l2) {
        heap_free(l3, 0);
        heap_free(l2, 0);
        return -XEN_ENOMEM;
    }
    l3[0] = virt_to_phys(l2) | (TABLE & ~PTE_U);
    d->perdomain_l3 = virt_to_mfn(l3);
    /* What a leaf entry of d may not have: devices' cacheability on RAM (pitfalls A10). */
    d->refused_pte_bits = d->has_devices ? 0 : PTE_PWT | PTE_PCD | PTE_PAT;
    return 0;
}

static uint64_t *perdomain_l2(const struct domain *d)
{
    uint64_t *l3 = mfn_to_virt(d->perdomain_l3);
    return phys_to_virt(l3[0] & PTE_ADDR);
}

void perdomain_free(struct domain *d)
{
    if (!d->perdomain_l3.raw)
        return;
    for (unsigned i = 0; i < MAX_VCPUS / 16; i++) {
        heap_free(d->perdomain_l1[i], 0);
        d->perdomain_l1[i] = NULL;
    }
    heap_free(perdomain_l2(d), 0);
    heap_free(mfn_to_virt(d->perdomain_l3), 0);
    d->perdomain_l3 = mfn(0);
}

int perdomain_add_vcpu(struct domain *d, unsigned vcpu_id)
{
    unsigned i = vcpu_id / 16;

    if (d->perdomain_l1[i])
        return 0;
    d->perdomain_l1[i] = heap_alloc(0);
    if (!d->perdomain_l1[i])
        return -XEN_ENOMEM;
    perdomain_l2(d)[i] = virt_to_phys(d->perdomain_l1[i]) | (TABLE & ~PTE_U);
    return 0;
}

void perdomain_set(struct vcpu *v, unsigned page, uint64_t pte)
{
    uint64_t *l1 = v->domain->perdomain_l1[v->id / 16];

    WRITE_ONCE(l1[v->id % 16 * 32 + page], pte);
}

void hypmap_fill_root(struct domain *d, uint64_t *l4)
{
    const uint64_t *ours = mfn_to_virt(idle_root);

    for (unsigned i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
        l4[i] = ours[i];
    l4[SLOT(PERDOMAIN_VIRT)] = d->perdomain_l3.raw << PAGE_SHIFT | (TABLE & ~PTE_U);
}
