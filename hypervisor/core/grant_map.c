/* SPDX-License-Identifier: MIT */
/* grant_map.c: mapping a frame that another domain lends, and letting go of it.                [read 54]
 *
 * The mapping is an entry in the mapper's own L1 table, written by the same function that checks every entry, with the
 * granter as the one whose frames it may name. That entry holds a reference as any entry does; the handle holds another,
 * so that entry and grant can end in either order without a frame going astray. An entry named by machine address must
 * be aligned (XSA-227), and an unmap takes away only an entry that maps the frame in question, with the rights that the
 * handle stands for: else the writable entry of another mapping of that frame would outlive its handle. SPEC 10.3.  */
#include "hypervisor/core/domain.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/insn.h"

/* The L1 table and entry that an operation names. */
static bool find_entry(struct vcpu *v, uint64_t host_addr, bool by_pte, mfn_t *table, unsigned *index)
{
    if (!by_pte)
        return table_find_leaf(v, host_addr, table, index);
    if (host_addr % 8)
        return false;
    *table = mfn(host_addr >> PAGE_SHIFT);
    *index = host_addr % PAGE_SIZE / 8;
    return true;
}

/* The guest may have three software bits of the entry set, for its own book-keeping. */
static uint64_t entry_for(mfn_t m, uint32_t flags)
{
    return m.raw << PAGE_SHIFT | PTE_P | PTE_U | PTE_A | PTE_D | (flags & GNTMAP_readonly ? 0 : PTE_RW) |
           (uint64_t)(flags >> 16 & 7) << 9;
}

static int write_mapping(struct vcpu *v, struct domain *rd, const struct gnttab_map_grant_ref *op, mfn_t m)
{
    unsigned index;
    mfn_t table;

    if (!find_entry(v, op->host_addr, op->flags & GNTMAP_contains_pte, &table, &index))
        return op->flags & GNTMAP_contains_pte ? GNTST_general_error : GNTST_bad_virt_addr;
    return leaf_write(v, rd, table, index, entry_for(m, op->flags)) ? GNTST_general_error : GNTST_okay;
}

/* One use for the processor's mapping, one for the devices'; each with its reference (XSA-224). */
static int pin_uses(struct domain *rd, const struct gnttab_map_grant_ref *op, domid_t who, mfn_t *m)
{
    bool write = !(op->flags & GNTMAP_readonly), both = (op->flags & GNTMAP_host_map) && (op->flags & GNTMAP_device_map);
    int rc = grant_pin(rd, op->ref, who, write, m);

    if (rc == GNTST_okay && both && (rc = grant_pin(rd, op->ref, who, write, m)) != GNTST_okay)
        grant_unpin(rd, op->ref, write, *m);
    return rc;
}

static void unpin_uses(struct domain *rd, const struct gnttab_map_grant_ref *op, mfn_t m)
{
    for (uint32_t uses = op->flags & (GNTMAP_host_map | GNTMAP_device_map); uses; uses &= uses - 1)
        grant_unpin(rd, op->ref, !(op->flags & GNTMAP_readonly), m);
}

static int map_from(struct vcpu *v, struct domain *rd, struct gnttab_map_grant_ref *op)
{
    uint32_t handle = track_alloc(v->domain);
    struct grant_track *track;
    mfn_t m;
    int rc;

    if (handle == NO_HANDLE)
        return GNTST_no_device_space;
    rc = pin_uses(rd, op, v->domain->id, &m);
    if (rc == GNTST_okay && (rc = write_mapping(v, rd, op, m)) != GNTST_okay)
        unpin_uses(rd, op, m);
    if (rc != GNTST_okay) {
        track_free(v->domain, handle);
        return rc;
    }
    /* Ours alone until it is released: the handle is not known to the guest yet. */
    track = &v->domain->grant->track[handle / TRACKS_A_PAGE][handle % TRACKS_A_PAGE];
    track->mfn = m.raw;
    track->ref = op->ref;
    track->dom = rd->id;
    track->writable = !(op->flags & GNTMAP_readonly);
    track->by_pte = op->flags & GNTMAP_contains_pte;
    track->uses = op->flags & (GNTMAP_host_map | GNTMAP_device_map);
    track_release(v->domain, track);
    op->handle = handle;
    op->dev_bus_addr = m.raw << PAGE_SHIFT;
    return GNTST_okay;
}

/* Devices alone need no entry in a table: a backend lends a disk many pages at once, so these have a way of their own. */
static bool for_devices(const struct gnttab_map_grant_ref *op)
{
    return (op->flags & (GNTMAP_host_map | GNTMAP_device_map)) == GNTMAP_device_map;
}

static void map_run(struct vcpu *v, struct domain *rd, struct gnttab_map_grant_ref *op, unsigned n)
{
    grant_pin_run(rd, v->domain->id, op, n);
    track_add_run(v->domain, rd->id, op, n);
    for (unsigned i = 0; i < n; i++) {
        if (op[i].status == GNTST_no_device_space) {
            grant_unpin(rd, op[i].ref, !(op[i].flags & GNTMAP_readonly), mfn(op[i].dev_bus_addr >> PAGE_SHIFT));
            op[i].dev_bus_addr = 0;
        }
    }
}

