/* SPDX-License-Identifier: MIT */
/* domctl.h: how the control domain creates, steers and ends domains.
 *
 * One structure for all operations: a command, the interface's version, a domain, and a union of which the
 * command picks a member. The layout is that of Xen 4.17 (interface version 0x15); the operations that
 * Enso does not have are named so that they can be refused, without their structures. SPEC 14.2.       */
#ifndef ENSO_ABI_DOMCTL_H
#define ENSO_ABI_DOMCTL_H

#include "abi.h"

#define XEN_DOMCTL_INTERFACE_VERSION 0x00000015

#define XEN_DOMCTL_createdomain       1
#define XEN_DOMCTL_destroydomain      2
#define XEN_DOMCTL_pausedomain        3
#define XEN_DOMCTL_unpausedomain      4
#define XEN_DOMCTL_getdomaininfo      5
#define XEN_DOMCTL_setvcpuaffinity    9
#define XEN_DOMCTL_max_mem            11
#define XEN_DOMCTL_setvcpucontext     12
#define XEN_DOMCTL_getvcpucontext     13
#define XEN_DOMCTL_getvcpuinfo        14
#define XEN_DOMCTL_max_vcpus          15
#define XEN_DOMCTL_scheduler_op       16
#define XEN_DOMCTL_setdomainhandle    17
#define XEN_DOMCTL_setdebugging       18
#define XEN_DOMCTL_irq_permission     19
#define XEN_DOMCTL_iomem_permission   20
#define XEN_DOMCTL_ioport_permission  21
#define XEN_DOMCTL_hypercall_init     22
#define XEN_DOMCTL_settimeoffset      24
#define XEN_DOMCTL_getvcpuaffinity    25
#define XEN_DOMCTL_resumedomain       27
#define XEN_DOMCTL_sendtrigger        28
#define XEN_DOMCTL_set_address_size   35
#define XEN_DOMCTL_get_address_size   36
#define XEN_DOMCTL_getpageframeinfo3  61
#define XEN_DOMCTL_set_virq_handler   66
/* Known, and absent (-ENOSYS): */
#define XEN_DOMCTL_shadow_op          10
#define XEN_DOMCTL_real_mode_area     26
#define XEN_DOMCTL_subscribe          29
#define XEN_DOMCTL_gethvmcontext      33
#define XEN_DOMCTL_sethvmcontext      34
#define XEN_DOMCTL_assign_device      37
#define XEN_DOMCTL_set_ext_vcpucontext 42
#define XEN_DOMCTL_get_ext_vcpucontext 43
#define XEN_DOMCTL_gettscinfo         59
#define XEN_DOMCTL_settscinfo         60
#define XEN_DOMCTL_setvcpuextstate    62
#define XEN_DOMCTL_getvcpuextstate    63
#define XEN_DOMCTL_setnodeaffinity    68
#define XEN_DOMCTL_getnodeaffinity    69
#define XEN_DOMCTL_soft_reset         79
#define XEN_DOMCTL_get_cpu_policy     82
#define XEN_DOMCTL_set_cpu_policy     83

struct xen_arch_domainconfig {
    uint32_t emulation_flags; /* 0 for PV */
    uint32_t misc_flags;
};
#define XEN_X86_MSR_RELAXED (1U << 0)

/* Flags of createdomain: of these, a PV hypervisor can serve xs_domain alone. */
#define XEN_DOMCTL_CDF_hvm          (1U << 0)
#define XEN_DOMCTL_CDF_hap          (1U << 1)
#define XEN_DOMCTL_CDF_s3_integrity (1U << 2)
#define XEN_DOMCTL_CDF_oos_off      (1U << 3)
#define XEN_DOMCTL_CDF_xs_domain    (1U << 4)
#define XEN_DOMCTL_CDF_iommu        (1U << 5)
#define XEN_DOMCTL_CDF_nested_virt  (1U << 6)
#define XEN_DOMCTL_CDF_vpmu         (1U << 7)

#define XEN_DOMCTL_GRANT_version_mask 0xf
#define XEN_DOMCTL_GRANT_version(v)   ((v) & XEN_DOMCTL_GRANT_version_mask)

