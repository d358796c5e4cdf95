/* SPDX-License-Identifier: MIT */
/* desc.h: GDT, IDT, TSS and stack block of a pCPU.
 *
 * The hypervisor's own descriptors start at selector 0xe000 (FIRST_HV_SELECTOR), in one page that is mapped
 * both in the pCPU's own GDT (idle) and behind the guest's 14 GDT pages in each vCPU's window, so that a
 * vCPU runs with GDTR = its window.                                                                       */
#ifndef ENSO_DESC_H
#define ENSO_DESC_H

#include <stdint.h>

#define FIRST_HV_SELECTOR 0xe000
/* FLAT_* selectors of the ABI lie in this page: 0xe023 ring3 cs32, 0xe02b ring3 ds, 0xe033 ring3 cs64. */
#define HV_CS  0xe008
#define HV_DS  0xe010
#define HV_TSS 0xe040          /* two slots */
#define HV_LDT 0xe050          /* two slots: the running vCPU's LDT */

struct pcpu;
struct vcpu;
/* Allocates the pCPU's stack block (guards unmapped), TSS with IST stacks (#DF 1, NMI 2, #MC 3, #DB 4), the page
 * of hypervisor descriptors, and its syscall stubs. -ENOMEM or 0. Called on the boot pCPU for each pCPU.     */
int desc_alloc(struct pcpu *p);
/* Loads GDT, IDT, TSS, LSTAR/CSTAR/SYSENTER stubs on the pCPU itself. */
void desc_load(struct pcpu *p);
/* The machine frame of the pCPU's page of hypervisor descriptors: goes to slot 14 of a vCPU's GDT window when it is
 * about to run on p (mm/descriptor.h does the mapping). */
uint64_t desc_hv_gdt_mfn(const struct pcpu *p);
/* GDTR to a vCPU's window (0xffff8080...; limit covers the hypervisor's page), or to the pCPU's own. */
void desc_use_window(uint64_t window_va);
void desc_use_own(struct pcpu *p);
/* LDTR: entries descriptors at va, or none when entries is 0. Writes the LDT descriptor into p's page. */
void desc_load_ldt(struct pcpu *p, uint64_t va, uint32_t entries);
/* The I/O bitmap is not used: guests' in and out always trap (#GP) and are emulated. */

#endif