void grant_op_map(struct vcpu *v, void *ops, unsigned n)
{
    struct gnttab_map_grant_ref *op = ops;

    for (unsigned i = 0, run; i < n; i += run) {
        struct domain *rd = domain_get(op[i].dom == DOMID_SELF ? v->domain->id : op[i].dom);
        for (run = 0; i + run < n && for_devices(&op[i + run]) && op[i + run].dom == op[i].dom; run++)
            op[i + run].status = GNTST_bad_domain;
        if (!run) {
            run = 1;
            op[i].status = !(op[i].flags & GNTMAP_host_map) ? GNTST_bad_gntref : rd ? map_from(v, rd, op + i) : GNTST_bad_domain;
        } else if (rd) {
            map_run(v, rd, op + i, run);
        }
        if (rd)
            domain_put(rd);
    }
}

/* ---- unmapping --------------------------------------------------------------------------------- */

static int take_entry(struct vcpu *v, const struct grant_track *t, uint64_t host_addr, uint64_t new_entry)
{
    unsigned index;
    mfn_t table;

    if (!find_entry(v, host_addr, t->by_pte, &table, &index))
        return GNTST_bad_virt_addr;
    return leaf_take(v, table, index, mfn(t->mfn), t->writable, new_entry) ? GNTST_general_error : GNTST_okay;
}

/* One use of a taken track has ended; with the last the handle goes. */
static void end_uses(struct domain *d, struct grant_track *t, uint32_t handle, uint8_t which)
{
    /* Alive: we hold references on one of its frames. */
    struct domain *rd = domain_get(t->dom);

    for (uint8_t w = which & t->uses; w; w &= w - 1)
        grant_unpin(rd, t->ref, t->writable, mfn(t->mfn));
    domain_put(rd);
    t->uses &= ~which;
    if (t->uses)
        track_release(d, t);
    else
        track_free(d, handle);
}

static int unmap(struct vcpu *v, uint32_t handle, uint64_t host_addr, uint64_t dev_addr, uint64_t new_entry)
{
    struct grant_track *t = track_take(v->domain, handle);
    uint8_t which = 0;
    int rc = GNTST_okay;

    if (!t)
        return GNTST_bad_handle;
    if (dev_addr && (t->uses & GNTMAP_device_map)) {
        if (dev_addr >> PAGE_SHIFT != t->mfn)
            rc = GNTST_general_error;
        else
            which |= GNTMAP_device_map;
    }
    if (rc == GNTST_okay && host_addr && (t->uses & GNTMAP_host_map)) {
        rc = take_entry(v, t, host_addr, new_entry);
        if (rc == GNTST_okay)
            which |= GNTMAP_host_map;
    }
    if (rc != GNTST_okay)
        which = 0;
    end_uses(v->domain, t, handle, which);
    return rc;
}

void grant_op_unmap(struct vcpu *v, void *ops, unsigned n)
{
    struct gnttab_unmap_grant_ref *op = ops;
    struct grant_use u[GRANT_RUN];
    domid_t from = DOMID_INVALID;

    for (unsigned i = 0, run; i < n; i += run) {
        run = track_end_run(v->domain, op + i, n - i, u, &from);
        if (run) {
            /* Alive: we hold references on its frames. */
            struct domain *rd = domain_get(from);
            grant_unpin_run(rd, u, run);
            domain_put(rd);
        } else {
            op[i].status = unmap(v, op[i].handle, op[i].host_addr, op[i].dev_bus_addr, 0);
            run = 1;
        }
    }
}

/* The results of a map could not be told: as if it had not been. */
void grant_op_undo_map(struct vcpu *v, void *arg)
{
    struct gnttab_map_grant_ref *op = arg;

    if (op->status == GNTST_okay)
        unmap(v, op->handle, op->host_addr, op->dev_bus_addr, 0);
}

/* What new_addr maps moves to host_addr. The entry is one of the caller's own, so taking it over is checked as any entry is. */
void grant_op_unmap_and_replace(struct vcpu *v, void *arg, unsigned one)
{
    struct gnttab_unmap_and_replace *op = arg;
    uint64_t moved = 0;
    unsigned index = 0;
    mfn_t table = mfn(0);

    op->status = GNTST_bad_virt_addr;
    if (op->new_addr) {
        uint64_t entries[4];
        if (!table_find_leaf(v, op->new_addr, &table, &index) || table_walk(v, op->new_addr, entries))
            return;
        moved = entries[3];
    }
    op->status = unmap(v, op->handle, op->host_addr, 0, moved);
    if (op->status == GNTST_okay && op->new_addr)
        leaf_write(v, v->domain, table, index, 0);
}
