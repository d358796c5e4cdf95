/* SPDX-License-Identifier: MIT */
/* vcpu.c: a virtual CPU's life: made, given registers, taken apart.                           [read 44]
 *
 * A context comes from a builder or from a guest kernel that starts another CPU, and is hostile: every address must be
 * canonical, every selector gets ring 3, the flags lose what would be ours, debug registers may not watch the
 * hypervisor, and page-table roots and descriptor frames are taken only through the floors that count them. What is
 * not checked here is checked by the CPU when it leaves for the guest, under the exception table. SPEC 8.2.          */
#include "hypervisor/core/vcpu.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/time.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/fpu.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/tsc.h"

#define TIMERS_A_VCPU 3

/* Where a vCPU's events go when its domain's pages are gone: nowhere. */
static struct vcpu_info no_info = { .evtchn_upcall_mask = 1 };

/* ---- timers ------------------------------------------------------------------------------------ */

static void on_singleshot(void *arg)
{
    evtchn_virq_vcpu(arg, VIRQ_TIMER);
}

/* The next beat is a whole number of periods from the last, and in the future: a vCPU that missed some gets one (XSA-20). */
static void on_periodic(void *arg)
{
    struct vcpu *v = arg;
    uint64_t period = READ_ONCE(v->periodic_ns), now = now_ns(), next = v->periodic.expires;

    if (!period)
        return;
    evtchn_virq_vcpu(v, VIRQ_TIMER);
    next += now > next ? ((now - next) / period + 1) * period : period;
    timer_set(&v->periodic, this_pcpu(), next);
}

void vcpu_stop_polling(void *arg)
{
    struct vcpu *v = arg;

    atomic_and(&v->domain->poll_mask, ~(1UL << v->id));
    vcpu_pause_clear(v, PAUSE_POLL);
}

void vcpu_set_timer(struct vcpu *v, uint64_t t)
{
    if (t)
        timer_set(&v->singleshot, pcpus[v->processor], t);
    else
        timer_cancel(&v->singleshot);
}

void vcpu_send_nmi(struct vcpu *v)
{
    atomic_store(&v->nmi_pending, true);
    atomic_or(&v->work, VCPU_WORK_NMI);
    if (v == current)
        pcpu_kick(this_pcpu(), WORK_VCPU);
    else
        vcpu_kick(v);
}

void vcpu_timers_stop(struct vcpu *v)
{
    v->periodic_ns = 0;
    timer_stop(&v->singleshot);
    timer_stop(&v->periodic);
    timer_stop(&v->periodic);            /* its function may just have set it again */
    timer_stop(&v->poll_timer);
}

/* ---- births and deaths ------------------------------------------------------------------------- */

static int init_parts(struct vcpu *v)
{
    int rc;

    v->fpu = kalloc(fpu_area_size());
    if (!v->fpu)
        return -XEN_ENOMEM;
    fpu_init_area(v->fpu);
    if ((rc = timer_reserve(TIMERS_A_VCPU)))
        return rc;
    timer_init(&v->singleshot, on_singleshot, v);
    timer_init(&v->periodic, on_periodic, v);
    timer_init(&v->poll_timer, vcpu_stop_polling, v);
    rc = perdomain_add_vcpu(v->domain, v->id);
    if (!rc)
        rc = sched_init_vcpu(v);
    if (rc)
        timer_unreserve(TIMERS_A_VCPU);
    return rc;
}

struct vcpu *vcpu_create(struct domain *d, unsigned id)
{
    struct vcpu *v;

    if (id >= d->max_vcpus || id >= MAX_VCPUS || d->vcpu[id])
        return NULL;
    v = kalloc(sizeof(*v));
    if (!v)
        return NULL;
    v->domain = d;
    v->id = id;
    v->pause = PAUSE_DOWN;
    v->info = &d->shared->vcpu_info[id];
    v->in_kernel = true;
    v->xcr0 = 1;
    v->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT |
             (cpu_features.xsave ? CR4_OSXSAVE : 0);    /* as on Xen: Linux takes it for the sign that XSAVE may be used */
    v->dr[6] = DR6_FIXED;
    v->dr[7] = DR7_FIXED;
    if (init_parts(v)) {
        kfree(v->fpu);
        kfree(v);
        return NULL;
    }
    spin_lock(&d->lock);
    if (d->pause_count || d->shut_down || d->dying)
        v->pause |= PAUSE_DOMAIN;
    __atomic_store_n(&d->vcpu[id], v, __ATOMIC_RELEASE);
    spin_unlock(&d->lock);
    time_update_vcpu(v);
    return v;
}

void vcpu_destroy(struct vcpu *v)
{
    vcpu_timers_stop(v);
    sched_free_vcpu(v);
    timer_unreserve(TIMERS_A_VCPU);
    v->domain->vcpu[v->id] = NULL;
    kfree(v->fpu);
    kfree(v);
}

int vcpu_relinquish(struct vcpu *v)
{
    int rc;

    v->runstate_area = v->time_area = 0;
    v->info = &no_info;
    if (v->info_mfn.raw) {
        frame_put_typed(v->info_mfn);
        v->info_mfn = mfn(0);
    }
    rc = root_drop(v);
    if (rc)
        return rc;
    gdt_drop(v);
    ldt_drop(v);
    return 0;
}

