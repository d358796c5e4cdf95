/* SPDX-License-Identifier: MIT */
/* attack_state.c: claims (SPEC 5.6, 7.2, 7.7; bug classes E): watchpoints and single steps that a guest lays where the hypervisor will go are
 * the guest's affair alone; an LDT ends where it was said to end, and no page of it is writable; the floating-point registers of every
 * kind are a vCPU's own. */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/sched.h"
#include "hypercall-abi/vcpu.h"
#include "hypercall-abi/version.h"
#include "tests/hostile/hostile.h"

/* ---- watchpoints ---------------------------------------------------------------------------------- */

#define DB 1
#define WATCH_ALL 0xbbbb04ffUL           /* DR0 to DR3, on and on for others too: any access to 8 bytes */

static void watch(const void *a, const void *b, const void *c, const void *d)
{
    const void *at[4] = { a, b, c, d };

    for (unsigned i = 0; i < 4; i++)
        if (hypercall_set_debugreg(i, (uint64_t)at[i] & ~7UL))
            TEST_ERROR("DR%u", (uint64_t)i);
    if (hypercall_set_debugreg(7, WATCH_ALL))
        TEST_ERROR("DR7");
}

static void unwatch(void)
{
    hypercall_set_debugreg(7, 0);
    hypercall_set_debugreg(6, 0);
}

static uint8_t *const area = pool[20];

static void call_version(void *unused)  { hypercall_xen_version(XENVER_extraversion, gva(area)); }
static void call_console(void *unused)  { hypercall_console_io(CONSOLEIO_write, 1, gva(area)); }
static void call_mmu(void *unused)      { hypercall_mmu_update(gva(area), 1, gva(area + 8), DOMID_SELF); }
static void call_poll(void *unused)     { hypercall_sched_op(SCHEDOP_poll, gva(area)); }
static void call_multi(void *unused)    { hypercall_multicall(gva(area), 1); }
static void call_send(void *unused)     { hypercall_event_channel_op(EVTCHNOP_send, gva(area)); }
static void do_ud2(void *unused)        { __asm__ volatile("ud2"); }
static void do_hlt(void *unused)        { __asm__ volatile("hlt"); }
static void do_fault(void *unused)      { *(volatile int *)0x10; }
static void do_int(void *unused)        { __asm__ volatile("int $0x80"); }
static void do_store(void *unused)      { *(volatile uint64_t *)table_at(1, (uint64_t)pool[21]) = *table_at(1, (uint64_t)pool[21]); }

/* On the stack of whoever calls: what a frame of the hypervisor's would be written over. */
static void with_frames_watched(void *fn)
{
    uint64_t here[1] = { 0 };
    const char *below = (const char *)here - 160;

    watch(below, below - 64, below - 128, below + 32);
    ((void (*)(void *))fn)(NULL);
}

/* A #DB held back behind a load of ss, and then a system call (XSA-260: TCG delivers it early; a real processor does not). */
static void step_over_syscall(void *held_back)
{
    static const uint16_t ss = FLAT_KERNEL_SS;

    if (held_back)
        watch(&ss, &ss, &ss, &ss);
    __asm__ volatile("mov %0, %%eax\n xor %%edi, %%edi\n pushfq\n orq %1, (%%rsp)\n popfq\n mov %2, %%ss\n syscall\n nop"
                     :: "i"(__HYPERVISOR_xen_version), "i"(0x4100), "m"(ss) : "rax", "rdi", "rcx", "r11", "memory", "cc");
    __asm__ volatile("pushfq\n andq $~0x4100, (%%rsp)\n popfq" ::: "memory", "cc");
}

static void return_watched(void *frame)
{
    watch(frame, (char *)frame + 32, (char *)frame + 48, (char *)frame + 64);
    raw_iret(frame);
}

