/* SPDX-License-Identifier: MIT */
/* iret.c: the way back, and the calls by which a guest says how it wants to be entered.       [read 75]
 *
 * A guest kernel cannot execute iretq to its user mode, since that needs another page-table root; it makes the iret
 * hypercall with a frame on its stack. That frame is as hostile as any argument: rflags are clamped, selectors get
 * RPL 3, and whether they can be loaded at all is for the CPU to say, under the exception table. SPEC 7.4.       */
#include "hypervisor/guest/guest.h"
#include "hypervisor/guest/emulate.h"
#include "hypercall-abi/callback.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/subop.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/insn.h"

/* What a guest may set for itself; IF is forced on, IOPL stays 0 (popf could not raise it either). */
#define FLAGS_GUEST (0x250dd5UL)   /* CF PF AF ZF SF TF DF OF, RF, AC, ID */

/* A general register's word of the frame, straight to its place. */
#define TAKE(word, place)                                                                                   \
    __asm__ goto("1: movq %0, %%rax\n movq %%rax, %1\n" EXTABLE("1b", "%l[fault]") :: "m"(word), "m"(place) : "rax", "memory" : fault)

/* The words of the frame that are looked at; the others go to r at once: rcx and r11 only if they are to be given back. All
 * in one window of access. False: they are not all readable, and the domain is about to end. */
static inline bool read_frame(struct iret_context *f, struct guest_regs *r)
{
    const struct iret_context *from = (const struct iret_context *)r->rsp;
    uint32_t bad = 1;

    if (!gva_off_hypervisor(gva(r->rsp), sizeof(*f)))
        return false;
    stac();
    __asm__ volatile("1: mov 24(%[p]), %[a]\n2: mov 32(%[p]), %[b]\n3: mov 40(%[p]), %[c]\n4: mov 48(%[p]), %[d]\n5: mov 64(%[p]), %[e]\n"
                     "xor %[bad], %[bad]\n9:\n"
                     EXTABLE("1b", "9b") EXTABLE("2b", "9b") EXTABLE("3b", "9b") EXTABLE("4b", "9b") EXTABLE("5b", "9b")
                     : [a] "=&r"(f->flags), [b] "=&r"(f->rip), [c] "=&r"(f->cs), [d] "=&r"(f->rflags), [e] "=&r"(f->ss), [bad] "+r"(bad)
                     : [p] "r"(from) : "memory");
    if (bad)
        goto fault;
    if (!(f->flags & VGCF_in_syscall)) {
        TAKE(from->rcx, r->rcx);
        TAKE(from->r11, r->r11);
    }
    TAKE(from->rax, r->rax);
    TAKE(from->rsp, r->rsp);
    clac();
    return true;
fault:
    clac();
    return false;
}

__attribute__((cold, noinline)) static long bad_iret(struct vcpu *v, const char *why)
{
    v->last_hypercall = __HYPERVISOR_iret;
    domain_crash(v->domain, "its iret hypercall %s, stack 0x%lx", why, cpu_info()->regs.rsp);
    return 0;
}

/* The end of an NMI's handler: one that came meanwhile is next. */
__attribute__((cold, noinline)) static long nmi_unmask(struct vcpu *v, long rc)
{
    v->nmi_masked = false;
    if (v->nmi_pending) {
        atomic_or(&v->work, VCPU_WORK_NMI);
        atomic_or(&cpu_info()->work, WORK_VCPU);
    }
    return rc;
}

