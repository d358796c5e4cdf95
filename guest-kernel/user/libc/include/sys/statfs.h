/* SPDX-License-Identifier: MIT */
/* sys/statfs.h: how full a file system is. */
#ifndef _NOVICE_SYS_STATFS_H
#define _NOVICE_SYS_STATFS_H

#include <sys/mount.h>

#endif
