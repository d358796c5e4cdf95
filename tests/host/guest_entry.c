/* SPDX-License-Identifier: MIT */
/* guest_entry.c: claims: every way into a guest kernel leaves the frame that SPEC 7.2 draws, and the registers that its handler is to
 * find; the way back (7.4) gives a guest what it asked for and nothing that is not its to have; a frame that cannot be read or
 * written ends the domain, and touches nothing; callbacks, segment bases and debug registers are taken as 7.3 and 7.6 say. A failure
 * is a guest that goes on with another's flags, addresses or privilege.                                                           */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "hypercall-abi/callback.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/guest/emulate.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/lib/hypercall.h"
#include "tests/host/guest_shim.h"

#define ODD 0x8000000000001000UL                       /* not canonical */
#define ALL_FLAGS 0xffffffffUL
#define ODD_SS 0x7bUL
static struct vcpu *v;
static uint64_t stack[64] __attribute__((aligned(64)));
static uint64_t *const top = stack + 64;

static int begin(void **state)
{
    v = host_guest();
    faults_catch();
    swapgs_count = 0;
    for (unsigned i = 0; i < 64; i++)
        stack[i] = 0xdead;
    vcpu_set_kernel_stack(v, FLAT_RING3_SS64, (uint64_t)top);
    *HOST_REGS = (struct guest_regs){ .rax = 1, .rcx = 2, .r11 = 3, .rip = 0x4000, .cs = FLAT_RING3_CS64, .rflags = 0x246, .rsp = (uint64_t)top + 8 - 64,
                                      .ss = ODD_SS };
    return 0;
}

static bool crashed(const char *why) { return strstr(host_crash, why) != NULL; }
static void user(void) { v->in_kernel = false; v->loaded_root = v->guest_user_root; }
static bool in_kernel_now(unsigned swaps) { return v->in_kernel && v->loaded_root.raw == 0x111 && swapgs_count == swaps && host_cpu.cr3_writes == swaps; }

/* ---- the way back ---- */

static struct iret_context frame;

static long go_back(uint64_t cs, uint64_t flags, uint64_t rflags)
{
    frame = (struct iret_context){ 10, 11, 12, flags, 0x5000, cs, rflags, 0x6000, 0xe02b };
    HOST_REGS->rsp = (uint64_t)&frame;
    return do_iret(v, HOST_REGS);
}

static void back_to_the_kernel(void **state)
{
    struct guest_regs *r = HOST_REGS;

    assert_int_equal(go_back(0xe030, 0, 0), 0);
    assert_true(r->rax == 10 && r->r11 == 11 && r->rcx == 12 && r->rip == 0x5000 && r->rsp == 0x6000);
    assert_true(r->cs == 0xe033 && r->ss == 0xe02b && r->rflags == 0x202);
    assert_true(in_kernel_now(0) && v->info->evtchn_upcall_mask == 1 && v->hypercalls == 1);
    assert_int_equal(go_back(0x1234560010, 0, ALL_FLAGS), 0);
    assert_true(r->cs == 0x13 && r->rflags == (0x250dd5 | 0x202));     /* no IOPL, NT, VM, VIF, VIP */
    assert_int_equal(v->info->evtchn_upcall_mask, 0);
}

static void back_to_user_mode(void **state)
{
    struct guest_regs *r = HOST_REGS;

    faults_catch();
    assert_int_equal(go_back(FLAT_USER_CS, 0, 0x202), 0);
    assert_true(!v->in_kernel && v->loaded_root.raw == 0x222 && swapgs_count == 1 && host_cpu.cr3 == 0x222000);
    assert_true(r->rcx == 12 && r->r11 == 11);
    v->in_kernel = true;
    assert_int_equal(go_back(FLAT_USER_CS, VGCF_in_syscall, 0x203), 1);
    assert_true(r->rcx == 0x5000 && r->r11 == 0x203 && r->rax == 10);
    assert_int_equal(go_back(FLAT_USER_CS32, VGCF_in_syscall, 0x203), 0);    /* only what sysret makes */
    frame = (struct iret_context){ 10, 11, 12, VGCF_in_syscall, 0x5000, FLAT_USER_CS, 0, 0x6000, 0x33 };
    r->rsp = (uint64_t)&frame;
    assert_int_equal(do_iret(v, r), 0);
    v->guest_user_root = mfn(0);
    v->in_kernel = true;
    go_back(FLAT_USER_CS, 0, 0x202);
    assert_true(crashed("before it named a user page table") && v->in_kernel);
    assert_int_equal(v->last_hypercall, __HYPERVISOR_iret);
}

