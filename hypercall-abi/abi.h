/* SPDX-License-Identifier: MIT */
/* abi.h: what a guest kernel and the hypervisor agree on before the first hypercall.
 *
 * The guest's address space (which part is the hypervisor's), the selectors that every descriptor table
 * ends with, the registers and callbacks of a vCPU, the page that both sides share, and the page of facts
 * that a guest finds in rsi when it starts. The layouts and names are those of Xen's 64-bit PV interface,
 * version 4.17; a test holds them against Debian's libxen-dev. SPEC 2, 3 and 7.
 *
 * Guest handles, that is pointers in the caller's address space, are uint64_t. The constants of the first
 * half are usable from assembly.                                                                        */
#ifndef ENSO_ABI_H
#define ENSO_ABI_H

#include "hypercall.h"

#ifdef __ASSEMBLER__
#define ABI_ADDR(x) x
#else
#define ABI_ADDR(x) x##UL
#endif

/* The hypervisor's part of every address space: L4 slots 256 to 271. Its first slot shows the read-only
 * machine-to-physical table, indexed by machine frame number. */
#define HYPERVISOR_VIRT_START ABI_ADDR(0xffff800000000000)
#define HYPERVISOR_VIRT_END   ABI_ADDR(0xffff880000000000)
#define MACH2PHYS_VIRT_START  ABI_ADDR(0xffff800000000000)
#define MACH2PHYS_VIRT_END    ABI_ADDR(0xffff804000000000)
#define MACH2PHYS_NR_ENTRIES  ((MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 3)

/* Descriptor tables: pages 14 and 15 of every GDT are the hypervisor's. A guest needs none of its own,
 * as these selectors for flat ring-3 segments are in there. */
#define FIRST_RESERVED_GDT_PAGE  14
#define FIRST_RESERVED_GDT_BYTE  (FIRST_RESERVED_GDT_PAGE * 4096)
#define FIRST_RESERVED_GDT_ENTRY (FIRST_RESERVED_GDT_BYTE / 8)

#define FLAT_RING3_CS32  0xe023
#define FLAT_RING3_CS64  0xe033
#define FLAT_RING3_DS32  0xe02b
#define FLAT_RING3_DS64  0x0000
#define FLAT_RING3_SS32  0xe02b
#define FLAT_RING3_SS64  0xe02b
#define FLAT_KERNEL_CS   FLAT_RING3_CS64
#define FLAT_KERNEL_CS32 FLAT_RING3_CS32
#define FLAT_KERNEL_CS64 FLAT_RING3_CS64
#define FLAT_KERNEL_DS   FLAT_RING3_DS64
#define FLAT_KERNEL_DS32 FLAT_RING3_DS32
#define FLAT_KERNEL_DS64 FLAT_RING3_DS64
#define FLAT_KERNEL_SS   FLAT_RING3_SS64
#define FLAT_KERNEL_SS32 FLAT_RING3_SS32
#define FLAT_KERNEL_SS64 FLAT_RING3_SS64
#define FLAT_USER_CS     FLAT_RING3_CS64
#define FLAT_USER_CS32   FLAT_RING3_CS32
#define FLAT_USER_CS64   FLAT_RING3_CS64
#define FLAT_USER_DS     FLAT_RING3_DS64
#define FLAT_USER_DS32   FLAT_RING3_DS32
#define FLAT_USER_DS64   FLAT_RING3_DS64
#define FLAT_USER_SS     FLAT_RING3_SS64
#define FLAT_USER_SS32   FLAT_RING3_SS32
#define FLAT_USER_SS64   FLAT_RING3_SS64

/* set_segment_base: which base. The last one is a selector for the user's GS, loaded, not a base. */
#define SEGBASE_FS          0
#define SEGBASE_GS_USER     1
#define SEGBASE_GS_KERNEL   2
#define SEGBASE_GS_USER_SEL 3

