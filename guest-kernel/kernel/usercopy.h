/* SPDX-License-Identifier: MIT */
/* usercopy.h: between usercopy.S, which touches user memory, and trap.c, which forgives it. */
#ifndef NOVICE_USERCOPY_H
#define NOVICE_USERCOPY_H

#include "guest-kernel/kernel/base.h"

/* 0, or -EFAULT when a fault inside could not be resolved. */
long user_copy(void *to, const void *from, size_t n);
long user_clear(void *to, size_t n);
/* Copies up to and with a zero, at most n bytes: the number copied, or -EFAULT. */
long user_string(char *to, const char *from, size_t n);
/* Faults with rip in [user_copy, user_copy_fault) go on at user_copy_fault. */
extern char user_copy_fault[];

#endif
