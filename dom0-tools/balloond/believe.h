/* SPDX-License-Identifier: MIT */
/* believe.h: what balloond takes for true of a domain. Pure.
 *
 * memory/ in the store is dom0's own word, memory/stat/ the guest's. A guest's word may cost only the guest: a number that is none,
 * or is beyond what can be, counts as not said; its floor counts up to what a kernel may need. And a target is a wish: a domain
 * that does not come to it in time (10 s, and a second for each 4 MiB) is taken as it is.
 *
 * B1  Whatever memory/stat/ has, or has not: floor <= most, pressure <= 100, available <= current.
 * B2  A domain that stays off its target is stuck after its time, whatever it says. Time while it cannot move does not count:
 *     while it is paused, or would grow and the host has nothing.                                              */
#ifndef ENSO_BALLOON_BELIEVE_H
#define ENSO_BALLOON_BELIEVE_H

#include "dom0-tools/balloond/policy.h"

#define FOLLOW_MS   10000u      /* and one for each 4 KiB, so many at most:    */
#define FOLLOW_MOST 120000u
#define DISTRUST_MS 30000u      /* so long a stuck domain is left alone        */

/* The nodes below memory/, in the order of hearsay_node. */
enum hearsay_word { SAID_TARGET, SAID_MOST, SAID_WEIGHT, SAID_FLOOR, SAID_AUTO, SAID_OWN_FLOOR, SAID_AVAILABLE, SAID_PRESSURE, SAID_CURRENT, SAID_ALL };
extern const char *const hearsay_node[SAID_ALL];

struct hearsay {
    bool     there[SAID_ALL];
    uint64_t value[SAID_ALL];
};

/* What the hypervisor says. */
struct facts {
    uint64_t current;           /* KiB                                         */
    bool     control;           /* this is dom0                                */
    bool     runs;              /* neither paused nor at its end               */
    uint64_t host_free;         /* KiB that a domain could take                */
    uint64_t now;               /* ms                                          */
};

/* Kept from one look to the next; all zero for a domain that is new. */
struct history {
    uint64_t since, from, most_off; /* off the target since then, had so much, was to go so far */
    uint64_t until;                 /* stuck so long                               */
    uint64_t keeps;                 /* had so much when it did not give; else 0    */
    bool     falling, stuck;
};

struct balance believe(const struct hearsay *said, const struct facts *is, struct history *h);

#endif