/* Each word of the frame in turn is the first that cannot be read; or all of it is the hypervisor's. */
static void no_frame(void **state)
{
    faults_fill("", 0);
    for (unsigned words = 0; words < 9; words++) {
        host_crash[0] = 0;
        HOST_REGS->rsp = (uint64_t)read_only_page + 4096 - words * 8;
        HOST_REGS->rip = 0x4000;
        assert_int_equal(do_iret(v, HOST_REGS), 0);
        assert_true(crashed("found no frame") && HOST_REGS->rip == 0x4000 && v->in_kernel);
    }
    host_crash[0] = 0;
    faults_taken = 0;
    HOST_REGS->rsp = HV_START - 8;
    do_iret(v, HOST_REGS);
    assert_true(crashed("found no frame") && !faults_taken);      /* not even tried: it might be there */
    host_crash[0] = 0;
    HOST_REGS->rsp = (uint64_t)read_only_page + 4096 - 72;
    do_iret(v, HOST_REGS);
    assert_int_equal(host_crash[0], 0);
}

static void back_from_an_nmi(void **state)
{
    faults_catch();
    v->nmi_masked = true;
    assert_int_equal(go_back(FLAT_USER_CS, VGCF_in_syscall, 0x202), 1);
    assert_true(!v->nmi_masked && !v->work && !host_info.work);
    v->in_kernel = v->nmi_masked = v->nmi_pending = true;
    go_back(0xe030, 0, 0x202);
    assert_true(!v->nmi_masked && v->work == VCPU_WORK_NMI && host_info.work == WORK_VCPU);
}

/* ---- the ways in ---- */

static void handler(unsigned vector, bool mask) { v->traps[vector] = (struct trap_bounce_entry){ 0x7000, 0x1233, 0, mask }; }

/* The frame at p: without an error code for BOUNCE_NO_ERROR_CODE. */
static void check_frame(const uint64_t *p, uint32_t code, uint64_t cs, uint64_t flags, uint64_t rsp)
{
    struct guest_regs *r = HOST_REGS;

    assert_true(r->rsp == (uint64_t)p && p[0] == 2 && p[1] == 3);
    if (code != BOUNCE_NO_ERROR_CODE)
        assert_int_equal(*(p++ + 2), code);
    assert_true(p[2] == 0x4000 && p[3] == cs && p[4] == flags && p[5] == rsp && p[6] == ODD_SS);
    assert_int_equal(r->ss, FLAT_KERNEL_SS);
}

