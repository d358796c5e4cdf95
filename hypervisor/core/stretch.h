/* SPDX-License-Identifier: MIT */
/* stretch.h: the longest way that a pCPU goes without a preemption point. Debug builds only: of a release build nothing is left. */
#ifndef ENSO_STRETCH_H
#define ENSO_STRETCH_H

#include "hypervisor/lib/print.h"
#include "hypervisor/model.h"

/* What a stretch belongs to: a hypercall's number, or one of these. */
#define STRETCH_TRAP 64          /* an exception or an interrupt of a guest */
#define STRETCH_WORK 65          /* what is done before a guest runs on     */
#define NR_STRETCHES 66

void stretch_start(unsigned what);
void stretch_mark(const void *where);
void stretch_stop(const void *where);
/* The debug key: what every pCPU was interrupted by, and the stretches. */
void stretch_dump(void);

static inline void stretch_begin(unsigned what) { if (DEBUG_BUILD) stretch_start(what); }
static inline void stretch_end(void)            { if (DEBUG_BUILD) stretch_stop(__builtin_return_address(0)); }
/* Within a preemption point: before interrupts are let in, and after. */
static inline void stretch_point(void)          { if (DEBUG_BUILD) stretch_mark(__builtin_return_address(0)); }

#endif
