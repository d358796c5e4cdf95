/* SPDX-License-Identifier: MIT */
/* os_glue.c: Novice's answers to what the drivers in pv-drivers/ ask of a kernel. */
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/sched.h"
#include "pv-drivers/os.h"

#define WAIT_NS (10 * NSEC_PER_MS)

void os_event_send(uint32_t port) { event_send(port); }

/* Kernel code is never interrupted, so the port's handler does not run here: we poll the port, which wakes us though it is
 * masked, and raise it again at the end. */
void os_wait_until(uint32_t port, bool (*done)(void *arg), void *arg)
{
    evtchn_port_t ports[1] = { port };
    for (;;) {
        event_clear(port);
        if (done(arg))
            break;
        struct sched_poll poll = { .ports = gva(ports), .nr_ports = 1, .timeout = pv_system_time() + WAIT_NS };
        hypercall_sched_op(SCHEDOP_poll, gva(&poll));
    }
    event_raise(port);
}
