/* SPDX-License-Identifier: MIT */
/* crt0.S: where every program begins.
 *
 * The kernel leaves argc at the stack pointer, argv behind it and the environment behind argv's NULL. */
        .section .text._start, "ax", @progbits
        .globl  _start
_start:
        xor     %ebp, %ebp              /* the end of every backtrace */
        mov     (%rsp), %edi
        lea     8(%rsp), %rsi
        lea     16(%rsp, %rdi, 8), %rdx
        mov     %rdx, environ
        and     $-16, %rsp
        call    main
        mov     %eax, %edi
        call    exit
        ud2

        .section .note.GNU-stack, "", @progbits
