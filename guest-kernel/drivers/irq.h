/* SPDX-License-Identifier: MIT */
/* irq.h: interrupts of devices, as drivers see them. A line may be shared; a message belongs to one driver. */
#ifndef NOVICE_DRIVERS_IRQ_H
#define NOVICE_DRIVERS_IRQ_H

#include "guest-kernel/kernel/base.h"

#define IRQS 64                                     /* numbers that plat_irq_line and plat_irq_msi may give */

/* True: it was this device's. Runs as an upcall: must not sleep. */
typedef bool (*irq_fn)(void *arg);

/* Adds a handler of irq (a number the platform gave). -ENOMEM, -EINVAL. */
int  irq_handle(int irq, irq_fn fn, void *arg);
/* The platform's upcall: runs the handlers. One that nobody wants, or that never stops, is masked with a message; true then. */
bool irq_raised(int irq);
/* For /proc/interrupts: count and name of irq, false beyond the last. */
bool irq_count(int irq, uint64_t *count, bool *masked);

#endif
