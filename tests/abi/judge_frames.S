/* SPDX-License-Identifier: MIT */
/* judge_frames.S: provokes exceptions and system calls, and copies the frames that they leave on the stack. */

    .text
/* Every handler: the twelve words from rsp up, and rsp; then as a trap that try_call() waits for. */
    .globl catch_frame, catch_syscall
catch_frame:
catch_syscall:
    mov %rsp, caught_rsp(%rip)
    lea caught(%rip), %rdi
    mov %rsp, %rsi
    mov $12, %ecx
    cld
    rep movsq
    lea spare_top(%rip), %rsp       /* the stub looks for an error code on the stack */
    jmp trap_stubs

    .globl run_kernel_fault, kernel_fault
run_kernel_fault:
    movabs $0x500000000000, %rax
kernel_fault:
    mov (%rax), %rax
    ret

    .globl run_kernel_int3, kernel_int3
run_kernel_int3:
    push %rax                       /* a stack that is not 16-aligned */
kernel_int3:
    int3
    pop %rax
    ret

    .globl run_kernel_ud2, kernel_ud2
run_kernel_ud2:
kernel_ud2:
    ud2

    .globl run_kernel_int80, kernel_int80
run_kernel_int80:
kernel_int80:
    int $128
    ret

    .globl user_code, user_fault
user_code:
    syscall
    ud2
user_fault:
    mov %rax, 0x0
    ud2

    .bss
    .globl caught, caught_rsp
    .balign 16
caught:     .skip 96
caught_rsp: .quad 0
    .skip 64
spare_top:
    .skip 64
    .section .note.GNU-stack, "", @progbits
