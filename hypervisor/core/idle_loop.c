/* SPDX-License-Identifier: MIT */
/* idle_loop.c: a pCPU between guests: the work that interrupts left, and waiting for more.      [read 40]
 *
 * Interrupt handlers do next to nothing: they set WORK_* bits, and the work is done here, on the way out to a guest, in
 * the idle loop, never in the midst of something. The hypervisor is not preemptible; long hypercalls ask preempt_needed
 * between pieces, which is also where interrupts get in.                                                           */
#include "hypervisor/core/debugkeys.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/stretch.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/insn.h"

void pcpu_run_work(void)
{
    struct cpu_info *info = cpu_info();
    uint32_t work;

    while ((work = atomic_read(&info->work)) & ~WORK_VCPU) {
        if (work & WORK_TIMER)
            timer_run_due();
        if (work & WORK_CALL) {
            atomic_and(&info->work, ~WORK_CALL);
            spin_relax();                /* serves the mailbox */
        }
        if (work & WORK_DEBUGKEY) {
            atomic_and(&info->work, ~WORK_DEBUGKEY);
            debugkey_run_pending();
        }
        stretch_end();                   /* sched_run may not come back */
        if (work & WORK_SCHED)
            sched_run();
    }
}

void idle_loop(void)
{
    struct cpu_info *info = cpu_info();
    uint32_t calls;

    if (!info->pcpu->online_idle) {
        info->pcpu->online_idle = 1;
        sched_pcpu_idles(info->pcpu);
    }
    /* Something may have been queued just before this pCPU was marked idle: look once more. */
    if (sched_look_again())
        atomic_or(&info->work, WORK_SCHED);
    for (;;) {
        pcpu_run_work();
        atomic_and(&info->work, ~WORK_VCPU);
        calls = info->pcpu->calls;
        if (!atomic_read(&info->work))
            sti_hlt_cli();
        /* Others change the tables of whom we wait for: out of them, so that the next flush need not wake us. */
        if (info->pcpu->lazy && info->pcpu->calls != calls)
            root_load_idle();
    }
}

bool preempt_needed(void)
{
    struct cpu_info *info = cpu_info();

    /* While the boot pCPU builds domains nobody could make the call again. */
    if (!info->pcpu->online_idle)
        return false;
    spin_assert_none();
    stretch_point();
    sti_nop_cli();
    stretch_point();
    return atomic_read(&info->work) != 0;
}
