/* SPDX-License-Identifier: MIT */
/* timer.h: one-shot timers on a heap a pCPU; the APIC is armed for the earliest, and for nothing when there is none. */
#ifndef ENSO_TIMER_H
#define ENSO_TIMER_H

#include "hypervisor/model.h"

int  timer_init_pcpu(struct pcpu *p);
void timer_init(struct timer *t, void (*fn)(void *arg), void *arg);
/* (Re)arms t on pCPU p for system time `expires` ns (0 or past: at the next exit). Lock: takes p's timer lock. -ENOMEM: heap cannot grow. */
int  timer_set(struct timer *t, struct pcpu *p, uint64_t expires);
/* Disarms; when it returns, fn is not pending and (unless called from fn itself) not running. */
void timer_stop(struct timer *t);
bool timer_active(const struct timer *t);
/* Moves an armed timer with its vCPU. */
void timer_migrate(struct timer *t, struct pcpu *to);
/* WORK_TIMER: runs what is due on this pCPU and arms the APIC anew. */
void timer_run_due(void);
void timer_interrupt(void);          /* VEC_TIMER: sets WORK_TIMER */

#endif