/* Flags of a vCPU context; VGCF_in_syscall is the one that the frame of the iret hypercall uses: the
 * registers came by a syscall, so rcx and r11 need not be given back. */
#define VGCF_i387_valid               (1 << 0)
#define VGCF_I387_VALID               VGCF_i387_valid
#define VGCF_in_kernel                (1 << 2)
#define VGCF_IN_KERNEL                VGCF_in_kernel
#define VGCF_failsafe_disables_events (1 << 3)
#define VGCF_syscall_disables_events  (1 << 4)
#define VGCF_online                   (1 << 5)
#define VGCF_in_syscall               (1 << 8)
#define VGCF_IN_SYSCALL               VGCF_in_syscall

/* Domain numbers from here up are not domains. */
#define DOMID_FIRST_RESERVED 0x7ff0
#define DOMID_SELF           0x7ff0 /* the caller                                           */
#define DOMID_IO             0x7ff1 /* owner of what is not RAM                             */
#define DOMID_XEN            0x7ff2 /* owner of the hypervisor's shared frames              */
#define DOMID_COW            0x7ff3
#define DOMID_INVALID        0x7ff4
#define DOMID_IDLE           0x7fff
#define DOMID_MASK           0x7fff

/* Virtual interrupts, to be bound to event channels. (v): one a vCPU; (g): one a domain, dom0's alone. */
#define VIRQ_TIMER      0  /* (v) the one-shot or periodic timer has fired                  */
#define VIRQ_DEBUG      1  /* (v) somebody asks for a dump                                  */
#define VIRQ_CONSOLE    2  /* (g) bytes from the machine's console                          */
#define VIRQ_DOM_EXC    3  /* (g) a domain has shut down or died                            */
#define VIRQ_TBUF       4
#define VIRQ_DEBUGGER   6
#define VIRQ_XENOPROF   7
#define VIRQ_CON_RING   8  /* (g) the hypervisor's log has grown                            */
#define VIRQ_PCPU_STATE 9
#define VIRQ_MEM_EVENT  10
#define VIRQ_ARGO       11
#define VIRQ_ENOMEM     12
#define VIRQ_XENPMU     13
#define VIRQ_ARCH_0     16
#define VIRQ_ARCH_1     17
#define VIRQ_ARCH_2     18
#define VIRQ_ARCH_3     19
#define VIRQ_ARCH_4     20
#define VIRQ_ARCH_5     21
#define VIRQ_ARCH_6     22
#define VIRQ_ARCH_7     23
#define NR_VIRQS        24

#define CONSOLEIO_write 0
#define CONSOLEIO_read  1

#define VMASST_CMD_enable                0
#define VMASST_CMD_disable               1
#define VMASST_TYPE_4gb_segments         0
#define VMASST_TYPE_4gb_segments_notify  1
#define VMASST_TYPE_writable_pagetables  2
#define VMASST_TYPE_pae_extended_cr3     3
#define VMASST_TYPE_architectural_iopl   4
#define VMASST_TYPE_runstate_update_flag 5
#define VMASST_TYPE_m2p_strict           32

/* start_info.flags */
#define SIF_PRIVILEGED      (1 << 0) /* may make PRIV calls                                 */
#define SIF_INITDOMAIN      (1 << 1) /* dom0                                                */
#define SIF_MULTIBOOT_MOD   (1 << 2) /* mod_start: a list of modules, not one               */
#define SIF_MOD_START_PFN   (1 << 3) /* mod_start: a PFN, not an address                    */
#define SIF_VIRT_P2M_4TOOLS (1 << 4) /* the tools know a P2M that is one virtual array      */
#define SIF_PM_MASK         (0xff << 8)

#define XEN_LEGACY_MAX_VCPUS 32 /* vCPUs with a place in shared_info; later ones register theirs */
#define MAX_GUEST_CMDLINE    1024

/* dom0_vga_console_info.video_type */
#define XEN_VGATYPE_TEXT_MODE_3 0x03
#define XEN_VGATYPE_VESA_LFB    0x23
#define XEN_VGATYPE_EFI_LFB     0x70

