/* SPDX-License-Identifier: MIT */
/* pte.h: one page-table entry: what it may say, what it holds, and how it is replaced. Private to hypervisor/mm.
 *
 * Everything here is inline because mmu_update's speed is decided here (pitfalls E): one bound test on a flat frame
 * table, one mask of refused bits a domain, one atomic operation a reference.                                        */
#ifndef ENSO_PTE_H
#define ENSO_PTE_H

#include "hypervisor/mm/frame.h"
#include "hypervisor/x86/insn.h"

/* What an entry of an L2, L3 or L4 table may not have: superpages, and bits that mean nothing there. */
#define PTE_UPPER_REFUSED (PTE_PS | PTE_G | PTE_PWT | PTE_PCD)

static inline uint64_t pte_mfn(uint64_t e) { return (e & PTE_ADDR) >> PAGE_SHIFT; }
/* The hot paths think in addresses: one mask gives what is compared with max_pa, and one shift more the frame's record. */
static inline uint64_t pte_pa(uint64_t e) { return e & PTE_ADDR; }
static inline struct frame *frame_of_pa(uint64_t pa)
{
    _Static_assert(sizeof(struct frame) == 32, "the shift below");
    return (struct frame *)((char *)frame_table + (pa >> (PAGE_SHIFT - 5)));
}
/* Guests run in ring 3, so every entry of theirs is a user one (pitfalls A4); global ones would outlive their address space. */
static inline uint64_t pte_adjust(uint64_t e) { return (e | PTE_U) & ~PTE_G; }
static inline bool slot_is_ours(unsigned l4_index) { return l4_index - HV_FIRST_SLOT <= HV_LAST_SLOT - HV_FIRST_SLOT; }
static inline uint64_t *table_of(mfn_t m) { return mfn_to_virt(m); }

/* The owner of the M2P's frames, as DOMID_XEN names them: they may be mapped read-only. */
extern struct domain m2p_owner;

/* The first writable mapping of f, which was data before or nothing yet: no flush is due. False: not so simple. */
static inline bool frame_writable_first(struct frame *f)
{
    uint64_t x = READ_ONCE(f->type_info);

    if ((x != FT_WRITABLE && x != FT_NONE) || !frame_refs_get(f))
        return false;
    if (atomic_cmpxchg(&f->type_info, &x, FT_WRITABLE | FT_VALIDATED | 1))
        return true;                           /* our reference is the type's (F1) */
    frame_refs_put(f);
    return false;
}
/* And the last one's end. False: it is not the last, or f is no such frame. */
static inline bool frame_writable_last(struct frame *f)
{
    const uint64_t x = FT_WRITABLE | FT_VALIDATED | 1;

    if (READ_ONCE(f->type_info) != x || !frame_plain_end(f, x))
        return false;
    frame_refs_put(f);
    return true;
}

/* The steady case of what follows: a frame of pg's that is held, as what is asked for, already. False: not that. */
static inline __attribute__((always_inline)) bool pte_get_steady(struct domain *pg, uint64_t e, bool first_too)
{
    uint64_t pa = pte_pa(e);

    if (pa >= max_pa)
        return false;
    struct frame *f = frame_of_pa(pa);
    if (READ_ONCE(f->owner) != pg->id ||
        !(e & PTE_RW ? frame_type_again(f, FT_WRITABLE) || (first_too && frame_writable_first(f)) : frame_refs_get(f)))
        return false;
    if (__builtin_expect(READ_ONCE(f->owner) == pg->id, 1))
        return true;
    if (e & PTE_RW)                            /* it went to another owner meanwhile */
        frame_put_typed(frame_mfn(f));
    else
        frame_refs_put(f);
    return false;
}

/* Takes what leaf entry e, in a table of d's, needs (F4): its frame must be pg's. 0, -EINVAL, -EPERM (I/O frames), -EROFS (an I/O
 * frame that pg may only read: the caller tries again without PTE_RW, which then is what it writes). */
int pte_get_slow(struct domain *d, struct domain *pg, uint64_t e);
static inline int pte_get(struct domain *d, struct domain *pg, uint64_t e)
{
    if (e & d->refused_pte_bits)
        return -XEN_EINVAL;
    return pte_get_steady(pg, e, true) ? 0 : pte_get_slow(d, pg, e);
}

/* A mapping of f goes, which is another's or no RAM: its owner's dirty mask does not know our pCPUs, so they flush now, unless they have.
 * Returns whether they have by now. */
