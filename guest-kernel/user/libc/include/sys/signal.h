/* SPDX-License-Identifier: MIT */
/* sys/signal.h: Newlib's, and the sigaction flags of Novice's kernel. */
#ifndef _NOVICE_SYS_SIGNAL_H
#define _NOVICE_SYS_SIGNAL_H

#include_next <sys/signal.h>

#define SA_RESTART   0x10
#define SA_NODEFER   0x20
#define SA_RESETHAND 0x40

typedef _sig_func_ptr sighandler_t;

int pause(void);

#endif
