/* SPDX-License-Identifier: MIT */
/* blkfront_ring.h: what the ring's half of blkfront offers to the bus's half. */
#ifndef PV_DRIVERS_BLKFRONT_RING_H
#define PV_DRIVERS_BLKFRONT_RING_H

#include "pv-drivers/blkfront.h"

void blkfront_init(struct blkfront *f);
int  blkfront_ring_make(struct blkfront *f, unsigned order);    /* pages, grants, port */
void blkfront_ring_drop(struct blkfront *f);     /* what was on it waits again */
void blkfront_ring_run(struct blkfront *f);                     /* connected: puts on it what waits */
void blkfront_fail_all(struct blkfront *f, int err);            /* the disk is gone: whatever is under way ends so */
void blkfront_free_slots(struct blkfront *f);

#endif
