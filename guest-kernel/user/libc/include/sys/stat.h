/* SPDX-License-Identifier: MIT */
/* sys/stat.h: Newlib's, and what it keeps for other systems. */
#ifndef _NOVICE_SYS_STAT_H
#define _NOVICE_SYS_STAT_H

#include_next <sys/stat.h>

int lstat(const char *__restrict path, struct stat *__restrict out);
int mknod(const char *path, mode_t mode, dev_t device);

#endif
