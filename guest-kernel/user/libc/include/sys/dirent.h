/* SPDX-License-Identifier: MIT */
/* sys/dirent.h: directories, as the kernel's getdents gives them. */
#ifndef _NOVICE_SYS_DIRENT_H
#define _NOVICE_SYS_DIRENT_H

#include "guest-kernel/uapi/dirent.h"

typedef struct _dir DIR;

#endif
