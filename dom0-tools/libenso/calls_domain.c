/* SPDX-License-Identifier: MIT */
/* calls_domain.c: hypercalls about one domain (calls.h).
 *
 * Each function clears the bounce area, lays its arguments out there, makes
 * the call and takes the results out before anybody else can call.           */
#include "dom0-tools/libenso/calls.h"

#include <string.h>

#include "dom0-tools/libenso/os.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/mm.h"
#include "hypercall-abi/sched.h"

static uint64_t at(const void *p)
{
    return (uintptr_t)p;
}

const char *call_error(long rc)
{
    switch (-rc) {
#define E(name, number, words) case number: return words;
#include "hypercall-abi/errno.def"
    default: return rc >= 0 ? "no error" : "an error without a name";
    }
}

static struct xen_domctl *domctl(uint32_t cmd, uint16_t domid)
{
    struct xen_domctl *op;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domid;
    return op;
}

static int domctl_go(struct xen_domctl *op)
{
    return (int)os_hypercall(__HYPERVISOR_domctl, at(op), 0, 0, 0, 0);
}

int dom_create(const uint8_t handle[16], uint32_t vcpus, uint16_t *domid)
{
    struct xen_domctl *op = domctl(XEN_DOMCTL_createdomain, 0);
    struct xen_domctl_createdomain *c = &op->u.createdomain;
    int rc;

    memcpy(c->handle, handle, sizeof(c->handle));
    c->max_vcpus = vcpus;
    c->max_evtchn_port = 1023;
    c->max_grant_frames = -1;
    c->max_maptrack_frames = -1;
    c->grant_opts = XEN_DOMCTL_GRANT_version(1);
    rc = domctl_go(op);
    if (rc)
        return rc;
    *domid = op->domain;
    op = domctl(XEN_DOMCTL_max_vcpus, *domid);
    op->u.max_vcpus.max = vcpus;
    rc = domctl_go(op);
    if (rc)
        dom_destroy(*domid);
    return rc;
}

int dom_destroy(uint16_t domid)
{
    int rc;

    /* A hypervisor may hand long work back to us in pieces. */
    do
        rc = domctl_go(domctl(XEN_DOMCTL_destroydomain, domid));
    while (rc == -XEN_EAGAIN || rc == -XEN_EINTR);
    return rc;
}

int dom_pause(uint16_t domid)
{
    return domctl_go(domctl(XEN_DOMCTL_pausedomain, domid));
}

int dom_unpause(uint16_t domid)
{
    return domctl_go(domctl(XEN_DOMCTL_unpausedomain, domid));
}

int dom_info(uint16_t domid, struct xen_domctl_getdomaininfo *info)
{
    struct xen_domctl *op = domctl(XEN_DOMCTL_getdomaininfo, domid);
    int rc = domctl_go(op);

    if (rc)
        return rc;
    *info = op->u.getdomaininfo;
    return info->domain == domid ? 0 : -XEN_ESRCH;    /* it answers with the next one */
}

int dom_max_memory(uint16_t domid, uint64_t kib)
{
    struct xen_domctl *op = domctl(XEN_DOMCTL_max_mem, domid);

    op->u.max_mem.max_memkb = kib;
    return domctl_go(op);
}

int dom_hypercall_page(uint16_t domid, uint64_t mfn)
{
    struct xen_domctl *op = domctl(XEN_DOMCTL_hypercall_init, domid);

    op->u.hypercall_init.gmfn = mfn;
    return domctl_go(op);
}

int dom_set_context(uint16_t domid, uint32_t vcpu, const struct vcpu_guest_context *ctx)
{
    struct xen_domctl *op = domctl(XEN_DOMCTL_setvcpucontext, domid);
    struct vcpu_guest_context *copy = os_bounce(sizeof(*copy));

    *copy = *ctx;
    op->u.vcpucontext.vcpu = vcpu;
    op->u.vcpucontext.ctxt = at(copy);
    return domctl_go(op);
}

int dom_vcpu_info(uint16_t domid, uint32_t vcpu, struct xen_domctl_getvcpuinfo *info)
{
    struct xen_domctl *op = domctl(XEN_DOMCTL_getvcpuinfo, domid);
    int rc;

    op->u.getvcpuinfo.vcpu = vcpu;
    rc = domctl_go(op);
    *info = op->u.getvcpuinfo;
    return rc;
}

static int affinity(uint32_t cmd, uint16_t domid, uint32_t vcpu, uint64_t *cpus)
{
    struct xen_domctl *op = domctl(cmd, domid);
    uint64_t *mask = os_bounce(sizeof(*mask));
    int rc;

    *mask = *cpus;
    op->u.vcpuaffinity.vcpu = vcpu;
    op->u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    op->u.vcpuaffinity.cpumap_hard.bitmap = at(mask);
    op->u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    rc = domctl_go(op);
    *cpus = *mask;
    return rc;
}

int dom_get_affinity(uint16_t domid, uint32_t vcpu, uint64_t *cpus)
{
    *cpus = 0;
    return affinity(XEN_DOMCTL_getvcpuaffinity, domid, vcpu, cpus);
}

int dom_set_affinity(uint16_t domid, uint32_t vcpu, uint64_t cpus)
{
    return affinity(XEN_DOMCTL_setvcpuaffinity, domid, vcpu, &cpus);
}

