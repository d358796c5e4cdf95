/* SPDX-License-Identifier: MIT */
/* acpi_memory.h: where acpi.c finds physical address 0 (tests/fuzz/acpi.c). */
#include <stdint.h>
extern uint64_t fuzz_memory;
