/* SPDX-License-Identifier: MIT */
/* apic.h: the local APIC, xAPIC or x2APIC: who am I, IPIs, EOI, the timer. */
#ifndef ENSO_APIC_H
#define ENSO_APIC_H

#include <stdint.h>

/* Vectors of the hypervisor's own. 0x20..0xdf are for device interrupts. */
#define VEC_FIRST_DEVICE 0x20
#define VEC_LAST_DEVICE  0xdf
#define VEC_TIMER        0xf0
#define VEC_WAKE         0xf1   /* look at cpu_info->work                */
#define VEC_CALL         0xf2   /* look at the mailbox and flush_request */
#define VEC_SPURIOUS     0xff

void apic_init_this(void);                 /* on each pCPU */
uint32_t apic_id(void);
void apic_eoi(void);
void apic_send(uint32_t apic_id, uint8_t vector);
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);
void apic_send_nmi(uint32_t apic_id);
/* One shot: interrupts VEC_TIMER when the TSC reaches tsc (at once when it is past). 0 disarms. */
void apic_timer_arm(uint64_t tsc);

struct pcpu;
/* Sets work bits on p and makes sure that p looks at them soon: an IPI if it is another pCPU. */
void pcpu_kick(struct pcpu *p, uint32_t work);

#endif
