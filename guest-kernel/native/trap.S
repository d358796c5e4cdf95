/* SPDX-License-Identifier: MIT */
/* trap.S: into the kernel and out of it. Each entry builds a struct trapframe and calls trap_entry in C. */
        .text

/* Vector stubs: those without an error code of the CPU's push a zero. 16 bytes each. */
        .balign 16
        .globl  trap_stubs
trap_stubs:
        .set    v, 0
        .rept   64
        .balign 16
        .if     v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30
        .else
        pushq   $0
        .endif
        pushq   $v
        jmp     trap_common
        .set    v, v + 1
        .endr

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
        movq    %rsp, %rdi
        call    trap_entry
        movq    %rsp, %rdi
frame_restore:                                  /* rdi: the frame to leave through */
        movq    %rdi, %rsp
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
        addq    $16, %rsp
        iretq

/* The syscall instruction: rip in rcx, flags in r11, still on the user's stack, interrupts off by SFMASK. */
        .globl  syscall_entry
        .balign 16
syscall_entry:
        movq    %rsp, syscall_user_rsp(%rip)
        movq    trap_stack_top(%rip), %rsp
        pushq   $0x1b                           /* USER_SS */
        pushq   syscall_user_rsp(%rip)
        pushq   %r11
        pushq   $0x23                           /* USER_CS */
        pushq   %rcx
        pushq   %rax                            /* error: the number */
        pushq   $0x100                          /* TRAP_SYSCALL */
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
        movq    %rsp, %rdi
        call    trap
        movq    %rsp, %rdi
        cmpl    $0x100, 120(%rdi)               /* changed: a signal or an exec wants every register */
        jne     frame_restore
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        addq    $8, %rsp
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rax
        addq    $8, %rsp
        popq    %rdx
        popq    %rsi
        popq    %rdi
        movq    16(%rsp), %rcx                  /* rip: below USER_END, so canonical */
        movq    32(%rsp), %r11
        movq    40(%rsp), %rsp
        sysretq

        .globl  plat_user_return
plat_user_return:
        jmp     frame_restore

        .bss
        .globl  trap_stack_top
trap_stack_top:   .skip 8
syscall_user_rsp: .skip 8

        .section .note.GNU-stack, "", @progbits
