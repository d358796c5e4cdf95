/* SPDX-License-Identifier: MIT */
/* acpi.h: the few tables that Enso reads: MADT (pCPUs, IO-APICs, overrides), FADT (PM timer, power off), HPET. */
#ifndef ENSO_ACPI_H
#define ENSO_ACPI_H

#include <stdbool.h>
#include <stdint.h>

struct acpi_info {
    uint32_t nr_cpus;   uint32_t apic_ids[64];
    uint64_t lapic_base;
    uint32_t nr_ioapics; struct { uint64_t base; uint32_t gsi_base; } ioapic[8];
    uint32_t nr_overrides; struct { uint8_t irq; uint32_t gsi; uint16_t flags; } override[16];
    uint16_t pm_timer_port;
    uint64_t hpet_base;
    uint16_t pm1a_cnt, pm1b_cnt; uint8_t s5_typ_a, s5_typ_b; bool s5_valid;
    uint16_t reset_port; uint8_t reset_value; bool reset_valid;
};
extern struct acpi_info acpi;

/* Reads the tables; every length and checksum is checked; a bad table is named and skipped. rsdp 0: scan the BIOS areas.
 * Without a MADT: one pCPU, the default LAPIC. */
void acpi_init(uint64_t rsdp);
#include "hypervisor/x86/machine.h"

#endif
