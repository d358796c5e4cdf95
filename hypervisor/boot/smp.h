/* SPDX-License-Identifier: MIT */
/* smp.h: the other pCPUs. */
#ifndef ENSO_SMP_H
#define ENSO_SMP_H

#include <stdint.h>

struct pcpu;
/* The boot pCPU's record: stack block, descriptors. After heap_init, on the boot stack. */
struct pcpu *smp_boot_pcpu_init(void);
/* What every pCPU loads on itself: control registers, descriptors, local APIC. */
void smp_init_this(struct pcpu *p);
/* Starts every pCPU that ACPI lists, up to maxcpus in all; one that does not come up is named and left out. */
void smp_start_all(uint32_t maxcpus);

#endif
