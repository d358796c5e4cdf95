/* SPDX-License-Identifier: MIT */
/* bench.c: what a hypercall costs, by the boot line's word `bench`.
 *
 * Each row is a loop of 2,000 calls (100 for pinning) between two readings of the TSC; the mean includes guest stub and
 * loop. QEMU's `-icount shift=0` makes the TSC count instructions, so that a row repeats exactly. tests/bench/run.py
 * boots this same kernel on Enso and on Xen and reads the lines `BENCH row,unit,value`. Events stay masked throughout. */
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/callback.h"
#include "hypercall-abi/physdev.h"
#include "hypercall-abi/sched.h"
#include "hypercall-abi/version.h"

#define CALLS      2000
#define PIN_CALLS  100
#define BATCH      32
#define BENCH_VA   0x0000100000000000ul              /* of the test's own user space */

extern char bench_fault_entry[], bench_syscall_entry[], bench_user_code[], bench_user_code_end[], syscall_entry[], trap_stubs[];
void bench_fault_loop(uint64_t times, const void *unmapped);
void bench_user_loop(uint64_t times, struct iret_context *frame);

static struct {
    struct plat_space space;
    pte_t   *l1;                    /* maps 2 MiB at BENCH_VA; linked */
    pte_t   *spare_l1;              /* not linked                      */
    void    *page[BATCH];
} b;

static char data_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE), section(".bss.page")));

static void report(const char *row, uint64_t cycles, unsigned calls)
{
    kprintf("BENCH %s,instructions,%lu\n", row, (cycles + calls / 2) / calls);
}

/* MEASURE("row", CALLS, statement): the statement may use `i`. One turn warms up before. */
#define MEASURE(row, calls, ...) do {                                        \
        { unsigned i = 1; (void)i; __VA_ARGS__; }                            \
        uint64_t begin_ = rdtsc();                                           \
        for (unsigned i = 0; i < (calls); i++) { __VA_ARGS__; }              \
        report(row, rdtsc() - begin_, calls);                                \
    } while (0)

static void plain_calls(void)
{
    struct multicall_entry list[BATCH];
    uintptr_t top = (uintptr_t)data_page + PAGE_SIZE;

    for (unsigned n = 0; n < BATCH; n++)
        list[n] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_version, 0 } };
    MEASURE("null hypercall", CALLS, hypercall_xen_version(XENVER_version, 0));
    MEASURE("stack_switch", CALLS, hypercall_stack_switch(FLAT_KERNEL_SS, top));
    MEASURE("set_segment_base", CALLS, hypercall_set_segment_base(SEGBASE_FS, 0));
    MEASURE("fpu_taskswitch", CALLS, hypercall_fpu_taskswitch(0));
    MEASURE("multicall of 32 null hypercalls", CALLS, hypercall_multicall(gva(list), BATCH));
}

static void event_calls(void)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };
    must(hypercall_event_channel_op(EVTCHNOP_bind_ipi, gva(&ipi)));
    struct evtchn_send send = { ipi.port };
    struct evtchn_close close = { ipi.port };

    event_mask(ipi.port);
    MEASURE("event send to self masked", CALLS, hypercall_event_channel_op(EVTCHNOP_send, gva(&send)));
    MEASURE("event send to self masked not yet pending", CALLS,
            (event_clear(ipi.port), hypercall_event_channel_op(EVTCHNOP_send, gva(&send))));
    hypercall_event_channel_op(EVTCHNOP_close, gva(&close));
    event_clear(ipi.port);
    MEASURE("sched_op yield", CALLS, hypercall_sched_op(SCHEDOP_yield, 0));
}

/* The L1 entry that maps page n of the batch at BENCH_VA. */
static pte_t entry(unsigned n, bool writable)
{
    return plat_pte_make(virt_to_pfn(b.page[n]), PTE_P | PTE_A | PTE_D | PTE_NX | (writable ? PTE_W : 0));
}

static void mapping_calls(void)
{
    pte_t e[2] = { entry(0, true), entry(0, false) };
    struct mmu_update one, many[2][BATCH], toggle[2][BATCH];
    struct mmuext_op flush = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };

    for (unsigned n = 0; n < BATCH; n++)
        for (unsigned w = 0; w < 2; w++) {
            many[w][n] = (struct mmu_update){ mmu_machine(&b.l1[n]), w ? entry(n, false) : 0 };
            toggle[w][n] = (struct mmu_update){ mmu_machine(&b.l1[n]), entry(n, w) };
        }
    MEASURE("update_va_mapping toggle RW", CALLS, hypercall_update_va_mapping(BENCH_VA, e[i & 1], UVMF_NONE));
    MEASURE("update_va_mapping toggle RW invlpg", CALLS, hypercall_update_va_mapping(BENCH_VA, e[i & 1], UVMF_INVLPG));
    MEASURE("update_va_mapping unmap then map", CALLS,
            (hypercall_update_va_mapping(BENCH_VA, 0, UVMF_NONE), hypercall_update_va_mapping(BENCH_VA, e[0], UVMF_NONE)));
    one.ptr = mmu_machine(&b.l1[0]);
    MEASURE("mmu_update one entry", CALLS, (one.val = many[i & 1][0].val, hypercall_mmu_update(gva(&one), 1, 0, DOMID_SELF)));
    MEASURE("mmu_update one entry toggle RW", CALLS, (one.val = e[i & 1], hypercall_mmu_update(gva(&one), 1, 0, DOMID_SELF)));
    MEASURE("mmu_update batch of 32", CALLS, hypercall_mmu_update(gva(many[i & 1]), BATCH, 0, DOMID_SELF));
    MEASURE("mmu_update batch of 32 toggle RW", CALLS, hypercall_mmu_update(gva(toggle[i & 1]), BATCH, 0, DOMID_SELF));
    MEASURE("mmuext TLB_FLUSH_LOCAL", CALLS, hypercall_mmuext_op(gva(&flush), 1, 0, DOMID_SELF));
}

