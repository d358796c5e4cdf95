/* SPDX-License-Identifier: MIT */
/* image_qcow2.h: what the parts of the qcow2 format share.
 *
 * A qcow2 file is a pile of clusters. A two-level table (L1, L2) maps the guest's clusters to those of the file; another
 * (the reference table, and blocks of counts) says of each cluster of the file how often it is used. All numbers are big-endian.
 *
 * Q1  An L2 entry reaches the file only when what it points to, and the count of that, are durable.
 * Q2  An L1 entry reaches the file only when the L2 table that it points to is durable.
 * Q3  A count goes down only when the entry that used the cluster is durably gone; until then the cluster is on the list `freed`.
 * So a cut of power leaves at worst clusters that are counted and not used.
 * Q4  While somebody reads or writes a data cluster without the lock (users > 0), no cluster is given up.              */
#ifndef NOVICE_IMAGE_QCOW2_H
#define NOVICE_IMAGE_QCOW2_H

#include "guest-kernel/kernel/image.h"

#define OFLAG_COPIED     (1ull << 63)
#define OFLAG_COMPRESSED (1ull << 62)
#define OFLAG_ZERO       1ull
#define OFFSET_MASK      0x00fffffffffffe00ull

#define SLICES           64u           /* pieces of tables in memory */
#define SLICE_MAX        4096u
#define FREED            512u
#define BOUNCE           65536u

enum slice_kind { SLICE_L2, SLICE_COUNTS };
struct slice {
    uint64_t at;                       /* of the file; 0: empty */
    uint64_t used;                     /* when last */
    uint8_t *data;
    enum slice_kind kind;
    bool     dirty;
};

struct qcow2 {
    struct image   image;
    struct image_lock *lock;           /* of all below */
    unsigned       version, cluster_bits, count_order;      /* a count has 1 << count_order bits */
    uint64_t       cluster;            /* bytes */
    uint32_t       slice;              /* bytes: the smaller of SLICE_MAX and a cluster */
    uint64_t      *l1;                 /* host's byte order */
    uint32_t       l1_size, l1_dirty_from, l1_dirty_to;
    uint64_t       l1_at;
    uint64_t      *table;              /* of count blocks; host's byte order */
    uint64_t       table_at;
    uint32_t       table_clusters;
    uint64_t       hint;               /* no cluster below is free */
    struct slice   slices[SLICES];
    uint64_t       clock;
    bool           unsynced;           /* data or counts were written and not synced */
    bool           broken;             /* the image contradicts itself: no more writing */
    unsigned       users;
    bool           shut;
    uint64_t       freed[FREED];
    unsigned       nfreed;
    uint8_t       *bounce;
};

uint64_t be64(const void *p);
uint32_t be32(const void *p);
void     put_be64(void *p, uint64_t v);
int  qcow2_broken(struct qcow2 *q, const char *what);      /* -EIO */

/* image_qcow2_open.c */
int  qcow2_load(struct qcow2 *q, bool read_only, char *backing, size_t backing_size, enum loop_format *backing_format, char *why);
/* image_qcow2_meta.c: tables in memory. The lock is held. */
int  qcow2_slice(struct qcow2 *q, enum slice_kind kind, uint64_t at, struct slice **out);
int  qcow2_flush_locked(struct qcow2 *q);
int  qcow2_sync(struct qcow2 *q);
void qcow2_l1_set(struct qcow2 *q, uint32_t index, uint64_t value);
/* image_qcow2_count.c: counts. */
int  qcow2_cluster_alloc(struct qcow2 *q, uint64_t *at);   /* one cluster, counted once; content: anything */
int  qcow2_free_later(struct qcow2 *q, uint64_t at);       /* Q3 */
int  qcow2_free_now(struct qcow2 *q);                      /* the L2 tables are durable: what is on the list is free */
/* Whether a data cluster may lie there: not on the header or a table that we know. */
bool qcow2_is_data(const struct qcow2 *q, uint64_t at);

#endif
