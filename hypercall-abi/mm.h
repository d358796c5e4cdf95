/* SPDX-License-Identifier: MIT */
/* mm.h: memory, from a guest's side: page-table updates and the operations of memory_op. SPEC 5.       */
#ifndef ENSO_ABI_MM_H
#define ENSO_ABI_MM_H

#include "abi.h"

/* mmu_update: the two low bits of ptr say what is to be done, the rest is the machine address of the entry. */
#define MMU_NORMAL_PT_UPDATE       0 /* write val to the entry                                    */
#define MMU_MACHPHYS_UPDATE        1 /* make val the M2P entry of the frame at ptr                */
#define MMU_PT_UPDATE_PRESERVE_AD  2 /* as normal, keeping accessed and dirty bits set since      */
#define MMU_PT_UPDATE_NO_TRANSLATE 3 /* HVM's, refused                                            */

struct mmu_update {
    uint64_t ptr;
    uint64_t val;
};

#define MMUEXT_PIN_L1_TABLE       0
#define MMUEXT_PIN_L2_TABLE       1
#define MMUEXT_PIN_L3_TABLE       2
#define MMUEXT_PIN_L4_TABLE       3
#define MMUEXT_UNPIN_TABLE        4
#define MMUEXT_NEW_BASEPTR        5
#define MMUEXT_TLB_FLUSH_LOCAL    6
#define MMUEXT_INVLPG_LOCAL       7
#define MMUEXT_TLB_FLUSH_MULTI    8
#define MMUEXT_INVLPG_MULTI       9
#define MMUEXT_TLB_FLUSH_ALL      10
#define MMUEXT_INVLPG_ALL         11
#define MMUEXT_FLUSH_CACHE        12
#define MMUEXT_SET_LDT            13
#define MMUEXT_NEW_USER_BASEPTR   15
#define MMUEXT_CLEAR_PAGE         16
#define MMUEXT_COPY_PAGE          17
#define MMUEXT_FLUSH_CACHE_GLOBAL 18
#define MMUEXT_MARK_SUPER         19
#define MMUEXT_UNMARK_SUPER       20

struct mmuext_op {
    uint32_t cmd;
    union {
        xen_pfn_t mfn;        /* pin, unpin, new base pointers, clear, copy (the target) */
        uint64_t linear_addr; /* invlpg, set LDT                                         */
    } arg1;
    union {
        uint32_t nr_ents;   /* set LDT                      */
        uint64_t vcpumask;  /* the MULTI forms: a handle    */
        xen_pfn_t src_mfn;  /* copy                         */
    } arg2;
};

/* Flags of update_va_mapping. With MULTI, the bits above are the address of a vCPU bitmap. */
#define UVMF_NONE           0UL
#define UVMF_TLB_FLUSH      1UL
#define UVMF_INVLPG         2UL
#define UVMF_FLUSHTYPE_MASK 3UL
#define UVMF_MULTI          (0UL << 2)
#define UVMF_LOCAL          (0UL << 2)
#define UVMF_ALL            (1UL << 2)

#define XENMEM_increase_reservation     0
#define XENMEM_decrease_reservation     1
#define XENMEM_maximum_ram_page         2
#define XENMEM_current_reservation      3
#define XENMEM_maximum_reservation      4
#define XENMEM_machphys_mfn_list        5
#define XENMEM_populate_physmap         6
#define XENMEM_add_to_physmap           7
#define XENMEM_memory_map               9
#define XENMEM_machine_memory_map       10
#define XENMEM_exchange                 11
#define XENMEM_machphys_mapping         12
#define XENMEM_set_memory_map           13
#define XENMEM_maximum_gpfn             14
#define XENMEM_remove_from_physmap      15
#define XENMEM_set_pod_target           16
#define XENMEM_get_pod_target           17
#define XENMEM_get_sharing_freed_pages  18
#define XENMEM_get_sharing_shared_pages 19
#define XENMEM_paging_op                20
#define XENMEM_access_op                21
#define XENMEM_sharing_op               22
#define XENMEM_add_to_physmap_batch     23
#define XENMEM_claim_pages              24
#define XENMEM_machphys_compat_mfn_list 25
#define XENMEM_get_vnumainfo            26
#define XENMEM_reserved_device_memory_map 27
#define XENMEM_acquire_resource         28

/* mem_flags: how wide an address the frames may have; 0 means any. */
#define XENMEMF_address_bits(x)     (x)
#define XENMEMF_get_address_bits(x) ((x) & 0xffU)
#define XENMEMF_node(x)             (((x) + 1) << 8)
#define XENMEMF_get_node(x)         ((((x) >> 8) - 1) & 0xffU)
#define XENMEMF_populate_on_demand  (1 << 16)
#define XENMEMF_exact_node_request  (1 << 17)
#define XENMEMF_vnode               (1 << 18)

/* A list of extents of 2^extent_order frames each: frames going in, coming out, or both. */
struct xen_memory_reservation {
    uint64_t extent_start; /* handle: xen_pfn_t[nr_extents] */
    xen_ulong_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags; /* XENMEMF_* */
    domid_t domid;
};

struct xen_memory_exchange {
    struct xen_memory_reservation in;
    struct xen_memory_reservation out;
    xen_ulong_t nr_exchanged; /* in and out: 0 at first; how far it got */
};

struct xen_machphys_mfn_list {
    uint32_t max_extents;
    uint64_t extent_start; /* handle: xen_pfn_t[max_extents], one for each 2 MiB of M2P */
    uint32_t nr_extents;
};

struct xen_machphys_mapping {
    xen_ulong_t v_start, v_end;
    xen_ulong_t max_mfn;
};

/* The argument of maximum_gpfn and of the two reservation questions. */
struct xen_memory_domain {
    domid_t domid;
};

#define XENMAPSPACE_shared_info  0
#define XENMAPSPACE_grant_table  1
#define XENMAPSPACE_gmfn         2
#define XENMAPSPACE_gmfn_range   3
#define XENMAPSPACE_gmfn_foreign 4
#define XENMAPSPACE_dev_mmio     5

struct xen_add_to_physmap {
    domid_t domid;
    uint16_t size;
    uint32_t space; /* XENMAPSPACE_* */
    xen_ulong_t idx;
    xen_pfn_t gpfn;
};

/* A memory map as firmware tells it: nr_entries of struct e820entry at buffer. */
struct xen_memory_map {
    uint32_t nr_entries;
    uint64_t buffer; /* handle */
};

struct xen_foreign_memory_map {
    domid_t domid;
    struct xen_memory_map map;
};

/* The layout of the PC's own memory map, packed to 20 bytes. */
#define E820_RAM      1
#define E820_RESERVED 2
#define E820_ACPI     3
#define E820_NVS      4
#define E820_UNUSABLE 5
struct e820entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
} __attribute__((packed));

#define XENMEM_resource_ioreq_server          0
#define XENMEM_resource_grant_table           1
#define XENMEM_resource_vmtrace_buf           2
#define XENMEM_resource_grant_table_id_shared 0
#define XENMEM_resource_grant_table_id_status 1

struct xen_mem_acquire_resource {
    domid_t domid;
    uint16_t type; /* XENMEM_resource_* */
    uint32_t id;
    uint32_t nr_frames;
    uint32_t pad;
    uint64_t frame;
    uint64_t frame_list; /* handle: xen_pfn_t[nr_frames] */
};

#endif
