/* SPDX-License-Identifier: MIT */
/* ioapic.h: interrupt lines. GSIs as ACPI counts them, with the MADT's overrides applied. */
#ifndef ENSO_IOAPIC_H
#define ENSO_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

/* The old interrupt controllers answer nothing from now on. Before the local APIC stops listening to them, or a tick
 * that firmware left pending arrives without a vector. */
void ioapic_silence_8259(void);
void ioapic_init(void);                                     /* masks every line */
uint32_t ioapic_nr_gsis(void);
/* Legacy IRQ 0..15 to GSI with polarity and trigger from the MADT. */
uint32_t ioapic_isa_gsi(uint32_t irq, bool *level, bool *active_low);
/* Route and unmask / mask / EOI-side mask of a line. -EINVAL for a GSI that no IO-APIC has. */
int ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool level, bool active_low);
int ioapic_mask(uint32_t gsi, bool masked);
/* dom0's view of the registers (PHYSDEVOP_apic_read/write): index register semantics; writes to redirection entries are
 * remembered as the guest's and not passed through. -EINVAL for a base that is none. */
int ioapic_guest_read(uint64_t base, uint32_t reg, uint32_t *value);
int ioapic_guest_write(uint64_t base, uint32_t reg, uint32_t value);

#endif
