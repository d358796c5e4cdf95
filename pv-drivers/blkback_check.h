/* SPDX-License-Identifier: MIT */
/* blkback_check.h: from a request as a guest wrote it to a job that can be done. */
#ifndef PV_DRIVERS_BLKBACK_CHECK_H
#define PV_DRIVERS_BLKBACK_CHECK_H

#include "pv-drivers/blkback.h"

/* The most segments that the request may turn out to have: the job needs room for them. */
unsigned blkback_segments(const struct blkif_request *r);
/* Fills j from r, a private copy: 0, or the BLKIF_RSP_* to answer with. j's id and op are set in any case. */
int blkback_decode(struct blkback *b, struct blkback_job *j, const struct blkif_request *r);

#endif
