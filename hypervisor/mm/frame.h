/* SPDX-License-Identifier: MIT */
/* frame.h: who owns a frame, as what it is used, and how often. The one place that turns a gfn_t into an mfn_t.
 *
 * Invariants F1..F4 stand beside struct frame in model.h. The hot half of the work is inline: once a frame has the
 * type that is asked for, a get or a put is one atomic operation, because the first type reference owns a general
 * one for all of them.
 *
 * TLB rule (pitfalls A5): when a frame's last type reference or its last reference goes, it is stamped with
 * tlb_epoch(); before it gets a conflicting type or a new owner, the pCPUs of the owner's dirty_pcpus mask whose
 * flushed_epoch is not past the stamp are flushed, with the new type reference already taken (XSA-401). A mapping of
 * another domain's frame is flushed before its reference is dropped, since the owner's mask does not know of it.
 *
 * Life of a table type (x: the count):
 *     0            -> 1, not validated      being validated by whoever took it there
 *     validated    x                        steady: get and put change x alone
 *     1, partial                            (un)validation was interrupted: entries 0..partial-1 hold their references.
 *                                           With FT_SELF the count is the frame's own, and the next get takes it over;
 *                                           without, it is that of whoever must call put again
 *     neither validated nor partial, x > 0  somebody is at work on it: others wait. Plain types too, while their first
 *                                           reference flushes what is left of another type, or the last is stamped   */
#ifndef ENSO_FRAME_H
#define ENSO_FRAME_H

#include "hypercall-abi/errno.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/smpcall.h"

#define FRAME_LIST_END 0xffffffffU

#ifndef frame_table                        /* a host test brings its own */
#define frame_table ((struct frame *)FRAMETABLE_VIRT)
#endif
static inline struct frame *frame_of(mfn_t m) { return frame_table + m.raw; }
static inline mfn_t frame_mfn(const struct frame *f) { return mfn((uint64_t)(f - frame_table)); }

/* ---- TLB stamps --------------------------------------------------------------------------------- */

/* Those of `among` that have not flushed since f was stamped. */
static inline uint64_t frame_stale_pcpus(const struct frame *f, uint64_t among)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < nr_pcpus; i++)
        if ((among >> i & 1) && pcpus[i] && (int32_t)(*(volatile uint32_t *)&pcpus[i]->flushed_epoch - f->flush_epoch) <= 0)
            mask |= 1UL << i;
    return mask;
}
/* Makes those pCPUs flush; cheap when it is only this one. (mm/root.c) */
void frame_flush_pcpus(uint64_t mask);
static inline void frame_stamp(struct frame *f) { f->flush_epoch = tlb_epoch(); }
/* The last reference of a plain type ends: false, it is not that (x: what type_info was). In two steps. Between them nobody else gets the
 * type, whose mapping could come, be used and go after the stamp and be missed by it; and the first one, being locked, orders the stamp
 * behind the store that removed the entry. */
static inline bool frame_plain_end(struct frame *f, uint64_t x)
{
    uint64_t type = x & FT_TYPE;

    if (!atomic_cmpxchg(&f->type_info, &x, type | 1))
        return false;
    frame_stamp(f);
    barrier();
    WRITE_ONCE(f->type_info, type);        /* nobody changes it but us */
    return true;
}

/* ---- references --------------------------------------------------------------------------------- */

/* One more general reference, unless there is none or no more fit. */
static inline bool frame_refs_get(struct frame *f)
{
    uint64_t x = READ_ONCE(f->refs);
    do {
        if (((x + 1) & FR_COUNT) <= 1)
            return false;
    } while (!atomic_cmpxchg(&f->refs, &x, x + 1));
    return true;
}

void frame_last_put(struct frame *f);
static inline void frame_refs_put(struct frame *f)
{
    if (__builtin_expect((atomic_sub(&f->refs, 1) & FR_COUNT) == 1, 0))
        frame_last_put(f);
}