/* ---- debug registers --------------------------------------------------------------------------- */

/* Enabled breakpoints: no I/O breakpoints, which would see the hypervisor's port accesses too, no reserved lengths of execution
 * breakpoints, no GD (XSA-12). */
static bool dr7_ok(uint64_t v)
{
    if (v & DR7_GD)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        unsigned ctl = v >> (16 + 4 * i) & 15, rw = ctl & 3, len = ctl >> 2;
        if ((v >> (2 * i) & 3) && (rw == 2 || (rw == 0 && len != 0)))
            return false;
    }
    return true;
}

int debugreg_check(unsigned reg, uint64_t *value)
{
    switch (reg) {
    case 0 ... 3:
        /* A breakpoint on the hypervisor's addresses would go off in the hypervisor. */
        return gva_range_ok(gva(*value), 8) ? 0 : -XEN_EPERM;
    case 6:
        if (*value >> 32)
            return -XEN_EINVAL;
        *value = (*value & 0xe00fUL) | DR6_FIXED;
        return 0;
    case 7:
        if (*value >> 32)
            return -XEN_EINVAL;
        if (!dr7_ok(*value))
            return -XEN_EPERM;
        *value = (*value & 0xffff03ffUL) | DR7_FIXED;
        return 0;
    default:
        return -XEN_ENODEV;
    }
}

/* ---- context in -------------------------------------------------------------------------------- */

static bool addresses_ok(const struct vcpu_guest_context *c)
{
    if (!canonical(c->user_regs.rip) || !canonical(c->user_regs.rsp) || !canonical(c->kernel_sp) ||
        !canonical(c->event_callback_eip) || !canonical(c->failsafe_callback_eip) || !canonical(c->syscall_callback_eip) ||
        !canonical(c->fs_base) || !canonical(c->gs_base_kernel) || !canonical(c->gs_base_user))
        return false;
    for (unsigned i = 0; i < 256; i++) {
        if (!canonical(c->trap_ctxt[i].address))
            return false;
    }
    return c->gdt_ents <= FIRST_RESERVED_GDT_ENTRY && c->ldt_ents <= 8192 && canonical(c->ldt_base) &&
           !(c->ldt_base & ~PAGE_MASK) && !(c->ldt_ents && c->ldt_base < HV_END && c->ldt_base >= HV_START);
}

/* What they become. Bits that no register has, and GD, are not the context's to set: they go, rather than the context. */
static bool debugregs_ok(const struct vcpu_guest_context *c, uint64_t dr[8])
{
    static const uint64_t kept[8] = { ~0UL, ~0UL, ~0UL, ~0UL, 0, 0, 0xffffffff, 0xffffffff & ~DR7_GD };

    for (unsigned i = 0; i < 8; i++) {
        dr[i] = c->debugreg[i] & kept[i];
        if (kept[i] && debugreg_check(i, &dr[i]))
            return false;
    }
    return true;
}

/* Everything that counts references; on failure the later steps undo the earlier. */
static int take_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    gfn_t frames[14];
    unsigned nr = (c->gdt_ents + 511) / 512;
    int rc;

    for (unsigned i = 0; i < nr; i++)
        frames[i] = gfn(c->gdt_frames[i]);
    rc = root_set(v, gfn(xen_cr3_to_pfn(c->ctrlreg[3])), false);
    if (rc)
        return rc;
    rc = root_set(v, gfn(c->ctrlreg[1] & 1 ? xen_cr3_to_pfn(c->ctrlreg[1]) : 0), true);
    if (rc == -XEN_ERESTART)
        return rc;
    if (!rc)
        rc = gdt_set(v, frames, nr, c->gdt_ents);
    if (!rc)
        rc = ldt_set(v, c->ldt_ents ? c->ldt_base : 0, c->ldt_ents);
    if (rc) {
        gdt_drop(v);
        if (root_drop(v))
            return -XEN_ERESTART;        /* comes again, and fails again, until it is dropped */
    }
    return rc;
}

static void take_registers(struct vcpu *v, const struct cpu_user_regs *u)
{
    v->regs = (struct guest_regs){
        .r15 = u->r15, .r14 = u->r14, .r13 = u->r13, .r12 = u->r12, .rbp = u->rbp, .rbx = u->rbx, .r11 = u->r11,
        .r10 = u->r10, .r9 = u->r9, .r8 = u->r8, .rax = u->rax, .rcx = u->rcx, .rdx = u->rdx, .rsi = u->rsi,
        .rdi = u->rdi, .rip = u->rip, .rsp = u->rsp, .rflags = guest_flags(u->rflags),
        .cs = guest_selector(u->cs), .ss = guest_selector(u->ss),
    };
    v->iopl = u->rflags >> 12 & 3;       /* the virtual one, as on Xen: Linux starts its other CPUs with 1, and asks no more */
    v->ds = guest_selector(u->ds);
    v->es = guest_selector(u->es);
    v->fs = guest_selector(u->fs);
    v->gs = guest_selector(u->gs);
}

