/* SPDX-License-Identifier: MIT */
/* evtchn.h: event channels, by which domains, devices and timers tap a vCPU on the shoulder.
 *
 * A port is a bit in shared_info. Of the two interfaces that Xen has, Enso has the two-level one; the
 * operations and constants of the other (FIFO) are named here because they are refused by name. SPEC 6. */
#ifndef ENSO_ABI_EVTCHN_H
#define ENSO_ABI_EVTCHN_H

#include "abi.h"

#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq        1
#define EVTCHNOP_bind_pirq        2
#define EVTCHNOP_close            3
#define EVTCHNOP_send             4
#define EVTCHNOP_status           5
#define EVTCHNOP_alloc_unbound    6
#define EVTCHNOP_bind_ipi         7
#define EVTCHNOP_bind_vcpu        8
#define EVTCHNOP_unmask           9
#define EVTCHNOP_reset            10
#define EVTCHNOP_init_control     11 /* FIFO */
#define EVTCHNOP_expand_array     12 /* FIFO */
#define EVTCHNOP_set_priority     13 /* FIFO */

#define EVTCHN_2L_NR_CHANNELS 4096

struct evtchn_alloc_unbound {
    domid_t dom, remote_dom; /* in: whose port; who may bind to it */
    evtchn_port_t port;      /* out */
};

struct evtchn_bind_interdomain {
    domid_t remote_dom;
    evtchn_port_t remote_port;
    evtchn_port_t local_port; /* out */
};

struct evtchn_bind_virq {
    uint32_t virq;
    uint32_t vcpu;
    evtchn_port_t port; /* out */
};

#define BIND_PIRQ__WILL_SHARE 1
struct evtchn_bind_pirq {
    uint32_t pirq;
    uint32_t flags;
    evtchn_port_t port; /* out */
};

struct evtchn_bind_ipi {
    uint32_t vcpu;
    evtchn_port_t port; /* out */
};

struct evtchn_close {
    evtchn_port_t port;
};

struct evtchn_send {
    evtchn_port_t port;
};

#define EVTCHNSTAT_closed      0
#define EVTCHNSTAT_unbound     1
#define EVTCHNSTAT_interdomain 2
#define EVTCHNSTAT_pirq        3
#define EVTCHNSTAT_virq        4
#define EVTCHNSTAT_ipi         5
struct evtchn_status {
    domid_t dom;        /* in */
    evtchn_port_t port; /* in */
    uint32_t status;    /* out, as all that follows: EVTCHNSTAT_* */
    uint32_t vcpu;
    union {
        struct {
            domid_t dom;
        } unbound;
        struct {
            domid_t dom;
            evtchn_port_t port;
        } interdomain;
        uint32_t pirq;
        uint32_t virq;
    } u;
};

struct evtchn_bind_vcpu {
    evtchn_port_t port;
    uint32_t vcpu;
};

struct evtchn_unmask {
    evtchn_port_t port;
};

struct evtchn_reset {
    domid_t dom;
};

struct evtchn_init_control {
    uint64_t control_gfn;
    uint32_t offset;
    uint32_t vcpu;
    uint8_t link_bits;
    uint8_t _pad[7];
};

struct evtchn_expand_array {
    uint64_t array_gfn;
};

struct evtchn_set_priority {
    evtchn_port_t port;
    uint32_t priority;
};

#endif
