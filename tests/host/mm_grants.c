/* SPDX-License-Identifier: MIT */
/* mm_grants.c: the grants' share of mm_property.c: domains lend to each other, rewrite their entries while these are in use, map by
 * address and by entry, let go with wrong handles and wrong places, copy and die (SPEC 10; bug classes C).               */
#include <string.h>

#include "hypercall-abi/grant.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/pte.h"
#include "tests/host/mm_property.h"

#define REFS    8                        /* few, so that uses collide */
#define HANDLES 24

uint64_t grants_mapped, grants_ended, grants_copied, foreign_entries;

/* ---- what must hold ---- */

bool lent(const struct domain *to, uint64_t m, bool write)
{
    for (unsigned i = 0; i < DOMAINS; i++) {
        const struct grant_table *t = dom[i] ? dom[i]->grant : NULL;
        for (unsigned ref = 0; t && ref < t->nr_active * ENTRIES_A_FRAME; ref++) {
            const struct grant_active *a = &t->active[ref / ENTRIES_A_FRAME][ref % ENTRIES_A_FRAME];
            if ((a->writers || (!write && a->readers)) && a->mfn == m && a->domid == to->id)
                return true;
        }
    }
    return false;
}

/* fn for each entry of d's tables that counts. */
static bool any_entry(const struct domain *d, bool (*fn)(const struct domain *d, uint64_t e, uint64_t m), uint64_t m)
{
    for (uint64_t at = FIRST; at < END; at++) {
        const struct frame *f = frame_of(mfn(at));
        unsigned n = f->type_info & FT_VALIDATED ? 512 : f->type_info & FT_PARTIAL ? f->partial : 0;
        if (f->owner != d->id || (f->type_info & FT_TYPE) != FT_L1 || !(f->type_info & FT_COUNT))
            continue;
        for (unsigned i = 0; i < n; i++)
            if ((table_of(mfn(at))[i] & PTE_P) && fn(d, table_of(mfn(at))[i], m))
                return true;
    }
    return false;
}

static bool writes(const struct domain *d, uint64_t e, uint64_t m) { return pte_mfn(e) == m && (e & PTE_RW); }

bool maps_writable(const struct domain *d, uint64_t m) { return any_entry(d, writes, m); }

static bool reads(const struct domain *d, uint64_t e, uint64_t m) { return pte_mfn(e) == m; }

bool maps(const struct domain *d, uint64_t m) { return any_entry(d, reads, m); }

static bool unlent(const struct domain *d, uint64_t e, uint64_t m)
{
    if (pte_mfn(e) >= END || frame_of(mfn(pte_mfn(e)))->owner == d->id)
        return false;
    foreign_entries++;
    return !lent(d, pte_mfn(e), e & PTE_RW);
}

void check_grants(void)
{
    for (unsigned i = 0; i < DOMAINS; i++)
        if (dom[i] && !dom[i]->privileged && any_entry(dom[i], unlent, 0))
            fail("a domain reaches a frame that is not lent to it so", i);
}

/* ---- what is tried ---- */

static domid_t somebody(const struct vcpu *v)
{
    return rnd(16) ? rnd(DOMAINS) : rnd(2) ? DOMID_SELF : 700 + rnd(100) * 300;
}

/* The granter's own hand: at any time, whatever it likes. */
static void write_entries(struct domain *d)
{
    struct grant_entry_v1 *e = d->grant->nr_frames ? d->grant->shared[0] : NULL;

    for (unsigned n = rnd(3); e && n > 0; n--) {
        unsigned ref = rnd(REFS);
        uint64_t frame = rnd(3) ? idle_frame(d) : rnd(2) ? e[rnd(REFS)].frame : some_frame(d);
        bool in_use = __atomic_load_n(&e[ref].flags, __ATOMIC_RELAXED) & (GTF_reading | GTF_writing);
        if (in_use && rnd(4))
            continue;
        __atomic_store_n(&e[ref].frame, (uint32_t)frame, __ATOMIC_RELAXED);
        __atomic_store_n(&e[ref].domid, (domid_t)(rnd(8) ? rnd(DOMAINS) : rnd(0x10000)), __ATOMIC_RELAXED);
        __atomic_store_n(&e[ref].flags, (uint16_t)(rnd(8) ? GTF_permit_access | (rnd(2) ? GTF_readonly : 0) : rnd(0x10000)), __ATOMIC_RELAXED);
    }
}

static uint64_t host_place(struct vcpu *v, bool by_pte)
{
    if (by_pte)
        return (rnd(8) ? typed_frame(v->domain, FT_L1, 0) : some_frame(v->domain)) << PAGE_SHIFT | some_slot() * 8 | (rnd(16) ? 0 : rnd(8));
    return some_va();
}

/* An entry of whom's that lends to v's domain, or any. */
static grant_ref_t some_ref(const struct vcpu *v, domid_t whom)
{
    const struct grant_table *t = whom < DOMAINS ? dom[whom]->grant : NULL;
    unsigned from = rnd(REFS);

    for (unsigned i = 0; t && t->nr_frames && i < REFS; i++) {
        const struct grant_entry_v1 *e = &t->shared[0][(from + i) % REFS];
        if ((e->flags & GTF_type_mask) == GTF_permit_access && e->domid == v->domain->id && rnd(4))
            return (from + i) % REFS;
    }
    return rnd(rnd(16) ? REFS : 3000);
}

