/* SPDX-License-Identifier: MIT */
/* breakit_entry.S: trying an instruction and living to tell (kernel/xendev_breakit.c).
 *
 * attack_try calls a function with trap handlers of its own in force. Whatever vector comes, its frame is thrown away and
 * attack_try returns the vector; -1 means that nothing came.                                                     */
#include "hypercall-abi/abi.h"

        .text

/* int attack_try(void (*fn)(uint64_t), uint64_t arg) */
        .globl  attack_try
attack_try:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, saved_rsp(%rip)
        movq    %rdi, %rax
        movq    %rsi, %rdi
        call    *%rax
        .globl  attack_landed
attack_landed:
        movl    $-1, %eax                       /* without a stack: the attack may have been one on that */
        jmp     1f
recover:
        popq    %rax
1:      movq    saved_rsp(%rip), %rsp
        xorl    %ecx, %ecx
        movl    %ecx, %ds
        movl    %ecx, %es
        pushq   $2                              /* flags as a compiler expects them */
        popfq
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

        .balign 16
        .globl  attack_stubs
attack_stubs:
        .set    v, 0
        .rept   32
        .balign 16
        pushq   $v
        jmp     recover
        .set    v, v + 1
        .endr

/* void attack_iret(struct iret_context *): the hypercall with the frame at flags; the stub pushes the rest. */
        .globl  attack_iret
attack_iret:
        leaq    24(%rdi), %rsp
        jmp     hypercall_page + __HYPERVISOR_iret * HYPERCALL_SLOT_BYTES

/* void attack_lret(uint64_t cs) */
        .globl  attack_lret
attack_lret:
        pushq   %rdi
        pushq   $attack_landed
        lretq

/* One instruction each, ending in ret. The argument is in rax, rcx, rdx, rbx, rsi and rdi when it runs. */
        .macro  insn name:req, body:vararg
        .section .rodata.insn_names, "a"
1:      .asciz  "\name"
        .text
2:      \body
        ret
        .section .data.insn_table, "aw"
        .quad   1b, 2b
        .text
        .endm

        .section .data.insn_table, "aw"
        .balign 8
        .globl  attack_insns, attack_insns_end
attack_insns:
        .text
        insn "cli",            cli
        insn "sti",            sti
        insn "hlt",            hlt
        insn "invd",           invd
        insn "wbinvd",         wbinvd
        insn "clts",           clts
        insn "swapgs",         swapgs
        insn "sysretq",        sysretq
        insn "sysexit",        sysexitl
        insn "syscall",        movl $0x7fffffff, %eax; syscall
        insn "rsm",            rsm
        insn "vmcall",         vmcall
        insn "vmlaunch",       vmlaunch
        insn "vmmcall",        vmmcall
        insn "vmrun",          vmrun
        insn "vmload",         vmload
        insn "vmsave",         vmsave
        insn "stgi",           stgi
        insn "clgi",           clgi
        insn "invlpga",        invlpga
        insn "lgdt",           lgdt (%rsi)
        insn "lidt",           lidt (%rsi)
        insn "lldt",           lldt %ax
        insn "ltr",            ltr %ax
        insn "sgdt",           sgdt (%rsi)
        insn "sidt",           sidt (%rsi)
        insn "sldt",           sldt %eax
        insn "str",            str %eax
        insn "smsw",           smsw %eax
        insn "lmsw",           lmsw %ax
        insn "verr",           verr %ax
        insn "lar",            lar %eax, %eax
        insn "lsl",            lsl %eax, %eax
        insn "read cr0",       movq %cr0, %rax
        insn "read cr2",       movq %cr2, %rax
        insn "read cr3",       movq %cr3, %rax
        insn "read cr4",       movq %cr4, %rax
        insn "read cr8",       movq %cr8, %rax
        insn "write cr0",      movq %rax, %cr0
        insn "write cr2",      movq %rax, %cr2
        insn "write cr3",      movq %rax, %cr3
        insn "write cr4",      movq %rax, %cr4
        insn "write cr8",      movq %rax, %cr8
        insn "read dr7",       movq %db7, %rax
        insn "write dr0",      movq %rax, %db0
        insn "write dr6",      movq %rax, %db6
        insn "write dr7",      movq %rax, %db7
        insn "rdmsr",          rdmsr
        insn "wrmsr",          wrmsr
        insn "rdpmc",          rdpmc
        insn "rdtscp",         rdtscp
        insn "xgetbv",         xgetbv
        insn "xsetbv",         xsetbv
        insn "monitor",        monitor
        insn "mwait",          mwait
        insn "invlpg",         invlpg (%rsi)
        insn "invpcid",        invpcid (%rsi), %rax
        insn "in",             inb %dx, %al
        insn "out",            outb %al, %dx
        insn "inl",            inl %dx, %eax
        insn "outl",           outl %eax, %dx
        insn "ins",            insb
        insn "outs",           outsb
        insn "rep ins",        movl $3, %ecx; rep insb
        insn "stac",           stac
        insn "clac",           clac
        insn "int3",           int3
        insn "icebp",          .byte 0xf1
        insn "ud2",            ud2
        insn "lock nop",       .byte 0xf0, 0x90
        insn "getsec",         .byte 0x0f, 0x37
        insn "wrpkru",         .byte 0x0f, 0x01, 0xef
        insn "wrfsbase",       wrfsbase %rax
        insn "wrgsbase",       wrgsbase %rax
        insn "cmpxchg16b",     lock cmpxchg16b (%rsi)
        insn "fxrstor",        fxrstor64 (%rsi)
        insn "xrstor",         xrstor64 (%rsi)
        insn "mov to ss",      movl %eax, %ss
        insn "store",          movq %rax, (%rsi)
        insn "long",           .fill 15, 1, 0x66; nop
        .section .data.insn_table, "aw"
attack_insns_end:
        .text

/* void attack_insn(uint64_t packed): set up by attack_insn_prepare. */
        .globl  attack_insn
attack_insn:
        movq    attack_value(%rip), %rax
        movq    %rax, %rcx
        movq    %rax, %rdx
        movq    %rax, %rbx
        movq    %rax, %rsi
        movq    %rdi, %r8
        movq    %rax, %rdi
        jmp     *%r8

/* Alone, as it has no stack to return to and may end the domain. */
        .globl  attack_sysenter
attack_sysenter:
        sysenter

/* All software interrupts, 8 bytes each. */
        .balign 8
        .globl  attack_ints
attack_ints:
        .set    v, 0
        .rept   256
        .balign 8
        .byte   0xcd, v
        ret
        .set    v, v + 1
        .endr

        .bss
        .balign 8
        .globl  attack_value
saved_rsp:    .skip 8
attack_value: .skip 8

        .section .note.GNU-stack, "", @progbits
