/* SPDX-License-Identifier: MIT */
/* memory_op.h: hc_memory_op is declared by guest/hypercall.h; here what the floors above need of it. */
#ifndef ENSO_MEMORY_OP_H
#define ENSO_MEMORY_OP_H

#include "hypervisor/model.h"

/* The machine's memory map as Multiboot2 gave it, for XENMEM_machine_memory_map: set once by boot. */
struct e820_range { uint64_t addr, size; uint32_t type; } __attribute__((packed));
extern struct e820_range machine_map[128];
extern uint32_t machine_map_entries;

#endif