/* vcpu_time_info.flags */
#define XEN_PVCLOCK_TSC_STABLE_BIT (1 << 0) /* readings on different vCPUs never step back   */
#define XEN_PVCLOCK_GUEST_STOPPED  (1 << 1)

/* trap_info.flags: the lowest ring that may raise the vector by an int instruction, and whether events
 * are masked when the handler starts. */
#define TI_DPL_MASK 3
#define TI_IF       4

/* Five bytes before an instruction that ask for its emulation; cpuid through it is the guest's, filtered. */
#ifdef __ASSEMBLER__
#define XEN_EMULATE_PREFIX .byte 0x0f, 0x0b, 0x78, 0x65, 0x6e
#else
#define XEN_EMULATE_PREFIX ".byte 0x0f,0x0b,0x78,0x65,0x6e ; "
#define XEN_CPUID          XEN_EMULATE_PREFIX "cpuid"
#endif

#ifndef __ASSEMBLER__
#include <stdint.h>

typedef uint16_t domid_t;
typedef uint64_t xen_pfn_t;
typedef uint64_t xen_ulong_t;
typedef uint64_t xen_callback_t;
typedef uint32_t evtchn_port_t;
typedef uint32_t grant_ref_t;
typedef uint32_t grant_handle_t;
typedef uint8_t  xen_domain_handle_t[16];

#define machine_to_phys_mapping ((const volatile xen_ulong_t *)MACH2PHYS_VIRT_START)
#define xen_pfn_to_cr3(pfn)     ((uint64_t)(pfn) << 12)
#define xen_cr3_to_pfn(cr3)     ((uint64_t)(cr3) >> 12)

/* A vCPU's registers, in the order in which the hypervisor's entry pushes them. */
struct cpu_user_regs {
    uint64_t r15, r14, r13, r12;
    uint64_t rbp, rbx;
    uint64_t r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint32_t error_code;
    uint32_t entry_vector;
    uint64_t rip;
    uint16_t cs, _pad0[1];
    uint8_t  saved_upcall_mask; /* was event delivery masked when this frame was made? 0xff bytes are never seen here */
    uint8_t  _pad1[3];
    uint64_t rflags;
    uint64_t rsp;
    uint16_t ss, _pad2[3];
    uint16_t es, _pad3[3];
    uint16_t ds, _pad4[3];
    uint16_t fs, _pad5[3];
    uint16_t gs, _pad6[3];
};

/* What the iret hypercall finds at the guest kernel's rsp. */
struct iret_context {
    uint64_t rax, r11, rcx, flags; /* flags: VGCF_in_syscall or 0 */
    uint64_t rip, cs, rflags, rsp, ss;
};

/* One row of a trap table; the list ends with address 0. */
struct trap_info {
    uint8_t  vector;
    uint8_t  flags; /* TI_DPL_MASK, TI_IF */
    uint16_t cs;
    uint64_t address;
};

/* All of a vCPU: what the builder sets before it first runs. */
struct vcpu_guest_context {
    struct {
        char x[512];
    } fpu_ctxt; /* FXSAVE image */
    uint64_t flags; /* VGCF_* */
    struct cpu_user_regs user_regs;
    struct trap_info trap_ctxt[256];
    uint64_t ldt_base, ldt_ents;
    uint64_t gdt_frames[16], gdt_ents;
    uint64_t kernel_ss, kernel_sp;
    uint64_t ctrlreg[8]; /* [1]: the user root, bit 0 set if there is one; [3]: the kernel root */
    uint64_t debugreg[8];
    uint64_t event_callback_eip;
    uint64_t failsafe_callback_eip;
    uint64_t syscall_callback_eip;
    uint64_t vm_assist;
    uint64_t fs_base;
    uint64_t gs_base_kernel;
    uint64_t gs_base_user;
};

