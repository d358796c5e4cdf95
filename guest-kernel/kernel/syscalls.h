/* SPDX-License-Identifier: MIT */
/* syscalls.h: a prototype sys_NAME for each row of the table, and what the files of calls share. */
#ifndef NOVICE_SYSCALLS_H
#define NOVICE_SYSCALLS_H

#include "guest-kernel/kernel/base.h"
#include "guest-kernel/uapi/syscall.h"

#define S0(nr, name, doc)                                             long sys_##name(void);
#define S1(nr, name, t0, a0, doc)                                     long sys_##name(t0 a0);
#define S2(nr, name, t0, a0, t1, a1, doc)                             long sys_##name(t0 a0, t1 a1);
#define S3(nr, name, t0, a0, t1, a1, t2, a2, doc)                     long sys_##name(t0 a0, t1 a1, t2 a2);
#define S4(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, doc)             long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3);
#define S5(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, doc)     long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4);
#define S6(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, doc) \
    long sys_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5);
#include "guest-kernel/uapi/syscalls.def"

/* A slow call was interrupted: signal.c starts it again, or turns this into -EINTR. Never seen by user space. The first
 * kind goes on after a handler with SA_RESTART, the second only if no handler ran (a stop and a continue, say). */
#define ERESTART       512
#define ERESTART_QUIET 513

void syscall(struct trapframe *tf);
struct proc;
struct timer;
void alarm_fired(struct timer *t);
uint64_t wall_ns(void);
extern uint64_t syscall_count, fault_count, interrupt_count;

#endif
