/* SPDX-License-Identifier: MIT */
/* xendev_breakit_cpu.c: attacks by instructions: privileged ones, selectors, jumps, hostile frames and handlers. */
#include "guest-kernel/kernel/xendev_breakit.h"

#include "hypercall-abi/callback.h"

static void priv(uint64_t only)
{
    static const uint64_t value[] = { 0, 1, 0x80, 0x3f8, 0xc0000080, 0xc0000082, 0xffffffff, ~0ul, HYPERVISOR_VIRT_START,
                                      0xffff82d040200000, 0x0000800000000000, 0x8000000000000000 };
    unsigned quiet = 0, trapped = 0, nr = 0;
    for (const struct attack_insn *i = attack_insns; i < attack_insns_end; i++)
        for (unsigned v = 0; v < ARRAY_SIZE(value); v++) {
            attack_value = value[v];
            if (only && only != ++nr)
                continue;
            int vector = attack_try(attack_insn, (uint64_t)i->code);
            *(vector < 0 ? &quiet : &trapped) += 1;
        }
    attack_say("%u instructions: %u trapped, %u did nothing or were emulated\n", quiet + trapped, trapped, quiet);
}

static void load_ds(uint64_t s) { __asm__ volatile("movl %0, %%ds" :: "r"((uint32_t)s)); }
static void load_es(uint64_t s) { __asm__ volatile("movl %0, %%es" :: "r"((uint32_t)s)); }
static void load_fs(uint64_t s) { __asm__ volatile("movl %0, %%fs" :: "r"((uint32_t)s)); }
static void load_gs(uint64_t s) { __asm__ volatile("movl %0, %%gs" :: "r"((uint32_t)s)); }
static void load_ss(uint64_t s) { __asm__ volatile("movl %0, %%ss" :: "r"((uint32_t)s)); }

static void selectors(uint64_t arg)
{
    static void (*const load[])(uint64_t) = { load_ds, load_es, load_fs, load_gs, load_ss, attack_lret };
    static const char *const name[] = { "ds", "es", "fs", "gs", "ss", "cs" };
    for (unsigned r = 0; r < ARRAY_SIZE(load); r++) {
        unsigned loaded = 0;
        for (uint64_t s = 0; s < 0x10000; s++)
            loaded += attack_try(load[r], s) < 0;
        load_fs(0);
        load_gs(0);
        load_ss(FLAT_KERNEL_SS);
        attack_say("%s: %u of 65536 selectors loaded\n", name[r], loaded);
    }
}

static void do_read(uint64_t at) { __asm__ volatile("movb (%0), %%al" :: "r"(at) : "rax"); }
static void do_write(uint64_t at) { __asm__ volatile("lock orb $0, (%0)" :: "r"(at) : "memory"); }
static void do_call(uint64_t at) { __asm__ volatile("call *%0" :: "r"(at) : "memory", "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11"); }

/* Every L4 slot that is not ours, at several offsets, and the addresses beside the canonical holes. */
static void jump(uint64_t arg)
{
    static const uint64_t offset[] = { 0, 8, 0x1000, 0x200000, 0x40200000, 0x7fffffffff };
    unsigned readable = 0, written = 0, entered = 0, tried = 0;
    for (uint64_t slot = 256; slot < 272; slot++)
        for (unsigned o = 0; o < ARRAY_SIZE(offset); o++, tried++) {
            uint64_t at = 0xffff000000000000ul | slot << 39 | offset[o];
            readable += attack_try(do_read, at) < 0;
            written += attack_try(do_write, at) < 0;
            entered += attack_try(do_call, at) < 0;
        }
    static const uint64_t hole[] = { 0x0000800000000000, 0xffff7fffffffffff, 0x7fffffffffffffff, 0x8000000000000000 };
    for (unsigned h = 0; h < ARRAY_SIZE(hole); h++, tried++)
        written += attack_try(do_write, hole[h]) < 0 || attack_try(do_call, hole[h]) < 0;
    attack_say("%s%u addresses: %u readable (the M2P), %u written, %u entered\n", written || entered ? "BREACH: " : "", tried,
               readable, written, entered);
}