static void exceptions(void **state)
{
    struct guest_regs *r = HOST_REGS;
    uint64_t rsp = r->rsp;

    handler(6, false);
    r->rflags = ALL_FLAGS;
    bounce_trap(v, 6, BOUNCE_NO_ERROR_CODE);                     /* from the kernel: on its own stack, aligned */
    check_frame(top - 7 - 8, BOUNCE_NO_ERROR_CODE, FLAT_RING3_CS64 & ~3, ALL_FLAGS & ~FLAG_IOPL, rsp);
    assert_true(r->rip == 0x7000 && r->cs == 0x1233 && in_kernel_now(0));
    assert_int_equal(r->rflags, ALL_FLAGS & ~(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC));
    assert_int_equal(v->info->evtchn_upcall_mask, 0);
    begin(state);
    handler(13, true);
    user();
    v->info->evtchn_upcall_mask = 1;
    r->rflags = 2;
    bounce_trap(v, 13, 0x18);                                    /* from user mode: on the stack that the kernel named */
    check_frame(top - 8, 0x18, FLAT_RING3_CS64 | 1UL << 32, 2, rsp);
    assert_true(r->rflags == (2 | FLAG_IF) && in_kernel_now(1));
    begin(state);
    handler(13, true);
    bounce_trap(v, 13, 0);
    assert_true(v->info->evtchn_upcall_mask == 1 && top[-8 - 8 + 5] == 0x246);      /* the mask of before */
    begin(state);
    bounce_trap(v, 13, 0);
    assert_true(crashed("general protection fault (vector 13) at 0x4000 and its kernel has registered no handler") && r->rip == 0x4000);
    bounce_trap(v, 200, BOUNCE_NO_ERROR_CODE);
    assert_true(crashed("software interrupt (vector 200)"));
    bounce_trap(v, 32, BOUNCE_NO_ERROR_CODE);
    assert_true(crashed("software interrupt (vector 32)"));
    bounce_trap(v, 30, BOUNCE_NO_ERROR_CODE);
    assert_true(crashed("software interrupt (vector 30)"));
}

/* Where no frame can be: nowhere, read-only, the hypervisor's. */
static void no_stack(void **state)
{
    struct guest_regs *r = HOST_REGS;

    faults_fill("", 0);
    handler(6, true);
    const uint64_t bad[] = { 64, (uint64_t)read_only_page + 4096 + 16, HV_START + 64, HV_START + 4096, HV_END };
    for (unsigned i = 0; i < 5; i++) {
        host_crash[0] = 0;
        faults_taken = 0;
        r->rsp = bad[i];
        bounce_trap(v, 6, BOUNCE_NO_ERROR_CODE);
        assert_int_equal(faults_taken, i < 2);                   /* the hypervisor's: not even tried */
        assert_true(crashed("invalid opcode at 0x4000 could not be delivered") && r->rip == 0x4000 && r->rsp == bad[i]);
    }
    for (unsigned i = 0; i < 5; i++) {
        user();
        host_crash[0] = 0;
        vcpu_set_kernel_stack(v, 0, bad[i]);
        bounce_trap(v, 6, BOUNCE_NO_ERROR_CODE);
        assert_true(crashed("could not be delivered") && r->rip == 0x4000);
        v->syscall_cb = 0x8000;
        host_crash[0] = 0;
        bounce_syscall(v, r);
        assert_true(crashed("a system call at 0x4000 could not be delivered") && r->rip == 0x4000);
    }
    host_crash[0] = 0;
    v->failsafe_cb = 0x8000;
    v->in_kernel = true;
    r->rsp = HV_START + 4096;
    bounce_failsafe(v);
    assert_true(crashed("a failed return at 0x4000 could not be delivered") && r->rip == 0x4000);
    assert_true(crashed("the walk ended at L2"));
    host_walk_level = 0;
    bounce_failsafe(v);
    assert_true(crashed("is mapped but not writable"));
}

static void page_faults(void **state)
{
    struct guest_regs *r = HOST_REGS;
    uint64_t rsp = r->rsp;

    bounce_page_fault(v, r, 0x9123, 7);
    assert_true(crashed("page fault (vector 14)") && v->info->arch.cr2 == 0);
    handler(14, true);
    bounce_page_fault(v, r, 0x9123, 0xffff0007);
    check_frame(top - 16, 3, FLAT_RING3_CS64 & ~3, 0x246, rsp);   /* ring 3, but not the guest's user mode */
    assert_true(v->info->arch.cr2 == 0x9123 && v->info->evtchn_upcall_mask == 1 && r->rip == 0x7000);
    begin(state);
    handler(14, false);
    user();
    bounce_page_fault(v, r, 0x9123, 2);
    check_frame(top - 8, 6, FLAT_RING3_CS64, 0x246, rsp);
    assert_true(in_kernel_now(1) && v->info->evtchn_upcall_mask == 0);
}

