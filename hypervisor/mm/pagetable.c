/* SPDX-License-Identifier: MIT */
/* pagetable.c: what a page table holds, as a whole and entry by entry.                        [read 26]
 *
 * A frame becomes a table when frame.c takes its first reference of that type: every present entry is then
 * checked and takes a reference on what it names (F4), the lower table's type forcing that table's own
 * validation first. Since an L3 entry must name an L2 table, and no frame has two types, tables cannot
 * contain themselves. From then on entries change one at a time under the table's lock bit. Both
 * directions of the whole-table work can stop between entries and go on later; f->partial then says how many
 * entries hold their references, in either direction, so that whoever goes on need not know which it was
 * (XSA-299). pte.h has the single entry, mmu_update.c and mmuext.c the hypercalls. SPEC 5.3.             */
#include "hypervisor/mm/pagetable.h"

#include "hypervisor/core/sched.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/pte.h"

static uint64_t type_below(uint64_t type) { return type - FT_L1; }

/* ---- whole tables -------------------------------------------------------------------------------- */

static int validate_leaf_table(struct domain *d, struct frame *f, uint64_t *t)
{
    const uint64_t refused = d->refused_pte_bits;

    for (unsigned i = f->partial; i < 512; i++) {
        uint64_t e = t[i], fixed = pte_adjust(e);

        if (!(e & PTE_P))
            continue;
        int rc = e & refused ? -XEN_EINVAL : pte_get_steady(d, e, false) ? 0 : pte_get_slow(d, d, e);
        if (__builtin_expect(rc == -XEN_EROFS, 0))
            rc = pte_get_slow(d, d, fixed &= ~PTE_RW);
        if (__builtin_expect(rc, 0)) {
            f->partial = (uint16_t)i;
            return rc;
        }
        if (fixed != e)
            WRITE_ONCE(t[i], fixed);
    }
    return 0;
}

static int validate_upper_table(struct domain *d, struct frame *f, uint64_t *t, uint64_t type)
{
    bool progress = false;

    for (unsigned i = f->partial; i < 512; i++) {
        uint64_t e = t[i];
        mfn_t below;
        int rc;

        if (!(e & PTE_P) || (type == FT_L4 && slot_is_ours(i)))
            continue;
        if (progress && preempt_needed())
            rc = -XEN_ERESTART;
        else if (e & PTE_UPPER_REFUSED)
            rc = -XEN_EINVAL;
        else
            rc = frame_get_typed(d, gfn(pte_mfn(e)), type_below(type), &below);
        if (rc) {
            f->partial = (uint16_t)i;
            return rc;
        }
        progress = true;
        WRITE_ONCE(t[i], e | PTE_U);
    }
    if (type == FT_L4)
        hypmap_fill_root(d, t);
    return 0;
}

int table_validate(struct domain *d, mfn_t m, uint64_t type)
{
    struct frame *f = frame_of(m);

    return type == FT_L1 ? validate_leaf_table(d, f, table_of(m)) : validate_upper_table(d, f, table_of(m), type);
}

