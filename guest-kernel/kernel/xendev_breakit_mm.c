/* SPDX-License-Identifier: MIT */
/* xendev_breakit_mm.c: attacks by page tables: bad entries, other people's frames, tables made writable or recursive. */
#include "guest-kernel/kernel/xendev_breakit.h"

#define ATTACK_VA 0x0000200000000000ul
#define TABLE (PTE_P | PTE_W | PTE_U | PTE_A)
#define DATA  (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_NX)

static struct { struct plat_space space; pte_t *table[PT_LEVELS + 1]; void *data; } t;

static uint64_t frame(const void *direct) { return plat_pfn_to_frame(virt_to_pfn(direct)); }

/* A pinned space of our own to do it to, loaded once so that the platform makes it live. */
static bool tables_make(void)
{
    struct plat_context c = { .space = &t.space, .stack_top = kstack_top(current) };
    t.space = (struct plat_space){ 0 };
    if (plat_space_create(&t.space))
        return false;
    t.table[4] = t.space.root;
    for (int level = 3; level >= 1; level--) {
        t.table[level] = page_alloc();
        space_table_add(&t.space, t.table[level]);
        plat_pte_write(&t.space, level + 1, t.table[level + 1] + (level == 3 ? ATTACK_VA >> 39 & 511 : 0),
                       plat_pte_make(virt_to_pfn(t.table[level]), TABLE));
    }
    t.data = page_alloc();
    plat_pte_write(&t.space, 1, &t.table[1][0], plat_pte_make(virt_to_pfn(t.data), DATA));
    plat_context_load(&c);
    return true;
}

static void tables_free(void)
{
    struct plat_context c = { .space = &current->vm->plat, .stack_top = kstack_top(current), .fs_base = current->fs_base };
    plat_context_load(&c);
    plat_space_retire(&t.space);
    for (int level = 1; level <= 3; level++)
        page_free(t.table[level]);
    page_free(t.data);
    plat_space_destroy(&t.space);
}

static void store(uint64_t val) { __asm__ volatile("movq %0, (%1)" :: "r"(val), "r"(&t.table[1][7]) : "memory"); }

/* One pattern into each level; what was accepted is taken out again. */
static void pattern(uint64_t val, unsigned *taken, unsigned *refused)
{
    for (int level = 1; level <= 4; level++) {
        uint64_t slot = mmu_machine(&t.table[level][level == 4 ? 70 : 7]);
        bool ok = attack_update(slot, val) == 0;
        *(ok ? taken : refused) += 1;
        if (ok)
            attack_update(slot, 0);
    }
    bool ok = attack_try(store, val) < 0;
    *(ok ? taken : refused) += 1;
    if (ok)
        attack_update(mmu_machine(&t.table[1][7]), 0);
}

static void pte_bits(uint64_t arg)
{
    uint64_t good = frame(t.data) << PAGE_SHIFT | DATA;
    unsigned taken = 0, refused = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        pattern(1ul << bit, &taken, &refused);
        pattern(1ul << bit | 1, &taken, &refused);
        pattern(good ^ 1ul << bit, &taken, &refused);
        pattern(~(1ul << bit), &taken, &refused);
    }
    for (unsigned i = 0; i < 2000; i++)
        pattern(attack_number() ^ attack_number() << 12, &taken, &refused);
    attack_say("%u entries in four levels and by plain stores: %u refused, %u harmless\n", taken + refused, refused, taken);
}

/* Every frame of the machine, writable and read-only. dom0 may have device memory. */
static void frames(uint64_t arg)
{
    uint64_t end = hypercall_memory_op(XENMEM_maximum_ram_page, 0) + 512, slot = mmu_machine(&t.table[1][7]);
    unsigned ours = 0, tables = 0, writable = 0, readable = 0;
    for (uint64_t f = 0; f < end; f++) {
        bool mine = plat_frame_to_pfn(f) != PFN_NONE;
        bool w = attack_update(slot, f << PAGE_SHIFT | DATA) == 0;
        bool r = attack_update(slot, f << PAGE_SHIFT | (DATA & ~PTE_W)) == 0;
        ours += mine && w;
        tables += mine && !w;
        writable += !mine && w;
        readable += !mine && r;
    }
    attack_update(slot, 0);
    attack_say("%lu frames: ours %u writable, %u not (tables); of others %u writable, %u readable%s\n", end, ours, tables,
               writable, readable, pv_is_dom0() ? " (devices; RAM must not be among them)" : "");
    if (!pv_is_dom0() && writable > 8)                 /* the shared page and grant frames are ours, and not in the P2M */
        attack_say("BREACH\n");
}

