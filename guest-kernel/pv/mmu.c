/* SPDX-License-Identifier: MIT */
/* mmu.c: page tables, written by hypercalls.
 *
 * Entries hold machine frames; the P2M table turns our page numbers into them, the hypervisor's M2P table turns them
 * back. A page that is a table of a live space is mapped read-only everywhere (the direct map is the only place where
 * memory is mapped by us besides the image), or the hypervisor refuses it: so making a table live is two requests, one
 * that takes the write permission from its page in the direct map, one that enters or pins it. Requests are collected
 * in a batch and made by one hypercall, in order.
 *
 * Start of day: the builder mapped the first megabytes at KERNEL_BASE. We make the direct map of all memory, then take
 * everything that is not the image out of the builder's mapping, so that no page has a second writable address.  */
#include "guest-kernel/pv/cpu.h"

#define PTE_FRAME   0x000ffffffffff000ul
#define BATCH       128
#define FRAME_NONE  (~0ul)           /* in the P2M: no memory there now */
#define FLAGS_TABLE (PTE_P | PTE_W | PTE_U | PTE_A)
#define FLAGS_DATA  (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_NX)
#define FLAGS_CONST (PTE_P | PTE_U | PTE_A | PTE_NX)
#define FLAGS_TEXT  (PTE_P | PTE_U | PTE_A)

extern char __text_start[], __text_end[], __rodata_end[], __kernel_end[], __pv_end[];

static struct {
    unsigned depth, count;
    struct mmu_update req[BATCH];
} batch;

struct plat_space plat_kernel_space = { .live = true };
static struct plat_space *loaded = &plat_kernel_space;
static uint64_t *p2m, machine_end;
static uint64_t boot_pages;         /* that we began with */
static uint64_t pages;              /* that we may ever have: what the P2M and the direct map's tables are made for */
static uint64_t direct_l1;         /* pfn of the direct map's first L1 table; the others follow it */

pte_t plat_pte_make(uint64_t pfn, uint64_t flags) { return p2m[pfn] << PAGE_SHIFT | flags | PTE_U; }
pte_t plat_pte_make_frame(uint64_t frame, uint64_t flags) { return frame << PAGE_SHIFT | flags | PTE_U; }
uint64_t plat_pte_pfn(pte_t pte) { return machine_to_phys_mapping[(pte & PTE_FRAME) >> PAGE_SHIFT]; }
uint64_t plat_pfn_to_frame(uint64_t pfn) { return p2m[pfn]; }

/* The M2P is anyone's to write for frames of his own, so it is believed only where the P2M agrees. */
uint64_t plat_frame_to_pfn(uint64_t frame)
{
    uint64_t pfn = frame < machine_end ? machine_to_phys_mapping[frame] : PFN_NONE;
    return pfn < pages && p2m[pfn] == frame ? pfn : PFN_NONE;
}

uint64_t mmu_machine(const void *direct)
{
    return p2m[virt_to_pfn(direct)] << PAGE_SHIFT | ((uintptr_t)direct & (PAGE_SIZE - 1));
}

static void batch_flush(void)
{
    unsigned n = batch.count;
    batch.count = 0;
    if (n)
        must(hypercall_mmu_update(gva(batch.req), n, 0, DOMID_SELF));
}

void mmu_queue(uint64_t ptr, uint64_t val)
{
    if (batch.count == BATCH)
        batch_flush();
    batch.req[batch.count++] = (struct mmu_update){ ptr, val };
    if (batch.depth == 0)
        batch_flush();
}

/* Where the machine has the entry that maps pfn in the direct map. */
static uint64_t direct_slot(uint64_t pfn)
{
    return p2m[direct_l1 + pfn / PT_ENTRIES] << PAGE_SHIFT | (pfn % PT_ENTRIES) * sizeof(pte_t);
}

/* The right to write `table` through the direct map, given or taken. */
static void direct_protect(const void *table, bool writable)
{
    uint64_t pfn = virt_to_pfn(table);
    mmu_queue(direct_slot(pfn), plat_pte_make(pfn, writable ? FLAGS_DATA : FLAGS_CONST));
}

