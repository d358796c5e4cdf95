/* SPDX-License-Identifier: MIT */
/* reboot.h: how the reboot call ends the machine. */
#ifndef NOVICE_UAPI_REBOOT_H
#define NOVICE_UAPI_REBOOT_H

#define REBOOT_RESTART  1
#define REBOOT_POWEROFF 2
#define REBOOT_HALT     3
#define REBOOT_CRASH    4     /* the kernel panics, for tests */

#endif
