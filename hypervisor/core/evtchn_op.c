/* SPDX-License-Identifier: MIT */
/* evtchn_op.c: event_channel_op: a guest's way to its ports.                                   [read 50]
 *
 * Each sub-operation gets a copy of its arguments, does the deed, and copies the new port out. Where the copy out fails the
 * deed is undone: a guest never owns a port that it has not been told of (pitfalls A11). SPEC 6.2.                 */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/evtchn_2l.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/subop.h"

/* The new port to its member of the argument; the port is closed again when that fails. */
static long give_port(struct domain *d, int port, gva_t arg, size_t offset)
{
    uint32_t out = port;

    if (port < 0)
        return port;
    if (copy_to_guest(gva(arg.raw + offset), &out, sizeof(out))) {
        evtchn_close(d, port);
        return -XEN_EFAULT;
    }
    return 0;
}

static long op_alloc_unbound(struct vcpu *v, void *op, gva_t arg)
{
    const struct evtchn_alloc_unbound *a = op;
    long rc;
    struct domain *d = domain_get_for(v, a->dom, &rc);

    if (!d)
        return rc;
    rc = give_port(d, evtchn_alloc_unbound(d, a->remote_dom == DOMID_SELF ? v->domain->id : a->remote_dom), arg,
                   offsetof(struct evtchn_alloc_unbound, port));
    domain_put(d);
    return rc;
}

static long op_bind_interdomain(struct vcpu *v, void *op, gva_t arg)
{
    const struct evtchn_bind_interdomain *b = op;
    return give_port(v->domain, evtchn_bind_interdomain(v->domain, b->remote_dom, b->remote_port), arg,
                     offsetof(struct evtchn_bind_interdomain, local_port));
}

static long op_bind_virq(struct vcpu *v, void *op, gva_t arg)
{
    const struct evtchn_bind_virq *b = op;
    return give_port(v->domain, evtchn_bind_virq(v->domain, b->virq, b->vcpu), arg, offsetof(struct evtchn_bind_virq, port));
}

static long op_bind_ipi(struct vcpu *v, void *op, gva_t arg)
{
    const struct evtchn_bind_ipi *b = op;
    return give_port(v->domain, evtchn_bind_ipi(v->domain, b->vcpu), arg, offsetof(struct evtchn_bind_ipi, port));
}

static long op_bind_pirq(struct vcpu *v, void *op, gva_t arg)
{
    const struct evtchn_bind_pirq *b = op;
    /* BIND_PIRQ__WILL_SHARE or not: a line is bound once. */
    return give_port(v->domain, evtchn_bind_pirq(v->domain, b->pirq), arg, offsetof(struct evtchn_bind_pirq, port));
}

static void describe(const struct evtchn *e, struct evtchn_status *s)
{
    static const uint8_t abi_state[] = {
        [EVTCHN_FREE] = EVTCHNSTAT_closed, [EVTCHN_UNBOUND] = EVTCHNSTAT_unbound, [EVTCHN_PIRQ] = EVTCHNSTAT_pirq,
        [EVTCHN_INTERDOMAIN] = EVTCHNSTAT_interdomain, [EVTCHN_VIRQ] = EVTCHNSTAT_virq, [EVTCHN_IPI] = EVTCHNSTAT_ipi,
    };

    s->status = abi_state[e->state];
    s->vcpu = e->notify_vcpu;
    s->u.interdomain.port = 0;
    if (e->state == EVTCHN_UNBOUND) {
        s->u.unbound.dom = e->remote_dom;
    } else if (e->state == EVTCHN_INTERDOMAIN) {
        s->u.interdomain.dom = e->remote_dom;
        s->u.interdomain.port = e->remote_port;
    } else {
        s->u.pirq = e->virq_pirq;
    }
}

static long op_status(struct vcpu *v, void *op, gva_t arg)
{
    struct evtchn_status *s = op;
    long rc;
    struct domain *d = domain_get_for(v, s->dom, &rc);
    struct evtchn *e;

    if (!d)
        return rc;
    e = evtchn_at(d, s->port);
    if (e) {
        spin_lock(&d->evtchn_lock);
        describe(e, s);
        spin_unlock(&d->evtchn_lock);
    }
    domain_put(d);
    return e ? 0 : -XEN_EINVAL;
}

static long op_unmask(struct vcpu *v, uint32_t port)
{
    struct domain *d = v->domain;
    struct evtchn *e = evtchn_at(d, port);
    struct vcpu *t;

    if (!e)
        return -XEN_EINVAL;
    spin_lock(&d->evtchn_lock);
    t = d->vcpu[e->notify_vcpu];
    if (t && ev2l_unmask(d->shared, t->info, port))
        vcpu_mark_events(t);
    spin_unlock(&d->evtchn_lock);
    return 0;
}

/* Long, and so in pieces: what is closed already is passed over quickly. */
static long op_reset(struct vcpu *v, void *op, gva_t arg)
{
    long rc;
    struct domain *d = domain_get_for(v, ((struct evtchn_reset *)op)->dom, &rc);

    if (!d)
        return rc;
    rc = d->dying ? -XEN_EINVAL : evtchn_destroy(d);
    domain_put(d);
    if (rc == -XEN_ERESTART)
        return hypercall_continue(v, __HYPERVISOR_event_channel_op, 2, EVTCHNOP_reset, arg.raw, 0, 0, 0);
    return rc;
}

static long op_close(struct vcpu *v, void *op, gva_t arg)
{
    return evtchn_close(v->domain, ((struct evtchn_close *)op)->port);
}

static long op_bind_vcpu(struct vcpu *v, void *op, gva_t arg)
{
    const struct evtchn_bind_vcpu *b = op;
    return evtchn_bind_vcpu(v->domain, b->port, b->vcpu);
}

/* Not init_control, expand_array, set_priority: FIFO channels. Linux then uses the two-level ones. */
static const struct subop ops[] = {
    [EVTCHNOP_bind_interdomain] = { op_bind_interdomain, sizeof(struct evtchn_bind_interdomain), 0 },
    [EVTCHNOP_bind_virq] = { op_bind_virq, sizeof(struct evtchn_bind_virq), 0 },
    [EVTCHNOP_bind_pirq] = { op_bind_pirq, sizeof(struct evtchn_bind_pirq), 0 },
    [EVTCHNOP_close] = { op_close, sizeof(struct evtchn_close), 0 },
    [EVTCHNOP_status] = { op_status, sizeof(struct evtchn_status), SUBOP_BACK },
    [EVTCHNOP_alloc_unbound] = { op_alloc_unbound, sizeof(struct evtchn_alloc_unbound), 0 },
    [EVTCHNOP_bind_ipi] = { op_bind_ipi, sizeof(struct evtchn_bind_ipi), 0 },
    [EVTCHNOP_bind_vcpu] = { op_bind_vcpu, sizeof(struct evtchn_bind_vcpu), 0 },
    [EVTCHNOP_reset] = { op_reset, sizeof(struct evtchn_reset), 0 },
};

static __attribute__((noinline)) long other_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    uint32_t port;

    if (cmd == EVTCHNOP_unmask)
        return copy_from_guest_4(&port, arg) ? -XEN_EFAULT : op_unmask(v, port);
    return subop_run(v, ops, sizeof(ops) / sizeof(ops[0]), cmd, arg);
}

long hc_event_channel_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    return cmd == EVTCHNOP_send ? evtchn_op_send(v, arg) : other_op(v, cmd, arg);
}
