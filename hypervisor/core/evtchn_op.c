/* SPDX-License-Identifier: MIT */
/* evtchn_op.c: event_channel_op: a guest's way to its ports.                                   [read 50]
 *
 * Each sub-operation copies its arguments in, does the deed, and copies the new port out. Where the copy out fails the
 * deed is undone: a guest never owns a port that it has not been told of (pitfalls A11). SPEC 6.2.                 */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/evtchn_2l.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/copy.h"

/* The domain that the caller may name; put by domain_put. */
static struct domain *target(struct vcpu *v, domid_t id, long *rc)
{
    struct domain *d;

    if (id == DOMID_SELF || id == v->domain->id)
        return domain_get(v->domain->id);
    *rc = -XEN_EPERM;
    if (!v->domain->privileged)
        return NULL;
    *rc = -XEN_ESRCH;
    d = domain_get(id);
    return d;
}

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

static long op_alloc_unbound(struct vcpu *v, gva_t arg)
{
    struct evtchn_alloc_unbound a;
    struct domain *d;
    long rc = 0;

    if (copy_from_guest(&a, arg, sizeof(a)))
        return -XEN_EFAULT;
    d = target(v, a.dom, &rc);
    if (!d)
        return rc;
    rc = give_port(d, evtchn_alloc_unbound(d, a.remote_dom == DOMID_SELF ? v->domain->id : a.remote_dom), arg,
                   offsetof(struct evtchn_alloc_unbound, port));
    domain_put(d);
    return rc;
}

static long op_bind_interdomain(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_interdomain b;

    if (copy_from_guest(&b, arg, sizeof(b)))
        return -XEN_EFAULT;
    return give_port(v->domain, evtchn_bind_interdomain(v->domain, b.remote_dom, b.remote_port), arg,
                     offsetof(struct evtchn_bind_interdomain, local_port));
}

static long op_bind_virq(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_virq b;

    if (copy_from_guest(&b, arg, sizeof(b)))
        return -XEN_EFAULT;
    return give_port(v->domain, evtchn_bind_virq(v->domain, b.virq, b.vcpu), arg, offsetof(struct evtchn_bind_virq, port));
}

static long op_bind_ipi(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_ipi b;

    if (copy_from_guest(&b, arg, sizeof(b)))
        return -XEN_EFAULT;
    return give_port(v->domain, evtchn_bind_ipi(v->domain, b.vcpu), arg, offsetof(struct evtchn_bind_ipi, port));
}

static long op_bind_pirq(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_pirq b;

    if (copy_from_guest(&b, arg, sizeof(b)))
        return -XEN_EFAULT;
    return give_port(v->domain, evtchn_bind_pirq(v->domain, b.pirq, b.flags & BIND_PIRQ__WILL_SHARE), arg,
                     offsetof(struct evtchn_bind_pirq, port));
}

static void describe(const struct evtchn *e, struct evtchn_status *s)
{
    static const uint8_t abi_state[] = {
        [EVTCHN_FREE] = EVTCHNSTAT_closed, [EVTCHN_UNBOUND] = EVTCHNSTAT_unbound, [EVTCHN_PIRQ] = EVTCHNSTAT_pirq,
        [EVTCHN_INTERDOMAIN] = EVTCHNSTAT_interdomain, [EVTCHN_VIRQ] = EVTCHNSTAT_virq, [EVTCHN_IPI] = EVTCHNSTAT_ipi,
    };

    s->status = abi_state[e->state];
    s->vcpu = e->notify_vcpu;
    s->u.interdomain.dom = 0;
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

static long op_status(struct vcpu *v, gva_t arg)
{
    struct evtchn_status s;
    struct evtchn *e;
    struct domain *d;
    long rc = 0;

    if (copy_from_guest(&s, arg, sizeof(s)))
        return -XEN_EFAULT;
    d = target(v, s.dom, &rc);
    if (!d)
        return rc;
    e = evtchn_at(d, s.port);
    if (e) {
        spin_lock(&d->evtchn_lock);
        describe(e, &s);
        spin_unlock(&d->evtchn_lock);
    }
    domain_put(d);
    if (!e)
        return -XEN_EINVAL;
    return copy_to_guest(arg, &s, sizeof(s)) ? -XEN_EFAULT : 0;
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
static long op_reset(struct vcpu *v, gva_t arg)
{
    struct evtchn_reset r;
    struct domain *d;
    long rc = 0;

    if (copy_from_guest(&r, arg, sizeof(r)))
        return -XEN_EFAULT;
    d = target(v, r.dom, &rc);
    if (!d)
        return rc;
    rc = d->dying ? -XEN_EINVAL : evtchn_destroy(d);
    domain_put(d);
    if (rc == -XEN_ERESTART)
        return hypercall_continue(v, __HYPERVISOR_event_channel_op, 2, EVTCHNOP_reset, arg.raw, 0, 0, 0);
    return rc;
}

static long op_bind_vcpu(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_vcpu b;

    if (copy_from_guest(&b, arg, sizeof(b)))
        return -XEN_EFAULT;
    return evtchn_bind_vcpu(v->domain, b.port, b.vcpu);
}

static __attribute__((noinline)) long other_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    uint32_t port;

    switch (cmd) {
    case EVTCHNOP_unmask:
        return copy_from_guest_4(&port, arg) ? -XEN_EFAULT : op_unmask(v, port);
    case EVTCHNOP_close:
        return copy_from_guest_4(&port, arg) ? -XEN_EFAULT : evtchn_close(v->domain, port);
    case EVTCHNOP_alloc_unbound:
        return op_alloc_unbound(v, arg);
    case EVTCHNOP_bind_interdomain:
        return op_bind_interdomain(v, arg);
    case EVTCHNOP_bind_virq:
        return op_bind_virq(v, arg);
    case EVTCHNOP_bind_ipi:
        return op_bind_ipi(v, arg);
    case EVTCHNOP_bind_pirq:
        return op_bind_pirq(v, arg);
    case EVTCHNOP_status:
        return op_status(v, arg);
    case EVTCHNOP_bind_vcpu:
        return op_bind_vcpu(v, arg);
    case EVTCHNOP_reset:
        return op_reset(v, arg);
    default:
        /* init_control, expand_array, set_priority: FIFO channels. Linux then uses the two-level ones. */
        return -XEN_ENOSYS;
    }
}

long hc_event_channel_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    return cmd == EVTCHNOP_send ? evtchn_op_send(v, arg) : other_op(v, cmd, arg);
}
