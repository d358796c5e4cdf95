/* SPDX-License-Identifier: MIT */
/* regs.S: leaves the kernel with chosen registers and takes down all of them wherever it is entered again. attack_regs.c has the rest.
 *
 * Loads and stores go relative to rip, so that no register is needed for them: what an entry finds is what the guest was left with. */
#include "hypercall-abi/hypercall.h"

#define GPRS rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
#define XMMS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

    .text
/* void probe_go(void): by the iret hypercall with probe_frame and the registers of probe_in; returns at the next entry. */
    .globl probe_go
probe_go:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, probe_back(%rip)
    .irp n, XMMS
    movups probe_in + 120 + 16 * \n(%rip), %xmm\n
    .endr
    .set at, 0
    .irp r, GPRS
    mov probe_in + at(%rip), %\r
    .set at, at + 8
    .endr
    lea probe_frame(%rip), %rsp
    mov $__HYPERVISOR_iret, %eax
    syscall
    ud2

/* Every entry ends here, probe_vector being said. With nobody waiting the stack is nowhere, and the domain ends. */
capture:
    .set at, 0
    .irp r, GPRS
    mov %\r, probe_out + at(%rip)
    .set at, at + 8
    .endr
    .irp n, XMMS
    movups %xmm\n, probe_out + 120 + 16 * \n(%rip)
    .endr
    mov %rsp, probe_sp(%rip)
    mov probe_back(%rip), %rsp
    movq $0, probe_back(%rip)
    cld
    pushq $2
    popfq                           /* the C code that goes on wants no AC */
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .balign 32
    .globl probe_entries
probe_entries:
    .set n, 0
    .rept 259                       /* 256 system call, 257 event, 258 failsafe */
    .balign 32
    movq $n, probe_vector(%rip)
    jmp capture
    .set n, n + 1
    .endr

    .bss
    .balign 16
    .globl probe_in, probe_out, probe_frame, probe_sp, probe_vector
probe_in:     .skip 120 + 256
probe_out:    .skip 120 + 256
probe_frame:  .skip 72
probe_sp:     .skip 8
probe_vector: .skip 8
probe_back:   .skip 8
    .section .note.GNU-stack, "", @progbits
