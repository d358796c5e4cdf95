/* SPDX-License-Identifier: MIT */
/* policy.h: which domain should have how much memory. Pure: states in, targets out.
 *
 * M1  No target is lowered below its domain's floor (but to what a stuck domain has), nor raised above its maximum.
 * M2  Targets rise only as far as memory is free now beyond the reserve and the promises: what a domain is to give is not
 *     given on before it has come.
 * M3  Nothing moves where nobody is pressed, nobody asks, and everybody follows.
 * M4  Whatever the others report: a pressed domain that is below its share comes to it, as far as those above theirs follow. */
#ifndef ENSO_BALLOON_POLICY_H
#define ENSO_BALLOON_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define PRESSURE_HIGH 35        /* from here on a domain wants more            */
#define PRESSURE_LOW  15        /* up to here it can give                      */
#define BALANCE_GRAIN 1024u     /* KiB: smaller moves are not worth it         */

struct balance {                /* all memory in KiB                           */
    uint64_t current, target, floor, most, available;
    uint32_t weight;
    uint32_t pressure;          /* 0 to 100                                    */
    bool     managed;           /* its target may be changed                   */
    bool     stuck;             /* it had its time, and is not at its target   */
    bool     keeps;             /* when last asked to give, it did not         */
    uint64_t goal;              /* out: the new target                         */
    uint64_t share;             /* out: what its weight allows it, by what there is and what others need */
};

/* The new targets. free: of the host, beyond the reserve and what is promised already; negative: so much must come back.
 * True if one differs. */
bool balance_memory(struct balance *d, unsigned n, int64_t free);

/* What the domains could give together if somebody asked. */
uint64_t balance_reserves(const struct balance *d, unsigned n);

/* What is on its way from domains to the host. */
uint64_t balance_coming(const struct balance *d, unsigned n);

#endif
