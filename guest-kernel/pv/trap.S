/* SPDX-License-Identifier: MIT */
/* trap.S: into the kernel and out of it. Each entry builds a struct trapframe and calls trap in C.
 *
 * The hypervisor has pushed what the CPU would have, and below it r11 and rcx, which its own way in needed. We leave
 * through its iret hypercall, which also unmasks events again if the frame's IF says so: no window in between.  */
#include "hypercall-abi/abi.h"

#define TRAP_SYSCALL   0x100
#define TRAP_INTERRUPT 0x101
#define FRAME_VECTOR   (15 * 8)

        .text

/* Exceptions 0 to 31, 16 bytes each: those without an error code push a zero. */
        .balign 16
        .globl  trap_stubs
trap_stubs:
        .set    v, 0
        .rept   32
        .balign 16
        popq    %rcx
        popq    %r11
        .if     v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30
        .else
        pushq   $0
        .endif
        pushq   $v
        jmp     trap_common
        .set    v, v + 1
        .endr

/* An event: what the PC calls an interrupt. */
        .balign 16
        .globl  event_entry
event_entry:
        popq    %rcx
        popq    %r11
        pushq   $0
        pushq   $TRAP_INTERRUPT
        jmp     trap_common

/* A segment register could not be loaded on the way out to the frame that follows ds, es, fs and gs: empty selectors and
 * a general protection fault say it all. */
        .balign 16
        .globl  failsafe_entry
failsafe_entry:
        popq    %rcx
        popq    %r11
        addq    $32, %rsp
        pushq   %rax
        xorl    %eax, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        popq    %rax
        pushq   $0
        pushq   $13
        jmp     trap_common

/* The syscall instruction. */
        .balign 16
        .globl  syscall_entry
syscall_entry:
        popq    %rcx
        popq    %r11
        pushq   %rax                            /* error: the number */
        pushq   $TRAP_SYSCALL

trap_common:
        pushq   %rdi
        pushq   %rsi
        pushq   %rdx
        pushq   %rcx
        pushq   %rax
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        cld
        movzwl  144(%rsp), %eax                 /* cs: the word above it held the event mask */
        movq    %rax, 144(%rsp)
        movq    %rsp, %rdi
        call    trap
        movq    %rsp, %rdi
frame_restore:                                  /* rdi: the frame to leave through */
        movq    %rdi, %rsp
        xorl    %eax, %eax
        cmpl    $TRAP_SYSCALL, FRAME_VECTOR(%rsp)
        movl    $VGCF_in_syscall, %ecx          /* rcx and r11 are the caller's to lose: the short way out */
        cmove   %ecx, %eax
        movq    %rax, FRAME_VECTOR + 8(%rsp)    /* over the error code: struct iret_context.flags */
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rax
        popq    %rcx
        popq    %rdx
        popq    %rsi
        popq    %rdi
        addq    $8, %rsp
        jmp     hypercall_page + __HYPERVISOR_iret * HYPERCALL_SLOT_BYTES

        .globl  plat_user_return
plat_user_return:
        jmp     frame_restore

        .section .note.GNU-stack, "", @progbits
