/* SPDX-License-Identifier: MIT */
/* grant.h: grant tables, by which a domain lets another map or copy a frame of its own.
 *
 * An entry is written by its owner and read by the hypervisor, which alone sets the reading and writing
 * bits. Enso has version 1 of the table. SPEC 10.                                                       */
#ifndef ENSO_ABI_GRANT_H
#define ENSO_ABI_GRANT_H

#include "abi.h"

struct grant_entry_v1 {
    uint16_t flags; /* GTF_*: written last, after a barrier */
    domid_t domid;  /* who may use it */
    uint32_t frame; /* machine frame number: version 1 ends at 2^32 frames */
};

/* Entries that the builder fills in for a guest that does not know grants yet. */
#define GNTTAB_NR_RESERVED_ENTRIES 8
#define GNTTAB_RESERVED_CONSOLE    0
#define GNTTAB_RESERVED_XENSTORE   1

#define GTF_invalid            0U
#define GTF_permit_access      1U
#define GTF_accept_transfer    2U
#define GTF_transitive         3U
#define GTF_type_mask          3U
#define GTF_readonly           (1U << 2)
#define GTF_reading            (1U << 3)
#define GTF_writing            (1U << 4)
#define GTF_PWT                (1U << 5)
#define GTF_PCD                (1U << 6)
#define GTF_PAT                (1U << 7)
#define GTF_sub_page           (1U << 8)
#define GTF_transfer_committed (1U << 2)
#define GTF_transfer_completed (1U << 3)

#define GNTTABOP_map_grant_ref     0
#define GNTTABOP_unmap_grant_ref   1
#define GNTTABOP_setup_table       2
#define GNTTABOP_dump_table        3
#define GNTTABOP_transfer          4
#define GNTTABOP_copy              5
#define GNTTABOP_query_size        6
#define GNTTABOP_unmap_and_replace 7
#define GNTTABOP_set_version       8
#define GNTTABOP_get_status_frames 9
#define GNTTABOP_get_version       10
#define GNTTABOP_swap_grant_ref    11
#define GNTTABOP_cache_flush       12

#define GNTMAP_device_map       (1 << 0)
#define GNTMAP_host_map         (1 << 1)
#define GNTMAP_readonly         (1 << 2)
#define GNTMAP_application_map  (1 << 3)
#define GNTMAP_contains_pte     (1 << 4)
#define GNTMAP_guest_avail_mask (~0U << 16)

#define GNTST_okay              0
#define GNTST_general_error     (-1)
#define GNTST_bad_domain        (-2)
#define GNTST_bad_gntref        (-3)
#define GNTST_bad_handle        (-4)
#define GNTST_bad_virt_addr     (-5)
#define GNTST_bad_dev_addr      (-6)
#define GNTST_no_device_space   (-7)
#define GNTST_permission_denied (-8)
#define GNTST_bad_page          (-9)
#define GNTST_bad_copy_arg      (-10)
#define GNTST_address_too_big   (-11)
#define GNTST_eagain            (-12)
#define GNTST_no_space          (-13)

struct gnttab_map_grant_ref {
    uint64_t host_addr; /* in: address to map at, or of the L1 entry with GNTMAP_contains_pte */
    uint32_t flags;     /* in: GNTMAP_* */
    grant_ref_t ref;    /* in */
    domid_t dom;        /* in: the granter */
    int16_t status;     /* out: GNTST_* */
    grant_handle_t handle;
    uint64_t dev_bus_addr;
};

struct gnttab_unmap_grant_ref {
    uint64_t host_addr;
    uint64_t dev_bus_addr;
    grant_handle_t handle;
    int16_t status;
};

struct gnttab_setup_table {
    domid_t dom;
    uint32_t nr_frames;
    int16_t status;
    uint64_t frame_list; /* handle: xen_pfn_t[nr_frames], out */
};

struct gnttab_dump_table {
    domid_t dom;
    int16_t status;
};

struct gnttab_transfer {
    xen_pfn_t mfn;
    domid_t domid;
    grant_ref_t ref;
    int16_t status;
};

#define GNTCOPY_source_gref (1 << 0)
#define GNTCOPY_dest_gref   (1 << 1)
struct gnttab_copy_ptr {
    union {
        grant_ref_t ref;
        xen_pfn_t gmfn;
    } u;
    domid_t domid;
    uint16_t offset;
};
struct gnttab_copy {
    struct gnttab_copy_ptr source, dest;
    uint16_t len;
    uint16_t flags; /* GNTCOPY_* */
    int16_t status;
};

struct gnttab_query_size {
    domid_t dom;
    uint32_t nr_frames;
    uint32_t max_nr_frames;
    int16_t status;
};

struct gnttab_unmap_and_replace {
    uint64_t host_addr;
    uint64_t new_addr; /* its entry moves to host_addr and is cleared */
    grant_handle_t handle;
    int16_t status;
};

struct gnttab_set_version {
    uint32_t version;
};

struct gnttab_get_status_frames {
    uint32_t nr_frames;
    domid_t dom;
    int16_t status;
    uint64_t frame_list;
};

struct gnttab_get_version {
    domid_t dom;
    uint16_t pad;
    uint32_t version;
};

struct gnttab_swap_grant_ref {
    grant_ref_t ref_a;
    grant_ref_t ref_b;
    int16_t status;
};

#define GNTTAB_CACHE_CLEAN       (1U << 0)
#define GNTTAB_CACHE_INVAL       (1U << 1)
#define GNTTAB_CACHE_SOURCE_GREF (1U << 31)
struct gnttab_cache_flush {
    union {
        uint64_t dev_bus_addr;
        grant_ref_t ref;
    } a;
    uint16_t offset;
    uint16_t length;
    uint32_t op;
};

#endif