/* One more of a type that f has already, validated. */
static inline bool frame_type_again(struct frame *f, uint64_t type)
{
    uint64_t x = READ_ONCE(f->type_info);
    do {
        if (((x ^ (type | FT_VALIDATED)) & (FT_TYPE | FT_VALIDATED)) || ((x + 1) & FT_COUNT) <= 1)
            return false;
    } while (!atomic_cmpxchg(&f->type_info, &x, x + 1));
    return true;
}
/* One less, unless it is the last. */
static inline bool frame_type_drop(struct frame *f)
{
    uint64_t x = READ_ONCE(f->type_info);
    do {
        if ((x & FT_COUNT) <= 1)
            return false;
    } while (!atomic_cmpxchg(&f->type_info, &x, x - 1));
    return true;
}

/* A general reference on a frame that d owns. 0 with *m set; -EINVAL: out of range, not d's, or no references left.
 * put: frame_put. */
static inline int frame_get(struct domain *d, gfn_t g, mfn_t *m)
{
    if (g.raw >= max_mfn)
        return -XEN_EINVAL;
    struct frame *f = frame_of(mfn(g.raw));
    if (READ_ONCE(f->owner) != d->id || !frame_refs_get(f))
        return -XEN_EINVAL;
    if (__builtin_expect(READ_ONCE(f->owner) != d->id, 0)) {   /* freed and given to another meanwhile */
        frame_refs_put(f);
        return -XEN_EINVAL;
    }
    *m = mfn(g.raw);
    return 0;
}
static inline void frame_put(mfn_t m) { frame_refs_put(frame_of(m)); }

/* A type reference (which holds the frame): type FT_WRITABLE, FT_DESC, FT_SHARED or FT_L1..FT_L4 (validates a table the first
 * time; may be long: -ERESTART with the partial state kept and *nothing* held by the caller). -EINVAL: not d's or
 * conflicting type or invalid content. FT_WRITABLE is satisfied by a frame that is FT_SHARED. put: frame_put_typed. */
int  frame_get_typed_slow(struct domain *d, gfn_t g, uint64_t type, mfn_t *m);
void frame_put_typed_slow(mfn_t m);
static inline void frame_put_typed(mfn_t m)
{
    if (!frame_type_drop(frame_of(m)))
        frame_put_typed_slow(m);
}
static inline int frame_get_typed(struct domain *d, gfn_t g, uint64_t type, mfn_t *m)
{
    if (g.raw >= max_mfn)
        return -XEN_EINVAL;
    struct frame *f = frame_of(mfn(g.raw));
    if (READ_ONCE(f->owner) != d->id)
        return -XEN_EINVAL;
    if (!frame_type_again(f, type))
        return frame_get_typed_slow(d, g, type, m);
    *m = mfn(g.raw);
    if (__builtin_expect(READ_ONCE(f->owner) != d->id, 0)) {
        frame_put_typed(*m);
        return -XEN_EINVAL;
    }
    return 0;
}
/* The caller's general reference on m becomes a type reference (-EINVAL, -ERESTART: it is dropped). d: m's owner. */
int  frame_type_take(struct domain *d, mfn_t m, uint64_t type);
/* As frame_put_typed for tables whose unvalidation may be long: 0, or -ERESTART with the reference still the caller's. */
int  frame_put_typed_preemptible(mfn_t m);
/* The same where the caller cannot come back: what is left to do is kept in the running vCPU, and mm_finish_deferred() does it. */
void frame_put_typed_deferred(mfn_t m);
/* At the start of each memory hypercall, when a root changes, and in teardown: 0, or -ERESTART. */
int  mm_finish_deferred_slow(struct vcpu *v);
static inline int mm_finish_deferred(struct vcpu *v)
{
    return __builtin_expect(v->deferred_put[0].raw != 0, 0) ? mm_finish_deferred_slow(v) : 0;
}
/* The pinned flag: set by the holder of a type reference, which then belongs to the pin. False: was as asked already. */
bool frame_pin(mfn_t m);
bool frame_unpin(mfn_t m);