/* The domain's number is xen_domctl.domain: 0 or a reserved number asks for the next free one; out. */
struct xen_domctl_createdomain {
    uint32_t ssidref;
    xen_domain_handle_t handle; /* a UUID, kept for the tools */
    uint32_t flags;             /* XEN_DOMCTL_CDF_* */
    uint32_t iommu_opts;
    uint32_t max_vcpus;
    uint32_t max_evtchn_port;
    int32_t max_grant_frames; /* negative: the default */
    int32_t max_maptrack_frames;
    uint32_t grant_opts;
    uint32_t vmtrace_size;
    uint32_t cpupool_id;
    struct xen_arch_domainconfig arch;
};

#define XEN_DOMINF_dying         (1U << 0)
#define XEN_DOMINF_hvm_guest     (1U << 1)
#define XEN_DOMINF_shutdown      (1U << 2)
#define XEN_DOMINF_paused        (1U << 3)
#define XEN_DOMINF_blocked       (1U << 4)
#define XEN_DOMINF_running       (1U << 5)
#define XEN_DOMINF_debugged      (1U << 6)
#define XEN_DOMINF_xs_domain     (1U << 7)
#define XEN_DOMINF_hap           (1U << 8)
#define XEN_DOMINF_shutdownmask  255
#define XEN_DOMINF_shutdownshift 16
#define XEN_INVALID_MAX_VCPU_ID  (~0U)
struct xen_domctl_getdomaininfo {
    domid_t domain; /* the first domain with at least the number asked for */
    uint16_t pad1;
    uint32_t flags; /* XEN_DOMINF_*, and the shutdown code */
    uint64_t tot_pages;
    uint64_t max_pages;
    uint64_t outstanding_pages;
    uint64_t shr_pages;
    uint64_t paged_pages;
    uint64_t shared_info_frame; /* machine frame */
    uint64_t cpu_time;          /* ns, all vCPUs */
    uint32_t nr_online_vcpus;
    uint32_t max_vcpu_id;
    uint32_t ssidref;
    xen_domain_handle_t handle;
    uint32_t cpupool;
    uint8_t gpaddr_bits;
    uint8_t pad2[7];
    struct xen_arch_domainconfig arch_config;
};

/* getpageframeinfo3: frame numbers in, types out, in place. */
#define XEN_DOMCTL_PFINFO_LTAB_SHIFT   28
#define XEN_DOMCTL_PFINFO_NOTAB        (0x0U << 28)
#define XEN_DOMCTL_PFINFO_L1TAB        (0x1U << 28)
#define XEN_DOMCTL_PFINFO_L2TAB        (0x2U << 28)
#define XEN_DOMCTL_PFINFO_L3TAB        (0x3U << 28)
#define XEN_DOMCTL_PFINFO_L4TAB        (0x4U << 28)
#define XEN_DOMCTL_PFINFO_LTABTYPE_MASK (0x7U << 28)
#define XEN_DOMCTL_PFINFO_LPINTAB      (0x1U << 31)
#define XEN_DOMCTL_PFINFO_XTAB         (0xfU << 28)
#define XEN_DOMCTL_PFINFO_XALLOC       (0xeU << 28)
#define XEN_DOMCTL_PFINFO_BROKEN       (0xdU << 28)
#define XEN_DOMCTL_PFINFO_LTAB_MASK    (0xfU << 28)
struct xen_domctl_getpageframeinfo3 {
    uint64_t num;
    uint64_t array; /* handle: xen_pfn_t[num] */
};

struct xen_domctl_max_mem {
    uint64_t max_memkb;
};

struct xen_domctl_vcpucontext {
    uint32_t vcpu;
    uint64_t ctxt; /* handle: struct vcpu_guest_context */
};

struct xen_domctl_getvcpuinfo {
    uint32_t vcpu;
    uint8_t online;
    uint8_t blocked;
    uint8_t running;
    uint64_t cpu_time;
    uint32_t cpu;
};

#define XEN_VCPUAFFINITY_HARD  (1U << 0)
#define XEN_VCPUAFFINITY_SOFT  (1U << 1)
#define XEN_VCPUAFFINITY_FORCE (1U << 2)
struct xen_domctl_vcpuaffinity {
    uint32_t vcpu;
    uint32_t flags; /* XEN_VCPUAFFINITY_* */
    struct xenctl_bitmap cpumap_hard;
    struct xenctl_bitmap cpumap_soft;
};

struct xen_domctl_max_vcpus {
    uint32_t max;
};

