/* SPDX-License-Identifier: MIT */
/* enso.h: enso_op, the one hypercall that Xen does not have.
 *
 * It stands at number 48, which Xen leaves to architectures and does not use on x86. A guest that must also
 * run on Xen gets -ENOSYS there and goes on without. All commands are dom0's, but ENSOOP_mark. SPEC 14.5. */
#ifndef ENSO_ABI_ENSO_H
#define ENSO_ABI_ENSO_H

#include "abi.h"

#define ENSOOP_audit        0 /* struct enso_audit: recount every frame; debug builds, else -ENOSYS      */
#define ENSOOP_set_name     1 /* struct enso_domain_name: the name used on the console                   */
#define ENSOOP_get_name     2 /* struct enso_domain_name                                                 */
#define ENSOOP_echo_latency 3 /* struct enso_echo_latency: serial receive interrupt to first echoed byte */
#define ENSOOP_machine_exit 4 /* struct enso_machine_exit: end a test machine with a code                */
#define ENSOOP_mark         5 /* struct enso_mark: a line in the debug log, any domain                   */
#define ENSOOP_stats        6 /* struct enso_stats: counters of one domain                               */

#define ENSO_NAME_LEN 32 /* with its closing NUL */

struct enso_audit {
    uint64_t frames; /* out: looked at                                   */
    uint64_t lost;   /* out: with neither an owner nor a place in the heap */
    uint64_t wrong;  /* out: whose counts or type differ from the recount  */
};

struct enso_domain_name {
    domid_t domid;
    uint16_t pad[3];
    char name[ENSO_NAME_LEN];
};

/* The last samples, newest first. count in: room in samples_ns; out: how many there are. A clear of 1
 * forgets them afterwards. */
struct enso_echo_latency {
    uint32_t count;
    uint32_t clear;
    uint64_t samples_ns; /* handle: uint64_t[count] */
};

struct enso_machine_exit {
    uint32_t code; /* QEMU ends with 2 * code + 1 where it has isa-debug-exit; else the machine powers off */
    uint32_t pad;
};

struct enso_mark {
    uint64_t value;
    char text[24];
};

struct enso_stats {
    domid_t domid; /* in */
    uint16_t pad[3];
    uint64_t hypercalls;
    uint64_t exceptions; /* delivered to the guest */
    uint64_t emulated;   /* instructions done for it */
    uint64_t events;     /* upcalls */
    uint64_t switches;   /* of its vCPUs onto a pCPU */
};

#endif
