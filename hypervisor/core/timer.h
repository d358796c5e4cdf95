/* SPDX-License-Identifier: MIT */
/* timer.h: one-shot timers on a heap a pCPU; the APIC is armed for the earliest, and for nothing when there is none. */
#ifndef ENSO_TIMER_H
#define ENSO_TIMER_H

#include "hypervisor/model.h"

int  timer_init_pcpu(struct pcpu *p);
void timer_init(struct timer *t, void (*fn)(void *arg), void *arg);
/* Room for n more timers in every pCPU's heap, so that timer_set cannot fail. -ENOMEM: nothing is reserved. Called before the
 * timers exist, with no lock of rank kalloc or later. */
int  timer_reserve(unsigned n);
void timer_unreserve(unsigned n);
/* (Re)arms t on pCPU p for system time `expires` ns (0 or past: at the next exit). Any context, any lock before rank timer. */
void timer_set(struct timer *t, struct pcpu *p, uint64_t expires);
/* Disarms; when it returns, fn is not pending and (unless called from fn itself) not running: so hold no lock that fn takes. */
void timer_stop(struct timer *t);
/* Disarms without waiting for a fn that runs just now. */
void timer_cancel(struct timer *t);
static inline bool timer_active(const struct timer *t) { return t->heap_index != 0; }
/* WORK_TIMER: runs what is due on this pCPU and arms the APIC anew. No lock held. */
void timer_run_due(void);
/* For debug key r and tests: timers armed on p. */
uint32_t timer_count(const struct pcpu *p);

#endif
