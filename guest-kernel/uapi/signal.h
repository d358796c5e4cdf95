/* SPDX-License-Identifier: MIT */
/* signal.h: what sigaction passes, and what lies on the user's stack while a handler runs.
 *
 * Newlib's own struct sigaction lacks the restorer, so the call has a record of its own. To deliver a signal the
 * kernel saves the interrupted state in a struct sigframe (16-byte aligned, below the user's stack pointer), pushes the
 * restorer's address as the handler's return address, and enters the handler with rdi = signal, rsi = 0, rdx = the frame.
 * When the handler returns, the restorer executes the sigreturn call with rsp at the frame's first byte.       */
#ifndef NOVICE_UAPI_SIGNAL_H
#define NOVICE_UAPI_SIGNAL_H

#include <stdint.h>

#define K_SA_NOCLDSTOP 0x01
#define K_SA_RESTART   0x10   /* restart an interrupted slow call          */
#define K_SA_NODEFER   0x20   /* do not block the signal in its own handler */
#define K_SA_RESETHAND 0x40   /* back to the default before the handler runs */

struct ksigaction {
    uint64_t handler;     /* SIG_DFL 0, SIG_IGN 1, or an address   */
    uint64_t mask;        /* blocked besides while the handler runs */
    int32_t  flags;       /* K_SA_*                                 */
    uint32_t pad;
    uint64_t restorer;    /* must be given with a handler           */
};

struct sigframe {         /* what sigreturn reads back; rsp points here at the restorer */
    uint64_t magic;       /* SIGFRAME_MAGIC                          */
    uint64_t mask;        /* the mask to restore                     */
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t rip, rflags, rsp;
    uint64_t fault_address;   /* of SIGSEGV and SIGBUS               */
    uint64_t pad;
    uint8_t  fpu[512] __attribute__((aligned(16)));
};
#define SIGFRAME_MAGIC 0x6672616d65736967ull

#endif