static void callbacks_are_entered(void **state)
{
    struct guest_regs *r = HOST_REGS;
    uint64_t rsp = r->rsp;

    bounce_event(v);                                             /* nowhere to go */
    assert_true(v->info->evtchn_upcall_mask == 1 && r->rip == 0x4000);
    begin(state);
    v->event_cb = 0x8000;
    user();
    r->cs = FLAT_USER_CS32;
    bounce_event(v);
    check_frame(top - 7, BOUNCE_NO_ERROR_CODE, FLAT_USER_CS32, 0x246, rsp);
    assert_true(r->rip == 0x8000 && r->cs == FLAT_KERNEL_CS && v->info->evtchn_upcall_mask == 1 && in_kernel_now(1));
    for (unsigned mask = 0; mask < 2; mask++) {
        begin(state);
        v->syscall_cb = 0x8000;
        v->syscall_masks_events = mask;
        user();
        bounce_syscall(v, r);
        assert_true(top[-7] == 0x4000 && top[-6] == 0x246 && top[-5] == 0x4000 && top[-4] == FLAT_USER_CS && top[-3] == 0x246 &&
                    top[-2] == rsp && top[-1] == FLAT_USER_SS && r->rsp == (uint64_t)(top - 7));
        assert_true(r->rip == 0x8000 && v->info->evtchn_upcall_mask == mask && in_kernel_now(1));
        begin(state);
        v->syscall32_cb = 0x8100;
        v->syscall32_masks_events = mask;
        v->sysenter_cb = 0x8200;
        v->sysenter_masks_events = mask;
        user();
        bounce_syscall32(v);
        assert_true(r->rip == 0x8100 && v->info->evtchn_upcall_mask == mask && in_kernel_now(1));
        v->info->evtchn_upcall_mask = 0;
        user();
        bounce_sysenter(v);
        assert_true(r->rip == 0x8200 && v->info->evtchn_upcall_mask == mask);
        handler(6, false);
        handler(13, false);
        v->traps[13].address = 0x7700;
        bounce_syscall32(v);                                     /* by the kernel itself */
        assert_int_equal(r->rip, 0x7000);
        bounce_sysenter(v);
        assert_int_equal(r->rip, 0x7700);
        assert_int_equal(*(uint64_t *)(r->rsp + 16), 0);         /* an error code */
    }
    begin(state);
    handler(6, false);
    handler(13, false);
    v->traps[13].address = 0x7700;
    user();
    bounce_syscall(v, r);                                        /* without a callback: an exception */
    assert_true(r->rip == 0x7000 && in_kernel_now(1));
    user();
    bounce_syscall32(v);
    assert_int_equal(r->rip, 0x7000);
    user();
    bounce_sysenter(v);
    assert_int_equal(r->rip, 0x7700);
}

static void nmis(void **state)
{
    assert_false(bounce_nmi(v));
    handler(2, false);
    v->nmi_pending = true;
    assert_true(bounce_nmi(v));
    assert_true(HOST_REGS->rip == 0x7000 && v->nmi_masked && !v->nmi_pending && v->info->evtchn_upcall_mask == 1);
    assert_false(bounce_nmi(v));
    v->nmi_masked = false;
    v->nmi_cb = 0x8000;
    assert_true(bounce_nmi(v));
    assert_int_equal(HOST_REGS->rip, 0x8000);
}

static void failsafes(void **state)
{
    struct guest_regs *r = HOST_REGS;
    uint64_t rsp = r->rsp;

    bounce_failsafe(v);
    assert_true(crashed("which cannot be loaded, and it has no failsafe callback"));
    for (unsigned from_user = 0; from_user < 2; from_user++) {
        begin(state);
        v->failsafe_cb = 0x8000;
        v->failsafe_masks_events = from_user;
        v->ds = 21, v->es = 22, v->fs = 23, v->gs = 24;
        if (from_user)
            user();
        r->cs = FLAT_USER_CS32;
        bounce_failsafe(v);
        const uint64_t *p = top - 11 - (from_user ? 0 : 8);
        const uint64_t want[11] = { 2, 3, 21, 22, 23, 24, 0x4000, FLAT_USER_CS32 & (from_user ? ~0UL : ~3UL), 0x246, rsp, ODD_SS };
        assert_int_equal(r->rsp, (uint64_t)p);
        assert_memory_equal(p, want, sizeof(want));
        assert_true(r->rip == 0x8000 && r->cs == FLAT_KERNEL_CS && v->info->evtchn_upcall_mask == from_user && in_kernel_now(from_user));
    }
}