struct arch_vcpu_info {
    uint64_t cr2; /* address of the last page fault delivered */
    uint64_t pad;
};

struct arch_shared_info {
    uint64_t  max_pfn;                    /* the P2M's length, told by the guest to the tools */
    xen_pfn_t pfn_to_mfn_frame_list_list; /* root of the three-level P2M, likewise             */
    uint64_t  nmi_reason;
    uint64_t  p2m_cr3;
    uint64_t  p2m_vaddr;
    uint64_t  p2m_generation;
};

/* Time of one vCPU. version is odd while the rest is being written; see SPEC 9.1 for the arithmetic. */
struct vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time; /* ns since boot, at tsc_timestamp */
    uint32_t tsc_to_system_mul;
    int8_t   tsc_shift;
    uint8_t  flags; /* XEN_PVCLOCK_* */
    uint8_t  pad1[2];
};

/* One vCPU's half of event delivery: the upcall, its mask, and which words of the port bitmap to look at. */
struct vcpu_info {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    xen_ulong_t evtchn_pending_sel;
    struct arch_vcpu_info arch;
    struct vcpu_time_info time;
};

/* The page a domain shares with the hypervisor. */
struct shared_info {
    struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    xen_ulong_t evtchn_pending[64];
    xen_ulong_t evtchn_mask[64];
    uint32_t wc_version; /* the wall clock at boot, with the same odd-while-writing rule */
    uint32_t wc_sec;
    uint32_t wc_nsec;
    uint32_t wc_sec_hi;
    struct arch_shared_info arch;
};

/* What a guest finds at rsi when it starts. Addresses are virtual, *_mfn machine frames. */
struct start_info {
    char magic[32]; /* "xen-3.0-x86_64" */
    uint64_t nr_pages;
    uint64_t shared_info; /* machine address */
    uint32_t flags;       /* SIF_* */
    xen_pfn_t store_mfn;
    uint32_t store_evtchn;
    union {
        struct {
            xen_pfn_t mfn;
            uint32_t evtchn;
        } domU;
        struct {
            uint32_t info_off; /* of a dom0_vga_console_info in this page, 0 for none */
            uint32_t info_size;
        } dom0;
    } console;
    uint64_t pt_base;
    uint64_t nr_pt_frames;
    uint64_t mfn_list; /* the P2M: nr_pages machine frame numbers */
    uint64_t mod_start;
    uint64_t mod_len;
    char cmd_line[MAX_GUEST_CMDLINE];
    uint64_t first_p2m_pfn;
    uint64_t nr_p2m_frames;
};

/* One module, where SIF_MULTIBOOT_MOD says that mod_start is a list of these. */
struct xen_multiboot_mod_list {
    uint32_t mod_start; /* PFN */
    uint32_t mod_end;
    uint32_t cmdline;
    uint32_t pad;
};

struct dom0_vga_console_info {
    uint8_t video_type; /* XEN_VGATYPE_* */
    union {
        struct {
            uint16_t font_height;
            uint16_t cursor_x, cursor_y;
            uint16_t rows, columns;
        } text_mode_3;
        struct {
            uint16_t width, height;
            uint16_t bytes_per_line;
            uint16_t bits_per_pixel;
            uint32_t lfb_base;
            uint32_t lfb_size;
            uint8_t  red_pos, red_size;
            uint8_t  green_pos, green_size;
            uint8_t  blue_pos, blue_size;
            uint8_t  rsvd_pos, rsvd_size;
            uint32_t gbl_caps;
            uint16_t mode_attrs;
            uint16_t pad;
            uint32_t ext_lfb_base;
        } vesa_lfb;
    } u;
};

struct multicall_entry {
    xen_ulong_t op, result;
    xen_ulong_t args[6];
};

/* A bitmap in the caller's memory; bits past nr_bits do not count. */
struct xenctl_bitmap {
    uint64_t bitmap;
    uint32_t nr_bits;
};

#endif /* !__ASSEMBLER__ */
#endif
