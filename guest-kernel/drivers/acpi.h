/* SPDX-License-Identifier: MIT */
/* acpi.h: the one table that drivers ask the firmware for. */
#ifndef NOVICE_DRIVERS_ACPI_H
#define NOVICE_DRIVERS_ACPI_H

#include "guest-kernel/kernel/base.h"

struct acpi_mcfg { uint64_t base; unsigned first_bus, last_bus; };   /* of segment 0; base 0: there is none */
void acpi_find_mcfg(struct acpi_mcfg *m);

#endif
