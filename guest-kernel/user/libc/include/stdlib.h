/* SPDX-License-Identifier: MIT */
/* stdlib.h: Newlib's, and the pseudo-terminals that it leaves out. */
#ifndef _NOVICE_STDLIB_H
#define _NOVICE_STDLIB_H

#include_next <stdlib.h>

int   posix_openpt(int flags);
int   grantpt(int master);
int   unlockpt(int master);
char *ptsname(int master);           /* in a buffer of its own, good until the next call */

#endif
