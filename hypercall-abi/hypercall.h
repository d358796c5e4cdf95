/* SPDX-License-Identifier: MIT */
/* hypercall.h: the numbers of the hypercalls, derived from hypercalls.def.
 *
 * C gets an enum, assembly gets symbols; the names are Xen's, __HYPERVISOR_mmu_update and so on. Calls
 * that Enso does not have keep their names, so that a refusal can be spoken of. SPEC 4.                 */
#ifndef ENSO_ABI_HYPERCALL_H
#define ENSO_ABI_HYPERCALL_H

/* Slots of 32 bytes in the hypercall page, one a number; a page holds 128. */
#define HYPERCALL_SLOT_BYTES 32
#define NR_HYPERCALLS        64 /* above every number that exists; a larger one is -ENOSYS */

#ifdef __ASSEMBLER__
#define H(nr, name, who, doc, spec) __HYPERVISOR_##name = nr
#define HX(nr, name, why)           __HYPERVISOR_##name = nr
#include "hypercalls.def"
#else
enum {
#define H(nr, name, who, doc, spec) __HYPERVISOR_##name = nr,
#define HX(nr, name, why)           __HYPERVISOR_##name = nr,
#include "hypercalls.def"
};
#endif

#endif
