/* SPDX-License-Identifier: MIT */
/* spinlock.c: first come, first served; and a checker of the order.                                     [read 4]
 *
 * A ticket lock is fair: under a storm of hypercalls no pCPU waits for ever (XSA-114). In debug builds each
 * pCPU keeps the ranks it holds, and a lock that stands above one of them in LOCK_RANKS stops the machine
 * at once, at the first wrong order and not at the first deadlock.                                      */
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/model.h"

static void (*relax_op)(void);

void spin_set_relax_op(void (*fn)(void))
{
    relax_op = fn;
}

void spin_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
    if (relax_op)
        relax_op();
}

void spin_init(struct spinlock *l, enum lock_rank rank)
{
    *l = (struct spinlock){ .rank = (uint8_t)rank };
}

/* ---- ranks: debug builds only; the compiler drops the calls from others ---- */

static const char *const rank_name[] = {
#define X(name, what) #name,
    LOCK_RANKS(X)
#undef X
};

/* Where in the list of held ranks does `rank` forbid itself? The offending rank, or -1. */
static int rank_conflict(const struct pcpu *p, uint8_t rank, bool same_rank_ok)
{
    for (uint32_t i = 0; i < p->lock_depth; i++)
        if (p->lock_rank[i] > rank || (p->lock_rank[i] == rank && !same_rank_ok))
            return p->lock_rank[i];
    return -1;
}

static void rank_check(const struct spinlock *l, bool same_rank_ok)
{
    int held = rank_conflict(this_pcpu(), l->rank, same_rank_ok);

    if (held >= 0)
        panic("lock order: %s taken while %s is held (lock %p)", rank_name[l->rank], rank_name[held], (void *)l);
}

static void rank_push(struct spinlock *l)
{
    struct pcpu *p = this_pcpu();

    BUG_ON(p->lock_depth >= sizeof(p->lock_rank));
    p->lock_rank[p->lock_depth++] = l->rank;
    l->holder = (uint16_t)(p->id + 1);
}

/* Locks may be released in any order: the last entry of that rank goes. */
static void rank_pop(struct spinlock *l)
{
    struct pcpu *p = this_pcpu();
    uint32_t i = p->lock_depth;

    BUG_ON(l->holder != p->id + 1);
    l->holder = 0;
    while (i && p->lock_rank[i - 1] != l->rank)
        i--;
    BUG_ON(!i);
    for (; i < p->lock_depth; i++)
        p->lock_rank[i - 1] = p->lock_rank[i];
    p->lock_depth--;
}

void spin_assert_none(void)
{
    if (DEBUG_BUILD && this_pcpu()->lock_depth)
        panic("lock %s is held where none may be", rank_name[this_pcpu()->lock_rank[0]]);
}

/* ---- the lock; the names in brackets are macros in release builds (spinlock.h) ---- */

void spin_wait(struct spinlock *l, uint16_t ticket)
{
    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
        spin_relax();
}

static void take(struct spinlock *l)
{
    spin_wait(l, atomic_add(&l->next, (uint16_t)1));
    if (DEBUG_BUILD)
        rank_push(l);
}

void (spin_lock)(struct spinlock *l)
{
    if (DEBUG_BUILD)
        rank_check(l, false);
    take(l);
}

void (spin_lock_second)(struct spinlock *l)
{
    if (DEBUG_BUILD)
        rank_check(l, true);
    take(l);
}

/* Trying cannot deadlock, so no order is asked for. */
bool spin_trylock(struct spinlock *l)
{
    uint16_t owner = __atomic_load_n(&l->owner, __ATOMIC_RELAXED);
    uint16_t expected = owner;

    if (!__atomic_compare_exchange_n(&l->next, &expected, (uint16_t)(owner + 1), false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    if (DEBUG_BUILD)
        rank_push(l);
    return true;
}

void (spin_unlock)(struct spinlock *l)
{
    if (DEBUG_BUILD)
        rank_pop(l);
    __atomic_store_n(&l->owner, (uint16_t)(l->owner + 1), __ATOMIC_RELEASE);
}
