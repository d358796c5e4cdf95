/* SPDX-License-Identifier: MIT */
/* mm_internal.h: what the hypercalls of this floor share with one another. */
#ifndef ENSO_MM_INTERNAL_H
#define ENSO_MM_INTERNAL_H

#include "hypervisor/model.h"

/* In the count of mmu_update and mmuext_op: this is a continuation, and *done counts what went before. */
#define MM_PREEMPTED (1UL << 31)

/* Ends a hypercall that works through a list: i elements are done. rc is returned, unless it is -ERESTART: then the call goes on later.
 * *done, if the guest wants it, is told. */
long mm_list_end(struct vcpu *v, unsigned nr, gva_t list, size_t size, uint64_t count, gva_t done, uint64_t domid, uint64_t i, int rc);

/* The pCPUs on which the vCPUs of a guest's bitmap run now. 0 or -EFAULT. */
int mm_vcpu_mask(struct vcpu *v, gva_t handle, uint64_t *pcpus_out);

/* "-EINVAL", ...: for messages. */
const char *mm_error_name(int rc);

#endif
