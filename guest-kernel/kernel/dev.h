/* SPDX-License-Identifier: MIT */
/* dev.h: character devices. Registering one makes /dev/NAME; opening it calls ops->open with file->inode->rdev set
 * and file->private = the registration's. A driver may call dev_register at any time after the file system stands
 * (plat_devices is the place for a platform's own). NAME may hold directories: "xen/privcmd".                    */
#ifndef NOVICE_DEV_H
#define NOVICE_DEV_H

#include "guest-kernel/kernel/file.h"
#include "guest-kernel/kernel/vm.h"

#define MAKEDEV(major, minor) ((uint32_t)((major) << 8 | (minor)))
#define DEV_MEM     1          /* null 3, zero 5, random 8, urandom 9, kmsg 11 */
#define DEV_TTY     5          /* tty 0, console 1, ptmx 2 */
#define DEV_PTS     136
#define DEV_MISC    10         /* numbered as they come */

/* rdev 0 takes the next free DEV_MISC number. ops and name must stay. 0 or -errno. */
int dev_register(const char *name, uint32_t rdev, const struct file_ops *ops, void *private);
void dev_unregister(uint32_t rdev);           /* the node goes too */

#endif
