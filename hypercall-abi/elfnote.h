/* SPDX-License-Identifier: MIT */
/* elfnote.h: notes of owner "Xen" in a kernel's image, by which it tells the domain builder where it wants
 * to live and start. Usable from assembly, where kernels write them. SPEC 3.1.                          */
#ifndef ENSO_ABI_ELFNOTE_H
#define ENSO_ABI_ELFNOTE_H

#define XEN_ELFNOTE_INFO               0
#define XEN_ELFNOTE_ENTRY              1 /* first instruction, a virtual address             */
#define XEN_ELFNOTE_HYPERCALL_PAGE     2 /* page to fill with entry stubs                     */
#define XEN_ELFNOTE_VIRT_BASE          3 /* virtual address of PFN 0                          */
#define XEN_ELFNOTE_PADDR_OFFSET       4 /* subtracted from the program headers' p_paddr      */
#define XEN_ELFNOTE_XEN_VERSION        5 /* "xen-3.0"                                         */
#define XEN_ELFNOTE_GUEST_OS           6
#define XEN_ELFNOTE_GUEST_VERSION      7
#define XEN_ELFNOTE_LOADER             8 /* "generic"                                         */
#define XEN_ELFNOTE_PAE_MODE           9
#define XEN_ELFNOTE_FEATURES           10 /* names joined by |, ! before a required one        */
#define XEN_ELFNOTE_BSD_SYMTAB         11
#define XEN_ELFNOTE_HV_START_LOW       12
#define XEN_ELFNOTE_L1_MFN_VALID       13
#define XEN_ELFNOTE_SUSPEND_CANCEL     14
#define XEN_ELFNOTE_INIT_P2M           15 /* virtual address to map the P2M at                 */
#define XEN_ELFNOTE_MOD_START_PFN      16 /* the kernel copes with an unmapped ramdisk          */
#define XEN_ELFNOTE_SUPPORTED_FEATURES 17
#define XEN_ELFNOTE_PHYS32_ENTRY       18
#define XEN_ELFNOTE_MAX                XEN_ELFNOTE_PHYS32_ENTRY

#endif
