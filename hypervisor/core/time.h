/* SPDX-License-Identifier: MIT */
/* time.h: what guests see of time: vcpu_time_info (pvclock), wall clock, runstates. */
#ifndef ENSO_TIME_H
#define ENSO_TIME_H

#include "hypervisor/model.h"

/* Writes vcpu_info.time of v (and, when v runs next, its registered time area). */
void time_update_vcpu(struct vcpu *v);
/* Writes the wall clock into shared_info. */
void time_update_wallclock(struct domain *d);
/* XENPF_settime: at system_time it was sec.nsec of the epoch; every domain is told. */
void time_set_wallclock(uint64_t sec, uint32_t nsec, uint64_t system_time);
/* Runstate accounting: v enters new_state (RUNSTATE_*) now. Sched lock of v's pCPU. */
void runstate_change(struct vcpu *v, int new_state, uint64_t now);
/* A consistent copy with the running interval added. */
void runstate_get(struct vcpu *v, struct vcpu_runstate_info *r);
uint64_t vcpu_cpu_time(struct vcpu *v);
/* VCPU_WORK_AREAS: copies the runstate, and a time that is due, to the areas registered by virtual address; v is current, in either mode. */
void time_update_areas(struct vcpu *v);

/* Host-tested: adds the interval since state_entry_time to the state it was spent in. */
void runstate_account(struct vcpu_runstate_info *r, int new_state, uint64_t now);

#endif
