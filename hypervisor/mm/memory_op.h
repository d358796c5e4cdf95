/* SPDX-License-Identifier: MIT */
/* memory_op.h: hc_memory_op is declared by lib/hypercall.h; here what the floors above need of it, and what its two files share. */
#ifndef ENSO_MEMORY_OP_H
#define ENSO_MEMORY_OP_H

#include "hypervisor/model.h"

/* The machine's memory map as Multiboot2 gave it, for XENMEM_machine_memory_map: set once by boot. */
struct e820_range { uint64_t addr, size; uint32_t type; } __attribute__((packed));
extern struct e820_range machine_map[128];
extern uint32_t machine_map_entries;

/* The number of the call in cmd, and above it how many extents a continued one has done: Xen's split. */
#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK     ((1U << MEMOP_EXTENT_SHIFT) - 1)

/* The largest extent that d may ask for. */
static inline unsigned memory_max_order(const struct domain *d) { return d->privileged || d->has_devices ? 9 : 0; }
/* The address width that mem_flags ask for, in *bits (0: any). False: there is no such memory. */
bool memory_address_bits(uint32_t mem_flags, unsigned *bits);

/* XENMEM_exchange (mm/exchange.c). */
long memory_exchange(struct vcpu *v, gva_t arg);

#endif