/* Schedulers by number. Enso's rr is none of Xen's and answers with a number of its own. */
#define XEN_SCHEDULER_CREDIT   5
#define XEN_SCHEDULER_CREDIT2  6
#define XEN_SCHEDULER_ARINC653 7
#define XEN_SCHEDULER_RTDS     8
#define XEN_SCHEDULER_NULL     9
#define ENSO_SCHEDULER_RR      0x1001

#define XEN_DOMCTL_SCHEDOP_putinfo     0
#define XEN_DOMCTL_SCHEDOP_getinfo     1
#define XEN_DOMCTL_SCHEDOP_putvcpuinfo 2
#define XEN_DOMCTL_SCHEDOP_getvcpuinfo 3
struct xen_domctl_sched_credit {
    uint16_t weight; /* 0: leave */
    uint16_t cap;    /* per cent of one pCPU, 0 for none, 0xffff: leave */
};
struct xen_domctl_sched_credit2 {
    uint16_t weight;
    uint16_t cap;
};
struct xen_domctl_sched_rtds {
    uint32_t period;
    uint32_t budget;
    uint32_t flags;
};
struct xen_domctl_scheduler_op {
    uint32_t sched_id; /* XEN_SCHEDULER_* */
    uint32_t cmd;      /* XEN_DOMCTL_SCHEDOP_* */
    union {
        struct xen_domctl_sched_credit credit;
        struct xen_domctl_sched_credit2 credit2;
        struct xen_domctl_sched_rtds rtds;
        struct {
            uint64_t vcpus;
            uint32_t nr_vcpus;
            uint32_t padding;
        } v;
    } u;
};

struct xen_domctl_setdomainhandle {
    xen_domain_handle_t handle;
};

struct xen_domctl_setdebugging {
    uint8_t enable;
};

struct xen_domctl_irq_permission {
    uint32_t pirq;
    uint8_t allow_access;
    uint8_t pad[3];
};

struct xen_domctl_iomem_permission {
    uint64_t first_mfn;
    uint64_t nr_mfns;
    uint8_t allow_access;
};

struct xen_domctl_ioport_permission {
    uint32_t first_port;
    uint32_t nr_ports;
    uint8_t allow_access;
};

struct xen_domctl_hypercall_init {
    uint64_t gmfn; /* frame to fill with entry stubs */
};

struct xen_domctl_settimeoffset {
    int64_t time_offset_seconds;
};

struct xen_domctl_address_size {
    uint32_t size;
};

#define XEN_DOMCTL_SENDTRIGGER_NMI   0
#define XEN_DOMCTL_SENDTRIGGER_RESET 1
#define XEN_DOMCTL_SENDTRIGGER_INIT  2
#define XEN_DOMCTL_SENDTRIGGER_POWER 3
#define XEN_DOMCTL_SENDTRIGGER_SLEEP 4
struct xen_domctl_sendtrigger {
    uint32_t trigger;
    uint32_t vcpu;
};

struct xen_domctl_set_virq_handler {
    uint32_t virq;
};

struct xen_domctl {
    uint32_t cmd;               /* XEN_DOMCTL_* */
    uint32_t interface_version; /* XEN_DOMCTL_INTERFACE_VERSION */
    domid_t domain;
    uint16_t _pad[3];
    union {
        struct xen_domctl_createdomain createdomain;
        struct xen_domctl_getdomaininfo getdomaininfo;
        struct xen_domctl_getpageframeinfo3 getpageframeinfo3;
        struct xen_domctl_vcpuaffinity vcpuaffinity;
        struct xen_domctl_max_mem max_mem;
        struct xen_domctl_vcpucontext vcpucontext;
        struct xen_domctl_getvcpuinfo getvcpuinfo;
        struct xen_domctl_max_vcpus max_vcpus;
        struct xen_domctl_scheduler_op scheduler_op;
        struct xen_domctl_setdomainhandle setdomainhandle;
        struct xen_domctl_setdebugging setdebugging;
        struct xen_domctl_irq_permission irq_permission;
        struct xen_domctl_iomem_permission iomem_permission;
        struct xen_domctl_ioport_permission ioport_permission;
        struct xen_domctl_hypercall_init hypercall_init;
        struct xen_domctl_settimeoffset settimeoffset;
        struct xen_domctl_address_size address_size;
        struct xen_domctl_sendtrigger sendtrigger;
        struct xen_domctl_set_virq_handler set_virq_handler;
        uint8_t pad[128];
    } u;
};

#endif
