/* SPDX-License-Identifier: MIT */
/* internal.h: the calls whose POSIX form this folder makes of the kernel's (syscalls.S renames them). */
#ifndef NOVICE_LIBC_INTERNAL_H
#define NOVICE_LIBC_INTERNAL_H

#include <signal.h>
#include <stddef.h>

#include "guest-kernel/uapi/signal.h"

int   __sys_sigaction(int sig, const struct ksigaction *act, struct ksigaction *old);
int   __sys_sigprocmask(int how, const sigset_t *set, sigset_t *old);
char *__sys_brk(void *end);
long  __sys_getcwd(char *buffer, size_t size);
int   __sys_nice(int pid, int increment);
int   __sys_utimens(const char *path, const struct timespec times[2]);
void  __sig_restorer(void);

#endif
