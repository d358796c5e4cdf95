/* SPDX-License-Identifier: MIT */
/* timer.c: something to be done at a time.                                                    [read 36]
 *
 * Guests' one-shot and periodic timers, poll timeouts, watchdogs and the scheduler's slices are all struct timer. Each
 * is on the heap of one pCPU; the pCPU's APIC is armed for the earliest and for nothing when the heap is empty, so an
 * idle machine takes no ticks. The interrupt only sets WORK_TIMER: functions run from the exit path, IF=0 and no lock
 * held, and may arm their timer again. A vCPU that moves leaves its timers where they are; firing them there is right,
 * only a little farther.                                                                                              */
#include "hypervisor/core/timer.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/timer_heap.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/irq.h"
#include "hypervisor/x86/tsc.h"

/* Timers that exist anywhere: each heap has room for all of them. */
static struct {
    uint32_t reserved;           /* atomic */
} timers = { 0 };

#define FIRST_LIMIT 256
#define FARTHEST_NS (1UL << 40)

static void on_interrupt(uint32_t vector, void *arg)
{
    atomic_or(&cpu_info()->work, WORK_TIMER);
    apic_eoi();
}

int timer_init_pcpu(struct pcpu *p)
{
    uint32_t need = atomic_read(&timers.reserved);

    spin_init(&p->timers.lock, LOCK_timer);
    p->timers.limit = need > FIRST_LIMIT ? need : FIRST_LIMIT;
    p->timers.slot = kalloc((p->timers.limit + 1) * sizeof(struct timer *));
    if (!p->timers.slot)
        return -XEN_ENOMEM;
    irq_set_handler(VEC_TIMER, on_interrupt, NULL);
    return 0;
}

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
    *t = (struct timer){ .fn = fn, .arg = arg, .pcpu = this_pcpu()->id };
}

/* The array is made before the lock is taken, because kalloc ranks above it. */
static int heap_grow(struct timer_heap *h, uint32_t limit)
{
    struct timer **bigger = kalloc((limit + 1) * sizeof(*bigger)), **old;

    if (!bigger)
        return -XEN_ENOMEM;
    spin_lock(&h->lock);
    old = bigger;
    if (limit > h->limit) {
        memcpy(bigger, h->slot, (h->count + 1) * sizeof(*bigger));
        old = h->slot;
        h->slot = bigger;
        h->limit = limit;
    }
    spin_unlock(&h->lock);
    kfree(old);
    return 0;
}

int timer_reserve(unsigned n)
{
    uint32_t need = atomic_add(&timers.reserved, n) + n;

    for (uint32_t i = 0; i < nr_pcpus; i++) {
        struct timer_heap *h = &pcpus[i]->timers;
        if (h->slot && h->limit < need && heap_grow(h, need + need / 2)) {
            timer_unreserve(n);
            return -XEN_ENOMEM;
        }
    }
    return 0;
}

void timer_unreserve(unsigned n)
{
    atomic_sub(&timers.reserved, n);
}

/* Locks the heap that t belongs to; t->pcpu changes only under that lock. */
static struct timer_heap *lock_heap_of(const struct timer *t)
{
    for (;;) {
        uint32_t id = READ_ONCE(t->pcpu);
        struct timer_heap *h = &pcpus[id]->timers;
        spin_lock(&h->lock);
        if (t->pcpu == id)
            return h;
        spin_unlock(&h->lock);
    }
}

/* The APIC for the earliest timer of this pCPU; its lock is held. */
static void arm_apic(const struct timer_heap *h)
{
    const struct timer *first = timer_heap_first(h);
    uint64_t horizon;

    if (!first) {
        apic_timer_arm(0);
        return;
    }
    /* A guest may name any time at all: beyond the horizon the APIC fires once for nothing and is armed anew. */
    horizon = now_ns() + FARTHEST_NS;
    apic_timer_arm(ns_to_tsc(first->expires < horizon ? first->expires : horizon) | 1);
}

static void heap_head_changed(struct pcpu *p)
{
    if (p == this_pcpu())
        arm_apic(&p->timers);
    else
        pcpu_kick(p, WORK_TIMER);
}

void timer_set(struct timer *t, struct pcpu *p, uint64_t expires)
{
    struct timer_heap *h = lock_heap_of(t);

    while (h != &p->timers) {
        if (t->heap_index)
            timer_heap_remove(h, t);       /* its APIC may fire once for nothing */
        t->pcpu = p->id;
        spin_unlock(&h->lock);
        h = lock_heap_of(t);
    }
    bool was_first = t->heap_index && timer_heap_remove(h, t);
    t->expires = expires;
    BUG_ON(h->count >= h->limit);
    if (timer_heap_insert(h, t) || was_first)
        heap_head_changed(p);
    spin_unlock(&h->lock);
}

void timer_cancel(struct timer *t)
{
    struct timer_heap *h = lock_heap_of(t);

    if (t->heap_index && timer_heap_remove(h, t) && h == &this_pcpu()->timers)
        arm_apic(h);
    spin_unlock(&h->lock);
}

void timer_stop(struct timer *t)
{
    struct pcpu *p;

    timer_cancel(t);
    p = pcpus[READ_ONCE(t->pcpu)];
    while (p != this_pcpu() && p->timers.running == t)
        spin_relax();
}

/* Takes the first timer out if it is due. */
static struct timer *take_due(struct timer_heap *h)
{
    struct timer *t;

    spin_lock(&h->lock);
    t = timer_heap_first(h);
    if (t && t->expires > now_ns())
        t = NULL;
    if (t)
        timer_heap_remove(h, t);
    h->running = t;
    spin_unlock(&h->lock);
    return t;
}

void timer_run_due(void)
{
    struct timer_heap *h = &this_pcpu()->timers;
    struct timer *t;
    /* A function may arm its timer for the past; the bound keeps one guest's from holding the pCPU (XSA-20). */
    unsigned budget = h->count + 16;

    atomic_and(&cpu_info()->work, ~WORK_TIMER);
    while (budget-- && (t = take_due(h)))
        t->fn(t->arg);
    spin_lock(&h->lock);
    h->running = NULL;
    arm_apic(h);
    spin_unlock(&h->lock);
}

uint32_t timer_count(const struct pcpu *p)
{
    return p->timers.count;
}
