/* SPDX-License-Identifier: MIT */
/* multiboot2.S: from GRUB's hands to C.                                                                 [read 92]
 *
 * GRUB starts us in 32-bit protected mode without paging. This file builds the smallest page tables that reach
 * everything boot.c needs (the first 4 GiB, seen at their own addresses, through the direct map's, and the image's
 * at its linked ones), enters long mode, and calls boot_main on the boot stack. mm/hypmap.c replaces the tables.   */

#define MB2_MAGIC     0xe85250d6
#define MB2_LENGTH    (mb2_end - mb2_start)
#define IMAGE_VIRT    0xffff820000000000
#define PHYS(sym)     ((sym) - IMAGE_VIRT)
#define L4_IMAGE      260          /* IMAGE_VIRT's slot      */
#define L4_DIRECT     262          /* DIRECTMAP_VIRT's slot  */
#define STACK_BLOCK   65536

    .section .multiboot, "ax"
    .balign 8
mb2_start:
    .long MB2_MAGIC, 0, MB2_LENGTH, -(MB2_MAGIC + MB2_LENGTH)
    /* What we want to be told: command line, modules, memory map, ACPI 1 and 2. */
    .balign 8
1:  .short 1, 1                    /* optional: we cope without each */
    .long 2f - 1b, 1, 3, 6, 14, 15
2:  .balign 8
    .short 6, 0                    /* modules on page boundaries */
    .long 8
    .balign 8
    .short 0, 0
    .long 8
mb2_end:

    .text
    .code32
    .globl boot_start32
boot_start32:
    cli
    cld
    mov $PHYS(boot_stack) + STACK_BLOCK - 512, %esp
    mov %eax, %ebp                 /* Multiboot2's magic */
    mov %ebx, %esi                 /* and its information */

    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx
    jnc no_long_mode
    mov %edx, %ebx                 /* bit 20: NX */

    /* boot_l2: 4 tables of 512 large pages; boot_l3: the four tables; boot_l4: the one L3 in three places. */
    mov $PHYS(boot_l2), %edi
    mov $0x83, %eax                /* present, writable, 2 MiB */
    mov $2048, %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    mov $PHYS(boot_l2) + 3, %eax
    mov $PHYS(boot_l3), %edi
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $4096, %eax
    add $8, %edi
    loop 1b
    mov $PHYS(boot_l3) + 3, %eax
    mov %eax, PHYS(boot_l4)
    mov %eax, PHYS(boot_l4) + 8 * L4_IMAGE
    mov %eax, PHYS(boot_l4) + 8 * L4_DIRECT

    mov $PHYS(boot_l4), %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x20, %eax                 /* PAE */
    mov %eax, %cr4
    mov $0xc0000080, %ecx          /* EFER: LME, and NXE where there is NX */
    rdmsr
    or $0x100, %eax
    bt $20, %ebx
    jnc 1f
    or $0x800, %eax
1:  wrmsr
    mov %cr0, %eax
    or $0x80010001, %eax           /* PG, WP, PE */
    mov %eax, %cr0
    lgdt PHYS(boot_gdtr)
    ljmp $8, $PHYS(boot_start64)

/* A processor that cannot run us: say so on the first serial port and stop. */
no_long_mode:
    mov $PHYS(no_long_mode_text), %esi
    mov $0x3f8, %edx
1:  lodsb
    out %al, (%dx)
    test %al, %al
    jnz 1b
2:  hlt
    jmp 2b

    .code64
boot_start64:
    movabs $1f, %rax
    jmp *%rax
1:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    lea boot_stack + STACK_BLOCK - 256(%rip), %rsp
    mov %ebp, %edi
    mov %esi, %esi
    xor %ebp, %ebp
    call boot_main
    ud2

    .section .rodata
no_long_mode_text:
    .asciz "(enso) PANIC: this processor has no 64-bit mode\r\n"

    .data
    .balign 8
    .globl boot_gdtr
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff       /* 0x08: 64-bit code */
    .quad 0x00cf93000000ffff       /* 0x10: data        */
boot_gdtr:
    .short boot_gdtr - boot_gdt - 1
    .quad PHYS(boot_gdt)

    .bss
    .balign STACK_BLOCK
    .globl boot_stack, boot_l4
boot_stack:
    .skip STACK_BLOCK
boot_l4:
    .skip 4096
boot_l3:
    .skip 4096
boot_l2:
    .skip 4 * 4096

    .section .note.GNU-stack, "", @progbits