static struct held { uint64_t host, dev; } held[DOMAINS][HANDLES];   /* where a handle was mapped last: racy guesses are as good */

static void map_some(struct vcpu *v)
{
    struct gnttab_map_grant_ref op[20];
    unsigned n = 1 + rnd(rnd(3) ? 3 : 20);
    domid_t whom = somebody(v);
    bool devices = rnd(3) == 0;

    for (unsigned i = 0; i < n; i++) {
        uint32_t flags = devices && rnd(8) ? GNTMAP_device_map : 1 + rnd(3);
        flags |= (rnd(2) ? GNTMAP_readonly : 0) | (rnd(2) ? GNTMAP_contains_pte : 0) | (rnd(32) ? 0 : rnd(32));
        if (rnd(8) == 0)
            whom = somebody(v);
        op[i] = (struct gnttab_map_grant_ref){ .flags = flags, .ref = some_ref(v, whom), .dom = whom,
                                               .host_addr = host_place(v, flags & GNTMAP_contains_pte) };
    }
    host_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)op, n, 0);
    for (unsigned i = 0; i < n; i++)
        if (op[i].status == GNTST_okay) {
            grants_mapped++;
            if (op[i].handle < HANDLES)
                held[v->domain->id][op[i].handle] = (struct held){ op[i].flags & GNTMAP_host_map ? op[i].host_addr : 0,
                                                                   op[i].flags & GNTMAP_device_map ? op[i].dev_bus_addr : 0 };
        }
}

static struct gnttab_unmap_grant_ref some_unmap(struct vcpu *v)
{
    unsigned h = rnd(HANDLES), other = rnd(4) ? h : rnd(HANDLES);
    struct held at = held[v->domain->id][other];

    if (rnd(8) == 0)
        at.host = host_place(v, rnd(2));
    return (struct gnttab_unmap_grant_ref){ .handle = rnd(32) ? h : host_random(), .host_addr = rnd(4) ? at.host : 0, .dev_bus_addr = rnd(4) ? at.dev : 0 };
}

static void unmap_some(struct vcpu *v)
{
    struct gnttab_unmap_grant_ref op[20];
    unsigned n = 1 + rnd(20);

    for (unsigned i = 0; i < n; i++)
        op[i] = some_unmap(v);
    host_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uint64_t)op, n, 0);
    for (unsigned i = 0; i < n; i++)
        grants_ended += op[i].status == GNTST_okay;
}

static void replace_one(struct vcpu *v)
{
    struct gnttab_unmap_grant_ref u = some_unmap(v);
    struct gnttab_unmap_and_replace op = { .host_addr = u.host_addr, .handle = u.handle, .new_addr = rnd(4) ? some_va() : 0 };

    host_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, (uint64_t)&op, 1, 0);
}

static struct gnttab_copy_ptr some_end(struct vcpu *v, bool by_grant)
{
    struct gnttab_copy_ptr p = { .domid = somebody(v), .offset = rnd(16) ? rnd(64) : host_random() };

    if (by_grant)
        p.u.ref = some_ref(v, p.domid);
    else
        p.u.gmfn = some_frame(v->domain);
    return p;
}

static void copy_some(struct vcpu *v)
{
    struct gnttab_copy op[3];

    for (unsigned i = 0; i < 3; i++) {
        uint16_t flags = rnd(4);
        op[i] = (struct gnttab_copy){ .flags = flags, .len = rnd(16) ? rnd(32) : host_random(), .source = some_end(v, flags & GNTCOPY_source_gref),
                                      .dest = some_end(v, flags & GNTCOPY_dest_gref) };
    }
    host_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)op, 3, 0);
    for (unsigned i = 0; i < 3; i++)
        grants_copied += op[i].status == GNTST_okay;
}

static void table_calls(struct vcpu *v)
{
    uint64_t list[4];
    struct gnttab_setup_table s = { .dom = somebody(v), .nr_frames = rnd(5), .frame_list = (uint64_t)list };
    struct gnttab_query_size q = { .dom = somebody(v) };
    struct gnttab_swap_grant_ref w = { .ref_a = rnd(REFS + 1), .ref_b = rnd(rnd(4) ? REFS : 5000) };

    switch (rnd(3)) {
    case 0: host_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (uint64_t)&s, 1, 0); break;
    case 1: host_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, (uint64_t)&q, 1, 0); break;
    default: host_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&w, 1, 0);
    }
}

void try_grants(struct vcpu *v)
{
    static void (*const tries[])(struct vcpu *v) = { map_some, map_some, map_some, unmap_some, unmap_some, replace_one, copy_some, table_calls };

    for (unsigned i = 0; i < DOMAINS; i++)
        if (rnd(2))
            write_entries(dom[i]);
    tries[rnd(sizeof(tries) / sizeof(tries[0]))](v);
}
