/* SPDX-License-Identifier: MIT */
/* trap.c: what the CPU reports, and what is done about it.                                    [read 73]
 *
 * guest_trap takes what happened while a guest ran: most of it goes on to the guest's own kernel (bounce.c), a little is
 * emulated first (emulate.c), interrupts go to whoever asked for them. hv_trap takes what happened while the hypervisor ran:
 * an interrupt let in at a preemption point, a guest value that an instruction under the exception table refused, or a
 * bug of ours. exit_work is the last stop before a guest runs on. SPEC 7.1.                                        */
#include "hypervisor/guest/guest.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/stretch.h"
#include "hypervisor/core/time.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/irq.h"
#include "hypervisor/x86/insn.h"

enum { TRAP_DE, TRAP_DB, TRAP_NMI, TRAP_BP, TRAP_OF, TRAP_BR, TRAP_UD, TRAP_NM, TRAP_DF, TRAP_TS = 10, TRAP_NP, TRAP_SS,
       TRAP_GP, TRAP_PF, TRAP_MF = 16, TRAP_AC, TRAP_MC, TRAP_XM };

#define PF_PRESENT (1U << 0)
#define PF_WRITE   (1U << 1)
#define PF_RSVD    (1U << 3)
#define ERR_EXT    (1U << 0)
#define ERR_IDT    (1U << 1)

/* ---- from a guest ------------------------------------------------------------------------------ */

static void guest_debug(struct vcpu *v)
{
    uint64_t dr6 = read_dr6();

    write_dr6(DR6_FIXED);
    /* Sticky bits stay for the guest to clear, as on the CPU. */
    v->dr[6] |= (dr6 & 0xe00fUL) | DR6_FIXED;
    bounce_trap(v, TRAP_DB, BOUNCE_NO_ERROR_CODE);
}

/* The guest's CR0.TS: it sees #NM, and the bit is clear when its handler starts, as Xen has it. */
static void guest_device_not_available(struct vcpu *v)
{
    write_cr0(read_cr0() & ~CR0_TS);
    if (!v->ts)
        return;
    v->ts = false;
    bounce_trap(v, TRAP_NM, BOUNCE_NO_ERROR_CODE);
}

#define OPCODE_INT 0xcd

/* `int n` with a gate that is not the guest's to use arrives as #GP naming the gate; the guest's own table decides. The
 * number is taken from the instruction, since QEMU before 8 shifts it one bit too far in the error code. */
static void guest_software_interrupt(struct vcpu *v, struct guest_regs *r)
{
    uint8_t insn[2];

    if (copy_from_guest(insn, gva(r->rip), sizeof(insn)) || insn[0] != OPCODE_INT) {
        bounce_trap(v, TRAP_GP, r->error_code);
        return;
    }
    uint32_t vector = insn[1];
    bool may = v->traps[vector].dpl >= (v->in_kernel ? 1 : 3);
    if (!may) {
        bounce_trap(v, TRAP_GP, vector << 3 | ERR_IDT);
        return;
    }
    r->rip += 2;
    bounce_trap(v, vector, BOUNCE_NO_ERROR_CODE);
}

static void guest_general_protection(struct vcpu *v, struct guest_regs *r)
{
    if ((r->error_code & (ERR_IDT | ERR_EXT)) == ERR_IDT)
        guest_software_interrupt(v, r);
    else if (r->error_code != 0 || !emulate_privileged(v, r))
        bounce_trap(v, TRAP_GP, r->error_code);
}

/* A page fault that may be the hypervisor's own business. */
static void guest_page_fault(struct vcpu *v, struct guest_regs *r)
{
    uint64_t cr2 = read_cr2();

    if (cr2 - LDT_WINDOW(v->id) < 16 * PAGE_SIZE && ldt_fault(v, cr2 - LDT_WINDOW(v->id)))
        return;
    if ((r->error_code & (PF_PRESENT | PF_WRITE | PF_RSVD)) == (PF_PRESENT | PF_WRITE) && v->in_kernel &&
        table_store_would_trap(v, cr2) && emulate_pt_store(v, r, cr2))
        return;
    bounce_page_fault(v, r, cr2, r->error_code);
}

/* The page faults that are the guest's for certain: not in the hypervisor's range, no store by its kernel to what is there. */
static bool page_fault_quick(struct vcpu *v, struct guest_regs *r)
{
    uint64_t cr2 = read_cr2();
    bool store_denied = (r->error_code & (PF_PRESENT | PF_WRITE)) == (PF_PRESENT | PF_WRITE);

    if (!gva_off_hypervisor(gva(cr2), 1) || (store_denied && v->in_kernel))
        return false;
    bounce_page_fault(v, r, cr2, r->error_code);
    return true;
}