/* Non-zero: the short way out (sysretq) may be taken. */
long do_iret(struct vcpu *v, struct guest_regs *r)
{
    struct iret_context f;
    long flat = 0;

    v->hypercalls++;
    if (__builtin_expect(!read_frame(&f, r), 0))
        return bad_iret(v, "found no frame");
    if ((f.cs & 3) == 3) {
        if (__builtin_expect(!v->guest_user_root.raw, 0))
            return bad_iret(v, "asked for user mode before it named a user page table");
        v->in_kernel = false;
        __asm__ volatile("swapgs" ::: "memory");
        root_switch(v, v->guest_user_root);
    }
    WRITE_ONCE(v->info->evtchn_upcall_mask, !(f.rflags & FLAG_IF));
    f.rflags = (f.rflags & FLAGS_GUEST) | FLAG_IF | 2;
    r->rip = f.rip;
    r->cs = (uint16_t)f.cs | 3;
    r->rflags = f.rflags;
    r->ss = (uint16_t)f.ss | 3;
    if (f.flags & VGCF_in_syscall) {
        /* What sysret leaves in them; they hold the kernel's values, and the way out may turn out a longer one. */
        r->rcx = f.rip;
        r->r11 = f.rflags;
        flat = r->cs == FLAT_USER_CS && r->ss == FLAT_USER_SS;
    }
    return __builtin_expect(v->nmi_masked, 0) ? nmi_unmask(v, flat) : flat;
}

/* ---- registration ------------------------------------------------------------------------------ */

/* A list that ends with address 0; a null pointer clears the table. 256 vectors bound the loop. */
long hc_set_trap_table(struct vcpu *v, gva_t traps)
{
    struct trap_info t;

    if (!traps.raw) {
        for (unsigned i = 0; i < 256; i++)
            v->traps[i] = (struct trap_bounce_entry){ 0 };
        return 0;
    }
    for (unsigned i = 0; i < 257; i++) {
        if (copy_from_guest(&t, gva_index(traps, i, sizeof(t)), sizeof(t)))
            return -XEN_EFAULT;
        if (!t.address)
            return 0;
        if (!canonical(t.address))
            return -XEN_EINVAL;
        v->traps[t.vector] = trap_entry(&t);
    }
    return 0;
}

long hc_set_callbacks(struct vcpu *v, uint64_t event, uint64_t failsafe, uint64_t syscall)
{
    if (!canonical(event) || !canonical(failsafe) || !canonical(syscall))
        return -XEN_EINVAL;
    v->event_cb = event;
    v->failsafe_cb = failsafe;
    v->syscall_cb = syscall;
    return 0;
}

static long callback_set(struct vcpu *v, uint32_t type, uint64_t address, bool mask)
{
    switch (type) {
    case CALLBACKTYPE_event:     v->event_cb = address; return 0;
    case CALLBACKTYPE_failsafe:  v->failsafe_cb = address; v->failsafe_masks_events = mask; return 0;
    case CALLBACKTYPE_syscall:   v->syscall_cb = address; v->syscall_masks_events = mask; return 0;
    case CALLBACKTYPE_syscall32: v->syscall32_cb = address; v->syscall32_masks_events = mask; return 0;
    case CALLBACKTYPE_sysenter:  v->sysenter_cb = address; v->sysenter_masks_events = mask; return 0;
    case CALLBACKTYPE_nmi:       v->nmi_cb = address; return 0;
    default:                     return -XEN_ENOSYS;
    }
}

static long callback_register(struct vcpu *v, void *op, gva_t arg)
{
    const struct callback_register *c = op;

    return canonical(c->address) ? callback_set(v, c->type, c->address, c->flags & CALLBACKF_mask_events) : -XEN_EINVAL;
}

static long callback_unregister(struct vcpu *v, void *op, gva_t arg)
{
    uint16_t type = ((struct callback_unregister *)op)->type;

    /* A kernel without the first three could not be entered any more; the others are Xen's to refuse. */
    if (type == CALLBACKTYPE_event || type == CALLBACKTYPE_failsafe || type == CALLBACKTYPE_syscall ||
        type == CALLBACKTYPE_syscall32 || type == CALLBACKTYPE_sysenter)
        return -XEN_EINVAL;
    return callback_set(v, type, 0, false);
}

long hc_callback_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    static const struct subop ops[] = {
        [CALLBACKOP_register] = { callback_register, sizeof(struct callback_register), 0 },
        [CALLBACKOP_unregister] = { callback_unregister, sizeof(struct callback_unregister), 0 },
    };

    return subop_run(v, ops, sizeof(ops) / sizeof(ops[0]), cmd, arg);
}

