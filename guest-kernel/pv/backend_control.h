/* SPDX-License-Identifier: MIT */
/* backend_control.h: tearing backends down and starting them again, from dom0's command line. */
#ifndef NOVICE_PV_BACKEND_CONTROL_H
#define NOVICE_PV_BACKEND_CONTROL_H

/* Makes `type` ("vbd") known to /dev/xen/backend. start and stop may sleep; count tells how many devices it has (may be null).
 * It counts as running. */
void backend_control_add(const char *type, int (*start)(void), void (*stop)(void), unsigned (*count)(void));

#endif
