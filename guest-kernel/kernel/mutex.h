/* SPDX-License-Identifier: MIT */
/* mutex.h: a lock that is held across sleeps. The kernel is never interrupted, so it is a word and a queue. */
#ifndef NOVICE_MUTEX_H
#define NOVICE_MUTEX_H

#include "guest-kernel/kernel/wait.h"

struct mutex {
    bool              held;
    struct wait_queue queue;
};

static inline void mutex_init(struct mutex *m)
{
    m->held = false;
    wait_init(&m->queue);
}

static inline void mutex_lock(struct mutex *m)
{
    wait_event_always(&m->queue, !m->held);
    m->held = true;
}

static inline void mutex_unlock(struct mutex *m)
{
    BUG_ON(!m->held);
    m->held = false;
    wake_all(&m->queue);
}

#endif