long hc_stack_switch(struct vcpu *v, uint64_t ss, uint64_t sp)
{
    vcpu_set_kernel_stack(v, ss, sp);
    return 0;
}

/* The guest's view of CR0.TS. The real bit follows it, so that the first FPU instruction traps; whose registers are
 * loaded does not depend on it (they are switched eagerly: pitfalls A14). */
long hc_fpu_taskswitch(struct vcpu *v, uint64_t set)
{
    bool ts = set & 1 || set > 1;

    if (ts != v->ts) {
        v->ts = ts;
        write_cr0(ts ? read_cr0() | CR0_TS : read_cr0() & ~CR0_TS);
    }
    return 0;
}

/* Loads the selector into GS with the user's base swapped in, and swaps back: the kernel's base stays. */
static void load_gs_selector(uint16_t sel)
{
    __asm__ volatile("swapgs\n1: mov %w0, %%gs\n swapgs\n"
                     ".pushsection .text.fixup,\"ax\"\n2: xor %k0, %k0\n jmp 1b\n.popsection\n"
                     EXTABLE("1b", "2b") : "+r"(sel) :: "memory");
}

long hc_set_segment_base(struct vcpu *v, uint64_t which, uint64_t base)
{
    switch (which) {
    case SEGBASE_FS:
        if (!canonical(base))
            return -XEN_EINVAL;
        v->fs_base = base;
        wrmsr(MSR_FS_BASE, base);
        return 0;
    case SEGBASE_GS_USER:                       /* not in use while the kernel runs: the swapped-out one */
        if (!canonical(base))
            return -XEN_EINVAL;
        v->gs_base_user = base;
        wrmsr(MSR_KERNEL_GS_BASE, base);
        return 0;
    case SEGBASE_GS_KERNEL:
        if (!canonical(base))
            return -XEN_EINVAL;
        v->gs_base_kernel = base;
        wrmsr(MSR_GS_BASE, base);
        return 0;
    case SEGBASE_GS_USER_SEL:
        load_gs_selector(base);                 /* a bad one: the null selector; Xen does not tell either */
        return 0;
    default:
        return -XEN_EINVAL;
    }
}

/* ---- debug registers --------------------------------------------------------------------------- */

#define DR7_LOCAL_GLOBAL 0xffUL

static void dr_load(unsigned i, uint64_t value)
{
    switch (i) {
    case 0: write_dr0(value); break;
    case 1: write_dr1(value); break;
    case 2: write_dr2(value); break;
    case 3: write_dr3(value); break;
    case 6: write_dr6(value); break;
    case 7: write_dr7(value); break;
    }
}

long debugreg_set(struct vcpu *v, uint64_t reg, uint64_t value)
{
    int rc;

    if (reg > 7 || ((reg == 4 || reg == 5) && v->cr4 & CR4_DE))
        return -XEN_ENODEV;             /* the old names of 6 and 7 are gone with debugging extensions */
    if (reg == 4 || reg == 5)
        reg += 2;
    rc = debugreg_check(reg, &value);
    if (rc)
        return rc;
    v->dr[reg] = value;
    if (v == current && (reg == 7 || v->dr[7] & DR7_LOCAL_GLOBAL)) {
        if (reg == 7 && value & DR7_LOCAL_GLOBAL)
            for (unsigned i = 0; i < 4; i++)
                dr_load(i, v->dr[i]);
        dr_load(reg, value);
    }
    return 0;
}

long hc_set_debugreg(struct vcpu *v, uint64_t reg, uint64_t value)
{
    return debugreg_set(v, reg, value);
}

long hc_get_debugreg(struct vcpu *v, uint64_t reg)
{
    switch (reg) {
    case 0 ... 3: return v->dr[reg];
    case 4:
    case 6:       return v->dr[6];
    case 5:
    case 7:       return v->dr[7] | DR7_FIXED;
    default:      return -XEN_ENODEV;
    }
}
