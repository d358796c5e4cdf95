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

/* One of the two ends of a copy. Its domain is referenced, and stays so for the next copies: mostly they name the same. */
struct end {
    struct domain *d;                    /* NULL: none yet */
    mfn_t m;
    bool by_grant, write;
};

static bool name_domain(struct end *e, domid_t id)
{
    if (e->d && e->d->id == id)
        return true;
    if (e->d)
        domain_put(e->d);
    e->d = domain_get(id);
    return e->d;
}

static int take_end(struct vcpu *v, const struct gnttab_copy_ptr *p, bool by_grant, bool write, struct end *e)
{
    int rc = GNTST_okay;

    e->by_grant = by_grant;
    e->write = write;
    if (!by_grant && p->domid != DOMID_SELF && p->domid != v->domain->id)
        return GNTST_permission_denied;
    if (!name_domain(e, p->domid == DOMID_SELF ? v->domain->id : p->domid))
        return GNTST_bad_domain;
    if (by_grant)
        rc = grant_pin(e->d, p->u.ref, v->domain->id, write, &e->m);
    else if (write ? frame_get_typed(e->d, gfn(p->u.gmfn), FT_WRITABLE, &e->m) : frame_get(e->d, gfn(p->u.gmfn), &e->m))
        rc = GNTST_bad_page;
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
}

static void copy_one(struct vcpu *v, struct gnttab_copy *op, struct end *from, struct end *to)
{
    int rc;

    op->status = GNTST_bad_copy_arg;
    if (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE)
        return;
    rc = take_end(v, &op->source, op->flags & GNTCOPY_source_gref, false, from);
    if (rc == GNTST_okay) {
        rc = take_end(v, &op->dest, op->flags & GNTCOPY_dest_gref, true, to);
        if (rc == GNTST_okay) {
            memmove((char *)mfn_to_virt(to->m) + op->dest.offset, (char *)mfn_to_virt(from->m) + op->source.offset, op->len);
            put_end(&op->dest, to);
        }
        put_end(&op->source, from);
    }
    op->status = rc;
}

void grant_op_copy(struct vcpu *v, void *ops, unsigned n)
{
    struct end from = { .d = NULL }, to = { .d = NULL };
    struct gnttab_copy *op = ops;

    for (unsigned i = 0; i < n; i++)
        copy_one(v, &op[i], &from, &to);
    if (from.d)
        domain_put(from.d);
    if (to.d)
        domain_put(to.d);
}
