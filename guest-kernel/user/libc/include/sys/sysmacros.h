/* SPDX-License-Identifier: MIT */
/* sys/sysmacros.h: device numbers: major in the upper half. */
#ifndef _NOVICE_SYS_SYSMACROS_H
#define _NOVICE_SYS_SYSMACROS_H

#define major(dev)        ((unsigned)(dev) >> 8)
#define minor(dev)        ((unsigned)(dev) & 0xff)
#define makedev(maj, min) (((unsigned)(maj) << 8) | ((unsigned)(min) & 0xff))

#endif
