/* SPDX-License-Identifier: MIT */
/* evtchn.h: how domains interrupt each other: two-level event channels. SPEC 6. */
#ifndef ENSO_EVTCHN_H
#define ENSO_EVTCHN_H

#include "hypervisor/model.h"

enum evtchn_state { EVTCHN_FREE, EVTCHN_UNBOUND, EVTCHN_INTERDOMAIN, EVTCHN_PIRQ, EVTCHN_VIRQ, EVTCHN_IPI };
struct evtchn {
    uint8_t  state;
    uint8_t  pad;
    uint16_t notify_vcpu;
    domid_t  remote_dom;             /* UNBOUND: who may bind; INTERDOMAIN: the peer, alive as long as this end is bound */
    uint16_t remote_port;
    uint16_t virq_pirq;
};
#define EVTCHN_BUCKET 128            /* ports allocated at once */

int  evtchn_init(struct domain *d);
/* Closes every port (teardown, reset), preemptible: 0 or -ERESTART. */
int  evtchn_destroy(struct domain *d);
void evtchn_free(struct domain *d);
/* For builders: an unbound port of d for remote (1, 2, ... in order). Returns the port or -errno. */
int  evtchn_alloc_unbound(struct domain *d, domid_t remote);
/* Raises a virtual interrupt: on v, or for a global one on the vCPU that dom0 bound it to. Nothing when unbound; false then.
 * No lock of rank evtchn or later held. */
bool evtchn_virq_vcpu(struct vcpu *v, uint32_t virq);
void evtchn_virq_dom0(uint32_t virq);            /* VIRQ_CONSOLE, VIRQ_DOM_EXC, ... */
/* physdev.c: the port that a physical interrupt is bound to. */
void evtchn_raise_pirq(struct domain *d, uint32_t port);
/* For who stands in for the other end of an unbound port (guestcons.c): makes d's own port pending. */
void evtchn_notify(struct domain *d, uint32_t port);
bool evtchn_pending(const struct domain *d, uint32_t port);   /* false for a number that is none */
bool evtchn_valid(struct domain *d, uint32_t port);           /* allocated, in any state but free */
bool evtchn_bound_by_dom0(struct domain *d, uint32_t port);   /* interdomain, dom0 at the other end */
void evtchn_dump(struct domain *d);              /* debug key e */
/* Raise v's upcall because something may be pending (after unmask, vcpu_info move). */
void vcpu_mark_events(struct vcpu *v);
static inline bool vcpu_event_deliverable(const struct vcpu *v)
{
    return v->info && *(const volatile uint16_t *)&v->info->evtchn_upcall_pending == 0x0001;
}

/* Between evtchn.c, evtchn_bind.c and evtchn_op.c. */
static inline struct evtchn *evtchn_at(const struct domain *d, uint32_t port)
{
    struct evtchn *bucket = port < NR_PORTS ? d->evtchn_bucket[port / EVTCHN_BUCKET] : NULL;
    return bucket ? &bucket[port % EVTCHN_BUCKET] : NULL;
}
void evtchn_set_pending(struct domain *d, uint32_t port, const struct evtchn *e);
long evtchn_op_send(struct vcpu *v, gva_t arg);
int  evtchn_bind_interdomain(struct domain *d, domid_t remote_dom, uint32_t remote_port);
int  evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu);
int  evtchn_bind_ipi(struct domain *d, uint32_t vcpu);
int  evtchn_bind_pirq(struct domain *d, uint32_t pirq);
int  evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);
int  evtchn_close(struct domain *d, uint32_t port);

#endif
