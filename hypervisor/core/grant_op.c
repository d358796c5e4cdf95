/* SPDX-License-Identifier: MIT */
/* grant_op.c: grant_table_op: batches of operations on grants.                                  [read 56]
 *
 * An array of operations is worked through, some at a time: copied in, done, copied back with their statuses; in between
 * the call may be interrupted and go on later. Version 1 of the table is all there is. SPEC 10.2.                  */
#include "hypercall-abi/errno.h"
#include "hypercall-abi/grant.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/copy.h"

/* The domain that the caller may name; put by domain_put. GNTST_*. */
static int target(struct vcpu *v, domid_t id, struct domain **d)
{
    *d = NULL;
    if (id != DOMID_SELF && id != v->domain->id && !v->domain->privileged)
        return GNTST_permission_denied;
    *d = domain_get(id == DOMID_SELF ? v->domain->id : id);
    return *d ? GNTST_okay : GNTST_bad_domain;
}

static void op_swap(struct vcpu *v, void *arg, unsigned one)
{
    struct gnttab_swap_grant_ref *op = arg;
    op->status = grant_swap(v->domain, op->ref_a, op->ref_b);
}

static int list_frames(struct domain *d, const struct gnttab_setup_table *op)
{
    int rc = grant_grow(d, op->nr_frames);

    if (rc)
        return rc == -XEN_EINVAL ? GNTST_general_error : GNTST_no_space;
    for (uint32_t i = 0; i < op->nr_frames; i++) {
        if (copy_to_guest_8(gva_index(gva(op->frame_list), i, sizeof(xen_pfn_t)), d->grant->shared_mfn[i].raw))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

static void op_setup_table(struct vcpu *v, void *arg, unsigned one)
{
    struct gnttab_setup_table *op = arg;
    struct domain *d;

    op->status = target(v, op->dom, &d);
    if (d) {
        op->status = list_frames(d, op);
        domain_put(d);
    }
}

static void op_query_size(struct vcpu *v, void *arg, unsigned one)
{
    struct gnttab_query_size *op = arg;
    struct domain *d;

    op->status = target(v, op->dom, &d);
    if (d) {
        op->nr_frames = d->grant->nr_frames;
        op->max_nr_frames = d->grant->max_frames;
        domain_put(d);
    }
}

/* They belong to version 2. */
static void op_status_frames(struct vcpu *v, void *arg, unsigned one)
{
    ((struct gnttab_get_status_frames *)arg)->status = GNTST_general_error;
}

static const struct grant_op {
    void (*fn)(struct vcpu *v, void *ops, unsigned n);
    uint16_t size;
    uint16_t at_once;                    /* how many fn takes, in order */
    bool one;                            /* not an array: count must be 1 */
    void (*undo)(struct vcpu *v, void *op);
} ops[] = {
    [GNTTABOP_map_grant_ref] = { grant_op_map, sizeof(struct gnttab_map_grant_ref), GRANT_RUN, false, grant_op_undo_map },
    [GNTTABOP_unmap_grant_ref] = { grant_op_unmap, sizeof(struct gnttab_unmap_grant_ref), GRANT_RUN, false, NULL },
    [GNTTABOP_setup_table] = { op_setup_table, sizeof(struct gnttab_setup_table), 1, true, NULL },
    [GNTTABOP_copy] = { grant_op_copy, sizeof(struct gnttab_copy), GRANT_COPIES, false, NULL },
    [GNTTABOP_query_size] = { op_query_size, sizeof(struct gnttab_query_size), 1, true, NULL },
    [GNTTABOP_unmap_and_replace] = { grant_op_unmap_and_replace, sizeof(struct gnttab_unmap_and_replace), 1, false, NULL },
    [GNTTABOP_get_status_frames] = { op_status_frames, sizeof(struct gnttab_get_status_frames), 1, true, NULL },
    [GNTTABOP_swap_grant_ref] = { op_swap, sizeof(struct gnttab_swap_grant_ref), 1, false, NULL },
};

#define ROOM (GRANT_RUN * sizeof(struct gnttab_map_grant_ref))
_Static_assert(sizeof(struct gnttab_unmap_grant_ref) <= ROOM / GRANT_RUN && GRANT_COPIES * sizeof(struct gnttab_copy) <= ROOM,
               "any of them fits");

/* Results that could not be told all at once are told one by one; what cannot be told has not been. */
static long tell_each(struct vcpu *v, const struct grant_op *o, gva_t at, char *done, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (copy_to_guest(gva_index(at, i, o->size), done + i * o->size, o->size) && o->undo)
            o->undo(v, done + i * o->size);
    }
    return -XEN_EFAULT;
}

static long run_list(struct vcpu *v, const struct grant_op *o, uint64_t cmd, gva_t list, uint64_t count)
{
    char some[ROOM] __attribute__((aligned(8)));
    uint64_t at_once = o->at_once, n;

    for (uint64_t i = 0; i < count; i += n) {
        gva_t at = gva_index(list, i, o->size);

        n = count - i < at_once ? count - i : at_once;
        if (i && preempt_needed())
            return hypercall_continue(v, __HYPERVISOR_grant_table_op, 3, cmd, at.raw, count - i, 0, 0);
        while (copy_from_guest(some, at, n * o->size)) {
            if (n == 1)
                return -XEN_EFAULT;
            n = at_once = 1;                                 /* those before the one that cannot be read */
        }
        o->fn(v, some, n);
        if (copy_to_guest(at, some, n * o->size))
            return tell_each(v, o, at, some, n);
    }
    return 0;
}

static long get_version(struct vcpu *v, gva_t arg)
{
    struct gnttab_get_version g;
    struct domain *d;
    int rc;

    if (copy_from_guest(&g, arg, sizeof(g)))
        return -XEN_EFAULT;
    rc = target(v, g.dom, &d);
    if (!d)
        return rc == GNTST_bad_domain ? -XEN_ESRCH : -XEN_EPERM;
    domain_put(d);
    g.version = 1;
    return copy_to_guest(arg, &g, sizeof(g)) ? -XEN_EFAULT : 0;
}

static long set_version(gva_t arg)
{
    struct gnttab_set_version s;
    long rc;

    if (copy_from_guest(&s, arg, sizeof(s)))
        return -XEN_EFAULT;
    rc = s.version == 1 ? 0 : s.version == 2 ? -XEN_ENOSYS : -XEN_EINVAL;
    s.version = 1;
    return copy_to_guest(arg, &s, sizeof(s)) ? -XEN_EFAULT : rc;
}

long hc_grant_table_op(struct vcpu *v, uint64_t cmd, gva_t list, uint64_t count)
{
    if ((uint32_t)cmd != cmd || count > 0x7fffffff)
        return -XEN_EINVAL;
    if (cmd < sizeof(ops) / sizeof(ops[0]) && ops[cmd].fn)
        return ops[cmd].one && count != 1 ? -XEN_EINVAL : run_list(v, &ops[cmd], cmd, list, count);
    switch (cmd) {
    case GNTTABOP_get_version:
        return get_version(v, list);
    case GNTTABOP_set_version:
        return set_version(list);
    default:
        /* transfer, dump_table, cache_flush: none that PV Linux needs, and each with a history (XSA-232, 284). */
        return -XEN_ENOSYS;
    }
}