bool pte_flush_foreign(struct domain *d, const struct frame *f, bool flushed);

/* Gives back what e held; e is out of its slot, or its table out of use. flushed: of a row of such entries, all out of reach before the
 * first. */
static inline void pte_put_from(struct domain *d, uint64_t e, bool *flushed)
{
    uint64_t pa = pte_pa(e);

    if (pa >= max_pa)
        return;
    struct frame *f = frame_of_pa(pa);
    if (__builtin_expect(f->owner != d->id, 0))
        *flushed = pte_flush_foreign(d, f, *flushed);
    if (!(e & PTE_RW))
        frame_refs_put(f);
    else if (!frame_type_drop(f) && !frame_writable_last(f))
        frame_put_typed_slow(frame_mfn(f));
}

static inline void pte_put(struct domain *d, uint64_t e)
{
    bool flushed = false;

    pte_put_from(d, e, &flushed);
}

/* The frame f that a read-only entry holds is to be held by a writable one. False: not this way. */
static inline bool pte_ref_to_writable(struct frame *f)
{
    if (frame_type_again(f, FT_WRITABLE)) {
        frame_refs_put(f);                     /* not the last: the type holds one */
        return true;
    }
    uint64_t x = READ_ONCE(f->type_info);      /* the first: our general reference becomes the type's (F1) */
    return (x == FT_WRITABLE || x == FT_NONE) && atomic_cmpxchg(&f->type_info, &x, FT_WRITABLE | FT_VALIDATED | 1);
}

/* And back. False: no more references fit. */
static inline bool pte_ref_to_readonly(struct frame *f)
{
    if (frame_plain_end(f, FT_WRITABLE | FT_VALIDATED | 1))
        return true;                           /* the type's general reference becomes ours */
    if (!frame_refs_get(f))
        return false;
    frame_put_typed(frame_mfn(f));
    return true;
}

/* Writes the slot of a locked table: the processor alone may change it meanwhile, and only A and D. */
static inline void pte_write_slot(uint64_t *slot, uint64_t old, uint64_t new, bool keep_ad)
{
    if (!keep_ad) {
        WRITE_ONCE(*slot, new);
        return;
    }
    while (!atomic_cmpxchg(slot, &old, new | (old & (PTE_A | PTE_D))))
        ;
}

/* Replaces the entry at slot, in a locked L1 table of d's, by new. 0, -EINVAL, -EPERM. keep_ad: A and D of the old entry stay. No TLB
 * entry is flushed here: the guest asks for that, and frame.c flushes where isolation needs it. */
static inline __attribute__((always_inline)) int leaf_change(struct domain *d, struct domain *pg, uint64_t *slot, uint64_t new,
                                                             bool keep_ad)
{
    uint64_t old = READ_ONCE(*slot);

    if ((new & old & PTE_P) && !((old ^ new) & PTE_ADDR) && !(new & d->refused_pte_bits)) {
        struct frame *f = frame_of_pa(pte_pa(new));

        new = pte_adjust(new);
        if (!((old ^ new) & PTE_RW)) {         /* flags only: it holds what it held */
            pte_write_slot(slot, old, new, keep_ad);
            return 0;
        }
        if (pg == d && pte_pa(new) < max_pa && READ_ONCE(f->owner) == d->id) {
            if (new & PTE_RW) {
                if (pte_ref_to_writable(f)) {
                    pte_write_slot(slot, old, new, keep_ad);
                    return 0;
                }
            } else {
                pte_write_slot(slot, old, new, keep_ad);
                if (__builtin_expect(pte_ref_to_readonly(f), 1))
                    return 0;
                pte_write_slot(slot, new, old, false);
            }
        }
    }
    if (new & PTE_P) {
        int rc = pte_get(d, pg, new);
        if (__builtin_expect(rc, 0)) {
            /* Device memory that may only be looked at: the mapping is made so. */
            if (rc != -XEN_EROFS || (rc = pte_get_slow(d, pg, new &= ~PTE_RW)))
                return rc;
        }
        new = pte_adjust(new);
    }
    pte_write_slot(slot, old, new, keep_ad);
    if (old & PTE_P)
        pte_put(d, old);
    return 0;
}

/* ---- walking --------------------------------------------------------------------------------------- */

