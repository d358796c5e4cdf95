/* SPDX-License-Identifier: MIT */
/* sysctl.h: how the control domain asks about and steers the whole machine. The layout is that of Xen
 * 4.17; what Enso does not have is named and refused. SPEC 14.3.                                        */
#ifndef ENSO_ABI_SYSCTL_H
#define ENSO_ABI_SYSCTL_H

#include "abi.h"
#include "domctl.h"

#define XEN_SYSCTL_INTERFACE_VERSION 0x00000015

#define XEN_SYSCTL_readconsole       1
#define XEN_SYSCTL_physinfo          3
#define XEN_SYSCTL_sched_id          4
#define XEN_SYSCTL_getdomaininfolist 6
#define XEN_SYSCTL_debug_keys        7
#define XEN_SYSCTL_getcpuinfo        8
#define XEN_SYSCTL_availheap         9
#define XEN_SYSCTL_cputopoinfo       16
#define XEN_SYSCTL_numainfo          17
#define XEN_SYSCTL_scheduler_op      19
/* Known, and absent (-ENOSYS): */
#define XEN_SYSCTL_tbuf_op           2
#define XEN_SYSCTL_perfc_op          5
#define XEN_SYSCTL_get_pmstat        10
#define XEN_SYSCTL_cpu_hotplug       11
#define XEN_SYSCTL_pm_op             12
#define XEN_SYSCTL_page_offline_op   14
#define XEN_SYSCTL_lockprof_op       15
#define XEN_SYSCTL_cpupool_op        18
#define XEN_SYSCTL_coverage_op       20
#define XEN_SYSCTL_psr_cmt_op        21
#define XEN_SYSCTL_pcitopoinfo       22
#define XEN_SYSCTL_psr_alloc         23
#define XEN_SYSCTL_get_cpu_levelling_caps 25
#define XEN_SYSCTL_get_cpu_featureset 26
#define XEN_SYSCTL_livepatch_op      27
#define XEN_SYSCTL_get_cpu_policy    29

struct xen_sysctl_readconsole {
    uint8_t clear;       /* forget the log afterwards */
    uint8_t incremental; /* start at index, which comes back as the next one */
    uint8_t pad0, pad1;
    uint32_t index;
    uint64_t buffer; /* handle */
    uint32_t count;  /* in: room; out: bytes */
};

#define XEN_SYSCTL_PHYSCAP_hvm                (1U << 0)
#define XEN_SYSCTL_PHYSCAP_pv                 (1U << 1)
#define XEN_SYSCTL_PHYSCAP_directio           (1U << 2)
#define XEN_SYSCTL_PHYSCAP_hap                (1U << 3)
#define XEN_SYSCTL_PHYSCAP_shadow             (1U << 4)
#define XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share (1U << 5)
#define XEN_SYSCTL_PHYSCAP_vmtrace            (1U << 6)
#define XEN_SYSCTL_PHYSCAP_vpmu               (1U << 7)
#define XEN_SYSCTL_PHYSCAP_gnttab_v1          (1U << 8)
#define XEN_SYSCTL_PHYSCAP_gnttab_v2          (1U << 9)
struct xen_sysctl_physinfo {
    uint32_t threads_per_core;
    uint32_t cores_per_socket;
    uint32_t nr_cpus;
    uint32_t max_cpu_id;
    uint32_t nr_nodes;
    uint32_t max_node_id;
    uint32_t cpu_khz;
    uint32_t capabilities; /* XEN_SYSCTL_PHYSCAP_* */
    uint32_t arch_capabilities;
    uint32_t pad;
    uint64_t total_pages;
    uint64_t free_pages;
    uint64_t scrub_pages; /* free, and still to be scrubbed */
    uint64_t outstanding_pages;
    uint64_t max_mfn;
    uint32_t hw_cap[8];
};

struct xen_sysctl_sched_id {
    uint32_t sched_id;
};

struct xen_sysctl_getdomaininfolist {
    domid_t first_domain;
    uint32_t max_domains;
    uint64_t buffer; /* handle: struct xen_domctl_getdomaininfo[max_domains] */
    uint32_t num_domains;
};

struct xen_sysctl_debug_keys {
    uint64_t keys; /* handle: char[nr_keys] */
    uint32_t nr_keys;
};

struct xen_sysctl_cpuinfo {
    uint64_t idletime; /* ns */
};
struct xen_sysctl_getcpuinfo {
    uint32_t max_cpus;
    uint64_t info; /* handle: struct xen_sysctl_cpuinfo[max_cpus] */
    uint32_t nr_cpus;
};

struct xen_sysctl_availheap {
    uint32_t min_bitwidth;
    uint32_t max_bitwidth;
    int32_t node;
    uint64_t avail_bytes;
};

struct xen_sysctl_credit_schedule {
    uint32_t tslice_ms;
    uint32_t ratelimit_us;
    uint32_t vcpu_migr_delay_us;
};
#define XEN_SYSCTL_SCHEDOP_putinfo 0
#define XEN_SYSCTL_SCHEDOP_getinfo 1
struct xen_sysctl_scheduler_op {
    uint32_t cpupool_id;
    uint32_t sched_id;
    uint32_t cmd; /* XEN_SYSCTL_SCHEDOP_* */
    union {
        struct xen_sysctl_sched_arinc653 {
            uint64_t schedule; /* handle */
        } sched_arinc653;
        struct xen_sysctl_credit_schedule sched_credit;
    } u;
};

struct xen_sysctl {
    uint32_t cmd;               /* XEN_SYSCTL_* */
    uint32_t interface_version; /* XEN_SYSCTL_INTERFACE_VERSION */
    union {
        struct xen_sysctl_readconsole readconsole;
        struct xen_sysctl_physinfo physinfo;
        struct xen_sysctl_sched_id sched_id;
        struct xen_sysctl_getdomaininfolist getdomaininfolist;
        struct xen_sysctl_debug_keys debug_keys;
        struct xen_sysctl_getcpuinfo getcpuinfo;
        struct xen_sysctl_availheap availheap;
        struct xen_sysctl_scheduler_op scheduler_op;
        uint8_t pad[128];
    } u;
};

#endif
