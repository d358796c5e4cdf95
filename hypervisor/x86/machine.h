/* SPDX-License-Identifier: MIT */
/* machine.h: switching the PC off, or starting it again. */
#ifndef ENSO_MACHINE_H
#define ENSO_MACHINE_H

#include <stdbool.h>

/* debugexit on the boot line: QEMU's isa-debug-exit ends it with 2 * code + 1. */
void machine_set_debug_exit(bool on);
/* Ends QEMU with code if the boot line asked for that; returns otherwise. */
void machine_debug_exit(int code);
/* As above, else powers off (ACPI S5, then QEMU's port). */
__attribute__((noreturn)) void machine_exit(int code);
/* Reset register, 0xcf9, keyboard controller, triple fault. */
__attribute__((noreturn)) void machine_reboot(void);

#endif
