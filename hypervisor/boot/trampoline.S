/* SPDX-License-Identifier: MIT */
/* trampoline.S: where another pCPU wakes up.                                                            [read 91]
 *
 * A startup IPI lets a processor begin in real mode at a page below 1 MiB; boot/smp.c copies the code between
 * trampoline_start and trampoline_end to TRAMPOLINE_PHYS. It climbs to long mode on the boot page tables, whose
 * hypervisor slots are the final ones by then, and goes on at ap_start64 in the image.                           */
#include "hypervisor/boot/trampoline.h"

#define HERE(sym)  ((sym) - trampoline_start + TRAMPOLINE_PHYS)

    .section .rodata
    .balign 16
    .globl trampoline_start, trampoline_end, trampoline_cr3
    .code16
trampoline_start:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ds
    lgdtl HERE(tramp_gdtr)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $0x18, $HERE(tramp32)

    .code32
tramp32:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov HERE(trampoline_cr3), %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x900, %eax                /* LME, NXE: boot checked that the CPUs have it */
    wrmsr
    mov %cr0, %eax
    or $0x80010001, %eax
    mov %eax, %cr0
    ljmp $8, $HERE(tramp64)

    .code64
tramp64:
    movabs $ap_start64, %rax
    jmp *%rax

    .balign 8
tramp_gdt:
    .quad 0
    .quad 0x00af9b000000ffff       /* 0x08: 64-bit code */
    .quad 0x00cf93000000ffff       /* 0x10: data        */
    .quad 0x00cf9b000000ffff       /* 0x18: 32-bit code */
tramp_gdtr:
    .short tramp_gdtr - tramp_gdt - 1
    .long HERE(tramp_gdt)
    .balign 4
trampoline_cr3:
    .long 0
trampoline_end:

    .text
ap_start64:
    mov ap_boot_info(%rip), %rsp   /* this pCPU's struct cpu_info; its stack grows down from there */
    and $-16, %rsp
    xor %ebp, %ebp
    call smp_ap_main
    ud2

    .section .note.GNU-stack, "", @progbits