/* credit and credit2 (Xen's default) keep weight and cap in the same places. */
static int share(uint32_t cmd, uint16_t domid, uint32_t *weight, uint32_t *cap)
{
    struct xen_domctl *op;
    uint32_t scheduler;
    int rc = machine_scheduler(&scheduler);

    if (rc)
        return rc;
    if (scheduler != XEN_SCHEDULER_CREDIT && scheduler != XEN_SCHEDULER_CREDIT2)
        return -XEN_EOPNOTSUPP;
    op = domctl(XEN_DOMCTL_scheduler_op, domid);
    op->u.scheduler_op.sched_id = scheduler;
    op->u.scheduler_op.cmd = cmd;
    op->u.scheduler_op.u.credit.weight = (uint16_t)*weight;
    op->u.scheduler_op.u.credit.cap = (uint16_t)*cap;
    rc = domctl_go(op);
    *weight = op->u.scheduler_op.u.credit.weight;
    *cap = op->u.scheduler_op.u.credit.cap;
    return rc;
}

int dom_get_share(uint16_t domid, uint32_t *weight, uint32_t *cap)
{
    *weight = *cap = 0;
    return share(XEN_DOMCTL_SCHEDOP_getinfo, domid, weight, cap);
}

int dom_set_share(uint16_t domid, uint32_t weight, uint32_t cap)
{
    return share(XEN_DOMCTL_SCHEDOP_putinfo, domid, &weight, &cap);
}

int dom_shutdown_now(uint16_t domid, uint32_t reason)
{
    struct sched_remote_shutdown *op;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    op->domain_id = domid;
    op->reason = reason;
    return (int)os_hypercall(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, at(op), 0, 0, 0);
}

/* ---- a domain's memory, seen from its builder --------------------------------- */

int dom_populate(uint16_t domid, uint64_t first, unsigned n, uint64_t *mfns)
{
    struct xen_memory_reservation *op;
    xen_pfn_t *extents;
    long rc;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    extents = os_bounce(n * sizeof(*extents));
    op->extent_start = at(extents);
    op->nr_extents = n;
    op->domid = domid;
    for (unsigned i = 0; i < n; i++)
        extents[i] = first + i;
    rc = os_hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, at(op), 0, 0, 0);
    if (rc > 0)
        memcpy(mfns, extents, (size_t)rc * sizeof(*mfns));
    return (int)rc;
}

int dom_memory_map(uint16_t domid, uint64_t kib)
{
    struct xen_foreign_memory_map *op;
    struct e820entry *ram;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    ram = os_bounce(sizeof(*ram));
    *ram = (struct e820entry){ .size = kib << 10, .type = E820_RAM };
    op->domid = domid;
    op->map.nr_entries = 1;
    op->map.buffer = at(ram);
    return (int)os_hypercall(__HYPERVISOR_memory_op, XENMEM_set_memory_map, at(op), 0, 0, 0);
}

int dom_pin_root(uint16_t domid, uint64_t mfn)
{
    struct mmuext_op *op;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    op->cmd = MMUEXT_PIN_L4_TABLE;
    op->arg1.mfn = mfn;
    return (int)os_hypercall(__HYPERVISOR_mmuext_op, at(op), 1, 0, domid, 0);
}

/* Where the table's n first frames are; there are that many, or they are made. */
static int grant_frames(uint16_t domid, unsigned n, uint64_t **mfns)
{
    struct gnttab_setup_table *op;
    long rc;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    *mfns = os_bounce(n * sizeof(**mfns));
    op->dom = domid;
    op->nr_frames = n;
    op->frame_list = at(*mfns);
    rc = os_hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, at(op), 1, 0, 0);
    if (!rc && op->status != GNTST_okay)
        rc = -XEN_EINVAL;
    return (int)rc;
}

int dom_grant_frame(uint16_t domid, uint64_t *mfn)
{
    uint64_t *mfns;
    int rc = grant_frames(domid, 1, &mfns);

    *mfn = *mfns;
    return rc;
}

static unsigned grant_frames_now(uint16_t domid)
{
    struct gnttab_query_size *op;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    op->dom = domid;
    if (os_hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, at(op), 1, 0, 0) || op->status != GNTST_okay)
        return 0;
    return op->nr_frames;
}

/* The entry is the guest's to write: what it names is checked where it is mapped, as of any frame that a guest names. */
int dom_granted(uint16_t domid, uint32_t ref, uint64_t *mfn)
{
    struct grant_entry_v1 *table, entry;
    uint64_t *mfns;
    unsigned index = ref / (4096 / sizeof(entry));
    int rc;

    if (index >= 64 || index >= grant_frames_now(domid))
        return -XEN_EINVAL;
    rc = grant_frames(domid, index + 1, &mfns);
    if (rc)
        return rc;
    table = os_map(domid, &mfns[index], 1, false, &rc);
    if (!table)
        return rc;
    entry = *(volatile struct grant_entry_v1 *)&table[ref % (4096 / sizeof(entry))];
    os_unmap(table, 1);
    if ((entry.flags & (GTF_type_mask | GTF_readonly)) != GTF_permit_access || entry.domid != 0)
        return -XEN_EINVAL;
    *mfn = entry.frame;
    return 0;
}

int dom_unbound_port(uint16_t domid, uint16_t remote)
{
    struct evtchn_alloc_unbound *op;
    long rc;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    op->dom = domid;
    op->remote_dom = remote;
    rc = os_hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, at(op), 0, 0, 0);
    return rc ? (int)rc : (int)op->port;
}
