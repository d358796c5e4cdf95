/* SPDX-License-Identifier: MIT */
/* balloon.h: what the tools say to balloond and to the domains' balloons. SPEC 11.7. */
#ifndef ENSO_BALLOON_H
#define ENSO_BALLOON_H

#include <stdbool.h>
#include <stdint.h>

#include "dom0-tools/libenso/complaint.h"
#include "dom0-tools/libenso/xs.h"

#define BALLOOND_DIR     "/tool/balloond"
#define BALLOON_OVERHEAD 2048u           /* KiB that a domain costs beside its memory */
#define BALLOON_MOST     (1ull << 40)    /* KiB: more is nonsense */

/* Sees to it that a new domain of so many KiB, which will have this handle, finds its memory: balloond makes others smaller if need be.
 * 0, or -1 with a sentence. Without balloond it only looks. */
int  balloon_ask(uint64_t kib, const uint8_t handle[16], struct complaint *why);
/* The sentence of everybody who finds that memory does not suffice; -1. reserve and others (what other domains can give up):
 * balloond's, or 0. All in KiB. */
int  balloon_short(struct complaint *why, uint64_t kib, uint64_t free, uint64_t reserve, uint64_t others);

/* A number below a domain's memory/ directory (KiB where it is memory); false if it is not there. */
bool balloon_number(struct xs *x, uint16_t domid, const char *node, uint64_t *value);
int  balloon_set(struct xs *x, uint16_t domid, const char *node, uint64_t value);
/* The least that a domain can be made: dom0's wish for it, or what its own kernel says. 0: nobody says. */
uint64_t balloon_floor(struct xs *x, uint16_t domid);
/* What a kernel may claim to need at least, of so much at most: more is not believed. */
static inline uint64_t balloon_credible_floor(uint64_t most) { return (16u << 10) + most / 64; }
/* Is balloond there? */
bool balloon_daemon(struct xs *x);

#endif
