/* SPDX-License-Identifier: MIT */
/* xendev_breakit_calls.c: attacks by hypercalls: any arguments at all, descriptors, bases, debug registers, events, grants. */
#include "guest-kernel/kernel/xendev_breakit.h"

#include "hypercall-abi/grant.h"

/* Calls that would only end or blind this domain, as they should: not what this attack is after. */
static bool left_out(uint64_t nr, const uint64_t arg[5])
{
    switch (nr) {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_sched_op:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_stack_switch:
        return true;
    case __HYPERVISOR_multicall:
        return arg[1] > 8;                             /* what lies behind the area is not of our choosing */
    case __HYPERVISOR_vcpu_op:
        return arg[0] == 2;                            /* down */
    case __HYPERVISOR_domctl:
    case __HYPERVISOR_sysctl:
    case __HYPERVISOR_platform_op:
        return pv_is_dom0();
    case __HYPERVISOR_console_io:
        return arg[1] > 64;
    case __HYPERVISOR_event_channel_op:
        return arg[0] == EVTCHNOP_reset || arg[0] == EVTCHNOP_close;
    default:
        return false;
    }
}

/* What a hypercall may find at its argument; as a list of multicall entries it has calls that cannot blind us. */
static void fill(uint64_t *area, unsigned words)
{
    static const uint64_t harmless[] = { __HYPERVISOR_mmu_update, __HYPERVISOR_memory_op, __HYPERVISOR_xen_version,
                                         __HYPERVISOR_grant_table_op, __HYPERVISOR_multicall, 63, 64, ~0ul };
    for (unsigned i = 0; i < words; i++)
        area[i] = i % 8 ? attack_number() : harmless[attack_number() % ARRAY_SIZE(harmless)];
}

static void hypercalls(uint64_t arg)
{
    static uint64_t area[64];
    unsigned made = 0, errors = 0;
    for (unsigned turn = 0; turn < 300; turn++)
        for (uint64_t nr = 0; nr < NR_HYPERCALLS; nr++) {
            uint64_t a[5];
            for (unsigned i = 0; i < 5; i++)
                a[i] = attack_number();
            a[0] = turn % 3 == 0 ? a[0] : turn % 48;   /* sub-operations are small numbers */
            a[1] = turn % 2 ? a[1] : gva(area);
            fill(area, ARRAY_SIZE(area));
            if (left_out(nr, a))
                continue;
            made++;
            errors += attack_hypercall(nr, a) < 0;
        }
    hypercall_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl);
    hypercall_fpu_taskswitch(0);
    attack_say("%u hypercalls with any arguments: %u errors\n", made, errors);
}

static void bases(uint64_t arg)
{
    unsigned refused = 0, tried = 0;
    for (unsigned which = 0; which < 6; which++)
        for (unsigned i = 0; i < 60; i++, tried++)
            refused += hypercall_set_segment_base(which, attack_number()) < 0;
    hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0);
    hypercall_set_segment_base(SEGBASE_GS_KERNEL, 0);
    hypercall_set_segment_base(SEGBASE_GS_USER, 0);
    for (unsigned i = 0; i < 60; i++, tried++)
        refused += hypercall_stack_switch(attack_number(), attack_number()) < 0;
    hypercall_stack_switch(FLAT_KERNEL_SS, kstack_top(current));
    attack_say("%u bases and stacks: %u refused\n", tried, refused);
}

/* A page of descriptors, each with some type and privilege, set and changed one by one. */
static void gdt(uint64_t arg)
{
    uint64_t *page = page_alloc(), f;
    unsigned refused = 0, tried = 0;
    if (!page)
        return;
    f = plat_pfn_to_frame(virt_to_pfn(page));
    long writable = hypercall_set_gdt(gva(&f), 512);
    hypercall_set_gdt(0, 0);
    hypercall_update_va_mapping((uintptr_t)page, plat_pte_make(virt_to_pfn(page), PTE_P | PTE_NX), UVMF_INVLPG);
    long empty = hypercall_set_gdt(gva(&f), 512);
    for (uint64_t type = 0; type < 256; type++)
        for (uint64_t high = 0; high < 16; high++, tried++) {
            uint64_t d = 0x0000f0000000ffff | type << 40 | high << 52 | (uint64_t)(high & 1 ? 0xff8000 : 0) << 16;
            refused += hypercall_update_descriptor(f << PAGE_SHIFT | 64, d) < 0;
        }
    hypercall_set_gdt(0, 0);
    struct mmuext_op ldt = { .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = attack_number(), .arg2.nr_ents = 8192 };
    long set_ldt = hypercall_mmuext_op(gva(&ldt), 1, 0, DOMID_SELF);
    hypercall_update_va_mapping((uintptr_t)page, plat_pte_make(virt_to_pfn(page), PTE_P | PTE_W | PTE_NX), UVMF_INVLPG);
    page_free(page);
    attack_say("set_gdt of a writable page %ld%s, of a read-only one %ld; %u of %u descriptors refused; bad LDT %ld\n", writable,
               writable == 0 ? " BREACH" : "", empty, refused, tried, set_ldt);
}

