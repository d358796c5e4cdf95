/* SPDX-License-Identifier: MIT */
/* domctl.c: how dom0 creates, steers and ends domains.                                          [read 65]
 *
 * One structure in, its union's member worked on, the structure back. One operation at a time on the whole machine: a
 * second caller is sent round again rather than made to wait. A long one (ending a domain, validating page tables) is
 * continued by being issued again. Only dom0 gets here (hypercalls.def). SPEC 14.2.                                */
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/domctl.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/time.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/copy.h"

static struct {
    uint32_t busy;                       /* atomic */
} domctl;

/* ---- life -------------------------------------------------------------------------------------- */

static bool config_ok(const struct xen_domctl_createdomain *c)
{
    return !(c->flags & ~XEN_DOMCTL_CDF_xs_domain) && !c->arch.emulation_flags && !c->iommu_opts && !c->vmtrace_size &&
           !c->cpupool_id && c->max_grant_frames != 0 && XEN_DOMCTL_GRANT_version(c->grant_opts) <= 2;
}

static long createdomain(struct domain *none, struct xen_domctl *op)
{
    bool any = op->domain == 0 || op->domain >= DOMID_FIRST_RESERVED;
    struct domain *d;
    int rc;

    if (!config_ok(&op->u.createdomain))
        return -XEN_EINVAL;
    d = domain_create(any ? DOMID_INVALID : op->domain, &op->u.createdomain, false, &rc);
    if (!d)
        return rc;
    d->ctl_pauses = 1;
    op->domain = d->id;
    return 0;
}

static long destroydomain(struct domain *d, struct xen_domctl *op)
{
    return domain_kill(d);
}

static long pausedomain(struct domain *d, struct xen_domctl *op)
{
    if (d->ctl_pauses == 1U << 30)
        return -XEN_EOVERFLOW;
    d->ctl_pauses++;
    domain_pause(d);
    return 0;
}

static long unpausedomain(struct domain *d, struct xen_domctl *op)
{
    if (!d->ctl_pauses)
        return -XEN_EINVAL;
    d->ctl_pauses--;
    domain_unpause(d);
    return 0;
}

static long resumedomain(struct domain *d, struct xen_domctl *op)
{
    return domain_resume(d);
}

/* ---- facts and small settings ------------------------------------------------------------------ */

static void describe_vcpus(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    bool any_awake = false, any_runs = false;

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];
        if (!v)
            continue;
        info->max_vcpu_id = i;
        info->cpu_time += vcpu_cpu_time(v);
        if (READ_ONCE(v->pause) & PAUSE_DOWN)
            continue;
        info->nr_online_vcpus++;
        any_awake |= !(v->pause & (PAUSE_BLOCKED | PAUSE_POLL));
        any_runs |= v->runstate.state == RUNSTATE_running;
    }
    info->flags |= (any_awake ? 0 : XEN_DOMINF_blocked) | (any_runs ? XEN_DOMINF_running : 0);
}

