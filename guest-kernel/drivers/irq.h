/* SPDX-License-Identifier: MIT */
/* irq.h: interrupts of devices, as drivers see them. A line may be shared; a message belongs to one driver. */
#ifndef NOVICE_DRIVERS_IRQ_H
#define NOVICE_DRIVERS_IRQ_H

#include "guest-kernel/kernel/base.h"

#define IRQS       64                               /* numbers that plat_irq_line and plat_irq_msi may give */
#define IRQ_POLLED IRQS                             /* and one for devices whose interrupts reach nobody: its handlers run each millisecond */

enum irq_kind { IRQ_INTX, IRQ_MSI, IRQ_MSIX };

/* True: it was this device's. Runs as an upcall: must not sleep. */
typedef bool (*irq_fn)(void *arg);

/* Adds a handler of irq (a number the platform gave, or IRQ_POLLED). `number` is the line or the entry of the MSI-X table; `who` is for
 * messages, and stays. -ENOMEM, -EINVAL. */
int  irq_handle(int irq, enum irq_kind kind, unsigned number, const char *who, irq_fn fn, void *arg);
/* Takes all handlers of fn with arg away: a driver's that gives up. */
void irq_forget(irq_fn fn, void *arg);
/* What a bus knows and we do not: which devices hold irq's line right now (their names into buf; 0: none), and how to keep a device's
 * messages back. Either may be null. */
struct irq_bus {
    size_t (*holders)(int irq, char *buf, size_t size);
    void   (*mask)(int irq, bool mask);
};
void irq_bus_is(const struct irq_bus *bus);
/* The platform's upcall: runs the handlers. True: irq is masked now, since it does not stop, and is not to be let in again
 * before plat_irq_mask says so. */
bool irq_raised(int irq);
/* The text of /proc/interrupts; its length. */
size_t irq_list(char *buf, size_t size);
/* Of one irq, for tests and the curious; false beyond the last. */
bool irq_count(int irq, uint64_t *count, bool *masked);

#endif
