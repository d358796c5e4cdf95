/* SPDX-License-Identifier: MIT */
/* trap.c: the table of handlers, told to the hypervisor, and which event it was. */
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/callback.h"
#include "hypercall-abi/sched.h"

static uintptr_t fs_base_now;

extern char trap_stubs[], event_entry[], failsafe_entry[], syscall_entry[];

uintptr_t plat_fault_address(void) { return pv_vcpu()->arch.cr2; }

void plat_frame_user(struct trapframe *tf, uintptr_t rip, uintptr_t rsp)
{
    *tf = (struct trapframe){ .vector = TRAP_INTERRUPT, .rip = rip, .rsp = rsp, .cs = FLAT_USER_CS, .ss = FLAT_USER_SS,
                              .rflags = RFLAGS_IF | 2 };
}

void plat_interrupt(struct trapframe *tf) { events_deliver(); }

/* A new space, a new stack and a new FS base for the price of one entry. */
void plat_context_load(const struct plat_context *c)
{
    struct multicall_entry call[MMU_LOAD_CALLS + 2];
    unsigned n = c->space ? mmu_load_calls(c->space, call) : 0;
    call[n++] = (struct multicall_entry){ .op = __HYPERVISOR_stack_switch, .args = { FLAT_KERNEL_SS, c->stack_top } };
    if (c->fs_base != fs_base_now)
        call[n++] = (struct multicall_entry){ .op = __HYPERVISOR_set_segment_base, .args = { SEGBASE_FS, c->fs_base } };
    if (n == 1)
        hypercall_stack_switch(FLAT_KERNEL_SS, c->stack_top);
    else
        pv_multicall(call, n);
    fs_base_now = c->fs_base;
    if (c->space)
        mmu_loaded(c->space);
}

void plat_fs_base(uintptr_t base)
{
    fs_base_now = base;
    hypercall_set_segment_base(SEGBASE_FS, base);
}

void pv_multicall(struct multicall_entry *call, unsigned n)
{
    must(hypercall_multicall(gva(call), n));
    for (unsigned i = 0; i < n; i++)
        if ((long)call[i].result < 0)
            panic("multicall[%u], hypercall %lu: error %ld", i, call[i].op, (long)call[i].result);
}

static void callback_set(unsigned type, char *entry)
{
    struct callback_register c = { .type = type, .flags = CALLBACKF_mask_events, .address = (uintptr_t)entry };
    must(hypercall_callback_op(CALLBACKOP_register, gva(&c)));
}

static void table_set(void)
{
    struct trap_info t[32], *next = t;
    for (unsigned v = 0; v < 31; v++) {
        if (v == 2 || v == 15)                      /* the NMI comes by callback if at all; 15 does not exist */
            continue;
        *next++ = (struct trap_info){ .vector = v, .flags = (v == 3 || v == 4 ? 3 : 0) | TI_IF, .cs = FLAT_KERNEL_CS,
                                      .address = (uintptr_t)trap_stubs + 16 * v };
    }
    *next = (struct trap_info){ .address = 0 };
    must(hypercall_set_trap_table(gva(t)));
}

void trap_boot(void)
{
    table_set();
    callback_set(CALLBACKTYPE_event, event_entry);
    callback_set(CALLBACKTYPE_failsafe, failsafe_entry);
    callback_set(CALLBACKTYPE_syscall, syscall_entry);
    hypercall_fpu_taskswitch(0);                    /* the FPU is switched eagerly: never a trap for it */
}
