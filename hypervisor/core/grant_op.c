/* SPDX-License-Identifier: MIT */
/* grant_op.c: grant_table_op: batches of operations on grants.                                  [read 56]
 *
 * An array of operations is worked through one by one: copied in, done, copied back with its status; between two of
 * them the call may be interrupted and go on later. Version 1 of the table is all there is. SPEC 10.2.             */
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

static void op_swap(struct vcpu *v, void *arg)
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

static void op_setup_table(struct vcpu *v, void *arg)
{
    struct gnttab_setup_table *op = arg;
    struct domain *d;

    op->status = target(v, op->dom, &d);
    if (d) {
        op->status = list_frames(d, op);
        domain_put(d);
    }
}

static void op_query_size(struct vcpu *v, void *arg)
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
static void op_status_frames(struct vcpu *v, void *arg)
{
    ((struct gnttab_get_status_frames *)arg)->status = GNTST_general_error;
}

static const struct grant_op {
    uint32_t size;
    bool one;                            /* not an array: count must be 1 */
    void (*fn)(struct vcpu *v, void *op);
    void (*undo)(struct vcpu *v, void *op);
    void (*run)(struct vcpu *v, void *ops, unsigned n);   /* GRANT_RUN of them at most, in order */
} ops[] = {
    [GNTTABOP_map_grant_ref] = { sizeof(struct gnttab_map_grant_ref), false, grant_op_map, grant_op_undo_map, grant_run_map },
    [GNTTABOP_unmap_grant_ref] = { sizeof(struct gnttab_unmap_grant_ref), false, grant_op_unmap, NULL, grant_run_unmap },
    [GNTTABOP_setup_table] = { sizeof(struct gnttab_setup_table), true, op_setup_table, NULL, NULL },
    [GNTTABOP_copy] = { sizeof(struct gnttab_copy), false, grant_op_copy, NULL, NULL },
    [GNTTABOP_query_size] = { sizeof(struct gnttab_query_size), true, op_query_size, NULL, NULL },
    [GNTTABOP_unmap_and_replace] = { sizeof(struct gnttab_unmap_and_replace), false, grant_op_unmap_and_replace, NULL, NULL },
    [GNTTABOP_get_status_frames] = { sizeof(struct gnttab_get_status_frames), true, op_status_frames, NULL, NULL },
    [GNTTABOP_swap_grant_ref] = { sizeof(struct gnttab_swap_grant_ref), false, op_swap, NULL, NULL },
};

union any_op {
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_setup_table setup;
    struct gnttab_copy copy;
    struct gnttab_query_size query;
    struct gnttab_unmap_and_replace replace;
    struct gnttab_get_status_frames status;
    struct gnttab_swap_grant_ref swap;
};

static long run_batch(struct vcpu *v, const struct grant_op *o, uint64_t cmd, gva_t list, uint64_t count)
{
    union any_op op;

    for (uint64_t i = 0; i < count; i++) {
        gva_t at = gva_index(list, i, o->size);

        if (i && preempt_needed())
            return hypercall_continue(v, __HYPERVISOR_grant_table_op, 3, cmd, at.raw, count - i, 0, 0);
        if (copy_from_guest(&op, at, o->size))
            return -XEN_EFAULT;
        o->fn(v, &op);
        if (copy_to_guest(at, &op, o->size)) {
            if (o->undo)
                o->undo(v, &op);
            return -XEN_EFAULT;
        }
    }
    return 0;
}

/* What could not be told all at once is told one by one; what cannot be told has not been. */
static long tell_each(struct vcpu *v, const struct grant_op *o, gva_t at, char *done, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (copy_to_guest(gva_index(at, i, o->size), done + i * o->size, o->size) && o->undo)
            o->undo(v, done + i * o->size);
    }
    return -XEN_EFAULT;
}

/* Some at a time: copied, done and copied back together. */
static long run_runs(struct vcpu *v, const struct grant_op *o, uint64_t cmd, gva_t list, uint64_t count)
{
    char some[GRANT_RUN * sizeof(struct gnttab_map_grant_ref)] __attribute__((aligned(8)));
    uint64_t n;

    _Static_assert(sizeof(struct gnttab_unmap_grant_ref) <= sizeof(struct gnttab_map_grant_ref), "both fit");
    for (uint64_t i = 0; i < count; i += n) {
        gva_t at = gva_index(list, i, o->size);

        n = count - i < GRANT_RUN ? count - i : GRANT_RUN;
        if (i && preempt_needed())
            return hypercall_continue(v, __HYPERVISOR_grant_table_op, 3, cmd, at.raw, count - i, 0, 0);
        if (copy_from_guest(some, at, n * o->size))
            return run_batch(v, o, cmd, at, count - i);      /* those before the one that cannot be read */
        o->run(v, some, n);
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
        return ops[cmd].one && count != 1 ? -XEN_EINVAL : (ops[cmd].run ? run_runs : run_batch)(v, &ops[cmd], cmd, list, count);
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
