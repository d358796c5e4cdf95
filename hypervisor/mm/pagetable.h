/* SPDX-License-Identifier: MIT */
/* pagetable.h: direct paging: validation of tables, changes to entries, roots. What is particular to direct paging
 * (a later shadow mode would answer the same few operations) is behind this header.                               */
#ifndef ENSO_PAGETABLE_H
#define ENSO_PAGETABLE_H

#include "hypervisor/model.h"

/* (Un)validation of a whole table, called by frame.c when a frame takes or loses its first L1..L4 reference. f->partial says where to
 * go on. 0, -EINVAL (everything given back), -ERESTART. */
int  table_validate(struct domain *d, mfn_t m, uint64_t type);
int  table_unvalidate(struct domain *d, mfn_t m, uint64_t type);

/* One entry of a table that is validated and locked by this function: new is checked, references move, the slot is written by cmpxchg.
 * pt_owner: whose frames entries may name (foreign mappings by dom0); preserve_ad: MMU_PT_UPDATE_PRESERVE_AD.
 * table_type: FT_L1..FT_L4 and index 0..511. -EINVAL, -EBUSY (changed meanwhile by hardware A/D more than a few times), -EPERM. */
int  table_write_entry(struct vcpu *v, struct domain *pt_owner, mfn_t table, uint64_t table_type, unsigned index,
                       uint64_t new_entry, bool preserve_ad);

/* Emulation of a guest's store to an L1 table that trapped (pitfalls B2): va is the faulting address, aligned, size 1..8;
 * compare-exchange of old with new at byte granularity; *old_seen is what was there. 0, -EINVAL, -EAGAIN (value differed). */
int  table_emulate_store(struct vcpu *v, uint64_t va, unsigned size, uint64_t expected, uint64_t new_value, uint64_t *old_seen);
/* Is va mapped in v's loaded table by a read-only entry to an L1 table that v's domain owns? */
bool table_store_would_trap(struct vcpu *v, uint64_t va);

/* Loads the root of v's mode (kernel or user) into CR3; guest_root and guest_user_root hold the references. */
void root_load(struct vcpu *v);
/* The idle root; also drops a lazily loaded domain. */
void root_load_idle(void);
/* MMUEXT_NEW_BASEPTR / NEW_USER_BASEPTR. user root g.raw==0: none. -EINVAL, -ERESTART. */
int  root_set(struct vcpu *v, gfn_t g, bool user);
/* Drops v's roots (teardown; v is not running and no pCPU holds them: the caller saw to that). 0 or -ERESTART. */
int  root_drop(struct vcpu *v);

/* Walks v's current page tables for va: entries seen at each level (0: not reached); returns the level at which it ended (4..1, 0: mapped). For
 * messages ("the walk ended at L2") and emulation. */
int  table_walk(struct vcpu *v, uint64_t va, uint64_t entries[4]);

/* Hypercall handlers hc_mmu_update, hc_mmuext_op, hc_update_va_mapping, hc_update_va_mapping_otherdomain are in mm/mmu_update.c, mm/mmuext.c. */

/* Foreign-frame rights of dom0: returns the domain a caller may name as DOMID_*; reference taken (put_domain) or NULL. Registered by core/domain.c,
 * because domains stand above. */
struct domain *mm_foreign_domain(struct vcpu *v, domid_t id);
void mm_set_foreign_op(struct domain *(*get)(struct vcpu *v, domid_t id), void (*put)(struct domain *d));
/* May this domain map I/O frame m (outside RAM, or OWNER_IO)? Registered by core/physdev.c. */
void mm_set_iomem_op(bool (*allowed)(struct domain *d, uint64_t mfn));

#endif
