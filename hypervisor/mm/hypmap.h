/* SPDX-License-Identifier: MIT */
/* hypmap.h: the hypervisor's own address space, shared by every page-table root.
 *
 * Built once at boot, W^X; slots 256 and 258..271 are the same L3 tables in every L4, slot 257 is the domain's own. */
#ifndef ENSO_HYPMAP_H
#define ENSO_HYPMAP_H

#include "hypervisor/model.h"

static inline void *mfn_to_virt(mfn_t m) { return (void *)(DIRECTMAP_VIRT + (m.raw << PAGE_SHIFT)); }
static inline void *phys_to_virt(uint64_t pa) { return (void *)(DIRECTMAP_VIRT + pa); }
static inline uint64_t virt_to_phys(const void *p) { return (uint64_t)p - DIRECTMAP_VIRT; }   /* direct-map addresses only */
static inline mfn_t virt_to_mfn(const void *p) { return mfn(virt_to_phys(p) >> PAGE_SHIFT); }

extern mfn_t idle_root;                        /* the L4 with only the hypervisor in it */
extern uint64_t max_mfn;                       /* frames 0..max_mfn-1 have a struct frame; highest RAM frame + 1 */

/* Boot, in this order: the map from the boot page tables to the final ones (W^X, NX, direct map of all RAM, M2P, frame table).
 * Uses frames from heap_boot_alloc. */
void hypmap_init(void);
/* Makes text and rodata unwritable in every alias; after patching. */
void hypmap_seal(void);
/* Maps device registers uncached (RW NX). Never unmapped. Panics when the window is full (boot only). */
void *hypmap_io(uint64_t phys, size_t size);
/* A stack block for a pCPU: STACK_BLOCK bytes aligned, guards unmapped (model.h). NULL: no memory. */
void *hypmap_stack_block(void);
/* Maps one executable page (RX) near the stack block for syscall stubs, after the caller filled the frame. */
void *hypmap_exec_page(mfn_t m);

/* Per-domain window (slot 257): allocated with the domain, -ENOMEM. */
int  perdomain_init(struct domain *d);
void perdomain_free(struct domain *d);
/* Makes sure that vcpu's L1 part exists. */
int  perdomain_add_vcpu(struct domain *d, unsigned vcpu_id);
/* Sets page `page` (0..31) of the vCPU's window; pte 0 clears. The caller flushes (the mapping is not global). */
void perdomain_set(struct vcpu *v, unsigned page, uint64_t pte);
/* Writes the hypervisor's 16 entries into an L4 table of d (guest-visible table, its frame's address in the direct map). */
void hypmap_fill_root(struct domain *d, uint64_t *l4);

#endif
