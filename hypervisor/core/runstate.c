/* SPDX-License-Identifier: MIT */
/* runstate.c: where a vCPU's time went: running, runnable but waiting (steal), blocked, offline.   [read 38]
 *
 * One addition for each change of state; the four sums always add up to the vCPU's age. SPEC 8.2.               */
#include "hypervisor/core/time.h"
#include "hypervisor/lib/atomic.h"

void runstate_account(struct vcpu_runstate_info *r, int new_state, uint64_t now)
{
    /* Two pCPUs' clocks may differ by a little: time spent never counts as negative. */
    if (now > r->state_entry_time) {
        r->time[r->state] += now - r->state_entry_time;
        r->state_entry_time = now;
    }
    r->state = new_state;
}

/* A registered runstate area is written each time; a time area only until its figures, which do not change, stand there. */
void runstate_change(struct vcpu *v, int new_state, uint64_t now)
{
    runstate_account(&v->runstate, new_state, now);
    if (new_state == RUNSTATE_running && (v->runstate_area || v->time_area_due))
        atomic_or(&v->work, VCPU_WORK_AREAS);
}