/* What comes most often, before the frame is complete: of the registers that C preserves only rbx is in it, to be read and
 * changed. False: nothing was done, guest_trap gets the whole frame. */
bool guest_trap_quick(struct vcpu *v, struct guest_regs *r)
{
    if (r->vector == TRAP_PF)
        return page_fault_quick(v, r);
    return r->vector == TRAP_UD && emulate_forced(v, r);
}

static void nmi(void)
{
    this_pcpu()->nmi_count++;
    panic_nmi_hook();
}

static void trap_by_vector(struct vcpu *v, struct guest_regs *r)
{
    if (r->vector >= 32) {
        irq_dispatch(r->vector);
        return;
    }
    switch (r->vector) {
    case TRAP_DB:  guest_debug(v); break;
    case TRAP_NMI: nmi(); break;
    case TRAP_NM:  guest_device_not_available(v); break;
    case TRAP_GP:  guest_general_protection(v, r); break;
    case TRAP_PF:  guest_page_fault(v, r); break;
    case TRAP_MC:  panic("machine check while d%d v%d ran: the hardware reports an error that cannot be put right",
                         v->domain->id, v->id);
    case TRAP_TS:
    case TRAP_NP:
    case TRAP_SS:
    case TRAP_AC:  bounce_trap(v, r->vector, r->error_code); break;
    default:       bounce_trap(v, r->vector, BOUNCE_NO_ERROR_CODE); break;
    }
}

void guest_trap(struct guest_regs *r)
{
    stretch_begin(STRETCH_TRAP);
    trap_by_vector(current, r);
    stretch_end();
}

/* ---- from the hypervisor itself ---------------------------------------------------------------- */

static void hv_fatal(struct guest_regs *r)
{
    log_err("rip 0x%lx rsp 0x%lx flags 0x%lx cr2 0x%lx error 0x%x", r->rip, r->rsp, r->rflags, read_cr2(), r->error_code);
    log_err("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx", r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi);
    log_err("rbp %lx r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx", r->rbp, r->r8, r->r9, r->r10, r->r11,
            r->r12, r->r13, r->r14, r->r15);
    const uint64_t *sp = (const uint64_t *)r->rsp;
    for (unsigned i = 0; i < 32 && ((uint64_t)(sp + i) & (STACK_BLOCK - 1)) > 8; i += 4)
        log_err("stack %lx: %lx %lx %lx %lx", (uint64_t)(sp + i), sp[i], sp[i + 1], sp[i + 2], sp[i + 3]);
    panic("trap %u in the hypervisor at 0x%lx: this is a bug of Enso's (addr2line -e build/enso.elf tells the line)",
          r->vector, r->rip);
}

void hv_trap(struct guest_regs *r)
{
    if (r->vector >= 32) {
        irq_dispatch(r->vector);
        return;
    }
    switch (r->vector) {
    case TRAP_DB:
        /* A guest's watchpoint that MovSS held back until its syscall (XSA-260): not for us, and no harm. */
        write_dr6(DR6_FIXED);
        r->rflags &= ~FLAG_TF;
        return;
    case TRAP_NMI:
        nmi();
        return;
    case TRAP_DF:
    case TRAP_MC:
        break;
    default: {
        uint64_t to = extable_find(r->rip);
        if (to) {
            r->rip = to;
            return;
        }
    }
    }
    hv_fatal(r);
}

/* The frame that iretq refused. Selectors are the likeliest reason; a user-mode guest with an odd rip is its kernel's to
 * judge, and a second failure, in the failsafe frame itself, finds no way out but the end. */
void exit_fault(struct guest_regs *r)
{
    struct vcpu *v = current;

    switch_save_segments(v);
    if (r->rip == v->failsafe_cb && v->in_kernel) {
        domain_crash(v->domain, "its failsafe callback at 0x%lx cannot be entered", v->failsafe_cb);
        return;
    }
    bounce_failsafe(v);
}

/* ---- before a guest runs on -------------------------------------------------------------------- */

/* What the scheduler's floor does not know of: callbacks that need a frame on the guest's stack. */
static void vcpu_work(struct vcpu *v)
{
    uint32_t work = atomic_xchg(&v->work, 0);

    if (work & VCPU_WORK_AREAS)
        time_update_areas(v);
    if (work & VCPU_WORK_FAILSAFE)
        bounce_failsafe(v);
    if (work & VCPU_WORK_NMI && v->nmi_pending)
        bounce_nmi(v);
}

void exit_work(void)
{
    stretch_begin(STRETCH_WORK);
    if (atomic_and(&cpu_info()->work, ~WORK_VCPU) & WORK_VCPU)
        vcpu_work(current);
    pcpu_run_work();          /* scheduling last: it returns only when the same vCPU goes on */
    stretch_end();
}
