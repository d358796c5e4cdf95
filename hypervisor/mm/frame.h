/* SPDX-License-Identifier: MIT */
/* frame.h: who owns a frame, as what it is used, and how often. The one place that turns a gfn_t into an mfn_t.
 *
 * Invariants F1..F4 stand beside struct frame in model.h. TLB rule (pitfalls A5): when a frame's last type reference
 * or its last reference goes, it is stamped with tlb_epoch(); before it gets a conflicting type or a new owner, the
 * pCPUs of the old owner's dirty_pcpus mask whose flushed_epoch is not past the stamp are flushed, with the new type
 * reference already taken.                                                                                         */
#ifndef ENSO_FRAME_H
#define ENSO_FRAME_H

#include "hypervisor/model.h"
#include "hypervisor/mm/hypmap.h"

#define FRAME_LIST_END 0xffffffffU

#define frame_table ((struct frame *)FRAMETABLE_VIRT)
static inline struct frame *frame_of(mfn_t m) { return frame_table + m.raw; }
static inline mfn_t frame_mfn(const struct frame *f) { return mfn((uint64_t)(f - frame_table)); }
static inline bool gfn_in_range(gfn_t g) { return g.raw < max_mfn; }

/* Those of `among` that have not flushed since f was stamped. */
static inline uint64_t frame_stale_pcpus(const struct frame *f, uint64_t among)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < nr_pcpus; i++)
        if ((among >> i & 1) && pcpus[i] && (int32_t)(*(volatile uint32_t *)&pcpus[i]->flushed_epoch - f->flush_epoch) <= 0)
            mask |= 1UL << i;
    return mask;
}
/* Makes those pCPUs flush; cheap when it is only this one. */
void frame_flush_pcpus(uint64_t mask);

/* A general reference on a frame that d owns. 0 with *m set; -EINVAL: out of range, not d's, or no references left.
 * put: frame_put. */
int  frame_get(struct domain *d, gfn_t g, mfn_t *m);
void frame_put(mfn_t m);
/* One more reference on a frame the caller already holds one of. */
void frame_get_held(mfn_t m);
/* A type reference (which holds the frame): type FT_WRITABLE, FT_DESC, FT_SHARED or FT_L1..FT_L4 (validates a table the first
 * time; may be long: -ERESTART with the partial state kept and *nothing* held by the caller). -EINVAL: not d's or
 * conflicting type or invalid content. put: frame_put_typed. */
int  frame_get_typed(struct domain *d, gfn_t g, uint64_t type, mfn_t *m);
void frame_put_typed(mfn_t m);
/* As frame_put_typed for tables whose unvalidation may be long: 0, or -ERESTART with the reference still the caller's. */
int  frame_put_typed_preemptible(mfn_t m);

/* Frames of a domain: allocation puts them on its list with FR_ALLOCATED. -ENOMEM (no memory, or max_pages). */
int  frame_alloc(struct domain *d, unsigned order, unsigned max_addr_bits, mfn_t *m);
/* The owner's reference is dropped (decrease_reservation, teardown). -EINVAL when it was dropped before. */
int  frame_release(struct domain *d, mfn_t m);
/* Hypervisor-made pages that a guest maps (shared_info, grant frames): owner d, typed FT_SHARED for ever until frame_unshare. */
int  frame_alloc_shared(struct domain *d, void **page, mfn_t *m);
void frame_free_shared(struct domain *d, mfn_t m);

/* Teardown, one step (pitfalls A8): roots first were dropped by the caller; then pins, then L4..L1 references by type, then every
 * frame's FR_ALLOCATED. 0: all of d's frames are released (tot_pages may stay above 0 while others hold references);
 * -ERESTART: call again. */
int  frame_relinquish_all(struct domain *d);
/* Called when the last frame of a dying domain has gone (frame_put from anywhere): registered by core/domain.c. */
void frame_set_last_gone_op(void (*fn)(struct domain *d));

/* M2P. */
static inline uint64_t m2p(mfn_t m) { return m2p_table[m.raw]; }
void m2p_set(mfn_t m, uint64_t pfn);
#define M2P_INVALID (~0UL >> 1)

/* The audit (style 7): every count recomputed from the page tables, grants and descriptor tables and compared; all pCPUs at rest.
 * Returns the number of differences, each printed. lost: frames neither free, owned, nor the hypervisor's. */
struct audit_result { uint64_t frames, differences, lost; };
void frame_audit(struct audit_result *r);

#endif
