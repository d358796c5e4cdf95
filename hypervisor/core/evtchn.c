/* SPDX-License-Identifier: MIT */
/* evtchn.c: how domains interrupt each other.                                                  [read 48]
 *
 * Frames let domains share data; this lets one tap the other on the shoulder. A port is a bit in the receiver's shared
 * page, so sending is setting a bit, and a lost race costs no more than a spurious wakeup. Grants and the device rings
 * build on it. Ports are made and closed in evtchn_bind.c; here they are used. A domain's evtchn_lock guards its ports.
 * A sender holds only its own: an end that is bound keeps the peer's end bound, and with it the peer's shared page,
 * because unbinding takes both locks. SPEC 6.                                                                      */
#include "hypervisor/core/evtchn.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/evtchn.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn_2l.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/copy.h"

void vcpu_mark_events(struct vcpu *v)
{
    if (!atomic_xchg(&v->info->evtchn_upcall_pending, 1))
        vcpu_kick(v);
}

/* Wakes who polls for this port, masked or not: PV spinlocks poll on masked ports. The poller set its bit before it looked at the
 * ports, the sender sets the port before it looks here. */
static __attribute__((noinline)) void wake_pollers(struct domain *d, uint32_t port)
{
    for (uint64_t m = atomic_load(&d->poll_mask); m; m &= m - 1) {
        unsigned id = __builtin_ctzl(m);
        struct vcpu *v = d->vcpu[id];
        if (v->poll_port && v->poll_port != port)
            continue;
        if (atomic_and(&d->poll_mask, ~(1UL << id)) >> id & 1)
            vcpu_pause_clear(v, PAUSE_POLL);
    }
}

/* The port was neither pending nor masked (fresh), or somebody polls. */
static __attribute__((noinline)) long raise(struct domain *d, uint32_t port, const struct evtchn *e, bool fresh)
{
    struct vcpu *v = d->vcpu[READ_ONCE(e->notify_vcpu)];

    /* Without a vCPU: a domain still being built, whose kernel looks when it starts. */
    if (fresh && v && ev2l_select(v->info, port))
        vcpu_mark_events(v);
    if (d->poll_mask)
        wake_pollers(d, port);
    return 0;
}

/* d's port e is pending now. d is the caller's own domain, or the lock of d, or of the peer bound to it, is held. Returns 0. */
static inline long set_pending(struct domain *d, uint32_t port, const struct evtchn *e)
{
    bool fresh = ev2l_set_pending(d->shared, port);
    return __builtin_expect(fresh || d->poll_mask, 0) ? raise(d, port, e, fresh) : 0;
}

void evtchn_set_pending(struct domain *d, uint32_t port, const struct evtchn *e)
{
    set_pending(d, port, e);
}

static __attribute__((noinline)) long send_elsewhere(struct domain *d, uint32_t port, struct evtchn *e)
{
    bool console = false;
    long rc = 0;

    spin_lock(&d->evtchn_lock);
    if (e->state == EVTCHN_INTERDOMAIN) {
        struct domain *peer = domains_by_id[e->remote_dom];
        set_pending(peer, e->remote_port, evtchn_at(peer, e->remote_port));
    } else if (e->state == EVTCHN_UNBOUND) {
        console = port == d->console_port;     /* no ensod: the hypervisor drains the ring */
    } else {
        rc = -XEN_EINVAL;
    }
    spin_unlock(&d->evtchn_lock);
    if (console)
        guestcons_ring_event(d);
    return rc;
}

/* A tap among a domain's own vCPUs needs no lock: the domain is alive, buckets stay, and if another of its vCPUs closes the port
 * meanwhile, a stray bit is its own. */