static void mmuext(unsigned cmd, uint64_t arg)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.linear_addr = arg };
    must(hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF));
}

static uint64_t frame_of(const void *table) { return p2m[virt_to_pfn(table)]; }

/* Changes the right to write every table of s. */
static void space_protect(const struct plat_space *s, bool writable)
{
    for (void *table = 0; (table = space_table_next(s, table));)
        direct_protect(table, writable);
    direct_protect(s->root, writable);
    direct_protect(s->user_root, writable);
}

int plat_space_create(struct plat_space *s)
{
    s->root = page_alloc();
    s->user_root = page_alloc();
    s->live = false;
    if (!s->root || !s->user_root) {
        plat_space_destroy(s);
        return -ENOMEM;
    }
    for (unsigned i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)     /* slots 256 to 271 are the hypervisor's to fill */
        if (i < 256 || i > 271)
            s->root[i] = plat_kernel_space.root[i];
    return 0;
}

void plat_space_retire(struct plat_space *s)
{
    if (!s->live)
        return;
    struct mmuext_op op[] = { { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = frame_of(s->user_root) },
                              { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = frame_of(s->root) } };
    batch_flush();
    must(hypercall_mmuext_op(gva(op), 2, 0, DOMID_SELF));
    plat_batch_begin();
    space_protect(s, true);
    batch.depth--;                                  /* what is still in the batch goes with the flush */
    plat_tlb_flush();
    s->live = false;
}

void plat_space_destroy(struct plat_space *s)
{
    if (s->root)
        page_free(s->root);
    if (s->user_root)
        page_free(s->user_root);
    s->root = s->user_root = 0;
}

void plat_table_use(struct plat_space *s, void *table, int level)
{
    if (s->live)
        direct_protect(table, false);
}

void plat_table_release(struct plat_space *s, void *table, int level)
{
    if (!s->live)
        return;
    batch_flush();
    must(hypercall_update_va_mapping((uintptr_t)table, plat_pte_make(virt_to_pfn(table), FLAGS_DATA), UVMF_INVLPG));
}

void plat_pte_write(struct plat_space *s, int level, pte_t *slot, pte_t val)
{
    pte_t *mirror = level == PT_LEVELS && s->user_root ? s->user_root + (slot - s->root) : 0;
    if (s->live) {
        mmu_queue(mmu_machine(slot), val);
        if (mirror)
            mmu_queue(mmu_machine(mirror), val);
    } else {
        *(volatile pte_t *)slot = val;
        if (mirror)
            *(volatile pte_t *)mirror = val;
    }
}

void plat_pte_set(struct plat_space *s, uintptr_t va, pte_t *slot, pte_t val)
{
    unsigned flush = *slot & PTE_P ? UVMF_INVLPG : UVMF_NONE;
    if (!s->live) {
        *(volatile pte_t *)slot = val;
        return;
    }
    batch_flush();
    must(hypercall_update_va_mapping(va, val, flush));
}

void plat_batch_begin(void) { batch.depth++; }

void plat_batch_end(void)
{
    if (--batch.depth == 0)
        batch_flush();
}

void plat_tlb_flush(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    struct multicall_entry call[2] = {
        { .op = __HYPERVISOR_mmu_update, .args = { gva(batch.req), batch.count, 0, DOMID_SELF } },
        { .op = __HYPERVISOR_mmuext_op, .args = { gva(&op), 1, 0, DOMID_SELF } },
    };
    bool pending = batch.count;
    batch.count = 0;
    pv_multicall(pending ? call : call + 1, pending ? 2 : 1);
}

void plat_tlb_flush_page(uintptr_t va)
{
    batch_flush();
    mmuext(MMUEXT_INVLPG_LOCAL, va);
}

