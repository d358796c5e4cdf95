/* SPDX-License-Identifier: MIT */
/* irq.h: from a vector to a function. Vectors are allocated to device lines and to the hypervisor's own uses. */
#ifndef ENSO_IRQ_H
#define ENSO_IRQ_H

#include <stdint.h>

typedef void irq_handler_fn(uint32_t vector, void *arg);

/* The handler runs with IF=0 on whichever pCPU took it and must EOI itself (apic_eoi) where the vector is its own. */
void irq_set_handler(uint8_t vector, irq_handler_fn *fn, void *arg);
/* A free device vector, or -ENOSPC. */
int irq_alloc_vector(void);
void irq_free_vector(uint8_t vector);
/* Called by guest/entry.S's interrupt path for vectors >= 0x20. Unknown vectors are EOIed and ignored. */
void irq_dispatch(uint32_t vector);

#endif