/* ---- domains' frames ---------------------------------------------------------------------------- */

/* Allocation puts 2^order frames on d's list with FR_ALLOCATED. -ENOMEM (no memory, or max_pages), -EINVAL (d is dying). */
int  frame_alloc(struct domain *d, unsigned order, unsigned max_addr_bits, mfn_t *m);
/* The owner's reference is dropped (decrease_reservation, teardown). -EINVAL when it was dropped before, and for shared frames, which
 * are the hypervisor's to give up. */
int  frame_release(struct domain *d, mfn_t m);
/* Hypervisor-made pages that a guest maps (shared_info, grant frames): owner d, typed FT_SHARED until frame_free_shared. */
int  frame_alloc_shared(struct domain *d, void **page, mfn_t *m);
void frame_free_shared(struct domain *d, mfn_t m);

/* For exchange: takes frame g from d, if d's own reference is the only one: nobody can get it then. Undone by frame_unsteal. */
bool frame_steal(struct domain *d, gfn_t g);
void frame_unsteal(struct domain *d, mfn_t m);
/* Stolen frames (n_old extents of 2^old_order) go to the heap, n_new extents from the heap become d's. -EINVAL: d is dying, then both
 * are the heap's. */
int  frame_swap(struct domain *d, const uint64_t *old, uint64_t n_old, unsigned old_order, const uint64_t *new, uint64_t n_new,
                unsigned new_order);

/* Teardown, one step (pitfalls A8): the caller dropped roots, descriptor tables and shared pages first; this drops pins and
 * interrupted validations, then every frame's FR_ALLOCATED. 0: all of d's frames are released (tot_pages may stay above 0 while
 * others hold references); -ERESTART: call again. */
int  frame_relinquish_all(struct domain *d);
/* Called once, when frame_relinquish_all(d) is through and d's last frame has gone: from there, or from whatever put drops it later.
 * Registered by core/domain.c. No lock of this floor is held; the caller of the put may hold others. */
void frame_set_last_gone_op(void (*fn)(struct domain *d));

/* "L1 table", "writable", ...: for messages. */
const char *frame_type_name(uint64_t type);

/* ---- the hypervisor's own lists ----------------------------------------------------------------- */

/* Through .next and .prev of frames that no domain has, *head the first one's number: the heap's free blocks, kalloc's pages. */
static inline void frame_list_push(uint32_t *head, struct frame *f)
{
    f->prev = FRAME_LIST_END;
    f->next = *head;
    if (*head != FRAME_LIST_END)
        frame_of(mfn(*head))->prev = (uint32_t)frame_mfn(f).raw;
    *head = (uint32_t)frame_mfn(f).raw;
}
static inline void frame_list_remove(uint32_t *head, struct frame *f)
{
    if (f->next != FRAME_LIST_END)
        frame_of(mfn(f->next))->prev = f->prev;
    if (f->prev != FRAME_LIST_END)
        frame_of(mfn(f->prev))->next = f->next;
    else
        *head = f->next;
}

/* ---- M2P ---------------------------------------------------------------------------------------- */

static inline uint64_t m2p(mfn_t m) { return m2p_table[m.raw]; }
static inline void m2p_set(mfn_t m, uint64_t pfn) { WRITE_ONCE(m2p_table[m.raw], pfn); }
#define M2P_INVALID (~0UL >> 1)

/* The audit (style 7): every count recomputed from the page tables, grants and descriptor tables and compared; all pCPUs at rest.
 * Returns the number of differences, each printed. lost: frames neither free, owned, nor the hypervisor's. */
struct audit_result { uint64_t frames, differences, lost; };
void frame_audit(struct audit_result *r);

#endif