/* Called by plat_context_load. A space that is loaded for the first time is protected and pinned on the way. */
unsigned mmu_load_calls(struct plat_space *s, struct multicall_entry *call)
{
    static struct mmuext_op op[4];
    unsigned ops = 0, n = 0;
    if (s == loaded)
        return 0;
    if (!s->live) {
        plat_batch_begin();
        space_protect(s, false);
        batch.depth--;                              /* what is still in the batch goes with the rest */
        s->live = true;
        op[ops++] = (struct mmuext_op){ .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = frame_of(s->root) };
        op[ops++] = (struct mmuext_op){ .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = frame_of(s->user_root) };
    }
    op[ops++] = (struct mmuext_op){ .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = frame_of(s->root) };
    op[ops++] = (struct mmuext_op){ .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = s->user_root ? frame_of(s->user_root) : 0 };
    if (batch.count)
        call[n++] = (struct multicall_entry){ .op = __HYPERVISOR_mmu_update,
                                              .args = { gva(batch.req), batch.count, 0, DOMID_SELF } };
    batch.count = 0;
    call[n++] = (struct multicall_entry){ .op = __HYPERVISOR_mmuext_op, .args = { gva(op), ops, 0, DOMID_SELF } };
    return n;
}

void mmu_loaded(struct plat_space *s) { loaded = s; }

/* The pages' own frames go back, so their mappings go first; what comes is mapped in their place, or the old ones again. */
int plat_make_contiguous(void *block, unsigned order)
{
    uint64_t pfn = virt_to_pfn(block), n = 1ul << order, first = pfn;
    struct xen_memory_exchange x = {
        .in = { .extent_start = gva(&p2m[pfn]), .nr_extents = n, .domid = DOMID_SELF },
        .out = { .extent_start = gva(&first), .nr_extents = 1, .extent_order = order, .domid = DOMID_SELF },
    };
    for (uint64_t i = 0; i < n; i++)
        must(hypercall_update_va_mapping((uintptr_t)block + (i << PAGE_SHIFT), 0, UVMF_INVLPG));
    long rc = hypercall_memory_op(XENMEM_exchange, gva(&x));
    for (uint64_t i = 0; i < n; i++) {
        if (rc == 0)
            p2m[pfn + i] = first + i;
        must(hypercall_update_va_mapping((uintptr_t)block + (i << PAGE_SHIFT), plat_pte_make(pfn + i, FLAGS_DATA), UVMF_INVLPG));
    }
    return rc ? -ENOMEM : 0;
}

/* Under PV all memory of a process is ordinary memory to its kernel: both are in ring 3. */
void plat_user_open(void) { }
void plat_user_close(void) { }

void mmu_map_kernel(uintptr_t va, uint64_t frame)
{
    must(hypercall_update_va_mapping(va, plat_pte_make_frame(frame, FLAGS_DATA), UVMF_INVLPG));
}

/* ---- The balloon: pages that have no memory for a while ---- */

/* Queues the change; the caller has the batch end and the TLB flushed before the frame is given away. */
uint64_t mmu_page_out(uint64_t pfn)
{
    uint64_t frame = p2m[pfn];
    mmu_queue(direct_slot(pfn), 0);
    p2m[pfn] = FRAME_NONE;
    return frame;
}

uint64_t mmu_boot_pages(void) { return boot_pages; }

void mmu_page_in(uint64_t pfn, uint64_t frame)
{
    p2m[pfn] = frame;
    mmu_queue(direct_slot(pfn), plat_pte_make(pfn, FLAGS_DATA));
}

/* ---- Start of day --------------------------------------------------------------------------------------- */

static struct plat_range tables, boot_tables;        /* pfns: the direct map's tables, the builder's */
static uint64_t boot_end;                            /* pfn after the last that the builder mapped   */
static char scratch[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE), section(".bss.page")));

static bool in_range(struct plat_range r, uint64_t pfn) { return pfn >= r.start && pfn < r.end; }

