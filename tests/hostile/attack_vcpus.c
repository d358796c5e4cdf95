/* SPDX-License-Identifier: MIT */
/* attack_vcpus.c: claims (SPEC 8.2, 9.3; bug classes D): a vCPU starts with no register, root, table or breakpoint that a running one could
 * not have; what is refused leaves nothing behind; no timer, however set, and no number of NMIs keeps a pCPU; and the domain may die in
 * the midst of any of it. Run with vcpus=4. */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/vcpu.h"
#include "tests/hostile/hostile.h"

#define ODD    0x0000900000000000UL      /* not canonical */
#define THEIRS 0xffff830000000000UL      /* the hypervisor's */

static struct vcpu_guest_context c;
static volatile uint64_t beats;          /* counted by the second vCPU */
extern char trap_stubs[], event_entry[], failsafe_entry[];

static long vop(uint64_t cmd, uint64_t vcpu, const void *arg) { return hypercall_vcpu_op(cmd, vcpu, gva(arg)); }

static void count_beats(void)
{
    for (;;)
        beats++;
}

/* A context that would do. Its GDT is the page pool[4], read-only. */
static void good(void)
{
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel;
    c.user_regs.rip = (uint64_t)count_beats;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = c.kernel_ss = FLAT_KERNEL_SS;
    c.user_regs.rsp = c.kernel_sp = (uint64_t)pool[12] - 8;
    c.user_regs.rflags = 2;
    for (unsigned i = 0; i < 256; i++)
        c.trap_ctxt[i] = (struct trap_info){ i, 0, FLAT_KERNEL_CS, (uint64_t)trap_stubs + 16 * i };
    c.ctrlreg[3] = xen_pfn_to_cr3(va_to_mfn((void *)si->pt_base));
    c.event_callback_eip = (uint64_t)event_entry;
    c.failsafe_callback_eip = c.syscall_callback_eip = (uint64_t)failsafe_entry;
    c.gdt_frames[0] = va_to_mfn(pool[4]);
    c.gdt_ents = 512;
}

/* Each makes a good context bad in one way. */
static const struct bad { const char *what; uint64_t *field; uint64_t value; } bads[] = {
    { "rip", &c.user_regs.rip, ODD }, { "rsp", &c.user_regs.rsp, ODD }, { "kernel_sp", &c.kernel_sp, ODD },
    { "event callback", &c.event_callback_eip, ODD }, { "failsafe callback", &c.failsafe_callback_eip, ODD },
    { "syscall callback", &c.syscall_callback_eip, ODD }, { "trap handler", &c.trap_ctxt[200].address, ODD },
    { "fs base", &c.fs_base, ODD }, { "kernel gs base", &c.gs_base_kernel, ODD }, { "user gs base", &c.gs_base_user, ODD },
    { "gdt length", &c.gdt_ents, 7169 }, { "gdt frame nobody's", &c.gdt_frames[0], 0x3ffffffffUL }, { "gdt frame theirs", &c.gdt_frames[0], 0x100 },
    { "ldt length", &c.ldt_ents, 8193 }, { "ldt base crooked", &c.ldt_base, 8 },
    { "root nobody's", &c.ctrlreg[3], 0xffffffff000UL }, { "root theirs", &c.ctrlreg[3], 0x100000 }, { "no root", &c.ctrlreg[3], 0 },
    { "user mode without a root", &c.flags, 0 },
    { "breakpoint in the hypervisor", &c.debugreg[2], THEIRS }, { "breakpoint at its last byte", &c.debugreg[0], 0xffff87ffffffffffUL },
    { "breakpoint nowhere", &c.debugreg[3], ODD }, { "I/O breakpoint", &c.debugreg[7], 0x20401 },
};

static void refused(const char *what)
{
    long rc = vop(VCPUOP_initialise, 1, &c);

    if (rc >= 0 || vop(VCPUOP_up, 1, NULL) != -XEN_EINVAL)
        BROKE_OUT("a vCPU with a bad %s was made: %d", what, rc);
}

static void bad_contexts(void)
{
    for (unsigned i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        good();
        *bads[i].field = bads[i].value;
        refused(bads[i].what);
    }
    good();
    c.gdt_frames[0] = va_to_mfn(pool[5]);
    refused("gdt that is mapped writable");
    c.gdt_frames[0] = va_to_mfn((void *)si->pt_base);
    refused("gdt that is a page table");
    good();
    c.ctrlreg[3] = xen_pfn_to_cr3(va_to_mfn(pool[5]));
    refused("root that is mapped writable");
    good();
    c.ctrlreg[1] = xen_pfn_to_cr3(va_to_mfn(pool[5])) | 1;
    refused("user root that is mapped writable");
    good();
    c.ldt_base = THEIRS;
    c.ldt_ents = 4;
    refused("ldt in the hypervisor");
    if (hypercall_vcpu_op(VCPUOP_initialise, 1, 0x500000000000UL) != -XEN_EFAULT || vop(VCPUOP_initialise, 4, &c) != -XEN_ENOENT ||
        vop(VCPUOP_initialise, 1UL << 32 | 1, &c) != -XEN_ENOENT || vop(VCPUOP_initialise, 0, &c) != -XEN_EEXIST)
        BROKE_OUT("a vCPU that is not there, or runs, was made anew");
}

