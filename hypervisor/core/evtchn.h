/* SPDX-License-Identifier: MIT */
/* evtchn.h: how domains interrupt each other: two-level event channels. SPEC 6. */
#ifndef ENSO_EVTCHN_H
#define ENSO_EVTCHN_H

#include "hypervisor/model.h"

enum evtchn_state { EVTCHN_FREE, EVTCHN_RESERVED, EVTCHN_UNBOUND, EVTCHN_INTERDOMAIN, EVTCHN_PIRQ, EVTCHN_VIRQ, EVTCHN_IPI };
struct evtchn {
    uint8_t  state;
    uint8_t  last_vcpu_notify;
    uint16_t notify_vcpu;
    domid_t  remote_dom;             /* UNBOUND, INTERDOMAIN */
    uint16_t remote_port;
    uint16_t virq_pirq;
};

int  evtchn_init(struct domain *d);
/* Closes every port (teardown), preemptible: 0 or -ERESTART. */
int  evtchn_destroy(struct domain *d);
void evtchn_free(struct domain *d);
/* For builders: an unbound port of d for remote. Returns the port or -errno. */
int  evtchn_alloc_unbound(struct domain *d, domid_t remote);
/* Bind virq of v to a port (for internal set-up none); raise it: pending on v, or on the vCPU that bound a global one (dom0's). */
void evtchn_virq_vcpu(struct vcpu *v, uint32_t virq);
void evtchn_virq_domain(struct domain *d, uint32_t virq);
void evtchn_virq_dom0(uint32_t virq);            /* VIRQ_CONSOLE, VIRQ_DOM_EXC, ... */
/* Sends through one of d's own ports (as EVTCHNOP_send). */
int  evtchn_send(struct domain *d, uint32_t port);
/* Sets a port pending on its vCPU: pending, mask, selector, upcall, kick, in that order (pitfalls A13). */
void evtchn_set_pending(struct domain *d, uint32_t port);
bool evtchn_pending(const struct domain *d, uint32_t port);
/* PIRQ delivery: core/physdev.c. */
void evtchn_pirq(struct domain *d, uint32_t pirq);
/* Operations behind the two-level layout (design D4): so another layout can stand beside it. */
void evtchn_dump(struct domain *d);              /* debug key e */
/* Raise v's upcall because something may be pending (after unmask, vcpu_info move). */
void vcpu_mark_events(struct vcpu *v);
static inline bool vcpu_event_deliverable(const struct vcpu *v)
{
    return v->info && *(const volatile uint16_t *)&v->info->evtchn_upcall_pending == 0x0001;
}

#endif
