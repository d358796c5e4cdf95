/* SPDX-License-Identifier: MIT */
/* sysctl.c: dom0 asks about the whole machine.                                                  [read 68]
 * Nothing here changes a domain; each answer is a snapshot. SPEC 14.3.                                              */
#include "hypercall-abi/sysctl.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/debugkeys.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/domctl.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/time.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/tsc.h"

#define CHUNK    512
#define MAX_KEYS 64

static long readconsole(struct xen_sysctl_readconsole *r)
{
    uint32_t index = r->incremental ? r->index : 0, given = 0;
    char buf[CHUNK];
    size_t n;

    /* The ring is finite, so this ends; what is printed meanwhile is for the next call. */
    while (given < r->count && given < 65536) {
        n = r->count - given < CHUNK ? r->count - given : CHUNK;
        n = console_ring_read(buf, n, &index, false);
        if (!n)
            break;
        if (copy_to_guest(gva(r->buffer + given), buf, n))
            return -XEN_EFAULT;
        given += n;
    }
    if (r->clear)
        console_ring_read(buf, 0, &index, true);
    r->count = given;
    r->index = index;
    return 0;
}

static long physinfo(struct xen_sysctl_physinfo *p)
{
    memset(p, 0, sizeof(*p));
    p->threads_per_core = 1;
    p->cores_per_socket = nr_pcpus;
    p->nr_cpus = nr_pcpus;
    p->max_cpu_id = nr_pcpus - 1;
    p->nr_nodes = 1;
    p->cpu_khz = tsc_scale.khz;
    p->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1;
    p->total_pages = heap_total_frames();
    p->free_pages = heap_free_frames();
    p->max_mfn = max_mfn - 1;
    return 0;
}

static long getdomaininfolist(struct xen_sysctl_getdomaininfolist *l)
{
    struct xen_domctl_getdomaininfo info;
    uint32_t n = 0, id = l->first_domain;
    struct domain *d;

    for (; n < l->max_domains && (d = domain_get_from(id)); n++) {
        id = d->id + 1;
        domctl_describe(d, &info);
        domain_put(d);
        if (copy_to_guest(gva_index(gva(l->buffer), n, sizeof(info)), &info, sizeof(info)))
            return -XEN_EFAULT;
    }
    l->num_domains = n;
    return 0;
}

static long debug_keys(const struct xen_sysctl_debug_keys *k)
{
    char keys[MAX_KEYS];
    uint32_t n = k->nr_keys < MAX_KEYS ? k->nr_keys : MAX_KEYS;

    if (copy_from_guest(keys, gva(k->keys), n))
        return -XEN_EFAULT;
    for (uint32_t i = 0; i < n; i++)
        debugkey_handle(keys[i]);
    return 0;
}

static long getcpuinfo(struct xen_sysctl_getcpuinfo *c)
{
    uint32_t n = c->max_cpus < nr_pcpus ? c->max_cpus : nr_pcpus;

    for (uint32_t i = 0; i < n; i++) {
        if (copy_to_guest_8(gva_index(gva(c->info), i, sizeof(struct xen_sysctl_cpuinfo)), vcpu_cpu_time(pcpus[i]->idle)))
            return -XEN_EFAULT;
    }
    c->nr_cpus = n;
    return 0;
}

static long perform(struct xen_sysctl *op)
{
    switch (op->cmd) {
    case XEN_SYSCTL_readconsole:
        return readconsole(&op->u.readconsole);
    case XEN_SYSCTL_physinfo:
        return physinfo(&op->u.physinfo);
    case XEN_SYSCTL_sched_id:
        op->u.sched_id.sched_id = sched_current()->abi_id;
        return 0;
    case XEN_SYSCTL_getdomaininfolist:
        return getdomaininfolist(&op->u.getdomaininfolist);
    case XEN_SYSCTL_debug_keys:
        return debug_keys(&op->u.debug_keys);
    case XEN_SYSCTL_getcpuinfo:
        return getcpuinfo(&op->u.getcpuinfo);
    case XEN_SYSCTL_availheap:
        op->u.availheap.avail_bytes = heap_free_frames() * PAGE_SIZE;
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

long hc_sysctl(struct vcpu *v, gva_t arg)
{
    struct xen_sysctl op;
    long rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -XEN_EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -XEN_EACCES;
    rc = perform(&op);
    if (!rc && copy_to_guest(arg, &op, sizeof(op)))
        return -XEN_EFAULT;
    return rc;
}
