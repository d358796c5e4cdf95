/* SPDX-License-Identifier: MIT */
/* syscalls.S: a stub for every row of the kernel's table.
 *
 * The C calling convention and the system calls' differ in one register (the fourth argument is in rcx,
 * which `syscall` destroys, so it goes to r10), hence one body serves all: number, syscall, errno. A call
 * whose POSIX form differs from the kernel's is renamed below and wrapped in C.                       */

#define exit        _exit
#define sigaction   __sys_sigaction
#define sigreturn   __sys_sigreturn
#define brk         __sys_brk
#define pipe        pipe2
#define getcwd      __sys_getcwd
#define nice        __sys_nice
#define clock_gettime __sys_clock_gettime
#define utimens     __sys_utimens
#define sigprocmask __sys_sigprocmask

        .macro  STUB nr, name
        .section .text.\name, "ax", @progbits
        .globl  \name
        .type   \name, @function
\name:
        mov     $\nr, %eax
        mov     %rcx, %r10
        syscall
        cmp     $-4095, %rax
        jae     __sys_error
        ret
        .size   \name, . - \name
        .endm

#define S0(nr, name, ...) STUB nr, name ;
#define S1 S0
#define S2 S0
#define S3 S0
#define S4 S0
#define S5 S0
#define S6 S0
#include "guest-kernel/uapi/syscalls.def"

/* rax is -errno: store it, answer -1. */
        .section .text.__sys_error, "ax", @progbits
__sys_error:
        neg     %eax
        push    %rax
        call    __errno
        pop     %rdx
        mov     %edx, (%rax)
        mov     $-1, %rax
        ret

/* A handler returns to here with the stack pointer at its frame (uapi/signal.h). */
        .section .text.__sig_restorer, "ax", @progbits
        .globl  __sig_restorer
__sig_restorer:
        mov     $25, %eax
        syscall
        ud2

        .section .note.GNU-stack, "", @progbits
