/* SPDX-License-Identifier: MIT */
/* sys/sysinfo.h: the machine's counters. */
#ifndef _NOVICE_SYS_SYSINFO_H
#define _NOVICE_SYS_SYSINFO_H

#include "guest-kernel/uapi/utsname.h"

int sysinfo(struct sysinfo *info);

#endif