static void iret_frame(uint64_t at) { attack_iret((struct iret_context *)at); }

/* Room below the frame for what the stub pushes, and above it for nothing. */
static int try_iret(uint64_t rip, uint64_t cs, uint64_t rflags, uint64_t rsp, uint64_t ss, uint64_t flags)
{
    static struct { uint64_t below[8]; struct iret_context c; } f;
    f.c = (struct iret_context){ .flags = flags, .rip = rip, .cs = cs, .rflags = rflags, .rsp = rsp, .ss = ss };
    return attack_try(iret_frame, (uint64_t)&f.c);
}

static char iret_stack_page[512] __attribute__((aligned(16)));
#define GOOD_RIP ((uint64_t)attack_landed)
#define GOOD_RSP ((uint64_t)iret_stack_page + 256)
#define KERNEL_MODE (FLAT_KERNEL_CS & ~3)

static void iret_rip(uint64_t arg)
{
    unsigned trapped = 0, tried = 0;
    for (unsigned i = 0; i < 400; i++, tried++) {
        uint64_t rip = attack_number();
        if (rip >= KERNEL_BASE && rip < KERNEL_BASE + (1ul << 30))
            continue;
        trapped += try_iret(rip, i & 1 ? FLAT_USER_CS : KERNEL_MODE, 2, GOOD_RSP, FLAT_USER_SS, i & 2 ? VGCF_in_syscall : 0) >= 0;
    }
    attack_say("%u frames: %u ended in a fault\n", tried, trapped);
}

static void iret_cs(uint64_t arg)
{
    unsigned landed = 0;
    for (uint64_t cs = 0; cs < 0x10000; cs++)
        if ((cs | 3) != FLAT_RING3_CS32)               /* valid, and leaves a 64-bit kernel without its stack */
            landed += try_iret(GOOD_RIP, cs, 2, GOOD_RSP, FLAT_KERNEL_SS, 0) < 0;
    attack_say("65532 code selectors: %u came back in kernel mode\n", landed);
}

static void iret_flags(uint64_t arg)
{
    unsigned landed = 0, tried = 0;
    for (unsigned bit = 0; bit < 64; bit++, tried += 2) {
        landed += try_iret(GOOD_RIP, KERNEL_MODE, 1ul << bit, GOOD_RSP, FLAT_KERNEL_SS, 0) < 0;
        landed += try_iret(GOOD_RIP, KERNEL_MODE, ~(1ul << bit), GOOD_RSP, FLAT_KERNEL_SS, 0) < 0;
        pv_vcpu()->evtchn_upcall_mask = 1;
    }
    attack_say("%u flag words: %u came back\n", tried, landed);
}

/* arg 1: the frame itself lies where nothing is: the end of this domain. Else stacks and stack segments in good frames. */
static void iret_stack(uint64_t arg)
{
    unsigned landed = 0, tried = 0;
    if (arg == 1)
        attack_iret((struct iret_context *)0x0000700000000000);
    if (arg == 2)
        attack_iret((struct iret_context *)(HYPERVISOR_VIRT_START + 0x1000));
    for (uint64_t ss = 0; ss < 0x10000; ss += 1, tried++)
        landed += try_iret(GOOD_RIP, KERNEL_MODE, 2, GOOD_RSP, ss, 0) < 0;
    for (unsigned i = 0; i < 64; i++, tried++)
        landed += try_iret(GOOD_RIP, KERNEL_MODE, 2, attack_number(), FLAT_KERNEL_SS, 0) < 0;
    attack_say("%u stacks: %u came back\n", tried, landed);
}

static void int_n(uint64_t n) { ((void (*)(void))(attack_ints + 8 * n))(); }

static void ints(uint64_t arg)
{
    unsigned quiet = 0;
    for (unsigned n = 0; n < 256; n++)
        quiet += attack_try(int_n, n) < 0;
    attack_say("256 software interrupts: %u did nothing\n", quiet);
}

