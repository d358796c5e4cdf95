/* SPDX-License-Identifier: MIT */
/* serial.h: a 16550 at com1 or com2: polled output with the FIFO, interrupt-driven input. */
#ifndef ENSO_SERIAL_H
#define ENSO_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

/* console=com1|com2|none. Early: output only. Registers the console sink. */
void serial_init_early(uint16_t port);
/* After IO-APIC and IRQs are up: received bytes go to fn, on the boot pCPU, IF=0. stamp is the TSC at the interrupt's entry. */
void serial_init_irq(void (*fn)(uint8_t byte, uint64_t stamp));
/* Its interrupt line, as ioapic_isa_gsi has it; there is a port. */
uint32_t serial_gsi(bool *level, bool *active_low);
uint16_t serial_port(void);     /* 0: none. The ports port..port+7 are not dom0's */

#endif
