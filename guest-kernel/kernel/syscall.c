/* SPDX-License-Identifier: MIT */
/* syscall.c: from a number to a function. Both, and the unpacking of arguments, come from uapi/syscalls.def. */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"

#define A0(t) (t)tf->rdi
#define A1(t) (t)tf->rsi
#define A2(t) (t)tf->rdx
#define A3(t) (t)tf->r10
#define A4(t) (t)tf->r8
#define A5(t) (t)tf->r9
#define RUN(name, call) static long run_##name(const struct trapframe *tf) { return call; }

#define S0(nr, name, doc)                                         RUN(name, sys_##name())
#define S1(nr, name, t0, a0, doc)                                 RUN(name, sys_##name(A0(t0)))
#define S2(nr, name, t0, a0, t1, a1, doc)                         RUN(name, sys_##name(A0(t0), A1(t1)))
#define S3(nr, name, t0, a0, t1, a1, t2, a2, doc)                 RUN(name, sys_##name(A0(t0), A1(t1), A2(t2)))
#define S4(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, doc)         RUN(name, sys_##name(A0(t0), A1(t1), A2(t2), A3(t3)))
#define S5(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, doc) RUN(name, sys_##name(A0(t0), A1(t1), A2(t2), A3(t3), A4(t4)))
#define S6(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, doc) \
    RUN(name, sys_##name(A0(t0), A1(t1), A2(t2), A3(t3), A4(t4), A5(t5)))
#include "guest-kernel/uapi/syscalls.def"

#define S0(nr, name, doc)                                             [nr] = run_##name,
#define S1(nr, name, t0, a0, doc)                                     [nr] = run_##name,
#define S2(nr, name, t0, a0, t1, a1, doc)                             [nr] = run_##name,
#define S3(nr, name, t0, a0, t1, a1, t2, a2, doc)                     [nr] = run_##name,
#define S4(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, doc)             [nr] = run_##name,
#define S5(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, doc)     [nr] = run_##name,
#define S6(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, doc) [nr] = run_##name,
static long (*const table[SYS_COUNT])(const struct trapframe *) = {
#include "guest-kernel/uapi/syscalls.def"
};

/* Calls that a handled signal may start anew (SA_RESTART): waiting for them has no lasting effect. */
static bool restartable(uint64_t nr)
{
    return nr == SYS_read || nr == SYS_write || nr == SYS_wait4 || nr == SYS_open || nr == SYS_ioctl ||
           nr == SYS_accept4 || nr == SYS_connect || nr == SYS_sendto || nr == SYS_recvfrom;
}

/* Those that go on only if the program noticed nothing. nanosleep remembers its deadline (current->sleep_deadline). */
static bool resumable(uint64_t nr)
{
    return nr == SYS_nanosleep || nr == SYS_pause || nr == SYS_poll || nr == SYS_select;
}

/* What a confined process may still do: use what it has open, get memory for itself, tell the time, end. It reaches no file, no
 * process and no device that it was not handed, and it has no way to become another program or to have children. */
static bool harmless(uint64_t nr)
{
    static const uint8_t calls[] = { SYS_exit, SYS_getpid, SYS_read, SYS_write, SYS_pread, SYS_lseek, SYS_close, SYS_brk, SYS_munmap,
                                     SYS_fstat, SYS_poll, SYS_clock_gettime, SYS_nanosleep, SYS_sigreturn, SYS_sigprocmask,
                                     SYS_sched_yield };
    for (unsigned i = 0; i < sizeof(calls); i++)
        if (nr == calls[i])
            return true;
    return false;
}

void syscall(struct trapframe *tf)
{
    uint64_t nr = tf->error;
    syscall_count++;
    if (current->confined && !harmless(nr)) {
        tf->rax = -EPERM;
        return;
    }
    if (nr >= SYS_COUNT || !table[nr]) {
        tf->rax = -ENOSYS;
        return;
    }
    long rc = table[nr](tf);
    if (tf->vector != TRAP_SYSCALL)                 /* exec or sigreturn made a new frame */
        return;
    tf->rax = rc != -EINTR ? rc : restartable(nr) ? -ERESTART : resumable(nr) ? -ERESTART_QUIET : rc;
}