static void debugreg(uint64_t arg)
{
    static const uint64_t at[] = { HYPERVISOR_VIRT_START, 0xffff82d040200000, 0x0000800000000000, HYPERVISOR_VIRT_END - 1 };
    unsigned breaches = 0;
    for (unsigned reg = 0; reg < 4; reg++)
        for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
            breaches += hypercall_set_debugreg(reg, at[i]) == 0;
    for (unsigned i = 0; i < 200; i++)
        hypercall_set_debugreg(4 + i % 8, attack_number());
    for (unsigned reg = 0; reg < 8; reg++)
        hypercall_set_debugreg(reg, reg == 7 ? 0x400 : 0);
    attack_say("%s%u of 16 breakpoints in the hypervisor accepted\n", breaches ? "BREACH: " : "", breaches);
}

static void events(uint64_t arg)
{
    unsigned refused = 0, tried = 0;
    for (evtchn_port_t port = 0; port < 5000; port++, tried += 3) {
        struct evtchn_send s = { port };
        struct evtchn_bind_vcpu v = { port, 0x7fffffff };
        struct evtchn_status st = { .dom = DOMID_SELF, .port = port };
        event_mask(port % EVTCHN_2L_NR_CHANNELS);
        refused += hypercall_event_channel_op(EVTCHNOP_send, gva(&s)) < 0;
        refused += hypercall_event_channel_op(EVTCHNOP_bind_vcpu, gva(&v)) < 0;
        refused += hypercall_event_channel_op(EVTCHNOP_status, gva(&st)) < 0;
        event_unmask(port % EVTCHN_2L_NR_CHANNELS);
    }
    for (unsigned i = 0; i < 2000; i++, tried++) {
        uint32_t a[8];
        for (unsigned w = 0; w < ARRAY_SIZE(a); w++)
            a[w] = (uint32_t)attack_number();
        unsigned cmd = i % 16;
        if (cmd != EVTCHNOP_reset && cmd != EVTCHNOP_close)
            refused += hypercall_event_channel_op(cmd, gva(a)) < 0;
    }
    pv_vcpu()->evtchn_pending_sel = ~0ul;
    attack_say("%u operations: %u refused\n", tried, refused);
}

static void grants(uint64_t arg)
{
    static uint64_t ops[64];
    unsigned refused = 0, tried = 0;
    for (unsigned i = 0; i < 6000; i++, tried++) {
        for (unsigned w = 0; w < ARRAY_SIZE(ops); w++)
            ops[w] = attack_number();
        for (unsigned w = 4; w < ARRAY_SIZE(ops); w += 5)
            ops[w] |= 3 << 16;                         /* a copy between grants, not onto a frame of our own */
        refused += hypercall_grant_table_op(i % 16, i % 5 ? gva(ops) : attack_number(), i % 5 ? 1 + i % 4 : attack_number()) < 0;
    }
    attack_say("%u operations: %u refused\n", tried, refused);
}

const struct attack attacks_calls[] = {
    { "hypercalls", hypercalls, "every hypercall, with any arguments at all" },
    { "bases",      bases,      "segment bases and stacks that are not addresses" },
    { "gdt",        gdt,        "descriptors of every type and privilege" },
    { "debugreg",   debugreg,   "breakpoints in the hypervisor" },
    { "events",     events,     "event channels that do not exist or are not ours" },
    { "grants",     grants,     "grant operations with any arguments at all" },
    { 0, 0, 0 },
};
