/* SPDX-License-Identifier: MIT */
/* sys/mount.h: mounting, and how full a file system is. */
#ifndef _NOVICE_SYS_MOUNT_H
#define _NOVICE_SYS_MOUNT_H

#include "guest-kernel/uapi/mount.h"

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);
int umount(const char *target, int flags);
int statfs(const char *path, struct statfs *out);

#endif