static inline long send(struct domain *d, uint32_t port)
{
    const struct evtchn *e = evtchn_at(d, port);
    uint8_t state;

    if (!e)
        return -XEN_EINVAL;
    state = READ_ONCE(e->state);
    if (state != EVTCHN_IPI) {
        if (state != EVTCHN_INTERDOMAIN || e->remote_dom != d->id)
            return send_elsewhere(d, port, (struct evtchn *)e);
        port = READ_ONCE(e->remote_port) % NR_PORTS;
        e = evtchn_at(d, port);
        if (!e)
            return -XEN_EINVAL;
    }
    return set_pending(d, port, e);
}

/* EVTCHNOP_send, the hottest of them. */
long evtchn_op_send(struct vcpu *v, gva_t arg)
{
    uint32_t port;

    return copy_from_guest_4(&port, arg) ? -XEN_EFAULT : send(v->domain, port);
}

bool evtchn_pending(const struct domain *d, uint32_t port)
{
    return port < NR_PORTS && ev2l_is_pending(d->shared, port);
}

/* ---- virtual and physical interrupts ----------------------------------------------------------- */

bool evtchn_virq_vcpu(struct vcpu *v, uint32_t virq)
{
    struct domain *d = v->domain;
    uint32_t port;

    spin_lock(&d->evtchn_lock);
    port = v->virq_port[virq];
    if (port)
        evtchn_set_pending(d, port, evtchn_at(d, port));
    spin_unlock(&d->evtchn_lock);
    return port != 0;
}

void evtchn_virq_dom0(uint32_t virq)
{
    if (dom0 && dom0->vcpu[0])
        evtchn_virq_vcpu(dom0->vcpu[0], virq);
}

void evtchn_raise_pirq(struct domain *d, uint32_t port)
{
    struct evtchn *e = evtchn_at(d, port);

    spin_lock(&d->evtchn_lock);
    if (e && e->state == EVTCHN_PIRQ)
        evtchn_set_pending(d, port, e);
    spin_unlock(&d->evtchn_lock);
}

void evtchn_notify(struct domain *d, uint32_t port)
{
    struct evtchn *e = evtchn_at(d, port);

    spin_lock(&d->evtchn_lock);
    if (e && e->state != EVTCHN_FREE && !d->dying)
        evtchn_set_pending(d, port, e);
    spin_unlock(&d->evtchn_lock);
}

/* ---- questions --------------------------------------------------------------------------------- */

bool evtchn_valid(struct domain *d, uint32_t port)
{
    struct evtchn *e = evtchn_at(d, port);
    return e && READ_ONCE(e->state) != EVTCHN_FREE;
}

bool evtchn_bound_by_dom0(struct domain *d, uint32_t port)
{
    struct evtchn *e = evtchn_at(d, port);
    bool bound;

    spin_lock(&d->evtchn_lock);
    bound = e && e->state == EVTCHN_INTERDOMAIN && dom0 && e->remote_dom == dom0->id;
    spin_unlock(&d->evtchn_lock);
    return bound;
}

static void dump_port(struct domain *d, uint32_t port, const struct evtchn *e)
{
    static const char *const state_names[] = { "free", "unbound", "interdomain", "pirq", "virq", "ipi" };

    log_info("  port %u: %s, vcpu %u%s%s, remote d%u port %u, virq/pirq %u", port, state_names[e->state], e->notify_vcpu,
             ev2l_is_pending(d->shared, port) ? ", pending" : "", ev2l_is_masked(d->shared, port) ? ", masked" : "",
             e->remote_dom, e->remote_port, e->virq_pirq);
}

void evtchn_dump(struct domain *d)
{
    log_info("d%u %s: event channels, polling vCPUs %lx", d->id, d->name, d->poll_mask);
    spin_lock(&d->evtchn_lock);
    for (uint32_t port = 1; port < NR_PORTS && d->shared; port++) {
        struct evtchn *e = evtchn_at(d, port);
        if (e && e->state != EVTCHN_FREE)
            dump_port(d, port, e);
    }
    spin_unlock(&d->evtchn_lock);
}