/* ---- what a guest registers ---- */

static void trap_tables(void **state)
{
    static struct trap_info t[258];

    t[0] = (struct trap_info){ 3, 3 | TI_IF, 0x1230, 0x7000 };
    t[1] = (struct trap_info){ 255, 1, 0x1231, 0x7001 };
    assert_int_equal(hc_set_trap_table(v, gva((uint64_t)t)), 0);
    assert_true(v->traps[3].address == 0x7000 && v->traps[3].cs == 0x1233 && v->traps[3].dpl == 3 && v->traps[3].mask_events);
    assert_true(v->traps[255].address == 0x7001 && v->traps[255].dpl == 1 && !v->traps[255].mask_events);
    t[3].address = ODD;                                          /* behind the end */
    assert_int_equal(hc_set_trap_table(v, gva((uint64_t)t)), 0);
    t[0].address = ODD;
    assert_int_equal(hc_set_trap_table(v, gva((uint64_t)t)), -XEN_EINVAL);
    assert_int_equal(v->traps[3].address, 0x7000);
    for (unsigned i = 0; i < 258; i++)
        t[i] = (struct trap_info){ i, 0, 0, 0x100 + i };
    assert_int_equal(hc_set_trap_table(v, gva((uint64_t)t)), 0);                     /* a list without an end */
    assert_true(v->traps[255].address == 0x1ff && v->traps[0].address == 0x200 && v->traps[1].address == 0x101);
    assert_int_equal(hc_set_trap_table(v, gva(HV_START)), -XEN_EFAULT);
    assert_int_equal(hc_set_trap_table(v, gva(0)), 0);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(v->traps[i].address, 0);
}

static void callbacks(void **state)
{
    static const uint16_t types[] = { CALLBACKTYPE_event, CALLBACKTYPE_failsafe, CALLBACKTYPE_syscall, CALLBACKTYPE_syscall32,
                                      CALLBACKTYPE_sysenter, CALLBACKTYPE_nmi };
    uint64_t *const place[] = { &v->event_cb, &v->failsafe_cb, &v->syscall_cb, &v->syscall32_cb, &v->sysenter_cb, &v->nmi_cb };
    bool *const mask[] = { NULL, &v->failsafe_masks_events, &v->syscall_masks_events, &v->syscall32_masks_events, &v->sysenter_masks_events, NULL };
    struct callback_register c = { 3, 0, 0x7000 };
    struct callback_unregister u = { CALLBACKTYPE_nmi, 0 };

    for (unsigned bad = 0; bad < 3; bad++)
        assert_int_equal(hc_set_callbacks(v, bad == 0 ? ODD : 1, bad == 1 ? ODD : 2, bad == 2 ? ODD : 3), -XEN_EINVAL);
    assert_int_equal(v->event_cb, 0);
    assert_int_equal(hc_set_callbacks(v, 1, 2, 3), 0);
    assert_true(v->event_cb == 1 && v->failsafe_cb == 2 && v->syscall_cb == 3);
    for (unsigned i = 0; i < 12; i++) {
        c = (struct callback_register){ types[i / 2], i & 1 ? CALLBACKF_mask_events : 0, 0x7000 + i };
        assert_int_equal(hc_callback_op(v, CALLBACKOP_register, gva((uint64_t)&c)), 0);
        assert_true(*place[i / 2] == 0x7000 + i && (!mask[i / 2] || *mask[i / 2] == (i & 1)));
        u.type = types[i / 2];
        assert_int_equal(hc_callback_op(v, CALLBACKOP_unregister, gva((uint64_t)&u)), i / 2 == 5 ? 0 : -XEN_EINVAL);
        assert_int_equal(*place[i / 2], i / 2 == 5 ? 0 : 0x7000 + i);
    }
    c.address = ODD;
    assert_int_equal(hc_callback_op(v, CALLBACKOP_register, gva((uint64_t)&c)), -XEN_EINVAL);
    c = (struct callback_register){ 3, 0, 0x7000 };
    assert_int_equal(hc_callback_op(v, CALLBACKOP_register, gva((uint64_t)&c)), -XEN_ENOSYS);
    u.type = 6;
    assert_int_equal(hc_callback_op(v, CALLBACKOP_unregister, gva((uint64_t)&u)), -XEN_ENOSYS);
    assert_int_equal(hc_callback_op(v, CALLBACKOP_register, gva(HV_START)), -XEN_EFAULT);
    assert_int_equal(hc_callback_op(v, CALLBACKOP_unregister, gva(HV_START)), -XEN_EFAULT);
    assert_int_equal(hc_callback_op(v, 2, gva((uint64_t)&c)), -XEN_ENOSYS);
    hc_stack_switch(v, 0x10, 0x12345);
    assert_true(v->kernel_ss == 0x13 && v->kernel_sp == 0x12345 && v->kernel_stack == 0x12340);
}

