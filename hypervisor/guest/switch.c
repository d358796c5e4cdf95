/* SPDX-License-Identifier: MIT */
/* switch.c: one vCPU leaves a pCPU and another takes its place.                               [read 76]
 *
 * Stacks belong to pCPUs, so there is nothing to switch to: the leaving vCPU's registers are copied out of cpu_info, the
 * coming one's are copied in, and the stack begins anew on the way out. Everything a guest can see is switched eagerly:
 * FPU, selectors and bases, debug registers, descriptor tables, page-table root. Only a pCPU that falls idle leaves all
 * that as it is, not even saved, until another vCPU comes or somebody asks for it (mm/root.c: pcpu.lazy).           */
#include "hypervisor/guest/guest.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/fpu.h"
#include "hypervisor/x86/insn.h"

#define CR4_GUEST_BITS (CR4_TSD | CR4_DE | CR4_FSGSBASE)
#define DR7_ENABLES    0xffUL

#define READ_SELECTOR(name) ({ uint16_t s_; __asm__ volatile("mov %%" #name ", %0" : "=r"(s_)); s_; })

/* Non-zero when the CPU refused the selector; the null selector is loaded then. */
#define LOAD_SELECTOR(name, sel) ({                                                                       \
    uint32_t bad_ = 0, s_ = (sel);                                                                        \
    __asm__ volatile("1: mov %w1, %%" #name "\n"                                                          \
                     ".pushsection .text.fixup,\"ax\"\n2: mov $1, %0\n xor %1, %1\n jmp 1b\n.popsection\n" \
                     EXTABLE("1b", "2b") : "+r"(bad_), "+r"(s_));                                         \
    bad_; })

void switch_save_segments(struct vcpu *v)
{
    v->ds = READ_SELECTOR(ds);
    v->es = READ_SELECTOR(es);
    v->fs = READ_SELECTOR(fs);
    v->gs = READ_SELECTOR(gs);
    v->fs_base = rdmsr(MSR_FS_BASE);
    uint64_t active = rdmsr(MSR_GS_BASE), other = rdmsr(MSR_KERNEL_GS_BASE);
    v->gs_base_kernel = v->in_kernel ? active : other;
    v->gs_base_user = v->in_kernel ? other : active;
}

/* Selectors first: loading one replaces the base. A refused one is the guest's to hear of, by its failsafe callback. */
static void load_segments(struct vcpu *v)
{
    uint32_t bad = LOAD_SELECTOR(ds, v->ds);
    bad |= LOAD_SELECTOR(es, v->es);
    bad |= LOAD_SELECTOR(fs, v->fs);
    bad |= LOAD_SELECTOR(gs, v->gs);
    wrmsr(MSR_FS_BASE, v->fs_base);
    wrmsr(MSR_GS_BASE, v->in_kernel ? v->gs_base_kernel : v->gs_base_user);
    wrmsr(MSR_KERNEL_GS_BASE, v->in_kernel ? v->gs_base_user : v->gs_base_kernel);
    if (bad) {
        atomic_or(&v->work, VCPU_WORK_FAILSAFE);
        atomic_or(&cpu_info()->work, WORK_VCPU);
    }
}

/* Idle, too: a breakpoint of the guest's is none of ours. */
static void save_debug(struct vcpu *v)
{
    if (v->dr[7] & DR7_ENABLES)
        write_dr7(0x400);
}

static void load_debug(struct vcpu *v)
{
    if (!(v->dr[7] & DR7_ENABLES))
        return;
    write_dr0(v->dr[0]);
    write_dr1(v->dr[1]);
    write_dr2(v->dr[2]);
    write_dr3(v->dr[3]);
    write_dr6(0xffff0ff0UL);
    write_dr7(v->dr[7]);
}

static void load_cr4(struct vcpu *v)
{
    uint64_t have = read_cr4();
    uint64_t want = (have & ~CR4_GUEST_BITS) | (v->cr4 & CR4_GUEST_BITS);

    if (!cpu_features.fsgsbase)
        want &= ~CR4_FSGSBASE;
    if (want != have)
        write_cr4(want);
}

/* By the word: the compiler knows no alignment of cpu_info's and would copy half words. */
static void copy_regs(struct guest_regs *to, const struct guest_regs *from)
{
    uint64_t n = sizeof(*to) / 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
}

/* Also of one that this pCPU idles with: its registers stand in cpu_info still, the idle loop's stack is below them. */
static void save_vcpu(struct vcpu *v)
{
    copy_regs(&v->regs, &cpu_info()->regs);
    switch_save_segments(v);
    fpu_save(v);
}

static void load_vcpu(struct vcpu *v)
{
    struct pcpu *p = this_pcpu();

    copy_regs(&cpu_info()->regs, &v->regs);
    WRITE_ONCE(v->last_pcpu, p->id);      /* before the root: who asks for a flush looks there */
    root_load(v);
    descriptor_load(v, p);
    load_cr4(v);
    load_segments(v);
    fpu_restore(v);
    load_debug(v);
    if (p->tsc_aux != v->tsc_aux) {
        p->tsc_aux = v->tsc_aux;
        wrmsr(MSR_TSC_AUX, v->tsc_aux);
    }
}

static void resume_vcpu(struct vcpu *v)
{
    this_pcpu()->lazy = NULL;
    load_debug(v);
}

/* The switch operation of core/sched.h: IF=0, no lock held. */
__attribute__((noreturn)) static void switch_vcpu(struct vcpu *from, struct vcpu *to)
{
    struct pcpu *p = this_pcpu();
    bool loaded = to->is_idle || p->lazy == to;

    if (!from->is_idle)
        save_debug(from);
    if (!loaded) {
        root_evict(to);
        if (!from->is_idle || p->lazy)    /* looked at only now: while we waited somebody may have had it put down */
            save_vcpu(from->is_idle ? p->lazy : from);
    }
    cpu_info()->curr = to;
    if (to->is_idle)
        WRITE_ONCE(p->lazy, from);        /* before sched_switch_done lets others have it */
    else if (loaded)
        resume_vcpu(to);
    else
        load_vcpu(to);
    if (to->work)
        atomic_or(&cpu_info()->work, WORK_VCPU);
    sched_switch_done(from);
    if (to->is_idle)
        stack_reset_and_call(idle_loop);
    exit_to_guest();
}

void guest_init(void)
{
    sched_set_switch_op(switch_vcpu);
    root_set_save_op(save_vcpu);
    domain_set_dump_op(dump_vcpu);
}
