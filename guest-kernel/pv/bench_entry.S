/* SPDX-License-Identifier: MIT */
/* bench_entry.S: handlers and loops for bench.c, as short as they can be, so that the hypervisor is what is measured. */
#include "hypercall-abi/abi.h"

#define IRET (hypercall_page + __HYPERVISOR_iret * HYPERCALL_SLOT_BYTES)

        .text

/* A page fault of bench_fault_loop's load: step over its 3 bytes. The error code's place becomes the flags of the iret. */
        .balign 16
        .globl  bench_fault_entry
bench_fault_entry:
        popq    %rcx
        popq    %r11
        movq    $0, (%rsp)
        addq    $3, 8(%rsp)
        jmp     IRET

/* void bench_fault_loop(uint64_t times, const void *unmapped) */
        .globl  bench_fault_loop
bench_fault_loop:
1:      movq    (%rsi), %rax                    /* 48 8b 06 */
        decq    %rdi
        jnz     1b
        ret

/* A system call of bench_user_code: back at once, or, from the last one, to bench_user_loop's caller. */
        .balign 16
        .globl  bench_syscall_entry
bench_syscall_entry:
        popq    %rcx
        popq    %r11
        testl   %eax, %eax
        jnz     1f
        pushq   $VGCF_in_syscall
        jmp     IRET
1:      movq    bench_saved_rsp(%rip), %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

/* void bench_user_loop(uint64_t times, struct iret_context *frame): enters user mode by frame, comes back at the end. */
        .globl  bench_user_loop
bench_user_loop:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, bench_saved_rsp(%rip)
        movq    %rdi, %rbx
        leaq    24(%rsi), %rsp                  /* at its flags: the stub pushes what is below */
        jmp     IRET

/* Copied to a user page: rbx system calls, then the last. */
        .globl  bench_user_code, bench_user_code_end
bench_user_code:
1:      xorl    %eax, %eax
        syscall
        decq    %rbx
        jnz     1b
        movl    $1, %eax
        syscall
        ud2
bench_user_code_end:

        .bss
        .balign 8
bench_saved_rsp: .skip 8

        .section .note.GNU-stack, "", @progbits
