/* SPDX-License-Identifier: MIT */
/* subop.h: the operations of a hypercall that each take one structure of the guest's, as a table by number.
 *
 * The structure is copied in whole and once, so that nothing in it can change between a check and its use, and, where the row
 * says so, copied back when the operation has succeeded.                                                                     */
#ifndef ENSO_SUBOP_H
#define ENSO_SUBOP_H

#include "hypercall-abi/errno.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/copy.h"

#define SUBOP_BACK 1                     /* the structure is copied back          */
#define SUBOP_DOM0 2                     /* -EPERM for whoever is not privileged  */

struct subop {
    long (*fn)(struct vcpu *v, void *op, gva_t arg);   /* op: the copy; arg: where it came from */
    uint16_t size, how;
};

/* -ENOSYS for a number without a row. */
static inline long subop_run(struct vcpu *v, const struct subop *table, size_t n, uint64_t cmd, gva_t arg)
{
    const struct subop *o = cmd < n ? &table[cmd] : NULL;
    uint64_t op[8];
    long rc;

    if (!o || !o->fn)
        return -XEN_ENOSYS;
    if ((o->how & SUBOP_DOM0) && !v->domain->privileged)
        return -XEN_EPERM;
    BUG_ON(o->size > sizeof(op));
    if (o->size && copy_from_guest(op, arg, o->size))
        return -XEN_EFAULT;
    rc = o->fn(v, op, arg);
    return !rc && (o->how & SUBOP_BACK) && copy_to_guest(arg, op, o->size) ? -XEN_EFAULT : rc;
}

#endif