/* Our own page tables made writable, by each way that there is. */
static void tables(uint64_t arg)
{
    unsigned breaches = 0, tried = 0;
    for (int level = 1; level <= 4; level++) {
        uint64_t f = frame(t.table[level]), entry = f << PAGE_SHIFT | DATA;
        breaches += attack_update(mmu_machine(&t.table[1][7]), entry) == 0;
        breaches += attack_try(store, entry) < 0 && t.table[1][7] == entry;
        breaches += hypercall_update_va_mapping(ATTACK_VA + 7 * PAGE_SIZE, entry, UVMF_INVLPG) == 0;
        breaches += hypercall_update_va_mapping((uintptr_t)t.table[level], entry, UVMF_INVLPG) == 0;
        tried += 4;
    }
    struct mmuext_op op[] = { { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = frame(t.data) }, { .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = frame(t.table[1]) },
                              { .cmd = MMUEXT_COPY_PAGE, .arg1.mfn = frame(t.table[1]), .arg2.src_mfn = frame(t.data) } };
    for (unsigned i = 0; i < ARRAY_SIZE(op); i++, tried++)
        breaches += hypercall_mmuext_op(gva(&op[i]), 1, 0, DOMID_SELF) == 0;
    attack_say("%s%u of %u ways made a page table writable\n", breaches ? "BREACH: " : "", breaches, tried);
}

/* The smallest of them all: one request, for a writable mapping of an L1 table. */
static void pte(uint64_t arg)
{
    long rc = attack_update(mmu_machine(&t.table[1][7]), frame(t.table[1]) << PAGE_SHIFT | DATA);
    attack_say("%smmu_update returned %ld\n", rc == 0 ? "BREACH: " : "", rc);
}

/* Tables that contain themselves or tables of the wrong level, large pages, and the hypervisor's own slots. */
static void linear(uint64_t arg)
{
    unsigned taken = 0, tried = 0;
    for (int level = 1; level <= 4; level++)
        for (int other = 1; other <= 4; other++) {
            if (other == level - 1)                    /* as it should be */
                continue;
            taken += attack_update(mmu_machine(&t.table[level][level == 4 ? 70 : 7]), frame(t.table[other]) << PAGE_SHIFT | TABLE) == 0;
            tried++;
        }
    for (int level = 2; level <= 4; level++, tried++)
        taken += attack_update(mmu_machine(&t.table[level][level == 4 ? 70 : 7]), frame(t.data) << PAGE_SHIFT | DATA | 1 << 7) == 0;
    for (unsigned slot = 256; slot < 272; slot++, tried++)
        taken += attack_update(mmu_machine(&t.table[4][slot]), frame(t.table[3]) << PAGE_SHIFT | TABLE) == 0;
    attack_say("%s%u of %u refused\n", taken ? "BREACH: " : "", tried - taken, tried);
}

/* Runs one of the above on tables made for it. */
static void on_tables(void (*fn)(uint64_t), uint64_t arg)
{
    if (!tables_make()) {
        attack_say("no memory\n");
        return;
    }
    fn(arg);
    tables_free();
}

static void run_pte_bits(uint64_t arg) { on_tables(pte_bits, arg); }
static void run_frames(uint64_t arg) { on_tables(frames, arg); }
static void run_tables(uint64_t arg) { on_tables(tables, arg); }
static void run_pte(uint64_t arg) { on_tables(pte, arg); }
static void run_linear(uint64_t arg) { on_tables(linear, arg); }

/* Frames given back that are not ours; one of ours twice while it is mapped (it is gone for us, and must not be anyone
 * else's before the mapping goes: the audit sees to that); and requests that cannot be met. */
static void memory(uint64_t arg)
{
    uint64_t end = hypercall_memory_op(XENMEM_maximum_ram_page, 0), own = frame(page_alloc());
    unsigned given = 0, tried = 0;
    for (uint64_t f = 0; f < end + 600; f += f < end ? 97 : 1, tried++) {
        struct xen_memory_reservation r = { .extent_start = gva(&f), .nr_extents = 1, .domid = DOMID_SELF };
        if (plat_frame_to_pfn(f) == PFN_NONE)
            given += hypercall_memory_op(XENMEM_decrease_reservation, gva(&r)) > 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct xen_memory_reservation r = { .extent_start = gva(&own), .nr_extents = 1, .domid = DOMID_SELF };
        hypercall_memory_op(XENMEM_decrease_reservation, gva(&r));
    }
    for (unsigned i = 0; i < 500; i++, tried++) {
        struct xen_memory_reservation r = { .extent_start = attack_number(), .nr_extents = attack_number() | 1ul << 40,
                                            .extent_order = (uint32_t)attack_number(), .domid = (domid_t)attack_number() };
        struct xen_memory_exchange e = { .in = r, .out = r, .nr_exchanged = attack_number() };
        hypercall_memory_op(i & 1 ? XENMEM_populate_physmap : XENMEM_increase_reservation, gva(&r));
        hypercall_memory_op(XENMEM_exchange, gva(&e));
    }
    attack_say("%s%u requests, %u frames given away that are not ours\n", given ? "BREACH: " : "", tried, given);
}

const struct attack attacks_mm[] = {
    { "pte",      run_pte,      "one request that would make a page table writable" },
    { "pte-bits", run_pte_bits, "page tables of each level filled with every bit pattern" },
    { "frames",   run_frames,   "every frame of the machine mapped, writable and not" },
    { "tables",   run_tables,   "page tables made writable" },
    { "linear",   run_linear,   "recursive tables, tables of the wrong level, large pages, the hypervisor's slots" },
    { "memory",   memory,       "memory given back that is not ours or in use; absurd requests for more" },
    { 0, 0, 0 },
};