static void small_calls(void **state)
{
    faults_catch();
    hc_fpu_taskswitch(v, 0);
    assert_true(!v->ts && !(host_cpu.cr0 & CR0_TS));
    host_cpu.cr0 = 0;
    hc_fpu_taskswitch(v, 2);
    assert_true(v->ts && host_cpu.cr0 == CR0_TS);
    host_cpu.cr0 = 0;
    hc_fpu_taskswitch(v, 1);                                     /* it is so already */
    assert_int_equal(host_cpu.cr0, 0);
    host_cpu.cr0 = ~0UL;
    hc_fpu_taskswitch(v, 0);
    assert_true(!v->ts && host_cpu.cr0 == ~CR0_TS);
    static const struct { unsigned which; uint32_t msr; } base[] = { { SEGBASE_FS, MSR_FS_BASE }, { SEGBASE_GS_USER, MSR_KERNEL_GS_BASE },
                                                                    { SEGBASE_GS_KERNEL, MSR_GS_BASE } };
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(hc_set_segment_base(v, base[i].which, 0x123000 + i), 0);
        assert_true(host_cpu.msr[0] == base[i].msr && host_cpu.msr[1] == 0x123000 + i);
        assert_int_equal(hc_set_segment_base(v, base[i].which, ODD), -XEN_EINVAL);
        assert_int_equal(host_cpu.msr[1], 0x123000 + i);
    }
    assert_true(v->fs_base == 0x123000 && v->gs_base_user == 0x123001 && v->gs_base_kernel == 0x123002);
    assert_int_equal(hc_set_segment_base(v, SEGBASE_GS_USER_SEL, 0), 0);
    assert_int_equal(swapgs_count, 2);
    assert_int_equal(hc_set_segment_base(v, SEGBASE_GS_USER_SEL, 0xffff), 0);        /* no such segment: the null one */
    assert_int_equal(swapgs_count, 4);
    assert_int_equal(hc_set_segment_base(v, 9, 0), -XEN_EINVAL);
}