/* Outcomes may be a #DB or none; what counts is that we are here to see them, and that the calls did what they do. */
void attack_watch(void)
{
    static void (*const calls[])(void *) = { call_version, call_console, call_mmu, call_poll, call_multi, call_send };
    static void (*const traps[])(void *) = { do_ud2, do_hlt, do_fault, do_int, do_store, call_version };
    static struct iret_context f;
    struct vcpu_register_runstate_memory_area r = { .addr.v = (uint64_t)area + 64 };
    unsigned seen = 0;

    for (unsigned round = 0; round < 300; round++) {
        memset(area, 0, 256);
        area[0] = __HYPERVISOR_xen_version;                  /* as a list of calls; an entry, a port, a letter otherwise */
        area[16] = 1;                                        /* as a poll: until a time that has passed */
        watch(area, area + 8, area + 16, area + 64);
        seen += try_call(calls[round % 6], NULL) == DB;
        unwatch();
        seen += try_call(with_frames_watched, traps[rnd() % 6]) == DB;
        unwatch();
        seen += try_call(step_over_syscall, NULL) == DB;
        seen += try_call(step_over_syscall, area) == DB;
        unwatch();
        extern char stack_top[];
        f = (struct iret_context){ .rip = 0x1000, .cs = FLAT_KERNEL_CS & ~3, .rflags = 0x202 | (rnd() & 0x254100), .rsp = (uint64_t)stack_top - 8192,
                                   .ss = FLAT_KERNEL_SS, .flags = rnd() & 1 ? VGCF_in_syscall : 0 };
        try_call(return_watched, &f);
        unwatch();
    }
    /* What the hypervisor writes by itself: runstate, time, pending bits. */
    hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, gva(&r));
    for (unsigned round = 0; round < 300; round++) {
        watch(area + 64, area + 72, &shared->vcpu_info[0], &shared->vcpu_info[0].time);
        try_call((void (*)(void *))(uint64_t)rest, NULL);
        unwatch();
    }
    r.addr.v = 0;
    hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, gva(&r));
    say("%u debug exceptions", (uint64_t)seen);
    if (hypercall_xen_version(XENVER_extraversion, gva(area)) || area[0] != '.')
        BROKE_OUT("a call does not do what it did");
    if (!seen)
        TEST_ERROR("no watchpoint ever went off");
    for (unsigned i = 0; i < 4; i++)
        if (hypercall_set_debugreg(i, 0xffff87fffffffff8) != -XEN_EPERM || hypercall_set_debugreg(i, MACH2PHYS_VIRT_START) != -XEN_EPERM)
            BROKE_OUT("DR%u watches the hypervisor", (uint64_t)i);
}

/* ---- the LDT ---------------------------------------------------------------------------------------- */

#define DATA3 0x00cff3000000ffffUL
#define LDT_SELECTOR(n) ((uint64_t)(n) << 3 | 7)

static void load_fs(void *sel) { __asm__ volatile("mov %w0, %%fs" :: "r"((uint64_t)sel)); }
static bool loads(uint64_t n) { return try_call(load_fs, (void *)LDT_SELECTOR(n)) < 0; }

static long set_ldt(const void *base, unsigned n)
{
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (uint64_t)base };

    op.arg2.nr_ents = n;
    load_fs(NULL);
    return hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF);
}

