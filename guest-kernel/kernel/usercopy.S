/* SPDX-License-Identifier: MIT */
/* usercopy.S: the only instructions of the kernel that follow a user's pointer. Nothing here uses the stack, so a
 * fault that cannot be resolved leaves by user_copy_fault as if by an ordinary return. */
        .text
        .globl  user_copy, user_clear, user_string, user_copy_fault
user_copy:
        movq    %rdx, %rcx
        shrq    $3, %rcx
        rep movsq
        movl    %edx, %ecx
        andl    $7, %ecx
        rep movsb
        xorl    %eax, %eax
        ret

user_clear:
        movq    %rsi, %rcx
        xorl    %eax, %eax
        shrq    $3, %rcx
        rep stosq
        movl    %esi, %ecx
        andl    $7, %ecx
        rep stosb
        ret

user_string:
        xorl    %eax, %eax
1:      cmpq    %rdx, %rax
        jae     2f
        movb    (%rsi,%rax), %cl
        movb    %cl, (%rdi,%rax)
        incq    %rax
        testb   %cl, %cl
        jnz     1b
2:      ret

user_copy_fault:
        movq    $-14, %rax                      /* -EFAULT */
        ret

        .section .note.GNU-stack, "", @progbits
