/* SPDX-License-Identifier: MIT */
/* start.S: from the hypervisor to C.
 *
 * The domain builder read the notes below, put us at KERNEL_BASE with page tables that map the first megabytes, filled
 * the hypercall page, and starts us at _start: 64-bit, ring 3, events masked, the address of struct start_info in rsi.
 * Nothing of native's climb through the CPU's modes is left.                                                   */
#include "hypercall-abi/abi.h"
#include "hypercall-abi/elfnote.h"

#define KERNEL_BASE 0xffffffff80000000

        .text
        .globl  _start
_start:
        cld
        movq    $boot_stack_end, %rsp
        xorl    %ebp, %ebp
        movq    %rsi, %rdi                      /* pv_boot(start_info) */
        call    pv_boot
        ud2

        .section .text.hypercall, "ax", @progbits
        .balign 4096
        .globl  hypercall_page
hypercall_page:
        .skip   4096, 0xcc

        .section .bss.page, "aw", @nobits
        .balign 4096
boot_stack: .skip 16384
boot_stack_end:

/* One ELF note: name "Xen", a type, and a number or a string. */
        .macro  note type, directive, value:vararg
        .balign 4
        .long   4, 2f - 1f, \type
        .asciz  "Xen"
1:      \directive \value
2:      .balign 4
        .endm

        .section .note.Xen, "a", @note
        note    XEN_ELFNOTE_GUEST_OS,           .asciz, "Novice"
        note    XEN_ELFNOTE_GUEST_VERSION,      .asciz, "1"
        note    XEN_ELFNOTE_XEN_VERSION,        .asciz, "xen-3.0"
        note    XEN_ELFNOTE_VIRT_BASE,          .quad, KERNEL_BASE
        note    XEN_ELFNOTE_PADDR_OFFSET,       .quad, 0
        note    XEN_ELFNOTE_ENTRY,              .quad, _start
        note    XEN_ELFNOTE_HYPERCALL_PAGE,     .quad, hypercall_page
        note    XEN_ELFNOTE_HV_START_LOW,       .quad, HYPERVISOR_VIRT_START
        note    XEN_ELFNOTE_FEATURES,           .asciz, "!writable_page_tables|pae_pgdir_above_4gb"
        note    XEN_ELFNOTE_SUPPORTED_FEATURES, .long, 1 << 11  /* XENFEAT_dom0 */
        note    XEN_ELFNOTE_PAE_MODE,           .asciz, "yes"
        note    XEN_ELFNOTE_L1_MFN_VALID,       .quad, 1, 1     /* mask, value: the present bit */
        note    XEN_ELFNOTE_LOADER,             .asciz, "generic"

        .section .note.GNU-stack, "", @progbits
