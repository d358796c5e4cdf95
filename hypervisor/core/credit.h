/* SPDX-License-Identifier: MIT */
/* credit.h: the arithmetic of sched_credit.c: what running costs, and what a cap allows. No lock, no clock: host-tested. */
#ifndef ENSO_CREDIT_H
#define ENSO_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#define CREDIT_WEIGHT   256U              /* the default                                              */
#define CREDIT_SLICE    10000000UL        /* ns between decisions while others wait                   */
#define CREDIT_LAG      10000000UL        /* the most that a sleeper is ahead of the others on waking */
#define CREDIT_GRAIN    1000000UL         /* smaller differences are not worth a switch               */
#define CREDIT_WINDOW   30000000UL        /* a cap's allowance is saved up for at most so long        */
#define CREDIT_CRUMB    100000UL          /* an allowance below this is not worth running for         */

/* What a vCPU has used, in ns, a vCPU of default weight being charged 1:1: its virtual time. Its credit is how far it is
 * behind the others on its queue: whoever has used least runs next. */
static inline uint64_t credit_cost(uint64_t ran, uint32_t weight, uint32_t active)
{
    return ran * CREDIT_WEIGHT * (active ? active : 1) / (weight ? weight : 1);
}

/* Virtual time of one that slept or comes from a queue with another floor: kept relative, within [-LAG, +WINDOW] of the floor. */
static inline uint64_t credit_rebase(uint64_t used, uint64_t old_floor, uint64_t new_floor)
{
    int64_t lead = (int64_t)(used - old_floor);

    if (lead < -(int64_t)CREDIT_LAG)
        lead = -(int64_t)CREDIT_LAG;
    if (lead > (int64_t)CREDIT_WINDOW)
        lead = (int64_t)CREDIT_WINDOW;
    return new_floor + (uint64_t)lead;
}

/* A cap is a purse that fills at cap per cent of one pCPU, shared by the domain's active vCPUs, and empties by running. */
struct credit_purse {
    int64_t  ns;
    uint64_t filled_at;
};

static inline int64_t credit_purse_size(uint32_t cap, uint32_t active)
{
    return (int64_t)(CREDIT_WINDOW * cap / 100 / (active ? active : 1));
}

static inline void credit_purse_fill(struct credit_purse *p, uint32_t cap, uint32_t active, uint64_t now)
{
    uint64_t elapsed = now > p->filled_at ? now - p->filled_at : 0;
    int64_t size = credit_purse_size(cap, active);

    if (elapsed > 100 * CREDIT_WINDOW)
        elapsed = 100 * CREDIT_WINDOW;
    p->ns += (int64_t)(elapsed * cap / 100 / (active ? active : 1));
    if (p->ns > size)
        p->ns = size;
    p->filled_at = now;
}

/* How long a purse that is (nearly) empty takes to be half full. */
static inline uint64_t credit_purse_wait(const struct credit_purse *p, uint32_t cap, uint32_t active)
{
    int64_t missing = credit_purse_size(cap, active) / 2 - p->ns;
    return missing <= 0 ? 0 : (uint64_t)missing * 100 * (active ? active : 1) / cap;
}

#endif
