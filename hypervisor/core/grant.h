/* SPDX-License-Identifier: MIT */
/* grant.h: grant tables, version 1: a domain lends a frame to another. SPEC 10. */
#ifndef ENSO_GRANT_H
#define ENSO_GRANT_H

#include "hypercall-abi/grant.h"
#include "hypervisor/model.h"

int  grant_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack);
/* Releases d's mappings of others' frames (teardown), preemptible: 0 or -ERESTART. */
int  grant_release_mappings(struct domain *d);
/* Gives the pages of the table back; who still has a frame of d's mapped may go on to unmap it. */
void grant_free_table(struct domain *d);
void grant_free(struct domain *d);               /* the rest, with d itself */
/* For builders: entry ref of d grants mfn (as the domain's own frame number) to `to`. */
int  grant_seed(struct domain *d, uint32_t ref, mfn_t m, domid_t to);
void grant_dump(struct domain *d);
/* For the audit: calls fn for each frame reference that d's map-track holds. */
void grant_for_each_mapping(struct domain *d, void (*fn)(void *arg, mfn_t m, bool writable, unsigned count), void *arg);

/* ---- between grant_table.c, grant_map.c and grant_op.c ---- */

#define ENTRIES_A_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define TRACKS_A_PAGE   (PAGE_SIZE / sizeof(struct grant_track))
#define NO_HANDLE       (~0U)

struct grant_active {                /* beside each entry: who uses it now, as the hypervisor remembers */
    uint64_t mfn;
    uint32_t readers, writers;       /* a writer is no reader */
    domid_t  domid;                  /* whose they all are; meaningful while there are any */
};

struct grant_track {                 /* a mapping, by its handle */
    uint64_t mfn;                    /* GRANT G1: one reference a use, typed if writable, beside the page-table entry's own */
    uint32_t ref, next;              /* next: free list, index + 1 */
    domid_t  dom;
    uint8_t  uses;                   /* GNTMAP_host_map | GNTMAP_device_map: what is still mapped; 0: free */
    bool     writable, by_pte, busy;
    uint64_t pad;
};

struct grant_table {
    struct spinlock lock;            /* rank grant: all below; two are never held at once */
    uint32_t nr_frames, max_frames;
    uint32_t nr_active;              /* frames' worth of active entries: stays when the frames have gone */
    struct grant_entry_v1 **shared;
    struct grant_active **active;
    mfn_t *shared_mfn;
    struct grant_track **track;
    uint32_t nr_track_pages, max_track_pages;
    uint32_t free_track;             /* index + 1; 0: none */
};

/* The table has at least n frames, or -ENOMEM, -EINVAL. */
int  grant_grow(struct domain *d, uint32_t n);
/* `who` begins to use entry ref of rd: flags, active entry, and a reference on the frame (typed if write). GNTST_*. */
int  grant_pin(struct domain *rd, grant_ref_t ref, domid_t who, bool write, mfn_t *m);
void grant_unpin(struct domain *rd, grant_ref_t ref, bool write, mfn_t m);
/* Exchanges two entries that nobody uses. GNTST_*. */
int  grant_swap(struct domain *d, grant_ref_t a, grant_ref_t b);
/* A handle of d's, busy until track_set_busy(false) or track_free; NO_HANDLE: none left. */
uint32_t track_alloc(struct domain *d);
void track_free(struct domain *d, uint32_t handle);
/* The track of a mapping, made busy: others see no such handle meanwhile. NULL. */
struct grant_track *track_take(struct domain *d, uint32_t handle);
void track_release(struct domain *d, struct grant_track *t);

/* ---- runs: several uses by devices only, each lock taken once ---- */

#define GRANT_RUN 32
#define GRANT_COPIES 12                  /* at once, of up to a page each */
struct grant_use {                   /* one that ends */
    grant_ref_t ref;
    bool write;
    mfn_t m;
};
/* grant_pin with status and address told in the operation, then handles for those that are okay (no_device_space: the pin is the
 * caller's to undo); grant_unpin. */
void grant_pin_run(struct domain *rd, domid_t who, struct gnttab_map_grant_ref *op, unsigned n);
void track_add_run(struct domain *d, domid_t from, struct gnttab_map_grant_ref *op, unsigned n);
void grant_unpin_run(struct domain *rd, const struct grant_use *u, unsigned n);
/* Ends the handles of the first so many operations that name such a mapping by its address, all of one granter (*from), and calls them
 * okay; what is still pinned is in u. How many. */
unsigned track_end_run(struct domain *d, struct gnttab_unmap_grant_ref *op, unsigned n, struct grant_use *u, domid_t *from);

/* grant_map.c: the first two take up to GRANT_RUN operations, copy GRANT_COPIES, the others one. */
void grant_op_map(struct vcpu *v, void *ops, unsigned n);
void grant_op_unmap(struct vcpu *v, void *ops, unsigned n);
void grant_op_undo_map(struct vcpu *v, void *op);
void grant_op_unmap_and_replace(struct vcpu *v, void *op, unsigned one);
/* grant_copy.c */
void grant_op_copy(struct vcpu *v, void *ops, unsigned n);

#endif
