/* SPDX-License-Identifier: MIT */
/* boot.h: what boot's files tell each other. */
#ifndef ENSO_BOOT_H
#define ENSO_BOOT_H

#include <stdint.h>

#include "hypervisor/boot/mb2.h"

/* Called by multiboot2.S on the boot stack. */
__attribute__((noreturn)) void boot_main(uint32_t magic, uint64_t mbi_phys);
/* Builds what the modules describe, and lets it run. */
void build_domains(const struct mb2_info *info);

#endif
