/* SPDX-License-Identifier: MIT */
/* hypercall.h: the handlers' prototypes, made from the table; and how a handler goes on later. */
#ifndef ENSO_HYPERCALL_H
#define ENSO_HYPERCALL_H

#include "hypervisor/model.h"

/* Prototypes `long hc_NAME(struct vcpu *v, ...)` for every row of hypercall-abi/hypercalls.def. */
#include "hypervisor/lib/hypercall_protos.h"

/* Continuation: a handler that preempt_needed() told to stop calls this with the arguments to go on with and returns its value at
 * once. The guest's call instruction is executed again with these registers (inside a multicall: the entry is
 * rewritten). nargs <= 5. Returns the value that the handler must return. */
long hypercall_continue(struct vcpu *v, unsigned nr, unsigned nargs, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);

#endif
