/* SPDX-License-Identifier: MIT */
/* ramdisk.h: /dev/ram0, if the boot line asks for it. */
#ifndef NOVICE_RAMDISK_H
#define NOVICE_RAMDISK_H

void ramdisk_boot(void);

#endif
