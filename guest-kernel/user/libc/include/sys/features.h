/* SPDX-License-Identifier: MIT */
/* sys/features.h: Newlib's, and the POSIX options that Novice's kernel answers. */
#ifndef _NOVICE_SYS_FEATURES_H
#define _NOVICE_SYS_FEATURES_H

#include_next <sys/features.h>

#define _POSIX_TIMERS 1
#define _POSIX_MONOTONIC_CLOCK 200112L
#define _POSIX_CPUTIME 1

#endif
