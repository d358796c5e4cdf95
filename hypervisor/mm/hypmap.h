/* SPDX-License-Identifier: MIT */
/* hypmap.h: the hypervisor's own address space, shared by every page-table root.
 *
 * Built once at boot, W^X; slots 256 and 258..271 are the same L3 tables in every L4, slot 257 is the domain's own. */
#ifndef ENSO_HYPMAP_H
#define ENSO_HYPMAP_H

#include "hypervisor/model.h"

#ifndef directmap_base                         /* a host test brings its own */
#define directmap_base DIRECTMAP_VIRT
#endif
static inline void *mfn_to_virt(mfn_t m) { return (void *)(directmap_base + (m.raw << PAGE_SHIFT)); }
static inline void *phys_to_virt(uint64_t pa) { return (void *)(directmap_base + pa); }
static inline uint64_t virt_to_phys(const void *p) { return (uint64_t)p - directmap_base; }   /* direct-map addresses only */
static inline mfn_t virt_to_mfn(const void *p) { return mfn(virt_to_phys(p) >> PAGE_SHIFT); }

/* The image: linked at IMAGE_VIRT, loaded here. The linker script's symbols bound its parts, page by page. */
#define IMAGE_PHYS 0x200000UL
extern char __image_start[], __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[], __bss_end[];
static inline uint64_t image_to_phys(const void *p) { return (uint64_t)p - (uint64_t)__image_start + IMAGE_PHYS; }
/* The writable alias (until hypmap_seal) of something in text or rodata: for patching. */
static inline void *image_alias(const void *p) { return phys_to_virt(image_to_phys(p)); }

extern mfn_t idle_root;                        /* the L4 with only the hypervisor in it */
extern uint64_t max_pa;                        /* max_mfn as an address */
extern uint64_t max_mfn;                       /* frames 0..max_mfn-1 have a struct frame; highest RAM frame + 1 */

/* Boot, in this order: the map from the boot page tables to the final ones (W^X, NX, direct map of all RAM, M2P, frame table).
 * Uses frames from heap_boot_alloc. */
void hypmap_init(void);
/* Maps physical 0..2 MiB 1:1 and executable in idle_root, while other pCPUs start; and takes it away again. */
void hypmap_identity_low(bool on);
/* Makes text and rodata unwritable in every alias; after patching. */
void hypmap_seal(void);
/* Maps device registers uncached (RW NX). Never unmapped. Panics when the window is full (boot only). */
void *hypmap_io(uint64_t phys, size_t size);
/* A stack block for a pCPU: STACK_BLOCK bytes aligned. Pages 0, 2, 4, 6, 8 are guards and not mapped; 1 #DF, 3 NMI, 5 #MC,
 * 7 #DB, 9..15 the primary stack. NULL: no memory. */
void *hypmap_stack_block(void);
/* Maps one executable page (RX) near the stack block for syscall stubs. Their code depends on the address, so the caller
 * fills the frame through the direct map afterwards, and seals it (W^X) before anything runs there. NULL: no memory. */
void *hypmap_exec_page(mfn_t m);
void hypmap_seal_frame(mfn_t m);

/* The M2P as the hypervisor writes it (at M2P_VIRT guests read it, and SMAP would stop us). */
extern uint64_t *m2p_table;
extern uint64_t m2p_frames;                    /* frames of the table; contiguous from virt_to_mfn(m2p_table) */

/* Per-domain window (slot 257): allocated with the domain, -ENOMEM. Also sets refused_pte_bits (from has_devices). */
int  perdomain_init(struct domain *d);
void perdomain_free(struct domain *d);
/* Makes sure that vcpu's L1 part exists. */
int  perdomain_add_vcpu(struct domain *d, unsigned vcpu_id);
/* Sets page `page` (0..31) of the vCPU's window; pte 0 clears. The caller flushes (the mapping is not global). */
void perdomain_set(struct vcpu *v, unsigned page, uint64_t pte);
/* Writes the hypervisor's 16 entries into an L4 table of d (guest-visible table, its frame's address in the direct map). */
void hypmap_fill_root(struct domain *d, uint64_t *l4);

#endif
