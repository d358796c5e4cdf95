/* SPDX-License-Identifier: MIT */
/* timer.h: calls at a time. time.c keeps them in a sorted list and sets the platform's one-shot timer to the first;
 * with none pending and nobody to preempt there is no tick at all.                                            */
#ifndef NOVICE_TIMER_H
#define NOVICE_TIMER_H

#include "guest-kernel/kernel/base.h"

struct timer {
    struct list link;                        /* empty: not set */
    uint64_t    deadline;                    /* plat_clock_ns  */
    void      (*fire)(struct timer *t);
};

void timer_init(struct timer *t, void (*fire)(struct timer *t));
void timer_set(struct timer *t, uint64_t deadline);
void timer_cancel(struct timer *t);
/* Sets the platform's timer to the first of the list and the running thread's slice end. */
void timer_program(void);

#endif
