/* SPDX-License-Identifier: MIT */
/* drivers.h: the drivers that there are, for pci.c's table. */
#ifndef NOVICE_DRIVERS_H
#define NOVICE_DRIVERS_H

#include "guest-kernel/drivers/pci.h"

extern const struct pci_driver nvme_driver, e1000e_driver, edu_driver;

#endif
