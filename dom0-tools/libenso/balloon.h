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

/* Sees to it that a new domain of so many KiB finds its memory: balloond makes others smaller if need be. 0, or -1 with a
 * sentence. Without balloond it only looks. */
int  balloon_ask(uint64_t kib, struct complaint *why);

/* A number below a domain's memory/ directory (KiB where it is memory); false if it is not there. */
bool balloon_number(struct xs *x, uint16_t domid, const char *node, uint64_t *value);
int  balloon_set(struct xs *x, uint16_t domid, const char *node, uint64_t value);
/* The least that a domain can be made: dom0's wish for it, or what its own kernel says. 0: nobody says. */
uint64_t balloon_floor(struct xs *x, uint16_t domid);
/* Is balloond there? */
bool balloon_daemon(struct xs *x);

#endif
