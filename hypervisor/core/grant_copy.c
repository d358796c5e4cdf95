/* SPDX-License-Identifier: MIT */
/* grant_copy.c: copying a piece of a frame to a piece of another, by grant or by frame number.   [read 55]
 *
 * Both ends are held for the length of one copy: a grant is pinned, a frame of the caller's own referenced, the
 * destination as writable, so that it cannot become a page table meanwhile. Offsets and length are checked against the
 * page before anything is taken. SPEC 10.4.                                                                         */
#include "hypervisor/core/domain.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"

struct end {
    struct domain *d;                    /* referenced */
    mfn_t m;
    bool by_grant, write;
};

static int take_end(struct vcpu *v, const struct gnttab_copy_ptr *p, bool by_grant, bool write, struct end *e)
{
    int rc = GNTST_okay;

    *e = (struct end){ .by_grant = by_grant, .write = write };
    if (!by_grant && p->domid != DOMID_SELF && p->domid != v->domain->id)
        return GNTST_permission_denied;
    e->d = domain_get(p->domid == DOMID_SELF ? v->domain->id : p->domid);
    if (!e->d)
        return GNTST_bad_domain;
    if (by_grant)
        rc = grant_pin(e->d, p->u.ref, v->domain->id, write, &e->m);
    else if (write ? frame_get_typed(e->d, gfn(p->u.gmfn), FT_WRITABLE, &e->m) : frame_get(e->d, gfn(p->u.gmfn), &e->m))
        rc = GNTST_bad_page;
    if (rc != GNTST_okay)
        domain_put(e->d);
    return rc;
}

static void put_end(const struct gnttab_copy_ptr *p, const struct end *e)
{
    if (e->by_grant)
        grant_unpin(e->d, p->u.ref, e->write, e->m);
    else if (e->write)
        frame_put_typed(e->m);
    else
        frame_put(e->m);
    domain_put(e->d);
}

void grant_op_copy(struct vcpu *v, void *arg, unsigned one)
{
    struct gnttab_copy *op = arg;
    struct end from, to;
    int rc;

    op->status = GNTST_bad_copy_arg;
    if (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE)
        return;
    rc = take_end(v, &op->source, op->flags & GNTCOPY_source_gref, false, &from);
    if (rc == GNTST_okay) {
        rc = take_end(v, &op->dest, op->flags & GNTCOPY_dest_gref, true, &to);
        if (rc == GNTST_okay) {
            memmove((char *)mfn_to_virt(to.m) + op->dest.offset, (char *)mfn_to_virt(from.m) + op->source.offset, op->len);
            put_end(&op->dest, &to);
        }
        put_end(&op->source, &from);
    }
    op->status = rc;
}
