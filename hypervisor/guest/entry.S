/* SPDX-License-Identifier: MIT */
/* entry.S: the doors between a guest and the hypervisor.                                      [read 71]
 *
 * Three doors lead in: the syscall of a guest kernel (a hypercall) or of its user (bounced to the guest
 * kernel), exceptions and interrupts through the IDT, and, for old programs, sysenter. Each leaves the guest's
 * registers as struct guest_regs in the pCPU's cpu_info, which ends the primary stack, so every door begins by
 * standing just behind it. Two ways lead out: the short one, which gives back only what a hypercall could have
 * changed and ends in sysretq, and the long one, which gives back everything and ends in iretq. Both look
 * first whether work waits (cpu_info.work) and whether an event is deliverable (two bytes of vcpu_info).
 *
 * The hypervisor never uses GS: it is the guest's. What happens, happens in C; here registers are moved.      */

#include "hypercall-abi/hypercall.h"
#include "hypervisor/asm-offsets.h"
#include "hypervisor/x86/extable.h"

#define CS64 0xe033
#define CS32 0xe023
#define SS3  0xe02b

/* A field of the guest's registers or of cpu_info while C runs: rsp is 8 below them, for alignment. */
#define REG(name)  (REGS_##name + 8)(%rsp)
#define INFO(name) (INFO_##name + 8)(%rsp)

.macro SMAP_CLOSE
771:
    clac
    .pushsection .smap_sites, "a"
    .balign 8
    .quad 771b
    .popsection
.endm

.macro PUSH_SCRATCH_REGS
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
.endm

.macro POP_SCRATCH_REGS
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

/* Room for what C preserves, which is in its registers still, and 8 bytes for alignment. */
#define ROOM_PRESERVED (6 * 8 + 8)

.macro SAVE_PRESERVED_REGS
    mov %rbx, REG(rbx)
    mov %rbp, REG(rbp)
    mov %r12, REG(r12)
    mov %r13, REG(r13)
    mov %r14, REG(r14)
    mov %r15, REG(r15)
.endm

/* The arguments of most C functions here: the vCPU and its registers. */
.macro VCPU_AND_REGS
    mov INFO(current), %rdi
    lea 8(%rsp), %rsi
.endm

/* Before any way out: does work wait, or an event that is not masked? Leaves the vCPU in rdi. */
.macro GO_IF_DUE work, event
    cmpl $0, INFO(work)
    jne \work
    mov INFO(current), %rdi
    mov VCPU_info(%rdi), %rdx
    cmpw $1, (%rdx)                 /* pending and not masked */
    je \event
.endm

    .text

/* ---- syscall ---------------------------------------------------------------------------------------
 * From the pCPU's stub (x86/desc.c): the guest's rsp is in its place among the registers, and ours is that
 * place; rcx holds the guest's rip, r11 its flags.                                                    */
    .globl syscall_entry
syscall_entry:
    movq $SS3, 8(%rsp)
    push %r11
    pushq $CS64
    push %rcx
    pushq $-1                       /* no error code, no vector */
    PUSH_SCRATCH_REGS
    sub $ROOM_PRESERVED, %rsp       /* not stored: SAVE_PRESERVED_REGS completes it where that is needed */
    mov INFO(current), %r11
    cmpb $0, VCPU_in_kernel(%r11)
    je user_syscall
    cmp $__HYPERVISOR_iret, %eax
    je iret_hypercall
    mov %r8, %r9
    mov %r10, %r8
    mov %rdx, %rcx
    mov %rsi, %rdx
    mov %rdi, %rsi
    mov %r11, %rdi
    cmp $NR_HYPERCALLS, %eax
    jae no_hypercall
    mov %eax, %eax
    mov %eax, VCPU_last_hypercall(%rdi)
    incq VCPU_hypercalls(%rdi)
    lea hypercall_table(%rip), %r10
    call *(%r10, %rax, 8)
hypercall_done:
    mov %rax, REG(rax)

/* The short way out. */
exit_short:
    GO_IF_DUE work_short, event_short
    mov REG(rip), %rcx
    mov %rcx, %r11                  /* canonical? sysretq with another rip faults in ring 0 (XSA-7) */
    shl $16, %r11
    sar $16, %r11
    cmp %rcx, %r11
    jne exit_short_iret
    mov REG(rflags), %r11
    mov REG(r10), %r10
    mov REG(r9), %r9
    mov REG(r8), %r8
    mov REG(rax), %rax
    mov REG(rdx), %rdx
    mov REG(rsi), %rsi
    mov REG(rdi), %rdi
    mov REG(rsp), %rsp
    sysretq

event_short:
    call bounce_event
    jmp exit_short

no_hypercall:
    mov $-38, %rax                  /* -ENOSYS */
    jmp hypercall_done

/* A guest's user mode made a system call: its kernel's syscall callback runs next. */
user_syscall:
    mov %r11, %rdi
    lea 8(%rsp), %rsi
    call bounce_syscall
    jmp exit_short

/* The iret hypercall has a door of its own: it takes no arguments, and leaves by the frame that it read. */
iret_hypercall:
    mov %r11, %rdi
    lea 8(%rsp), %rsi
    call do_iret
    test %eax, %eax
    jnz exit_short                  /* VGCF_in_syscall: rcx and r11 are the caller's to lose */

/* Out with a frame that sysret cannot make: all but what C preserves from the frame. */
exit_iret:
    GO_IF_DUE work_short, event_iret
