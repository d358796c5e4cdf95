/* SPDX-License-Identifier: MIT */
/* sys/utsname.h: the system's names. */
#ifndef _NOVICE_SYS_UTSNAME_H
#define _NOVICE_SYS_UTSNAME_H

#include "guest-kernel/uapi/utsname.h"

int uname(struct utsname *names);

#endif