/* The builder's mapping of va, found by walking from its root at `window`, where all tables are mapped: 0 if none. */
static pte_t *boot_slot(pte_t *root, uintptr_t va, uintptr_t window)
{
    pte_t *table = root;
    for (int level = PT_LEVELS; level > 1; level--) {
        pte_t e = table[va >> (12 + 9 * (level - 1)) & 511];
        if (!(e & PTE_P))
            return 0;
        table = (pte_t *)(window + (plat_pte_pfn(e) << PAGE_SHIFT));
    }
    return &table[va >> PAGE_SHIFT & 511];
}

/* A page that is to become a table, at the scratch address, as it may have no writable one when it is used as a table. */
static uint64_t *table_open(uint64_t pfn)
{
    if (pfn < boot_end)
        must(hypercall_update_va_mapping(KERNEL_BASE + (pfn << PAGE_SHIFT), 0, UVMF_INVLPG));
    mmu_map_kernel((uintptr_t)scratch, p2m[pfn]);
    return memset(scratch, 0, PAGE_SIZE);
}

static pte_t direct_entry(uint64_t pfn)
{
    if (pfn >= boot_pages || p2m[pfn] >= machine_end)    /* no memory there */
        return 0;
    return plat_pte_make(pfn, in_range(tables, pfn) || in_range(boot_tables, pfn) ? FLAGS_CONST : FLAGS_DATA);
}

/* The tables of one level: each of `count` from pfn `at` on names 512 of the level below, which begin at `below`. */
static void fill_level(uint64_t at, uint64_t count, uint64_t below, uint64_t total)
{
    for (uint64_t t = 0; t < count; t++) {
        pte_t *table = table_open(at + t);
        for (uint64_t i = 0; i < PT_ENTRIES && t * PT_ENTRIES + i < total; i++)
            table[i] = plat_pte_make(below + t * PT_ENTRIES + i, FLAGS_TABLE);
    }
}

/* All memory at DIRECT_BASE, and an empty table for KMAP_BASE. Filled first, then entered into the root all at once. */
static void map_direct(uint64_t l1s, uint64_t l2s)
{
    uint64_t l2 = tables.start + l1s, l3 = l2 + l2s, kmap = l3 + 1;
    for (uint64_t t = 0; t < l1s; t++) {
        pte_t *table = table_open(tables.start + t);
        for (uint64_t i = 0; i < PT_ENTRIES; i++)
            table[i] = direct_entry(t * PT_ENTRIES + i);
    }
    fill_level(l2, l2s, tables.start, l1s);
    fill_level(l3, 1, l2, l2s);
    table_open(kmap);
    mmu_map_kernel((uintptr_t)scratch, p2m[((uintptr_t)scratch - KERNEL_BASE) >> PAGE_SHIFT]);

    uint64_t root = p2m[boot_tables.start] << PAGE_SHIFT;
    mmu_queue(root + 272 * sizeof(pte_t), plat_pte_make(l3, FLAGS_TABLE));
    mmu_queue(root + 273 * sizeof(pte_t), plat_pte_make(kmap, FLAGS_TABLE));
}

static pte_t image_entry(uintptr_t va, pte_t old)
{
    uint64_t frame = old & PTE_FRAME;
    if (va < (uintptr_t)__text_start || va >= (uintptr_t)__kernel_end)
        return 0;
    if (va < (uintptr_t)__text_end)
        return frame | FLAGS_TEXT;
    return frame | (va < (uintptr_t)__rodata_end ? FLAGS_CONST : FLAGS_DATA);
}

/* W^X for the image; all else that the builder mapped goes. */
static void trim_image(void)
{
    plat_batch_begin();
    for (uint64_t pfn = 0; pfn < boot_end; pfn++) {
        uintptr_t va = KERNEL_BASE + (pfn << PAGE_SHIFT);
        pte_t *slot = boot_slot(plat_kernel_space.root, va, DIRECT_BASE);
        if (slot && *slot & PTE_P)
            mmu_queue(mmu_machine(slot), image_entry(va, *slot));
    }
    plat_batch_end();
    plat_tlb_flush();
}