static void call_with_flags(uint64_t flags)
{
    __asm__ volatile("pushq %0; popfq" :: "r"(flags) : "cc", "memory");
    hypercall_xen_version(0, 0);
    __asm__ volatile("pushq $2; popfq" ::: "cc", "memory");
}

static void flags(uint64_t arg)
{
    unsigned quiet = 0;
    for (unsigned bit = 0; bit < 22; bit++)
        quiet += attack_try(call_with_flags, 1ul << bit) < 0;
    quiet += attack_try(call_with_flags, 0x7ffff7) < 0;
    attack_say("23 flag words taken into a hypercall: %u came back\n", quiet);
}

/* ---- These may end the domain, or do ---- */

static void sysenter(uint64_t arg) { attack_say("sysenter: vector %d\n", attack_try(attack_sysenter, 0)); }

static void stack(uint64_t arg)
{
    uintptr_t here = (uintptr_t)&arg & ~(PAGE_SIZE - 1);
    hypercall_update_va_mapping(here, 0, UVMF_INVLPG);
    __asm__ volatile("ud2");
}

/* Non-canonical addresses and the hypervisor's are refused; the last is an address where nothing is. */
static void traptable(uint64_t arg)
{
    static const uint64_t bad[] = { 0x0000800000000000, HYPERVISOR_VIRT_START, 0xffff82d040200000, 0x1000 };
    struct trap_info t[32];
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        for (unsigned v = 0; v < 31; v++)
            t[v] = (struct trap_info){ v, TI_IF, FLAT_KERNEL_CS, bad[i] };
        t[31] = (struct trap_info){ .address = 0 };
        attack_say("handlers at %lx: %ld\n", bad[i], hypercall_set_trap_table(gva(t)));
    }
    __asm__ volatile("ud2");
}

static void triple(uint64_t arg)
{
    hypercall_set_trap_table(0);
    __asm__ volatile("ud2");
}

static void callback(uint64_t arg)
{
    static const uint64_t bad[] = { 0x0000800000000000, HYPERVISOR_VIRT_START, 0xffff82d040200000, 0x1000 };
    struct callback_register c = { .type = CALLBACKTYPE_event };
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        c.address = bad[i];
        attack_say("callback at %lx: %ld\n", bad[i], hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    }
    if (hypercall_event_channel_op(EVTCHNOP_bind_ipi, gva(&ipi)) == 0) {
        event_unmask(ipi.port);
        event_send(ipi.port);
    }
    pv_vcpu()->evtchn_upcall_mask = 0;
    hypercall_xen_version(0, 0);
}

static void spin(uint64_t arg)
{
    for (;;)
        __asm__ volatile("");
}

const struct attack attacks_cpu[] = {
    { "priv",       priv,       "every privileged instruction, with several operands each" },
    { "selectors",  selectors,  "every selector into every segment register" },
    { "jump",       jump,       "reads, writes and calls at the hypervisor's addresses" },
    { "iret-rip",   iret_rip,   "frames for the iret hypercall with bad instruction pointers" },
    { "iret-cs",    iret_cs,    "with every code selector" },
    { "iret-flags", iret_flags, "with every flag" },
    { "iret-stack", iret_stack, "with every stack selector, bad stacks; 1, 2: the frame nowhere, or in the hypervisor" },
    { "ints",       ints,       "all software interrupts" },
    { "flags",      flags,      "NT, TF, AC and the others set while making a hypercall" },
    { "sysenter",   sysenter,   "that instruction, which brings no stack along: may be the end of this domain" },
    { "stack",      stack,      "unmaps this kernel's stack, then faults: the end of this domain" },
    { "traptable",  traptable,  "handlers at impossible addresses, then a fault: the end of this domain" },
    { "triple",     triple,     "no handlers at all, then a fault: the end of this domain" },
    { "callback",   callback,   "an event callback at an impossible address: the end of this domain" },
    { "spin",       spin,       "never gives the CPU back" },
    { 0, 0, 0 },
};
