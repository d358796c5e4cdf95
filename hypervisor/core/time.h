/* SPDX-License-Identifier: MIT */
/* time.h: what guests see of time: vcpu_time_info (pvclock), wall clock, runstates, timer calls. */
#ifndef ENSO_TIME_H
#define ENSO_TIME_H

#include "hypervisor/model.h"

/* Writes vcpu_info.time of v (and its registered time area when it is current). */
void time_update_vcpu(struct vcpu *v);
/* Writes the wall clock into shared_info. */
void time_update_wallclock(struct domain *d);
/* Runstate accounting: v enters new_state now. */
void runstate_change(struct vcpu *v, int new_state, uint64_t now);
/* A consistent copy with the running interval added. */
void runstate_get(struct vcpu *v, struct vcpu_runstate_info *r);
uint64_t vcpu_cpu_time(struct vcpu *v);
/* VCPU_WORK_AREAS: copies runstate and time to the areas registered by virtual address; v is current and its kernel root loaded. */
void time_update_areas(struct vcpu *v);

#endif
