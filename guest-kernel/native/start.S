/* SPDX-License-Identifier: MIT */
/* start.S: from GRUB to C.
 *
 * GRUB enters at _start in 32-bit protected mode, paging off, the Multiboot2 information's address in ebx. We build the
 * first page tables (the first GiB by 2 MiB pages, at 0, at DIRECT_BASE and at KERNEL_BASE), enter long mode, and call
 * native_boot on the boot stack. boot.c then makes the tables that stay.                                       */
#define KERNEL_BASE 0xffffffff80000000
#define PA(x)       ((x) - KERNEL_BASE)

        .section .multiboot, "a"
        .balign 8
mb_start:
        .long   0xe85250d6, 0, mb_end - mb_start, -(0xe85250d6 + (mb_end - mb_start))
        .balign 8
        .short  6, 0                            /* modules page-aligned */
        .long   8
        .balign 8
        .short  0, 0
        .long   8
mb_end:

        .section .boot, "ax"
        .code32
        .globl  _start
_start:
        cli
        cld
        cmpl    $0x36d76289, %eax               /* Multiboot2's greeting */
        jne     hang
        movl    %ebx, %ebp

        movl    $PA(boot_l3), %eax              /* L4: slots 0 and 272 share an L3 */
        orl     $3, %eax
        movl    %eax, PA(boot_l4)
        movl    %eax, PA(boot_l4) + 272 * 8
        movl    $PA(boot_l3k), %eax
        orl     $3, %eax
        movl    %eax, PA(boot_l4) + 511 * 8
        movl    $PA(boot_l2), %eax
        orl     $3, %eax
        movl    %eax, PA(boot_l3)
        movl    %eax, PA(boot_l3k) + 510 * 8
        movl    $PA(boot_l2), %edi
        movl    $0x83, %eax                     /* present, writable, 2 MiB */
        movl    $512, %ecx
1:      movl    %eax, (%edi)
        movl    $0, 4(%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b

        movl    $PA(boot_l4), %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x6a0, %eax                    /* PAE, PGE, OSFXSR, OSXMMEXCPT */
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx               /* EFER: SCE, LME, NXE */
        rdmsr
        orl     $0x901, %eax
        wrmsr
        movl    %cr0, %eax
        andl    $~0x4, %eax                     /* no x87 emulation */
        orl     $0x80010022, %eax               /* PG, WP, NE, MP */
        movl    %eax, %cr0
        lgdt    boot_gdtr
        ljmp    $8, $long_mode
hang:   hlt
        jmp     hang

        .code64
long_mode:
        xorl    %eax, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %eax, %fs
        movl    %eax, %gs
        movabsq $high, %rax
        jmp     *%rax

        .balign 8
boot_gdt:
        .quad   0, 0x00209a0000000000
boot_gdtr:
        .short  15
        .long   boot_gdt

        .text
high:   movq    $boot_stack_end, %rsp
        xorl    %ebp, %ebp
        movl    %ebx, %edi                      /* native_boot(multiboot information) */
        call    native_boot
        ud2

        .section .bss.page, "aw", @nobits
        .balign 4096
        .globl  boot_l4, boot_l3k
boot_l4:   .skip 4096
boot_l3:   .skip 4096
boot_l3k:  .skip 4096
boot_l2:   .skip 4096
boot_stack: .skip 8192
boot_stack_end:

        .section .note.GNU-stack, "", @progbits