/* register_vcpu_info: 8-aligned, inside a frame of ours that is no table, once (XSA-327). */
static void odd_infos(void)
{
    for (unsigned offset = 0; offset < PAGE + 64; offset++) {
        struct vcpu_register_vcpu_info r = { va_to_mfn((void *)si->pt_base), offset, 0 };
        bool fits = offset % 8 == 0 && offset + sizeof(struct vcpu_info) <= PAGE;
        if (vop(VCPUOP_register_vcpu_info, 1, &r) != (fits ? -XEN_EINVAL : -XEN_ENXIO))
            BROKE_OUT("vcpu_info at %u of a page table", (uint64_t)offset);
    }
    struct vcpu_register_vcpu_info r = { va_to_mfn(pool[6]), PAGE - sizeof(struct vcpu_info), 0 };
    if (vop(VCPUOP_register_vcpu_info, 1, &r) || vop(VCPUOP_register_vcpu_info, 1, &r) != -XEN_EINVAL)
        BROKE_OUT("vcpu_info can be moved twice, or not at all");
    make_readonly(pool[6]);
    if (pin(1, pool[6]) >= 0)
        BROKE_OUT("the page of a vcpu_info became a page table");
    make_writable(pool[6]);
}

/* Times that wrap, have passed, or never come; the shortest period that is allowed, on every vCPU (XSA-20). */
static void odd_timers(void)
{
    static const uint64_t t[] = { 1, 2, 1000, 999999, 1000000, 1UL << 50, (1UL << 50) + 1, 1UL << 62, 1UL << 63, ~0UL - 1, ~0UL, ~0UL - 1000000 };
    struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER };

    hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&virq));
    for (unsigned round = 0; round < 200; round++) {
        uint64_t v = rnd() % 4, at = t[rnd() % 12], period = t[rnd() % 12];
        struct vcpu_set_singleshot_timer s = { at, rnd() % 4 };
        struct vcpu_set_periodic_timer p = { period };
        long rc = vop(VCPUOP_set_periodic_timer, v, &p);
        if ((rc == 0) != (period >= 1000000 && period <= 1UL << 50))
            BROKE_OUT("a period of %u: %d", period, rc);
        vop(VCPUOP_set_singleshot_timer, v, &s);
        hypercall_set_timer_op(at);
        rest();
    }
    for (unsigned v = 0; v < 4; v++)
        vop(VCPUOP_stop_periodic_timer, v, NULL);
    hypercall_set_timer_op(0);
}

static void wait_for_beats(bool wanted)
{
    uint64_t seen = beats;

    for (unsigned i = 0; wanted && beats == seen; i++) {
        rest();
        if (i > 20000000)
            TEST_ERROR("the second vCPU does not run");
    }
}

static void one_runs(void)
{
    good();
    c.debugreg[7] = 0x2400 | 1UL << 40;                      /* GD and an upper half: dropped, or refused */
    long rc = vop(VCPUOP_initialise, 1, &c);
    if (rc == -XEN_EINVAL || rc == -XEN_EPERM) {
        good();
        rc = vop(VCPUOP_initialise, 1, &c);
    }
    if (rc || vop(VCPUOP_initialise, 1, &c) != -XEN_EEXIST)
        BROKE_OUT("a good vCPU, twice: %d", rc);
    for (unsigned turn = 0; turn < 50; turn++) {
        if (vop(VCPUOP_up, 1, NULL) || vop(VCPUOP_is_up, 1, NULL) != 1)
            BROKE_OUT("it does not go up");
        wait_for_beats(true);
        vop(VCPUOP_down, 1, NULL);
    }
    if (vop(VCPUOP_initialise, 1, &c) != -XEN_EEXIST)
        BROKE_OUT("a vCPU that is down was made anew");
}

/* Anything at all in a context: most is refused, what is not runs and traps as it may. */
static void any_context(unsigned vcpu)
{
    static const uint64_t values[] = { 0, 1, 3, 0x400, 0x401, 0x600, 0xe033, ODD, THEIRS, ~0UL, 4096, 512, 8192, 0x100, 1UL << 63 };

    good();
    for (unsigned n = 1 + rnd() % 4; n > 0; n--)
        ((uint64_t *)&c)[rnd() % (sizeof(c) / 8)] = rnd() % 3 ? values[rnd() % 15] : rnd() % 2 ? rnd() : va_to_mfn(pool[rnd() % POOL_PAGES]);
    if (vop(VCPUOP_initialise, vcpu, &c) == 0)
        vop(VCPUOP_up, vcpu, NULL);
}

static void any_op(void)
{
    static uint64_t arg[64];
    uint64_t cmd = rnd() % 15, vcpu = rnd() % 5;

    for (unsigned i = 0; i < 8; i++)
        arg[i] = rnd() % 2 ? rnd() % 4096 : rnd() % 2 ? rnd() : (uint64_t)pool[7];
    if (cmd == VCPUOP_initialise)
        any_context(vcpu);
    else if ((cmd != VCPUOP_down && cmd != VCPUOP_send_nmi && cmd != VCPUOP_register_runstate_memory_area &&
              cmd != VCPUOP_register_vcpu_time_memory_area && cmd != VCPUOP_register_vcpu_info) || vcpu)
        hypercall_vcpu_op(cmd, vcpu, rnd() % 8 ? gva(arg) : rnd());
}

void attack_vcpus(void)
{
    make_readonly(pool[4]);
    bad_contexts();
    odd_infos();
    odd_timers();
    one_runs();
}

/* For ever, or count= times: until somebody destroys us, or one of our vCPUs does. */
void attack_births(void)
{
    uint64_t count = option("count", ~0UL);

    make_readonly(pool[4]);
    for (uint64_t i = 0; i < count; i++) {
        if (rnd() % 4)
            any_op();
        else {
            good();
            *bads[10 + rnd() % 8].field = bads[10 + rnd() % 8].value;       /* what is refused after roots were taken */
            vop(VCPUOP_initialise, 2 + rnd() % 2, &c);
        }
    }
}
