/* SPDX-License-Identifier: MIT */
/* domctl_memory.c: dom0's hand on other domains' memory. SPEC 14.2.                              [read 67] */
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domctl.h"
#include "hypervisor/core/misc.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/frame.h"

#define MAX_FRAMEINFO 1024               /* frames a call, as Xen has it: no need for a preemption point */

/* A limit below what the domain has now only keeps it from growing. */
long domctl_max_mem(struct domain *d, struct xen_domctl *op)
{
    uint64_t max = op->u.max_mem.max_memkb / (PAGE_SIZE / 1024);

    spin_lock(&d->page_lock);
    d->max_pages = max < 1UL << 31 ? max : 1UL << 31;
    spin_unlock(&d->page_lock);
    return 0;
}

long domctl_hypercall_init(struct domain *d, struct xen_domctl *op)
{
    return hypercall_page_give(d, op->u.hypercall_init.gmfn) ? -XEN_EACCES : 0;
}

static uint64_t describe_frame(struct domain *d, uint64_t n)
{
    static const uint32_t table_type[] = { [1] = XEN_DOMCTL_PFINFO_L1TAB, XEN_DOMCTL_PFINFO_L2TAB, XEN_DOMCTL_PFINFO_L3TAB,
                                           XEN_DOMCTL_PFINFO_L4TAB };
    uint64_t info, level, type = XEN_DOMCTL_PFINFO_NOTAB;
    mfn_t m;

    if (frame_get(d, gfn(n), &m))
        return XEN_DOMCTL_PFINFO_XTAB;
    info = READ_ONCE(frame_of(m)->type_info);
    level = info >> 60;
    if (level >= 1 && level <= 4 && (info & FT_COUNT))
        type = table_type[level] | (info & FT_PINNED ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
    frame_put(m);
    return type;
}

long domctl_getpageframeinfo3(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_getpageframeinfo3 *g = &op->u.getpageframeinfo3;

    if (g->num > MAX_FRAMEINFO)
        return -XEN_E2BIG;
    for (uint64_t i = 0; i < g->num; i++) {
        gva_t at = gva_index(gva(g->array), i, sizeof(xen_pfn_t));
        uint64_t n;
        if (copy_from_guest_8(&n, at) || copy_to_guest_8(at, describe_frame(d, n)))
            return -XEN_EFAULT;
    }
    return 0;
}
