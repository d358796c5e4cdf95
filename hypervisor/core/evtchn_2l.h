/* SPDX-License-Identifier: MIT */
/* evtchn_2l.h: the two-level layout of event channels: one bit a port in the shared page, one bit a word of ports in vcpu_info.
 *
 * Another layout would answer the same few functions (design D4). Pure bit logic: host-tested. The order within set_pending is
 * the protocol (pitfalls A13): pending, then the mask is looked at, then the selector; the caller then raises the upcall.        */
#ifndef ENSO_EVTCHN_2L_H
#define ENSO_EVTCHN_2L_H

#include "hypercall-abi/abi.h"
#include "hypervisor/lib/atomic.h"

/* True: the port was neither pending nor masked, and the vCPU's selector is next. */
static inline bool ev2l_set_pending(struct shared_info *s, unsigned port)
{
    return !test_and_set_bit(s->evtchn_pending, port) && !test_bit(s->evtchn_mask, port);
}

/* True: the vCPU's upcall is to be raised. */
static inline bool ev2l_select(struct vcpu_info *info, unsigned port)
{
    return !test_and_set_bit(&info->evtchn_pending_sel, port / 64);
}

static inline bool ev2l_unmask(struct shared_info *s, struct vcpu_info *info, unsigned port)
{
    return test_and_clear_bit(s->evtchn_mask, port) && test_bit(s->evtchn_pending, port) &&
           !test_and_set_bit(&info->evtchn_pending_sel, port / 64);
}

static inline void ev2l_clear_pending(struct shared_info *s, unsigned port)
{
    test_and_clear_bit(s->evtchn_pending, port);
}

static inline bool ev2l_is_pending(const struct shared_info *s, unsigned port)
{
    return test_bit(s->evtchn_pending, port);
}

static inline bool ev2l_is_masked(const struct shared_info *s, unsigned port)
{
    return test_bit(s->evtchn_mask, port);
}

#endif
