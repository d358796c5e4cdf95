/* SPDX-License-Identifier: MIT */
/* wait.h: sleeping until something is so.
 *
 * Kernel code is never interrupted (platform.h), so the test of a condition and the going to sleep are one step,
 * and no wake-up is lost. A waiter joins a queue, sleeps, and looks again.                                    */
#ifndef NOVICE_WAIT_H
#define NOVICE_WAIT_H

#include "guest-kernel/kernel/base.h"

struct proc;

struct wait_queue { struct list waiters; };
struct waiter {
    struct list  link;
    struct proc *proc;
};
#define WAIT_QUEUE(name) struct wait_queue name = { LIST_INIT((name).waiters) }
#define FOREVER (~0ul)

void wait_init(struct wait_queue *q);
/* Makes all who sleep on q runnable. Callable from upcalls. */
void wake_all(struct wait_queue *q);
void wait_join(struct wait_queue *q, struct waiter *w);
void wait_leave(struct waiter *w);
/* Sleeps until woken, or until plat_clock_ns() reaches `deadline` (FOREVER: none), or, if interruptible, until a signal
 * waits to be delivered: 0, -ETIMEDOUT, -EINTR. A wake-up may be for nothing: callers look again. */
int sleep_on(struct wait_queue *q, uint64_t deadline, bool interruptible);
/* Likewise, the caller having joined its queues itself. */
int sleep_until(uint64_t deadline, bool interruptible);

/* Sleeps until cond holds; 0, or -EINTR when a signal came first. */
#define wait_event(q, cond) ({                                                  \
    int rc_ = 0;                                                                \
    while (!(cond) && rc_ == 0)                                                 \
        rc_ = sleep_on((q), FOREVER, true);                                     \
    (cond) ? 0 : rc_; })
/* Likewise, not to be disturbed by signals. */
#define wait_event_always(q, cond) do { while (!(cond)) sleep_on((q), FOREVER, false); } while (0)

#endif
