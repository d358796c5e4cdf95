/* SPDX-License-Identifier: MIT */
/* sys/reboot.h: the machine's end. */
#ifndef _NOVICE_SYS_REBOOT_H
#define _NOVICE_SYS_REBOOT_H

#include "guest-kernel/uapi/reboot.h"

int reboot(int how, int code);      /* code: what QEMU ends with in a test boot, or the domain's shutdown */

#endif
