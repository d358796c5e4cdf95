/* SPDX-License-Identifier: MIT */
/* pty.h: pseudo-terminals in one call. */
#ifndef _NOVICE_PTY_H
#define _NOVICE_PTY_H

#include <sys/types.h>
#include <sys/termios.h>

int   openpty(int *master, int *slave, char *name, const struct termios *t, const struct winsize *size);
pid_t forkpty(int *master, char *name, const struct termios *t, const struct winsize *size);
int   login_tty(int slave);         /* a new session whose terminal, input and output is slave */

#endif
