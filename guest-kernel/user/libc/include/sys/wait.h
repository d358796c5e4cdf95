/* SPDX-License-Identifier: MIT */
/* sys/wait.h: Newlib's, and what it leaves out. */
#ifndef _NOVICE_SYS_WAIT_H
#define _NOVICE_SYS_WAIT_H

#include_next <sys/wait.h>
#include <sys/resource.h>

#define WCONTINUED 8
#define WIFCONTINUED(w) ((w) == 0xffff)

pid_t wait3(int *status, int options, struct rusage *usage);
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage);

#endif