static void take_traps(struct vcpu *v, const struct vcpu_guest_context *c)
{
    for (unsigned i = 0; i < 256; i++)
        v->traps[i] = trap_entry(&c->trap_ctxt[i]);
    v->event_cb = c->event_callback_eip;
    v->failsafe_cb = c->failsafe_callback_eip;
    v->syscall_cb = c->syscall_callback_eip;
    v->failsafe_masks_events = c->flags & VGCF_failsafe_disables_events;
    v->syscall_masks_events = c->flags & VGCF_syscall_disables_events;
}

static void take_rest(struct vcpu *v, const struct vcpu_guest_context *c, const uint64_t dr[8])
{
    v->in_kernel = c->flags & VGCF_in_kernel;
    vcpu_set_kernel_stack(v, c->kernel_ss, c->kernel_sp);
    v->fs_base = c->fs_base;
    v->gs_base_kernel = c->gs_base_kernel;
    v->gs_base_user = c->gs_base_user;
    v->ts = c->ctrlreg[0] & CR0_TS;
    memcpy(v->dr, dr, sizeof(v->dr));
    if (c->flags & VGCF_i387_valid)
        fpu_from_fxsave(v, &c->fpu_ctxt);
    else
        fpu_init_area(v->fpu);
    if (!v->id)
        v->domain->vm_assist = c->vm_assist & 0x2f;
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    uint64_t dr[8];
    int rc;

    if (!addresses_ok(c) || !debugregs_ok(c, dr) || (!(c->flags & VGCF_in_kernel) && !(c->ctrlreg[1] & 1)))
        return -XEN_EINVAL;
    rc = take_tables(v, c);
    if (rc)
        return rc;
    take_registers(v, &c->user_regs);
    take_traps(v, c);
    take_rest(v, c, dr);
    v->initialised = true;
    return 0;
}

/* ---- context out ------------------------------------------------------------------------------- */

static void give_registers(const struct vcpu *v, struct cpu_user_regs *u)
{
    const struct guest_regs *r = &v->regs;

    *u = (struct cpu_user_regs){
        .r15 = r->r15, .r14 = r->r14, .r13 = r->r13, .r12 = r->r12, .rbp = r->rbp, .rbx = r->rbx, .r11 = r->r11,
        .r10 = r->r10, .r9 = r->r9, .r8 = r->r8, .rax = r->rax, .rcx = r->rcx, .rdx = r->rdx, .rsi = r->rsi,
        .rdi = r->rdi, .rip = r->rip, .cs = r->cs, .rflags = r->rflags, .rsp = r->rsp, .ss = r->ss,
        .ds = v->ds, .es = v->es, .fs = v->fs, .gs = v->gs,
        .saved_upcall_mask = READ_ONCE(v->info->evtchn_upcall_mask),
    };
}

static void give_tables(const struct vcpu *v, struct vcpu_guest_context *c)
{
    c->ldt_base = v->ldt_base;
    c->ldt_ents = v->ldt_entries;
    c->gdt_ents = v->gdt_entries;
    for (unsigned i = 0; i < 14; i++)
        c->gdt_frames[i] = v->gdt_frames[i].raw;
    c->ctrlreg[0] = 0x80050033 | (v->ts ? CR0_TS : 0);
    c->ctrlreg[1] = v->guest_user_root.raw ? xen_pfn_to_cr3(v->guest_user_root.raw) | 1 : 0;
    c->ctrlreg[3] = xen_pfn_to_cr3(v->guest_root.raw);
    c->ctrlreg[4] = v->cr4;
}

/* v is paused, its state saved; *c is cleared first, so that nothing of ours gets out (XSA-132). */
void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    memset(c, 0, sizeof(*c));
    c->flags = VGCF_i387_valid | (v->in_kernel ? VGCF_in_kernel : 0) | (v->pause & PAUSE_DOWN ? 0 : VGCF_online) |
               (v->failsafe_masks_events ? VGCF_failsafe_disables_events : 0) |
               (v->syscall_masks_events ? VGCF_syscall_disables_events : 0);
    fpu_to_fxsave(v, &c->fpu_ctxt);
    give_registers(v, &c->user_regs);
    for (unsigned i = 0; i < 256; i++) {
        const struct trap_bounce_entry *t = &v->traps[i];
        c->trap_ctxt[i] = (struct trap_info){ i, t->dpl | (t->mask_events ? TI_IF : 0), t->cs, t->address };
    }
    give_tables(v, c);
    c->kernel_ss = v->kernel_ss;
    c->kernel_sp = v->kernel_sp;
    memcpy(c->debugreg, v->dr, sizeof(c->debugreg));
    c->event_callback_eip = v->event_cb;
    c->failsafe_callback_eip = v->failsafe_cb;
    c->syscall_callback_eip = v->syscall_cb;
    c->vm_assist = v->domain->vm_assist;
    c->fs_base = v->fs_base;
    c->gs_base_kernel = v->gs_base_kernel;
    c->gs_base_user = v->gs_base_user;
}