static int unvalidate_upper_table(struct frame *f, uint64_t *t, uint64_t type, bool preemptible)
{
    bool progress = false;

    for (unsigned i = f->partial; i-- > 0;) {
        uint64_t e = t[i];
        int rc = 0;

        if (!(e & PTE_P) || (type == FT_L4 && slot_is_ours(i)))
            continue;
        if (!preemptible)
            frame_put_typed(mfn(pte_mfn(e)));
        else if (progress && preempt_needed())
            rc = -XEN_ERESTART;
        else
            rc = frame_put_typed_preemptible(mfn(pte_mfn(e)));
        if (rc) {
            f->partial = (uint16_t)(i + 1);
            return rc;
        }
        progress = true;
    }
    if (type == FT_L4)
        for (unsigned i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
            t[i] = 0;
    return 0;
}

int table_unvalidate(struct domain *d, mfn_t m, uint64_t type, bool preemptible)
{
    struct frame *f = frame_of(m);
    uint64_t *t = table_of(m);
    bool flushed = false;                  /* once is enough: no table leads here any more, a flushed pCPU does not come back */

    if (type != FT_L1)
        return unvalidate_upper_table(f, t, type, preemptible);
    for (unsigned i = f->partial; i-- > 0;)
        if (t[i] & PTE_P)
            pte_put_from(d, t[i], &flushed);
    return 0;
}

/* ---- one entry ----------------------------------------------------------------------------------- */

int leaf_change_exact(struct domain *d, struct domain *pg, uint64_t *slot, uint64_t old, uint64_t new)
{
    uint64_t seen = old;

    if (new & PTE_P) {
        int rc = pte_get(d, pg, new);
        if (rc == -XEN_EROFS)
            rc = pte_get(d, pg, new &= ~PTE_RW);
        if (rc)
            return rc;
        new = pte_adjust(new);
    }
    if (!atomic_cmpxchg(slot, &seen, new)) {
        if (new & PTE_P)
            pte_put(d, new);
        return -XEN_EAGAIN;
    }
    if (old & PTE_P)
        pte_put(d, old);
    return 0;
}

int upper_change(struct domain *d, mfn_t table, uint64_t type, unsigned index, uint64_t new, bool keep_ad)
{
    uint64_t *slot = &table_of(table)[index], old = READ_ONCE(*slot);
    bool same_table = (old & new & PTE_P) && pte_mfn(old) == pte_mfn(new);

    if (type == FT_L4 && slot_is_ours(index))
        return -XEN_EINVAL;
    if (new & PTE_P) {
        mfn_t below;
        int rc = new & PTE_UPPER_REFUSED ? -XEN_EINVAL :
                 same_table ? 0 : frame_get_typed(d, gfn(pte_mfn(new)), type_below(type), &below);
        if (rc)
            return rc;
        new |= PTE_U;
    }
    pte_write_slot(slot, old, new, keep_ad);
    if ((old & PTE_P) && !same_table)
        frame_put_typed_deferred(mfn(pte_mfn(old)));
    return 0;
}

/* ---- the lock bit --------------------------------------------------------------------------------- */

/* only: a type, or 0 for any. A table of another type is left alone: an unlock may be the last put, and long for the upper ones. */
static uint64_t lock_slow(struct domain *d, mfn_t m, uint64_t only)
{
    struct frame *f = frame_of(m);

    for (;;) {
        uint64_t x = READ_ONCE(f->type_info);

        if (READ_ONCE(f->owner) != d->id || (x >> 60) - 1 > 3 || !(x & FT_VALIDATED) || ((x + 1) & FT_COUNT) <= 1 ||
            (only && (x & FT_TYPE) != only))
            return 0;
        if (x & FT_LOCKED) {
            spin_relax();
            continue;
        }
        if (!atomic_cmpxchg(&f->type_info, &x, (x + 1) | FT_LOCKED))
            continue;
        if (READ_ONCE(f->owner) == d->id)
            return x & FT_TYPE;
        table_unlock(m);
        return 0;
    }
}

uint64_t table_lock_slow(struct domain *d, mfn_t m) { return lock_slow(d, m, 0); }

struct frame *table_lock_l1_slow(struct domain *d, struct frame *f)
{
    return lock_slow(d, frame_mfn(f), FT_L1) ? f : NULL;
}

/* Everybody else let go while we held the lock: the table ends with it (XSA-242). */
void table_unlock_last(mfn_t m)
{
    atomic_and(&frame_of(m)->type_info, ~FT_LOCKED);
    frame_put_typed_deferred(m);
}

/* expect: what the entry must map, and whether writable; 0: whatever it says. */
static int change_leaf(struct domain *d, struct domain *pg, mfn_t table, unsigned index, uint64_t expect, uint64_t new)
{
    struct frame *f = table_lock_l1(d, table.raw << PAGE_SHIFT);
    uint64_t *slot = &table_of(table)[index];
    int rc = -XEN_EINVAL;

    if (!f)
        return rc;
    if (!expect || !((READ_ONCE(*slot) ^ expect) & (PTE_P | PTE_RW | PTE_ADDR)))
        rc = leaf_change(d, pg, slot, new, false);
    frame_unlock(f);
    return rc;
}

int leaf_write(struct vcpu *v, struct domain *pg, mfn_t table, unsigned index, uint64_t new)
{
    return change_leaf(v->domain, pg, table, index, 0, new);
}

int leaf_take(struct vcpu *v, mfn_t table, unsigned index, mfn_t expect, bool writable, uint64_t new)
{
    if ((new & PTE_P) && pte_mfn(new) == expect.raw)
        return -XEN_EINVAL;                /* a change of flags alone: the frame would stay mapped, and be lent no more */
    return change_leaf(v->domain, v->domain, table, index, expect.raw << PAGE_SHIFT | PTE_P | (writable ? PTE_RW : 0), new);
}

/* ---- walking ------------------------------------------------------------------------------------- */

int table_walk(struct vcpu *v, uint64_t va, uint64_t entries[4])
{
    uint64_t e = v->loaded_root.raw << PAGE_SHIFT | PTE_P;

    entries[0] = entries[1] = entries[2] = entries[3] = 0;
    for (int level = 4; level >= 1; level--) {
        unsigned index = va >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
        if (!v->loaded_root.raw || !entry_below(v->domain, e, index, &e))
            return level == 4 ? 4 : level + 1;
        entries[4 - level] = e;
        if (!(e & PTE_P))
            return level;
    }
    return 0;
}

bool table_find_leaf(struct vcpu *v, uint64_t va, mfn_t *table, unsigned *index)
{
    uint64_t pa;

    if (!v->guest_root.raw || !leaf_find(v, va, &pa, index))
        return false;
    *table = mfn(pa >> PAGE_SHIFT);
    return true;
}

/* ---- stores that trapped -------------------------------------------------------------------------- */

/* The L1 table into which va stores by a read-only mapping; raw 0: it is not one. */
static mfn_t stored_table(struct vcpu *v, uint64_t va)
{
    uint64_t e[4];

    if (slot_is_ours(va >> 39 & 511) || table_walk(v, va, e) != 0 || (e[3] & PTE_RW) || pte_mfn(e[3]) >= max_mfn)
        return mfn(0);
    const struct frame *f = frame_of(mfn(pte_mfn(e[3])));
    bool ours = f->owner == v->domain->id && (f->type_info & (FT_TYPE | FT_VALIDATED)) == (FT_L1 | FT_VALIDATED);
    return ours ? frame_mfn(f) : mfn(0);
}

bool table_store_would_trap(struct vcpu *v, uint64_t va)
{
    return stored_table(v, va).raw != 0;
}

int table_emulate_store(struct vcpu *v, uint64_t va, unsigned size, uint64_t expected, uint64_t new_value, uint64_t *old_seen)
{
    mfn_t m = stored_table(v, va);
    struct domain *d = v->domain;
    unsigned shift = (va & 7) * 8;
    uint64_t mask = (size == 8 ? ~0UL : (1UL << size * 8) - 1) << shift;
    int rc = -XEN_EINVAL;

    if (!m.raw || size > 8 || (size & (size - 1)) || (va & (size - 1)))
        return rc;
    struct frame *f = table_lock_l1(d, m.raw << PAGE_SHIFT);
    if (!f)                                 /* it was one a moment ago */
        return rc;
    uint64_t *slot = &table_of(m)[(va & (PAGE_SIZE - 1)) / 8];
    do {                                    /* again when the processor set A or D meanwhile */
        uint64_t old = READ_ONCE(*slot);
        *old_seen = (old & mask) >> shift;
        if (*old_seen != (expected & mask >> shift)) {
            rc = -XEN_EAGAIN;
            break;
        }
        rc = leaf_change_exact(d, d, slot, old, (old & ~mask) | (new_value << shift & mask));
    } while (rc == -XEN_EAGAIN);            /* a differing value broke out above */
    frame_unlock(f);
    return rc;
}
