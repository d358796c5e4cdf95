/* SPDX-License-Identifier: MIT */
/* blkback_ring.h: what the ring's half of blkback offers to the bus's half. */
#ifndef PV_DRIVERS_BLKBACK_RING_H
#define PV_DRIVERS_BLKBACK_RING_H

#include "pv-drivers/blkback.h"

int  blkback_alloc(struct blkback *b);                     /* what a pass over the ring needs */
void blkback_free(struct blkback *b);
/* Maps the frontend's ring and listens. 0 or -errno. */
int  blkback_connect(struct blkback *b, const uint32_t *refs, unsigned pages, uint32_t port);
/* Listens no more, waits for the disk to complete what it has, lets go of every grant. Sleeps. */
void blkback_disconnect(struct blkback *b);

#endif
