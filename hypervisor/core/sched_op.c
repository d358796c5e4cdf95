/* SPDX-License-Identifier: MIT */
/* sched_op.c: what a vCPU asks of the scheduler: let others run, sleep until an event, end.    [read 51]
 *
 * The two that wait have one race each, and the same answer: first say that you sleep, then look whether there is a
 * reason not to. Whoever makes the reason does it the other way round. SPEC 8.3.                                    */
#include "hypercall-abi/sched.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/subop.h"
#include "hypervisor/x86/tsc.h"

#define MAX_POLL_PORTS 128

/* Until upcall_pending is set, whatever the mask: whoever sets it wakes (vcpu_mark_events). */
static long op_wait(struct vcpu *v)
{
    if (READ_ONCE(v->info->evtchn_upcall_pending) || v->nmi_pending)
        return 0;
    vcpu_pause_self(PAUSE_BLOCKED);
    if (READ_ONCE(v->info->evtchn_upcall_pending) || v->nmi_pending)
        vcpu_pause_clear(v, PAUSE_BLOCKED);
    return 0;
}

static long op_block(struct vcpu *v)
{
    atomic_store(&v->info->evtchn_upcall_mask, 0);
    return op_wait(v);
}

/* 1: one of the ports is pending; 0: none; -errno. */
static int look_at_ports(struct vcpu *v, const struct sched_poll *p)
{
    for (uint32_t i = 0; i < p->nr_ports; i++) {
        uint32_t port;
        if (copy_from_guest_4(&port, gva_index(gva(p->ports), i, sizeof(port))))
            return -XEN_EFAULT;
        if (!evtchn_at(v->domain, port))
            return -XEN_EINVAL;          /* XSA-221: a number without a port */
        if (evtchn_pending(v->domain, port))
            return 1;
        if (p->nr_ports == 1)
            v->poll_port = port;
    }
    return 0;
}

static long op_poll(struct vcpu *v, gva_t arg)
{
    struct sched_poll p;
    int rc;

    if (copy_from_guest(&p, arg, sizeof(p)))
        return -XEN_EFAULT;
    if (p.nr_ports > MAX_POLL_PORTS)
        return -XEN_EINVAL;
    v->poll_port = 0;
    vcpu_pause_self(PAUSE_POLL);
    atomic_or(&v->domain->poll_mask, 1UL << v->id);
    rc = vcpu_event_deliverable(v) ? 1 : look_at_ports(v, &p);
    if (rc) {
        vcpu_stop_polling(v);
        return rc < 0 ? rc : 0;
    }
    if (p.timeout)
        timer_set(&v->poll_timer, this_pcpu(), p.timeout);
    else
        timer_cancel(&v->poll_timer);
    return 0;
}

static long op_shutdown(struct vcpu *v, void *op, gva_t arg)
{
    const struct sched_shutdown *s = op;

    if (s->reason > SHUTDOWN_MAX)
        return -XEN_EINVAL;
    domain_shutdown(v->domain, s->reason);
    return 0;
}

static long op_shutdown_code(struct vcpu *v, void *op, gva_t arg)
{
    spin_lock(&v->domain->lock);
    if (!v->domain->shut_down)
        v->domain->shutdown_code = ((struct sched_shutdown *)op)->reason;
    spin_unlock(&v->domain->lock);
    return 0;
}

static long op_remote_shutdown(struct vcpu *v, void *op, gva_t arg)
{
    const struct sched_remote_shutdown *r = op;
    struct domain *d = domain_get(r->domain_id);

    if (!d)
        return -XEN_ESRCH;
    if (v->domain->privileged && d != v->domain && r->reason <= SHUTDOWN_MAX) {
        domain_shutdown(d, r->reason);
        domain_put(d);
        return 0;
    }
    domain_put(d);
    return v->domain->privileged ? -XEN_EINVAL : -XEN_EPERM;
}

/* ---- watchdog ---------------------------------------------------------------------------------- */

static void on_watchdog(void *arg)
{
    struct domain *d = arg;

    log_guest(d->id, LOG_WARN, "d%u %s: its watchdog was not fed", d->id, d->name);
    domain_shutdown(d, SHUTDOWN_watchdog);
}

/* id 0 arms a new one and returns its number (1, 2); else it feeds (timeout) or disarms (0) that one. d->lock is held. */
static long set_watchdog(struct domain *d, const struct sched_watchdog *w)
{
    unsigned i = w->id - 1;

    if (w->id == 0) {
        if (!w->timeout)
            return -XEN_EINVAL;
        for (i = 0; i < 2 && (d->watchdog_armed >> i & 1); i++)
            ;
        if (i == 2)
            return -XEN_ENOSPC;
        timer_init(&d->watchdog[i], on_watchdog, d);
    } else if (i >= 2) {
        return -XEN_EINVAL;
    } else if (!(d->watchdog_armed >> i & 1)) {
        return -XEN_EINVAL;
    }
    if (w->timeout) {
        d->watchdog_armed |= 1U << i;
        timer_set(&d->watchdog[i], this_pcpu(), now_ns() + w->timeout * 1000000000UL);
    } else {
        d->watchdog_armed &= ~(1U << i);
        timer_cancel(&d->watchdog[i]);
    }
    return w->id ? 0 : i + 1;
}

static long op_watchdog(struct vcpu *v, void *op, gva_t arg)
{
    long rc;

    spin_lock(&v->domain->lock);
    rc = v->domain->dying ? -XEN_EINVAL : set_watchdog(v->domain, op);
    spin_unlock(&v->domain->lock);
    return rc;
}

static const struct subop ops[] = {
    [SCHEDOP_shutdown] = { op_shutdown, sizeof(struct sched_shutdown), 0 },
    [SCHEDOP_shutdown_code] = { op_shutdown_code, sizeof(struct sched_shutdown), 0 },
    [SCHEDOP_remote_shutdown] = { op_remote_shutdown, sizeof(struct sched_remote_shutdown), 0 },
    [SCHEDOP_watchdog] = { op_watchdog, sizeof(struct sched_watchdog), 0 },
};

long hc_sched_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    switch (cmd) {
    case SCHEDOP_yield:
        vcpu_yield(v);
        return 0;
    case SCHEDOP_block:
        return op_block(v);
    case SCHEDOP_poll:
        return op_poll(v, arg);
    case ENSO_SCHEDOP_wait:
        return op_wait(v);
    case SCHEDOP_pin_override:
        return -XEN_EPERM;
    default:
        return subop_run(v, ops, sizeof(ops) / sizeof(ops[0]), cmd, arg);
    }
}
