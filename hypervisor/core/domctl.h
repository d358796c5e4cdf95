/* SPDX-License-Identifier: MIT */
/* domctl.h: what domctl's files and sysctl share. */
#ifndef ENSO_DOMCTL_H
#define ENSO_DOMCTL_H

#include "hypervisor/model.h"

/* One sub-operation. d is referenced (NULL for createdomain); results go into op. 0, -errno, -ERESTART. */
typedef long domctl_fn(struct domain *d, struct xen_domctl *op);

void domctl_describe(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* domctl_vcpu.c */
domctl_fn domctl_max_vcpus, domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo, domctl_setvcpuaffinity,
    domctl_getvcpuaffinity, domctl_scheduler_op, domctl_sendtrigger;
/* domctl_memory.c */
domctl_fn domctl_max_mem, domctl_hypercall_init, domctl_getpageframeinfo3;

#endif