/* n pages from the top of the highest free range that has so many. */
static struct plat_range take_pages(struct plat_boot *boot, uint64_t n)
{
    for (unsigned i = boot->ranges; i-- > 0;) {
        struct plat_range *r = &boot->range[i];
        if (r->end - r->start >= n) {
            r->end -= n;
            return (struct plat_range){ r->end, r->end + n };
        }
    }
    panic("no room for the direct map's %lu tables", n);
}

/* A P2M with room for all the memory that we may ever have, in place of the builder's. */
static void p2m_grow(struct plat_range home, uint64_t most)
{
    uint64_t *bigger = pfn_to_virt(home.start);
    memcpy(bigger, p2m, boot_pages * sizeof(*p2m));
    for (uint64_t pfn = boot_pages; pfn < most; pfn++)
        bigger[pfn] = FRAME_NONE;
    p2m = bigger;
    pages = most;
}

/* The most pages that the domain may ever have. Who builds it with a balloon in mind leaves a memory map of so much RAM (its limit
 * is what it has now, and rises with its target); without one the limit is all there is to know. */
static long reservation(void)
{
    struct e820entry ram[4];
    struct xen_memory_map map = { .nr_entries = sizeof(ram) / sizeof(ram[0]), .buffer = gva(ram) };
    struct xen_memory_domain self = { .domid = DOMID_SELF };
    uint64_t end = 0;
    if (hypercall_memory_op(XENMEM_memory_map, gva(&map)))
        return hypercall_memory_op(XENMEM_maximum_reservation, gva(&self));
    for (uint32_t i = 0; i < map.nr_entries; i++)
        if (ram[i].type == E820_RAM)
            end = MAX(end, ram[i].addr + ram[i].size);
    return (long)(end >> PAGE_SHIFT);
}

/* A guest may be made smaller than its maximum, and grow. What lies above its beginnings costs 40 bytes a page, so there is a
 * measure in it. dom0's maximum is what it has (Xen lets it have everything, and means nothing by it). */
static uint64_t most_pages(const struct start_info *si)
{
    long most = si->flags & SIF_INITDOMAIN ? 0 : reservation();
    return most < 0 ? si->nr_pages : MAX(si->nr_pages, MIN((uint64_t)most, 16 * si->nr_pages));
}

void mmu_boot(const struct start_info *si, struct plat_boot *boot)
{
    uint64_t most = most_pages(si);
    uint64_t l1s = (most + PT_ENTRIES - 1) / PT_ENTRIES, l2s = (l1s + PT_ENTRIES - 1) / PT_ENTRIES;
    uint64_t root = (si->pt_base - KERNEL_BASE) >> PAGE_SHIFT;
    struct plat_range bigger = { 0, 0 };

    boot_tables = (struct plat_range){ root, root + si->nr_pt_frames };
    tables = take_pages(boot, l1s + l2s + 2);
    if (most > boot_pages)
        bigger = take_pages(boot, ROUND_UP(most * sizeof(*p2m), PAGE_SIZE) >> PAGE_SHIFT);
    for (boot_end = 0; boot_end < boot_pages; boot_end++) {
        pte_t *slot = boot_slot((pte_t *)si->pt_base, KERNEL_BASE + (boot_end << PAGE_SHIFT), KERNEL_BASE);
        if (!slot)
            break;
    }
    map_direct(l1s, l2s);
    direct_l1 = tables.start;
    p2m = pfn_to_virt(((uintptr_t)p2m - KERNEL_BASE) >> PAGE_SHIFT);
    plat_kernel_space.root = pfn_to_virt(root);
    trim_image();
    if (bigger.end)
        p2m_grow(bigger, most);
    boot->max_pfn = pages;
}

void mmu_early(const struct start_info *si)
{
    p2m = (uint64_t *)si->mfn_list;
    pages = boot_pages = si->nr_pages;
    machine_end = must(hypercall_memory_op(XENMEM_maximum_ram_page, 0)) + 1;
}
