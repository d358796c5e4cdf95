/* SPDX-License-Identifier: MIT */
/* system.h: what the machine calls itself. */
#ifndef NOVICE_SYSTEM_H
#define NOVICE_SYSTEM_H

#include "guest-kernel/uapi/utsname.h"

extern struct utsname system_name;
extern uint64_t initrd_bytes;

#endif