static void pin_calls(const char *row, bool writable)
{
    struct mmuext_op op[2] = { { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = plat_pfn_to_frame(virt_to_pfn(b.spare_l1)) },
                               { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = op[0].arg1.mfn } };
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        b.spare_l1[i] = entry(i % BATCH, writable);
    plat_table_use(&plat_kernel_space, b.spare_l1, 1);
    MEASURE(row, PIN_CALLS,
            (hypercall_mmuext_op(gva(&op[0]), 1, 0, DOMID_SELF), hypercall_mmuext_op(gva(&op[1]), 1, 0, DOMID_SELF)));
    plat_table_release(&plat_kernel_space, b.spare_l1, 1);
}

/* Privileged instructions that the hypervisor carries out for us. */
static void emulated(void)
{
    struct physdev_set_iopl iopl = { 1 };
    hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&iopl));
    MEASURE("mov from cr0 emulated", CALLS, ({ uint64_t v; __asm__ volatile("movq %%cr0, %0" : "=r"(v)); }));
    MEASURE("cpuid by forced emulation", CALLS, ({
        uint32_t a = 0, c = 0, bx, d;
        __asm__ volatile(XEN_CPUID : "+a"(a), "=b"(bx), "+c"(c), "=d"(d)); }));
    MEASURE("rdmsr GS base emulated", CALLS, ({
        uint32_t lo, hi; __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000102)); }));
    MEASURE("in from an unused port", CALLS, ({
        uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"((uint16_t)0x80)); }));
}

static void fault_row(void)
{
    struct trap_info own[2] = { { .vector = 14, .flags = TI_IF, .cs = FLAT_KERNEL_CS, .address = (uintptr_t)bench_fault_entry } };
    struct trap_info old[2] = { { .vector = 14, .flags = TI_IF, .cs = FLAT_KERNEL_CS, .address = (uintptr_t)trap_stubs + 16 * 14 } };
    const void *unmapped = (void *)(BENCH_VA + 511 * PAGE_SIZE);

    must(hypercall_set_trap_table(gva(own)));
    bench_fault_loop(1, unmapped);
    uint64_t begin = rdtsc();
    bench_fault_loop(CALLS, unmapped);
    report("page fault delivered and returned", rdtsc() - begin, CALLS);
    must(hypercall_set_trap_table(gva(old)));
}

static void syscall_row(void)
{
    struct callback_register own = { .type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events, .address = (uintptr_t)bench_syscall_entry };
    struct callback_register old = own;
    old.address = (uintptr_t)syscall_entry;
    static struct iret_context frame;               /* with room for the stub's pushes below its flags */
    frame = (struct iret_context){ .flags = VGCF_in_syscall, .rip = BENCH_VA + PAGE_SIZE, .cs = FLAT_USER_CS, .rflags = 2,
                                   .rsp = BENCH_VA + PAGE_SIZE, .ss = FLAT_USER_SS };

    must(hypercall_callback_op(CALLBACKOP_register, gva(&own)));
    hypercall_stack_switch(FLAT_KERNEL_SS, (uintptr_t)data_page + PAGE_SIZE);
    struct iret_context again = frame;
    bench_user_loop(1, &again);
    uint64_t begin = rdtsc();
    bench_user_loop(CALLS, &frame);
    report("system call to guest kernel and back", rdtsc() - begin, CALLS);
    must(hypercall_callback_op(CALLBACKOP_register, gva(&old)));
}

/* A space of its own: an L3, an L2 and an L1 with page 0 (data) and page 1 (the user loop's code). */
static void space_make(void)
{
    pte_t *l3 = page_alloc(), *l2 = page_alloc();
    b.l1 = page_alloc();
    b.spare_l1 = page_alloc();
    for (unsigned n = 0; n < BATCH; n++) {
        b.page[n] = page_alloc();
        BUG_ON(!b.page[n]);
        b.l1[n] = entry(n, true);
    }
    memcpy(b.page[1], bench_user_code, bench_user_code_end - bench_user_code);
    b.l1[1] &= ~PTE_NX;
    l2[0] = plat_pte_make(virt_to_pfn(b.l1), PTE_P | PTE_W | PTE_A);
    l3[0] = plat_pte_make(virt_to_pfn(l2), PTE_P | PTE_W | PTE_A);
    BUG_ON(plat_space_create(&b.space) != 0);
    space_table_add(&b.space, l3);
    space_table_add(&b.space, l2);
    space_table_add(&b.space, b.l1);
    plat_pte_write(&b.space, 4, &b.space.root[BENCH_VA >> 39 & 511], plat_pte_make(virt_to_pfn(l3), PTE_P | PTE_W | PTE_A));
}

static void space_load(struct plat_space *s)
{
    struct plat_context c = { .space = s, .stack_top = (uintptr_t)data_page + PAGE_SIZE };
    plat_context_load(&c);
}

/* Leaves its pages behind: the machine is about to be switched off. */
void bench_run(void)
{
    space_make();
    space_load(&b.space);
    plain_calls();
    event_calls();
    syscall_row();                                  /* before page 1 loses its right to be executed */
    mapping_calls();
    pin_calls("pin and unpin an L1 table of 512 present entries", false);
    pin_calls("pin and unpin an L1 table of 512 writable entries", true);
    emulated();
    fault_row();
    space_load(&plat_kernel_space);
    plat_space_retire(&b.space);
    kprintf("BENCH end\n");
}