static void debug_registers(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(hc_set_debugreg(v, i, HV_START), -XEN_EPERM);
        assert_int_equal(hc_set_debugreg(v, i, ODD), -XEN_EPERM);
        assert_int_equal(hc_set_debugreg(v, i, 0x1000 + i), 0);
        assert_int_equal(hc_get_debugreg(v, i), 0x1000 + i);
    }
    assert_int_equal(host_cpu.dr_writes, 0);                     /* nothing is enabled */
    assert_int_equal(hc_set_debugreg(v, 6, ~0U), 0);
    assert_true(v->dr[6] == 0xffffefff && hc_get_debugreg(v, 4) == 0xffffefff && hc_get_debugreg(v, 6) == 0xffffefff);
    assert_int_equal(hc_set_debugreg(v, 6, 1UL << 32), -XEN_EINVAL);
    assert_int_equal(hc_set_debugreg(v, 7, 1UL << 32), -XEN_EINVAL);
    assert_int_equal(hc_set_debugreg(v, 7, 1 << 13), -XEN_EPERM);                    /* GD */
    assert_int_equal(host_cpu.dr_writes, 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(hc_set_debugreg(v, 7, 2UL << (16 + 4 * i) | 1UL << 2 * i), -XEN_EPERM);      /* I/O */
        assert_int_equal(hc_set_debugreg(v, 7, 4UL << (16 + 4 * i) | 2UL << 2 * i), -XEN_EPERM);      /* execution, of two bytes */
        assert_int_equal(hc_set_debugreg(v, 7, 2UL << (16 + 4 * i)), 0);             /* not enabled: not looked at */
        assert_int_equal(hc_set_debugreg(v, 7, 0xdUL << (16 + 4 * i) | 2UL << 2 * i), 0);
    }
    assert_int_equal(host_cpu.dr[3], 0x1003);                    /* the others came with it */
    assert_int_equal(hc_set_debugreg(v, 7, 0xdc01), 0);
    assert_true(v->dr[7] == 0x401 && hc_get_debugreg(v, 7) == 0x401 && hc_get_debugreg(v, 5) == 0x401 && host_cpu.dr[7] == 0x401);
    assert_true(host_cpu.dr[0] == 0x1000 && host_cpu.dr[1] == 0x1001 && host_cpu.dr[2] == 0x1002);
    for (unsigned i = 0; i < 4; i++) {                           /* now at once, and it alone */
        assert_int_equal(hc_set_debugreg(v, i, 0x2000 + i), 0);
        for (unsigned k = 0; k < 4; k++)
            assert_int_equal(host_cpu.dr[k], (k <= i ? 0x2000 : 0x1000) + k);
        assert_int_equal(host_cpu.dr[6], 0);
    }
    assert_int_equal(hc_set_debugreg(v, 6, 0), 0);
    assert_true(host_cpu.dr[6] == 0xffff0ff0 && host_cpu.dr[7] == 0x401);
    assert_int_equal(hc_set_debugreg(v, 5, 0), 0);               /* by their old names */
    assert_true(v->dr[7] == 0x400 && host_cpu.dr[7] == 0x400);
    assert_int_equal(hc_set_debugreg(v, 4, 1), 0);
    assert_int_equal(v->dr[6], 0xffff0ff1);
    v->cr4 = CR4_DE;
    assert_int_equal(hc_set_debugreg(v, 4, 0), -XEN_ENODEV);
    assert_int_equal(hc_set_debugreg(v, 5, 0), -XEN_ENODEV);
    assert_int_equal(hc_set_debugreg(v, 7, 0), 0);
    assert_int_equal(hc_set_debugreg(v, 8, 0), -XEN_ENODEV);
    assert_int_equal(hc_get_debugreg(v, 8), -XEN_ENODEV);
    unsigned before = host_cpu.dr_writes;
    struct vcpu other = { .cr4 = 0 };
    assert_int_equal(debugreg_set(&other, 7, 0x401), 0);         /* one that does not run */
    assert_int_equal(debugreg_set(&other, 0, 0x401), 0);
    assert_int_equal(host_cpu.dr_writes, before);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(back_to_the_kernel), TEST(back_to_user_mode), TEST(no_frame), TEST(back_from_an_nmi),
                                        TEST(exceptions), TEST(no_stack), TEST(page_faults), TEST(callbacks_are_entered), TEST(nmis),
                                        TEST(failsafes), TEST(trap_tables), TEST(callbacks), TEST(small_calls), TEST(debug_registers) };
    return cmocka_run_group_tests_name("guest entry", tests, NULL, NULL);
}
