/* SPDX-License-Identifier: MIT */
/* runstate.c: where a vCPU's time went: running, runnable but waiting (steal), blocked, offline.   [read 38]
 *
 * One addition for each change of state; the four sums always add up to the vCPU's age. SPEC 8.2.               */
#include "hypervisor/core/time.h"

void runstate_account(struct vcpu_runstate_info *r, int new_state, uint64_t now)
{
    /* Two pCPUs' clocks may differ by a little: time spent never counts as negative. */
    if (now > r->state_entry_time) {
        r->time[r->state] += now - r->state_entry_time;
        r->state_entry_time = now;
    }
    r->state = new_state;
}
