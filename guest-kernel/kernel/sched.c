/* SPDX-License-Identifier: MIT */
/* sched.c: who runs next, and sleeping.
 *
 * The run queue is sorted by virtual time, the CPU time a thread has used; the least goes first, for a slice of 10 ms if
 * others wait. One that slept comes back no more than half a slice ahead of the others, so that it answers quickly
 * but cannot save up. With nobody runnable the thread that went to sleep last waits in plat_idle itself: if it is
 * the first to be woken, no switch was needed.                                                                  */
#include "guest-kernel/kernel/proc.h"

#define CANARY 0x656e6f7473646e61ul

static struct {
    struct list  queue;
    uint64_t     vtime;                             /* the least that ever ran: newcomers start here */
    struct proc *dead;                              /* exited, unwaited for, its stack left by the switch */
    bool         idle;
    uint64_t     slice_end;
} sched = { .queue = LIST_INIT(sched.queue) };

struct proc *current;
bool need_resched;
uint64_t idle_ns, switch_count;

uintptr_t kstack_top(const struct proc *p) { return (uintptr_t)p->kstack + KSTACK_SIZE; }
bool sched_idle(void) { return sched.idle; }
uint64_t slice_end(void) { return list_empty(&sched.queue) ? FOREVER : sched.slice_end; }

uint64_t proc_cpu_ns(const struct proc *p)
{
    return p->cpu_ns + (p == current && !sched.idle ? plat_clock_ns() - p->switched_in : 0);
}

static void enqueue(struct proc *p)
{
    struct list *at = sched.queue.next;
    while (at != &sched.queue && container_of(at, struct proc, run)->vtime <= p->vtime)
        at = at->next;
    list_insert_before(at, &p->run);
}

void sched_wake(struct proc *p)
{
    uint64_t credit = MIN(sched.vtime, SLICE_NS / 2);
    p->state = PROC_RUNNABLE;
    p->vtime = MAX(p->vtime, sched.vtime - credit);
    if (!list_empty(&p->run))
        return;
    if (p == current && !sched.idle)
        return;
    enqueue(p);
    if (sched.idle)
        return;
    if (p->vtime + NSEC_PER_MS < current->vtime + (plat_clock_ns() - current->switched_in))
        need_resched = true;
    timer_program();
}

static void charge(struct proc *p, uint64_t now)
{
    uint64_t used = now - p->switched_in;
    p->cpu_ns += used;
    p->vtime += used;
    p->switched_in = now;
}

static struct proc *pick(void)
{
    if (list_empty(&sched.queue)) {
        uint64_t from = plat_clock_ns();
        sched.idle = true;
        do
            plat_idle();
        while (list_empty(&sched.queue));
        sched.idle = false;
        uint64_t now = plat_clock_ns();
        idle_ns += now - from;
        current->switched_in = now;
    }
    struct proc *next = container_of(sched.queue.next, struct proc, run);
    list_remove(&next->run);
    return next;
}

static void machine_switch(struct proc *prev, struct proc *next)
{
    struct plat_context c = { next->vm ? &next->vm->plat : 0, kstack_top(next), next->fs_base };
    if (prev->fpu)
        plat_fpu_save(prev->fpu);
    if (next->fpu)
        plat_fpu_load(next->fpu);
    plat_context_load(&c);
}

/* After each switch, on the new stack; a new thread calls it first. */
void sched_arrived(void)
{
    struct proc *dead = sched.dead;
    sched.dead = 0;
    if (dead)
        proc_free(dead);
}

/* The calling thread ends and nobody will wait for it: freed once its stack is left. */
void sched_bury(struct proc *p) { sched.dead = p; }

void schedule(void)
{
    struct proc *prev = current;
    need_resched = false;
    if (*(uint64_t *)prev->kstack != CANARY)
        panic("%s (%d) has overflowed its kernel stack", prev->name, prev->pid);
    charge(prev, plat_clock_ns());
    if (prev->state == PROC_RUNNABLE)
        enqueue(prev);
    struct proc *next = pick();
    uint64_t now = plat_clock_ns();
    next->switched_in = now;
    sched.vtime = MAX(sched.vtime, next->vtime);
    sched.slice_end = now + SLICE_NS;
    timer_program();
    if (next == prev)
        return;
    switch_count++;
    current = next;
    machine_switch(prev, next);
    context_switch(&prev->ksp, next->ksp);
    sched_arrived();
}

void sched_yield_now(void)
{
    if (list_empty(&sched.queue))
        return;
    struct proc *last = container_of(sched.queue.prev, struct proc, run);
    current->vtime = MAX(current->vtime, last->vtime);
    schedule();
}

void breathe(void)
{
    plat_irq_window();
    if (need_resched && current->state == PROC_RUNNABLE)
        schedule();
}

void sched_stack_init(struct proc *p) { *(uint64_t *)p->kstack = CANARY; }

/* ---- Wait queues ---- */

void wait_init(struct wait_queue *q) { list_init(&q->waiters); }

void wait_join(struct wait_queue *q, struct waiter *w)
{
    w->proc = current;
    list_append(&q->waiters, &w->link);
}

void wait_leave(struct waiter *w) { list_remove(&w->link); }

void wake_all(struct wait_queue *q)
{
    list_for (w, &q->waiters, struct waiter, link)
        if (w->proc->state == PROC_SLEEPING)
            sched_wake(w->proc);
}

void sleep_timer_fired(struct timer *t)
{
    struct proc *p = container_of(t, struct proc, sleep_timer);
    p->timed_out = true;
    if (p->state == PROC_SLEEPING)
        sched_wake(p);
}

int sleep_until(uint64_t deadline, bool interruptible)
{
    struct proc *p = current;
    if (interruptible && signal_waiting(p))
        return -EINTR;
    if (deadline != FOREVER) {
        if (deadline <= plat_clock_ns())
            return -ETIMEDOUT;
        p->timed_out = false;
        timer_set(&p->sleep_timer, deadline);
    }
    p->interruptible = interruptible;
    p->state = PROC_SLEEPING;
    schedule();
    if (deadline != FOREVER) {
        timer_cancel(&p->sleep_timer);
        if (p->timed_out)
            return -ETIMEDOUT;
    }
    return interruptible && signal_waiting(p) ? -EINTR : 0;
}

int sleep_on(struct wait_queue *q, uint64_t deadline, bool interruptible)
{
    struct waiter w;
    wait_join(q, &w);
    int rc = sleep_until(deadline, interruptible);
    wait_leave(&w);
    return rc;
}
