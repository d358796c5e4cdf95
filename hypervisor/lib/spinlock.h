/* SPDX-License-Identifier: MIT */
/* spinlock.h: ticket locks, and the one place where their order is written.
 *
 * The hypervisor runs with interrupts off except in idle and at preemption points, so a lock needs no
 * irqsave form. A pCPU that spins serves TLB-flush and cross-call requests meanwhile (spin_relax, an
 * operation that x86/smpcall.c hands down), or two pCPUs could wait for each other.                  */
#ifndef ENSO_SPINLOCK_H
#define ENSO_SPINLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Take downward, never upward. Two locks of one rank: lower domid first (spin_lock_second).         */
#define LOCK_RANKS(X)                                                          \
    X(domctl,      "one control operation at a time")                          \
    X(domain_list, "births and deaths of domains")                             \
    X(domain,      "one domain's life cycle, vCPU set-up, descriptors")        \
    X(evtchn,      "one domain's ports")                                       \
    X(grant,       "one domain's grant entries and map-track")                 \
    X(pages,       "one domain's list of frames")                              \
    X(pirq,        "physical interrupts as domains know them")                 \
    X(heap,        "free frames")                                              \
    X(kalloc,      "small allocations")                                        \
    X(sched,       "one pCPU's run queue")                                     \
    X(timer,       "one pCPU's timers")                                        \
    X(irq,         "one interrupt line, IO-APIC registers")                    \
    X(pciconf,     "PCI's two configuration ports")                            \
    X(call,        "one pCPU's mailbox for cross calls")                       \
    X(console,     "one line of output; innermost")
/* The lock bit of a page table (FT_LOCKED) ranks between grant and pages; two tables are never locked at once
 * but top-down along one walk.                                                                       */

#define X(name, what) LOCK_##name,
enum lock_rank { LOCK_RANKS(X) LOCK_RANK_COUNT };
#undef X

struct spinlock {
    volatile uint16_t next, owner;
    uint8_t rank, pad;
    uint16_t holder;             /* debug: pCPU id + 1 */
};

#define SPINLOCK_INIT(r) { 0, 0, LOCK_##r, 0, 0 }
void spin_init(struct spinlock *l, enum lock_rank rank);
/* Debug builds: BUG on a rank that is not above every held one. */
void spin_lock(struct spinlock *l);
/* For the second of two locks of one rank; the caller orders them (lower domid first). */
void spin_lock_second(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
/* Waits for the turn of that ticket. */
void spin_wait(struct spinlock *l, uint16_t ticket);
/* Debug builds: panics when this pCPU holds any lock; for the points where interrupts are let in. */
void spin_assert_none(void);
/* Called in each turn of every busy wait of the hypervisor: pause, and serve other pCPUs' requests. */
void spin_relax(void);
/* What spin_relax calls besides pause; registered once at boot. */
void spin_set_relax_op(void (*fn)(void));

/* Release builds: a lock that is free costs four instructions where it is taken. (The debug build's functions check ranks as well.) */
#ifdef NDEBUG
static inline void spin_lock_unchecked(struct spinlock *l)
{
    uint16_t ticket = __atomic_fetch_add(&l->next, (uint16_t)1, __ATOMIC_SEQ_CST);

    if (__builtin_expect(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket, 0))
        spin_wait(l, ticket);
}
static inline void spin_unlock_unchecked(struct spinlock *l)
{
    __atomic_store_n(&l->owner, (uint16_t)(l->owner + 1), __ATOMIC_RELEASE);
}
#define spin_lock(l)        spin_lock_unchecked(l)
#define spin_lock_second(l) spin_lock_unchecked(l)
#define spin_unlock(l)      spin_unlock_unchecked(l)
#endif

#endif
