/* SPDX-License-Identifier: MIT */
/* vcpu.h: a virtual CPU's life, and vcpu_op. */
#ifndef ENSO_VCPU_H
#define ENSO_VCPU_H

#include "hypervisor/model.h"

struct vcpu *vcpu_create(struct domain *d, unsigned id);        /* down; NULL: no memory */
void vcpu_destroy(struct vcpu *v);                              /* roots, descriptors already dropped */
/* Loads a context (VCPUOP_initialise, setvcpucontext, builders): every field checked; roots and descriptors referenced.
 * -EINVAL with nothing changed; -ERESTART. */
int  vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c);
/* Drops roots, descriptor tables, registered areas; preemptible, for teardown. */
int  vcpu_relinquish(struct vcpu *v);
void vcpu_timers_stop(struct vcpu *v);

#endif