void domctl_describe(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    info->flags = (d->dying ? XEN_DOMINF_dying : 0) | (d->shut_down ? XEN_DOMINF_shutdown : 0) |
                  (d->ctl_pauses ? XEN_DOMINF_paused : 0) | (d->create_flags & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0) |
                  (d->shutdown_code & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
    info->tot_pages = d->tot_pages;
    info->max_pages = d->max_pages;
    info->shared_info_frame = d->shared_info_mfn.raw;
    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    describe_vcpus(d, info);
}

/* Of d, which is the first domain with the number asked for or a higher one. */
static long getdomaininfo(struct domain *d, struct xen_domctl *op)
{
    domctl_describe(d, &op->u.getdomaininfo);
    op->domain = d->id;
    return 0;
}

static long setdomainhandle(struct domain *d, struct xen_domctl *op)
{
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    return 0;
}

static long setdebugging(struct domain *d, struct xen_domctl *op)
{
    return 0;
}

static long irq_permission(struct domain *d, struct xen_domctl *op)
{
    return physdev_set_irq(d, op->u.irq_permission.pirq, op->u.irq_permission.allow_access);
}

static long iomem_permission(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_iomem_permission *p = &op->u.iomem_permission;
    return physdev_set_iomem(d, p->first_mfn, p->nr_mfns, p->allow_access);
}

static long ioport_permission(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_ioport_permission *p = &op->u.ioport_permission;
    return physdev_set_ports(d, p->first_port, p->nr_ports, p->allow_access);
}

static long settimeoffset(struct domain *d, struct xen_domctl *op)
{
    spin_lock(&d->lock);
    d->time_offset_s = op->u.settimeoffset.time_offset_seconds;
    time_update_wallclock(d);
    spin_unlock(&d->lock);
    return 0;
}

static long address_size(struct domain *d, struct xen_domctl *op)
{
    if (op->cmd == XEN_DOMCTL_get_address_size)
        op->u.address_size.size = 64;
    return op->u.address_size.size == 64 ? 0 : -XEN_EINVAL;
}

/* ---- the table --------------------------------------------------------------------------------- */

#define NOT_SELF 1                       /* -EINVAL for the caller's own domain (XSA-127 and the like) */
#define ALIVE    2                       /* -ESRCH once it is dying */
#define BACK     4                       /* the structure is copied back */
#define NEXT     8                       /* the next domain will do */
#define NEW      16                      /* there is none yet */

static const struct domctl_op {
    domctl_fn *fn;
    uint8_t how;
} ops[] = {
    [XEN_DOMCTL_createdomain] = { createdomain, NEW | BACK },
    [XEN_DOMCTL_destroydomain] = { destroydomain, NOT_SELF },
    [XEN_DOMCTL_pausedomain] = { pausedomain, NOT_SELF | ALIVE },
    [XEN_DOMCTL_unpausedomain] = { unpausedomain, ALIVE },
    [XEN_DOMCTL_resumedomain] = { resumedomain, NOT_SELF | ALIVE },
    [XEN_DOMCTL_getdomaininfo] = { getdomaininfo, NEXT | BACK },
    [XEN_DOMCTL_max_mem] = { domctl_max_mem, ALIVE },
    [XEN_DOMCTL_max_vcpus] = { domctl_max_vcpus, NOT_SELF | ALIVE },
    [XEN_DOMCTL_setvcpucontext] = { domctl_setvcpucontext, NOT_SELF | ALIVE },
    [XEN_DOMCTL_getvcpucontext] = { domctl_getvcpucontext, NOT_SELF | ALIVE },
    [XEN_DOMCTL_getvcpuinfo] = { domctl_getvcpuinfo, BACK },
    [XEN_DOMCTL_setvcpuaffinity] = { domctl_setvcpuaffinity, ALIVE },
    [XEN_DOMCTL_getvcpuaffinity] = { domctl_getvcpuaffinity, 0 },
    [XEN_DOMCTL_scheduler_op] = { domctl_scheduler_op, ALIVE | BACK },
    [XEN_DOMCTL_setdomainhandle] = { setdomainhandle, ALIVE },
    [XEN_DOMCTL_setdebugging] = { setdebugging, ALIVE },
    [XEN_DOMCTL_irq_permission] = { irq_permission, ALIVE },
    [XEN_DOMCTL_iomem_permission] = { iomem_permission, ALIVE },
    [XEN_DOMCTL_ioport_permission] = { ioport_permission, ALIVE },
    [XEN_DOMCTL_hypercall_init] = { domctl_hypercall_init, ALIVE },
    [XEN_DOMCTL_settimeoffset] = { settimeoffset, ALIVE },
    [XEN_DOMCTL_sendtrigger] = { domctl_sendtrigger, ALIVE },
    [XEN_DOMCTL_set_address_size] = { address_size, ALIVE },
    [XEN_DOMCTL_get_address_size] = { address_size, ALIVE | BACK },
    [XEN_DOMCTL_getpageframeinfo3] = { domctl_getpageframeinfo3, ALIVE },
};

static struct domain *named(struct vcpu *v, domid_t id, bool next)
{
    return next ? domain_get_from(id) : domain_get(id == DOMID_SELF ? v->domain->id : id);
}

static long perform(struct vcpu *v, const struct domctl_op *o, struct xen_domctl *op, gva_t arg)
{
    struct domain *d = o->how & NEW ? NULL : named(v, op->domain, o->how & NEXT);
    long rc = 0;

    if (!d && !(o->how & NEW))
        return -XEN_ESRCH;
    if (d == v->domain && (o->how & NOT_SELF))
        rc = -XEN_EINVAL;
    else if (d && d->dying && (o->how & ALIVE))
        rc = -XEN_ESRCH;
    if (!rc)
        rc = o->fn(d, op);
    if (d)
        domain_put(d);
    if (!rc && (o->how & BACK) && copy_to_guest(arg, op, sizeof(*op))) {
        /* A domain that nobody was told of would never be ended; it is empty, so that takes no time. */
        if ((o->how & NEW) && (d = domain_get(op->domain))) {
            while (domain_kill(d))
                ;
            domain_put(d);
        }
        rc = -XEN_EFAULT;
    }
    return rc;
}

long hc_domctl(struct vcpu *v, gva_t arg)
{
    struct xen_domctl op;
    long rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -XEN_EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -XEN_EACCES;
    if (op.cmd >= sizeof(ops) / sizeof(ops[0]) || !ops[op.cmd].fn)
        return -XEN_ENOSYS;
    if (atomic_xchg(&domctl.busy, 1)) {
        rc = -XEN_ERESTART;
    } else {
        rc = perform(v, &ops[op.cmd], &op, arg);
        atomic_store(&domctl.busy, 0);
    }
    return rc == -XEN_ERESTART ? hypercall_continue(v, __HYPERVISOR_domctl, 1, arg.raw, 0, 0, 0, 0) : rc;
}
