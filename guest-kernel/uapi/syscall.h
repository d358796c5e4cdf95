/* SPDX-License-Identifier: MIT */
/* syscall.h: the system calls' numbers, SYS_name, from the one table. Kernel and user space both include it. */
#ifndef NOVICE_UAPI_SYSCALL_H
#define NOVICE_UAPI_SYSCALL_H

#define S0(nr, name, doc)                                             SYS_##name = nr,
#define S1(nr, name, t0, a0, doc)                                     SYS_##name = nr,
#define S2(nr, name, t0, a0, t1, a1, doc)                             SYS_##name = nr,
#define S3(nr, name, t0, a0, t1, a1, t2, a2, doc)                     SYS_##name = nr,
#define S4(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, doc)             SYS_##name = nr,
#define S5(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, doc)     SYS_##name = nr,
#define S6(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, doc) SYS_##name = nr,
enum {
#include "guest-kernel/uapi/syscalls.def"
    SYS_COUNT = 122
};

#endif
