/* SPDX-License-Identifier: MIT */
/* utime.h: Newlib's, with the prototype. */
#ifndef _NOVICE_UTIME_H
#define _NOVICE_UTIME_H

#include_next <utime.h>

int utime(const char *path, const struct utimbuf *times);

#endif
