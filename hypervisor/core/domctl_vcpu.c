/* SPDX-License-Identifier: MIT */
/* domctl_vcpu.c: dom0's hand on other domains' vCPUs: making, loading, pinning, weighing.       [read 66]
 * Reading or writing a context needs the vCPU off every pCPU, so the domain is paused meanwhile. SPEC 14.2.        */
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/domctl.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/time.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/heap.h"

static struct vcpu *vcpu_of(struct domain *d, uint32_t id)
{
    return id < MAX_VCPUS ? d->vcpu[id] : NULL;
}

/* What is said of a vCPU that is not there: -EINVAL for a number that the domain cannot have. */
static long no_vcpu(const struct domain *d, uint32_t id)
{
    return id >= d->max_vcpus ? -XEN_EINVAL : -XEN_ESRCH;
}

long domctl_max_vcpus(struct domain *d, struct xen_domctl *op)
{
    uint32_t max = op->u.max_vcpus.max;

    if (!max || max > d->max_vcpus)
        return -XEN_EINVAL;
    for (uint32_t i = 0; i < max; i++) {
        if (!d->vcpu[i] && !vcpu_create(d, i))
            return -XEN_ENOMEM;
    }
    return 0;
}

long domctl_setvcpucontext(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = vcpu_of(d, op->u.vcpucontext.vcpu);
    struct vcpu_guest_context *c;
    long rc;

    if (!v)
        return no_vcpu(d, op->u.vcpucontext.vcpu);
    c = kalloc(sizeof(*c));
    if (!c)
        return -XEN_ENOMEM;
    rc = -XEN_EFAULT;
    if (!copy_from_guest(c, gva(op->u.vcpucontext.ctxt), sizeof(*c))) {
        domain_pause(d);
        rc = vcpu_set_context(v, c);
        if (!rc && (c->flags & VGCF_online))
            vcpu_pause_clear(v, PAUSE_DOWN);
        domain_unpause(d);
    }
    kfree(c);
    return rc;
}

long domctl_getvcpucontext(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = vcpu_of(d, op->u.vcpucontext.vcpu);
    struct vcpu_guest_context *c;
    long rc;

    if (!v)
        return no_vcpu(d, op->u.vcpucontext.vcpu);
    if (!v->initialised)
        return -XEN_ENODATA;
    c = kalloc(sizeof(*c));
    if (!c)
        return -XEN_ENOMEM;
    domain_pause(d);
    vcpu_get_context(v, c);
    domain_unpause(d);
    rc = copy_to_guest(gva(op->u.vcpucontext.ctxt), c, sizeof(*c)) ? -XEN_EFAULT : 0;
    kfree(c);
    return rc;
}

long domctl_getvcpuinfo(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getvcpuinfo *i = &op->u.getvcpuinfo;
    struct vcpu *v = vcpu_of(d, i->vcpu);

    if (!v)
        return no_vcpu(d, i->vcpu);
    i->online = !(v->pause & PAUSE_DOWN);
    i->blocked = !!(v->pause & (PAUSE_BLOCKED | PAUSE_POLL));
    i->running = v->runstate.state == RUNSTATE_running;
    i->cpu_time = vcpu_cpu_time(v);
    i->cpu = v->processor;
    return 0;
}

/* ---- affinity ---------------------------------------------------------------------------------- */

#define BITMAP_LIMIT 512                 /* bytes that are written of a caller's bitmap; the rest is past any pCPU */

static long read_bitmap(const struct xenctl_bitmap *b, uint64_t *mask)
{
    uint32_t bytes = (b->nr_bits + 7) / 8;

    *mask = 0;
    if (copy_from_guest(mask, gva(b->bitmap), bytes < sizeof(*mask) ? bytes : sizeof(*mask)))
        return -XEN_EFAULT;
    if (b->nr_bits < 64)
        *mask &= (1UL << b->nr_bits) - 1;
    return 0;
}

static long write_bitmap(const struct xenctl_bitmap *b, uint64_t mask)
{
    uint32_t bytes = b->nr_bits / 8 + (b->nr_bits % 8 != 0), n = bytes < sizeof(mask) ? bytes : sizeof(mask);

    if (b->nr_bits < 64)
        mask &= (1UL << b->nr_bits) - 1;
    if (copy_to_guest(gva(b->bitmap), &mask, n))
        return -XEN_EFAULT;
    bytes = bytes < BITMAP_LIMIT ? bytes : BITMAP_LIMIT;
    return bytes > n && clear_guest(gva(b->bitmap + n), bytes - n) ? -XEN_EFAULT : 0;
}

long domctl_setvcpuaffinity(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = vcpu_of(d, a->vcpu);
    uint64_t mask;
    long rc = 0;

    if (!v)
        return no_vcpu(d, a->vcpu);
    if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -XEN_EINVAL;
    if (a->flags & XEN_VCPUAFFINITY_HARD) {
        rc = read_bitmap(&a->cpumap_hard, &mask);
        if (!rc)
            rc = vcpu_set_affinity(v, mask);
        if (!rc)
            rc = write_bitmap(&a->cpumap_hard, v->affinity & sched_online_mask());
    }
    if (!rc && (a->flags & XEN_VCPUAFFINITY_SOFT)) {
        rc = read_bitmap(&a->cpumap_soft, &mask);
        if (!rc)
            v->soft_affinity = mask;     /* remembered; no scheduler of ours has a use for it */
    }
    return rc;
}

long domctl_getvcpuaffinity(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = vcpu_of(d, a->vcpu);
    long rc = 0;

    if (!v)
        return no_vcpu(d, a->vcpu);
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = write_bitmap(&a->cpumap_hard, v->affinity & sched_online_mask());
    if (!rc && (a->flags & XEN_VCPUAFFINITY_SOFT))
        rc = write_bitmap(&a->cpumap_soft, v->soft_affinity & sched_online_mask());
    return rc;
}

/* ---- scheduler, triggers ----------------------------------------------------------------------- */

long domctl_scheduler_op(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;
    const struct scheduler *sched = sched_current();
    uint32_t weight, cap;
    long rc;

    if (s->sched_id != sched->abi_id)
        return -XEN_EINVAL;
    if (!sched->adjust)
        return -XEN_EOPNOTSUPP;
    rc = sched->adjust(d, &weight, &cap, false);
    switch (s->cmd) {
    case XEN_DOMCTL_SCHEDOP_putinfo:
        weight = s->u.credit.weight ? s->u.credit.weight : weight;
        cap = s->u.credit.cap != 0xffff ? s->u.credit.cap : cap;
        return rc ? rc : sched->adjust(d, &weight, &cap, true);
    case XEN_DOMCTL_SCHEDOP_getinfo:
        s->u.credit.weight = weight;
        s->u.credit.cap = cap;
        return rc;
    default:
        return -XEN_EINVAL;
    }
}

long domctl_sendtrigger(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = vcpu_of(d, op->u.sendtrigger.vcpu);

    if (!v)
        return no_vcpu(d, op->u.sendtrigger.vcpu);
    if (op->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
        return -XEN_ENOSYS;
    vcpu_send_nmi(v);
    return 0;
}
