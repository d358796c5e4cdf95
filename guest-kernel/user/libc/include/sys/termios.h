/* SPDX-License-Identifier: MIT */
/* sys/termios.h: the terminal's settings. */
#ifndef _NOVICE_SYS_TERMIOS_H
#define _NOVICE_SYS_TERMIOS_H

#include <sys/types.h>
#include "guest-kernel/uapi/termios.h"

typedef unsigned int  tcflag_t;
typedef unsigned char cc_t;
typedef unsigned int  speed_t;

#define TCIFLUSH  0
#define TCOFLUSH  1
#define TCIOFLUSH 2

int  tcgetattr(int fd, struct termios *t);
int  tcsetattr(int fd, int when, const struct termios *t);
int  tcflush(int fd, int queue);
void cfmakeraw(struct termios *t);

#endif
