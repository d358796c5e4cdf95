/* SPDX-License-Identifier: MIT */
/* mount.h: what statfs answers. /proc/mounts lists the mounts as "source target type options 0 0". */
#ifndef NOVICE_UAPI_MOUNT_H
#define NOVICE_UAPI_MOUNT_H

#define MS_RDONLY  1
#define MS_REMOUNT 32

struct statfs {
    unsigned long f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_namelen;
    unsigned long f_spare[8];
};

#endif