exit_short_iret:
    add $ROOM_PRESERVED, %rsp
    POP_SCRATCH_REGS
    add $8, %rsp
1:  iretq
    EXTABLE 1b, iret_fault

event_iret:
    call bounce_event
    jmp exit_iret

work_short:
    SAVE_PRESERVED_REGS
    jmp work_long

/* syscall from 32-bit user code, and sysenter: rare. */
    .globl syscall32_entry
syscall32_entry:
    movq $SS3, 8(%rsp)
    push %r11
    pushq $CS32
    push %rcx
    pushq $-1
    PUSH_SCRATCH_REGS
    sub $ROOM_PRESERVED, %rsp
    VCPU_AND_REGS
    call bounce_syscall32
    jmp exit_iret

/* sysenter tells neither rip nor rsp, and leaves NT, TF and AC as they were (XSA-44). */
    .globl sysenter_entry
sysenter_entry:
    pushq $SS3
    pushq $0
    pushfq
    pushq $CS32
    pushq $0
    pushq $-1
    PUSH_SCRATCH_REGS
    sub $ROOM_PRESERVED, %rsp
    pushq $2
    popfq
    orl $0x200, REG(rflags)
    VCPU_AND_REGS
    call bounce_sysenter
    jmp exit_iret

/* ---- exceptions and interrupts ---------------------------------------------------------------------- */

/* One stub a vector; stubs of those with an error code from the CPU do not push one. */
    .balign 16
    .altmacro
.macro TRAP_STUB n
    .balign 16
trap_stub_\n:
    .if !((\n == 8) || ((\n >= 10) && (\n <= 14)) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30))
    pushq $0
    .endif
    movl $\n, 4(%rsp)
    .if (\n == 1) || (\n == 2) || (\n == 18)
    jmp ist_entry
    .else
    jmp trap_entry
    .endif
    .pushsection .rodata.traps, "a"
    .quad trap_stub_\n
    .popsection
.endm

    .pushsection .rodata.traps, "a"
    .balign 8
    .globl trap_entry_table
trap_entry_table:
    .popsection

    .set i, 0
    .rept 256
    TRAP_STUB %i
    .set i, i + 1
    .endr
    .noaltmacro

trap_entry:
    SMAP_CLOSE
    cld
    PUSH_SCRATCH_REGS
    push %rbx                       /* a quick trap may change it: cpuid does */
    sub $(ROOM_PRESERVED - 8), %rsp
    testb $3, REG(cs)
    jz from_hypervisor
    VCPU_AND_REGS
    call guest_trap_quick
    test %al, %al
    jz trap_long
    mov REG(rbx), %rbx
    jmp exit_iret

trap_long:
    SAVE_PRESERVED_REGS
    lea 8(%rsp), %rdi
    call guest_trap

/* The long way out: every register from the frame. */
exit_long:
    GO_IF_DUE work_long, event_long
    add $8, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    POP_SCRATCH_REGS
    add $8, %rsp
1:  iretq
    EXTABLE 1b, iret_fault

event_long:
    call bounce_event
    jmp exit_long

work_long:
    call exit_work
    jmp exit_long

/* After a vCPU switch: C does not return to whoever called the scheduler; the stack begins anew. */
    .globl exit_to_guest
exit_to_guest:
    mov %rsp, %rax
    or $(STACK_BLOCK_SIZE - 1), %rax
    lea (1 - INFO_size - 8)(%rax), %rsp
    jmp exit_long

/* idle_restart(fn): the stack begins anew in a function that does not return. */
    .globl stack_reset_and_call
stack_reset_and_call:
    mov %rsp, %rax
    or $(STACK_BLOCK_SIZE - 1), %rax
    lea (1 - INFO_size - 8)(%rax), %rsp
    call *%rdi
    ud2

from_hypervisor:
    SAVE_PRESERVED_REGS             /* for the eyes of whoever reads the dump */
    lea 8(%rsp), %rdi
    call hv_trap
    add $ROOM_PRESERVED, %rsp
    POP_SCRATCH_REGS
    add $8, %rsp
    iretq

/* #DB, NMI, #MC came on stacks of their own. From a guest: over to the primary stack, as if they had come
 * there; from the hypervisor: handled where they are.                                                   */
ist_entry:
    testb $3, 16(%rsp)              /* cs, behind error code and rip */
    jz trap_entry
    push %rax
    push %rcx
    mov %rsp, %rax
    or $(STACK_BLOCK_SIZE - 1), %rax
    lea (1 - INFO_size + REGS_size)(%rax), %rax
    .irp off, 16, 24, 32, 40, 48, 56
    mov \off(%rsp), %rcx
    mov %rcx, (\off - 64)(%rax)
    .endr
    pop %rcx
    push %rcx
    sub $48, %rax                   /* at the error code now */
    mov %rax, %rcx
    mov 8(%rsp), %rax               /* the guest's */
    xchg (%rsp), %rcx               /* rcx: the guest's; top of stack: where to go on */
    pop %rsp
    jmp trap_entry

/* An iretq to the guest faulted (its selectors, a non-canonical rip): the general registers are the guest's
 * already, its frame is still in place. Take it in again as if it had just trapped, and let C decide.  */
iret_fault:
    pushq $-1
    PUSH_SCRATCH_REGS
    sub $ROOM_PRESERVED, %rsp
    SAVE_PRESERVED_REGS
    lea 8(%rsp), %rdi
    call exit_fault
    jmp exit_long

    .section .note.GNU-stack, "", @progbits