/* Entry `index` of the table that e names, if that is a frame of d's, so that looking into it cannot hurt. Nothing is held: the
 * guest may be changing its tables on another pCPU, and a walk that loses the race finds another frame of its own. */
static inline bool entry_below(const struct domain *d, uint64_t e, unsigned index, uint64_t *below)
{
    uint64_t pa = pte_pa(e);

    if (!(e & PTE_P) || pa >= max_pa || READ_ONCE(frame_of_pa(pa)->owner) != d->id)
        return false;
    *below = READ_ONCE(((const uint64_t *)phys_to_virt(pa))[index]);
    return true;
}

/* The L1 table (its address) and the index by which v's kernel root (it has one) translates va. False: the walk ends above. */
static inline bool leaf_find(const struct vcpu *v, uint64_t va, uint64_t *table, unsigned *index)
{
    uint64_t e;

    if (__builtin_expect(slot_is_ours(va >> 39 & 511), 0))
        return false;
    e = READ_ONCE(table_of(v->guest_root)[va >> 39 & 511]);
    if (!entry_below(v->domain, e, va >> 30 & 511, &e) || !entry_below(v->domain, e, va >> 21 & 511, &e))
        return false;
    *table = pte_pa(e);
    *index = va >> 12 & 511;
    return e & PTE_P;
}

/* ---- locked tables ------------------------------------------------------------------------------- */

uint64_t table_lock_slow(struct domain *d, mfn_t m);
void table_unlock_last(mfn_t m);
static inline void frame_unlock(struct frame *f)
{
    uint64_t x = READ_ONCE(f->type_info);
    do {
        if (__builtin_expect((x & FT_COUNT) == 1, 0)) {
            table_unlock_last(frame_mfn(f));
            return;
        }
    } while (!atomic_cmpxchg(&f->type_info, &x, (x - 1) & ~FT_LOCKED));
}
static inline void table_unlock(mfn_t m) { frame_unlock(frame_of(m)); }
/* If m is d's and a validated table: locks it, with a type reference, and returns its type; else 0. */
static inline uint64_t table_lock(struct domain *d, uint64_t m)
{
    if (m >= max_mfn)
        return 0;
    struct frame *f = frame_of(mfn(m));
    uint64_t x = READ_ONCE(f->type_info);
    if (READ_ONCE(f->owner) != d->id || (x >> 60) - 1 > 3 || (x & (FT_VALIDATED | FT_LOCKED)) != FT_VALIDATED ||
        ((x + 1) & FT_COUNT) <= 1 || !atomic_cmpxchg(&f->type_info, &x, (x + 1) | FT_LOCKED))
        return table_lock_slow(d, mfn(m));
    if (__builtin_expect(READ_ONCE(f->owner) != d->id, 0)) {
        table_unlock(mfn(m));
        return 0;
    }
    return x & FT_TYPE;
}

/* As table_lock, for the L1 table at an address, the common case: its frame, or NULL. A validated table has a count, which no memory is
 * large enough to overflow. */
struct frame *table_lock_l1_slow(struct domain *d, struct frame *f);
static inline struct frame *table_lock_l1(struct domain *d, uint64_t pa)
{
    if (pa >= max_pa)
        return NULL;
    struct frame *f = frame_of_pa(pa & PAGE_MASK);
    uint64_t x = READ_ONCE(f->type_info);
    if (READ_ONCE(f->owner) != d->id || (x & (FT_TYPE | FT_VALIDATED | FT_LOCKED)) != (FT_L1 | FT_VALIDATED) ||
        !atomic_cmpxchg(&f->type_info, &x, (x + 1) | FT_LOCKED))
        return table_lock_l1_slow(d, f);
    if (__builtin_expect(READ_ONCE(f->owner) == d->id, 1))
        return f;
    frame_unlock(f);
    return NULL;
}

/* As leaf_change, if the slot holds exactly `old`: else -EAGAIN. */
int leaf_change_exact(struct domain *d, struct domain *pg, uint64_t *slot, uint64_t old, uint64_t new);

/* One entry of a locked table of type FT_L2..FT_L4: as leaf_change, and -ERESTART when the table below is long to validate. */
int upper_change(struct domain *d, mfn_t table, uint64_t type, unsigned index, uint64_t new, bool keep_ad);

/* Says in words why entry e for a table of `type` was refused. buf is written like snprintf's. */
void pte_explain(char *buf, size_t size, struct domain *d, struct domain *pg, uint64_t type, unsigned index, uint64_t e);

#endif
