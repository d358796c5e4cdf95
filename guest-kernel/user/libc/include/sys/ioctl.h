/* SPDX-License-Identifier: MIT */
/* sys/ioctl.h: the one call of many meanings. */
#ifndef _NOVICE_SYS_IOCTL_H
#define _NOVICE_SYS_IOCTL_H

#include "guest-kernel/uapi/termios.h"

int ioctl(int fd, unsigned long command, ...);

#endif
