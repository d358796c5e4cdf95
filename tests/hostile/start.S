/* SPDX-License-Identifier: MIT */
/* start.S: the smallest guest kernel that can be attacked from: ELF notes, a stack, a way in for traps that can
 * always get back to whoever expected one (try_call), and a slot for the hypercall page. SPEC 3, 7.2.       */
#include "hypercall-abi/elfnote.h"
#include "hypercall-abi/hypercall.h"

#define VIRT_BASE 0xffffffff80000000

.macro NOTE type, kind, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 9f - 8f, \type
    .asciz "Xen"
8:  \kind \value
9:  .balign 4
    .popsection
.endm
    NOTE XEN_ELFNOTE_GUEST_OS, .asciz, "hostile"
    NOTE XEN_ELFNOTE_XEN_VERSION, .asciz, "xen-3.0"
    NOTE XEN_ELFNOTE_LOADER, .asciz, "generic"
    NOTE XEN_ELFNOTE_VIRT_BASE, .quad, VIRT_BASE
    NOTE XEN_ELFNOTE_PADDR_OFFSET, .quad, 0
    NOTE XEN_ELFNOTE_ENTRY, .quad, start
    NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad, hypercall_page
    NOTE XEN_ELFNOTE_PAE_MODE, .asciz, "yes"
    NOTE XEN_ELFNOTE_L1_MFN_VALID, .quad, 1, 1
    NOTE XEN_ELFNOTE_FEATURES, .asciz, "!writable_page_tables|pae_pgdir_above_4gb"

    .text
    .globl start
start:
    cld
    lea stack_top(%rip), %rsp
    mov %rsi, %rdi
    call hostile_main
1:  jmp 1b

    .balign 4096
    .globl hypercall_page
hypercall_page:
    .fill 4096, 1, 0xcc

/* int try_call(void (*fn)(void *), void *arg): -1 if fn returned, else the vector of the trap that ended it, or 256 for the
 * failsafe callback. What fn did to the stack and registers does not matter.                                 */
    .globl try_call
try_call:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, try_rsp(%rip)
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    mov $-1, %eax
try_done:
    movq $0, try_rsp(%rip)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* Every trap ends here: rax the vector, rdx the error code. With nobody waiting, it is our own bug. */
trap_common:
    mov %rdx, try_error(%rip)
    mov try_rsp(%rip), %rcx
    test %rcx, %rcx
    jz 1f
    mov %rcx, %rsp
    jmp try_done
1:  mov %rax, %rdi
    mov 24(%rsp), %rsi
    call unexpected_trap
    jmp 1b

.macro STUB n
    .balign 16
    .if (\n == 8) || ((\n >= 10) && (\n <= 14)) || (\n == 17)
    mov 16(%rsp), %rdx
    .else
    xor %edx, %edx
    .endif
    mov $\n, %eax
    jmp trap_common
.endm
    .balign 16
    .globl trap_stubs
trap_stubs:
    .altmacro
    .set i, 0
    .rept 256
    STUB %i
    .set i, i + 1
    .endr
    .noaltmacro

    .globl failsafe_entry
failsafe_entry:
    mov $256, %eax
    xor %edx, %edx
    jmp trap_common

/* An event: noted and forgotten, or it would be delivered for ever. rcx, r11, then the frame that the iret hypercall wants. */
    .globl event_entry
event_entry:
    movb $0, shared_page(%rip)      /* evtchn_upcall_pending of vCPU 0 */
    mov 0(%rsp), %rcx
    mov 8(%rsp), %r11
    add $16, %rsp
    push $0                         /* flags; the stub pushes rcx, r11 and rax */
    jmp hypercall_page + 23 * 32

/* void do_iret(const struct iret_context *frame): the iret hypercall with this frame. */
    .globl raw_iret
raw_iret:
    mov %rdi, %rsp
    mov $23, %eax
    syscall
    ud2

    .bss
    .globl try_rsp, try_error
try_rsp:   .quad 0
try_error: .quad 0
    .balign 4096
    .globl shared_page                  /* shared_info is mapped here */
shared_page:
    .skip 4096
    .globl stack_bottom, stack_top
stack_bottom:
    .skip 16384
stack_top:
    .section .note.GNU-stack, "", @progbits
