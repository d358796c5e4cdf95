/* SPDX-License-Identifier: MIT */
/* os.h: what a paravirtual driver asks of the kernel it lives in.
 *
 * The drivers in this folder know rings and the words spoken over them, and nothing about kernels; a kernel that wants
 * them answers these few functions (Novice in guest-kernel/pv/os_glue.c, tests on the host in one process with threads).
 * hypercall-abi/ and this header are all that they include.                                                    */
#ifndef PV_DRIVERS_OS_H
#define PV_DRIVERS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Taps the other end of an event channel on the shoulder. */
void os_event_send(uint32_t port);
/* Waits until done(arg) holds, looking again after each event of the port. May be called where sleeping is not allowed:
 * then the whole vCPU waits. The port's own handler still gets to run afterwards. */
void os_wait_until(uint32_t port, bool (*done)(void *arg), void *arg);

#endif