void attack_ldt(void)
{
    uint64_t *t = (uint64_t *)pool[24];                      /* three pages: good, good, mapped writable */

    for (unsigned i = 0; i < 3 * 512; i++)
        t[i] = DATA3;
    t[4] = 0x0000e9000000ffffUL & ~(1UL << 47);              /* not present: may be anything */
    make_readonly(pool[24]);
    make_readonly(pool[25]);
    if (set_ldt(t, 3 * 512) || !loads(1) || !loads(513) || loads(4))
        BROKE_OUT("an LDT, read");
    if (loads(1025))
        BROKE_OUT("an LDT's page is mapped writable");
    if (map_at(pool[24], va_to_mfn(pool[24]) << 12 | PTE_P | PTE_U | PTE_RW) >= 0 || pin(1, pool[25]) >= 0)
        BROKE_OUT("an LDT's page became something else");
    if (hypercall_update_descriptor(maddr_of(t + 2), 0x0000e9000000ffff) >= 0 || hypercall_update_descriptor(maddr_of(t + 2), 0x0000ec000008e000) >= 0)
        BROKE_OUT("a gate in an LDT");
    /* Where it ends: within the page, at its end, behind it (XSA-298). */
    for (unsigned n = 0; n <= 514; n += n < 8 || n > 508 ? 1 : 50) {
        if (set_ldt(t, n))
            BROKE_OUT("an LDT of %u", (uint64_t)n);
        if ((n > 5 && !loads(n - 1)) || loads(n) || loads(n + 1) || loads(8191))
            BROKE_OUT("an LDT of %u entries ends elsewhere", (uint64_t)n);
    }
    /* A page table, a page with a gate, nothing at all where the LDT should be. */
    long rc = map_at(pool[26], (*table_at(2, (uint64_t)pool[26]) & PTE_ADDR) | PTE_P | PTE_U);
    if (rc || set_ldt(pool[26], 512) || loads(1))
        BROKE_OUT("a page table as LDT: %d", rc);
    map_at(pool[26], va_to_mfn(pool[26]) << 12 | PTE_P | PTE_U | PTE_RW);
    t[1024 + 9] = 0x0000ec000008e000UL;
    make_readonly(pool[26]);
    if (set_ldt(pool[26], 512) || loads(1))
        BROKE_OUT("an LDT with a gate in it");
    map_at(pool[26], 0);
    if (loads(1))
        BROKE_OUT("an LDT that is not there");
    if (set_ldt(NULL, 0) || loads(0))
        BROKE_OUT("no LDT");
    make_writable(pool[24]);
    make_writable(pool[25]);
    make_writable(pool[26]);
}

/* ---- floating point ----------------------------------------------------------------------------------- */

static uint8_t filled[1024] __attribute__((aligned(64))), found[1024] __attribute__((aligned(64)));

static void xcr0(uint32_t v) { __asm__ volatile("xsetbv" :: "a"(v), "c"(0), "d"(0)); }
static void save(uint8_t *to) { __asm__ volatile("xsave64 (%0)" :: "r"(to), "a"(7), "d"(0) : "memory"); }
static void load(const uint8_t *from) { __asm__ volatile("xrstor64 (%0)" :: "r"(from), "a"(7), "d"(0) : "memory"); }

static void compare(const char *what)
{
    memset(found, 0, sizeof(found));
    save(found);
    for (unsigned i = 32; i < 832; i++)                       /* ST, XMM, the upper halves of YMM; not the header between them */
        if ((i < 416 || i >= 576) && found[i] != filled[i] && (i >= 160 || i % 16 < 10)) {
            BROKE_OUT("%s: byte %u of the FPU's state is %x, not %x", what, (uint64_t)i, (uint64_t)found[i], (uint64_t)filled[i]);
            return;
        }
}

/* Several on one pCPU: each finds what it left, in all registers, and none what another left; also while it has told less of its state. */
void attack_fpu(void)
{
    uint64_t count = option("count", 1500);

    xcr0(7);
    memset(filled, 0, sizeof(filled));
    compare("at first");
    save(filled);
    for (uint64_t n = 0; n < count && !failures; n++) {
        for (unsigned i = 32; i < 832; i++)
            if (i < 416 || i >= 576)
                filled[i] = rnd();
        memset(filled + 512, 0, 64);
        filled[512] = 7;
        load(filled);
        if (n % 3 == 1)
            xcr0(n % 2 ? 1 : 3);
        if (n % 5 == 1)
            hypercall_fpu_taskswitch(1);
        rest();
        if (n % 5 == 1)
            hypercall_fpu_taskswitch(0);
        xcr0(7);
        compare("after a while");
    }
}
