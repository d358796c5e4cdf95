/* SPDX-License-Identifier: MIT */
/* pagetable.h: direct paging: validation of tables, changes to entries, roots. What is particular to direct paging
 * (a later shadow mode would answer the same few operations) is behind this header.                               */
#ifndef ENSO_PAGETABLE_H
#define ENSO_PAGETABLE_H

#include "hypervisor/lib/atomic.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/insn.h"

/* (Un)validation of a whole table, called by frame.c when a frame takes or loses its first L1..L4 reference: entries
 * 0..f->partial-1 hold their references before and after. 0: all do (none does); -EINVAL: not the one at f->partial; -ERESTART. */
int  table_validate(struct domain *d, mfn_t m, uint64_t type);
int  table_unvalidate(struct domain *d, mfn_t m, uint64_t type, bool preemptible);

/* Entry index (0..511) of table, any number, if that is an L1 table of v's domain: new is checked, references move, the slot is written.
 * pg: whose frame it may name (the granter's). -EINVAL, -EPERM (I/O). */
int  leaf_write(struct vcpu *v, struct domain *pg, mfn_t table, unsigned index, uint64_t new);
/* The same for a frame of its own, if the entry maps frame `expect` just so, writable or not: else -EINVAL. For grant unmaps. */
int  leaf_take(struct vcpu *v, mfn_t table, unsigned index, mfn_t expect, bool writable, uint64_t new);

/* Emulation of a guest's store to an L1 table that trapped (pitfalls B2): va is the faulting address, aligned, size 1..8;
 * compare-exchange of old with new at byte granularity; *old_seen is what was there. 0, -EINVAL, -EAGAIN (value differed). */
int  table_emulate_store(struct vcpu *v, uint64_t va, unsigned size, uint64_t expected, uint64_t new_value, uint64_t *old_seen);
/* Is va mapped in v's loaded table by a read-only entry to an L1 table that v's domain owns? */
bool table_store_would_trap(struct vcpu *v, uint64_t va);

/* CR3 of a pCPU is always the root of its current vCPU's mode; when it idles, the idle root or still that of pcpu.lazy. */
void root_load(struct vcpu *v);
void root_load_idle(void);
/* What brings the registers of pcpu.lazy from this pCPU into v: registered by guest/switch.c. */
void root_set_save_op(void (*fn)(struct vcpu *v));
/* v, off every pCPU, may still be loaded where it ran last: not on return. Waits for that pCPU; no lock held that its work may want. */
void root_evict(struct vcpu *v);
/* The same vCPU, running, goes on under another root of its own: between guest kernel and guest user mode. */
static inline void root_switch(struct vcpu *v, mfn_t root)
{
    v->loaded_root = root;
    write_cr3(root.raw << PAGE_SHIFT);
}
/* MMUEXT_NEW_BASEPTR / NEW_USER_BASEPTR. user root g.raw==0: none. -EINVAL, -ERESTART. */
int  root_set(struct vcpu *v, gfn_t g, bool user);
/* Drops v's roots, and work it put off (teardown; v is not running). 0 or -ERESTART. */
int  root_drop(struct vcpu *v);

/* Walks v's current page tables for va: entries[0] the L4 entry .. entries[3] the L1 entry (0: not reached); returns the level at
 * which it ended (4..1, 0: mapped). For messages ("the walk ended at L2") and emulation. */
int  table_walk(struct vcpu *v, uint64_t va, uint64_t entries[4]);
/* The L1 table and the index that va is translated by under v's kernel root: false: the walk ends above. A hint: nothing is held. */
bool table_find_leaf(struct vcpu *v, uint64_t va, mfn_t *table, unsigned *index);

/* Hypercall handlers hc_mmu_update, hc_mmuext_op, hc_update_va_mapping, hc_update_va_mapping_otherdomain are in mm/mmu_update.c, mm/mmuext.c. */

/* Foreign-frame rights of dom0: returns the domain a caller may name as DOMID_* (its own always), or NULL and *rc (-ESRCH, -EPERM).
 * put: mm_foreign_put. The operations are registered by core/domain.c, because domains stand above; get gives a reference. */
struct domain *mm_foreign_domain(struct vcpu *v, domid_t id, int *rc);
void mm_foreign_put(struct vcpu *v, struct domain *d);
void mm_set_foreign_op(struct domain *(*get)(domid_t id), void (*put)(struct domain *d));
/* May this domain map I/O frame m (outside RAM, or OWNER_IO)? Registered by core/physdev.c. */
void mm_set_iomem_op(bool (*allowed)(struct domain *d, uint64_t mfn, bool write));

#endif
