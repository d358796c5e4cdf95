/* SPDX-License-Identifier: MIT */
/* sched.h: what a vCPU asks of the scheduler: to let others run, to sleep until an event, to end. SPEC 8. */
#ifndef ENSO_ABI_SCHED_H
#define ENSO_ABI_SCHED_H

#include "abi.h"

#define SCHEDOP_yield           0
#define SCHEDOP_block           1
#define SCHEDOP_shutdown        2
#define SCHEDOP_poll            3
#define SCHEDOP_remote_shutdown 4
#define SCHEDOP_shutdown_code   5
#define SCHEDOP_watchdog        6
#define SCHEDOP_pin_override    7
#define ENSO_SCHEDOP_wait       0x10000     /* Enso's own: Xen knows no such number */

#define SHUTDOWN_poweroff   0
#define SHUTDOWN_reboot     1
#define SHUTDOWN_suspend    2
#define SHUTDOWN_crash      3
#define SHUTDOWN_watchdog   4
#define SHUTDOWN_soft_reset 5
#define SHUTDOWN_MAX        5

struct sched_shutdown {
    uint32_t reason; /* SHUTDOWN_* */
};

struct sched_poll {
    uint64_t ports; /* handle: evtchn_port_t[nr_ports] */
    uint32_t nr_ports;
    uint64_t timeout; /* system time in ns, 0 for none */
};

struct sched_remote_shutdown {
    domid_t domain_id;
    uint32_t reason;
};

struct sched_watchdog {
    uint32_t id;      /* 0 to arm a new one */
    uint32_t timeout; /* seconds, 0 to disarm */
};

struct sched_pin_override {
    int32_t pcpu;
};

#endif
