/* SPDX-License-Identifier: MIT */
/* blkfront.h: the guest's end of the split block driver. SPEC 11.6.
 *
 * The kernel's glue hands in requests and is told when each is done; whether a backend is there just now is none of
 * its business: what is in flight when a backend goes away is sent again to the one that comes.                */
#ifndef PV_DRIVERS_BLKFRONT_H
#define PV_DRIVERS_BLKFRONT_H

#include <stdbool.h>
#include <stddef.h>

#include "hypercall-abi/io/blkif.h"
#include "pv-drivers/blkseg.h"
#include "pv-drivers/os.h"
#include "pv-drivers/xenbus.h"

#define BLKFRONT_ORDER     2                    /* ring pages: 1 << this, if the backend takes as many */
#define BLKFRONT_SLOTS     128                  /* requests under way                                  */
#define BLKFRONT_MAX_SEGS  256                  /* of one request                                      */

struct blkfront_io {
    enum pv_blk_op           op;
    bool                     fua;               /* a write that is durable when done: a flush follows it */
    uint64_t                 sector, count;
    const struct pv_blk_seg *segs;              /* the caller's until done */
    unsigned                 nsegs;
    void                    *token;
};

struct blkfront_slot {
    struct blkfront_slot *next;                 /* free, or waiting to be put on the ring */
    struct blkfront_io    io;
    enum { SLOT_FREE, SLOT_WAITING, SLOT_ON_RING, SLOT_ENDING } state;
    bool                  flushing;             /* the flush after a write with fua */
    unsigned              done_segs, chunk;     /* segments of earlier ring requests, of this one */
    uint64_t              done_sectors, chunk_sectors;
    int                   status;
    uint32_t              refs[BLKIF_MAX_SEGMENTS_PER_REQUEST];
    unsigned              nrefs;                /* granted now: in refs, or in the indirect page */
    struct blkif_request_segment *indirect;     /* a page of our own, kept once made */
    uint32_t              indirect_ref;
};

struct blkfront {
    struct xenbus_device *bus;
    struct blkfront      *next;                 /* all of them */
    uint16_t              vdev_low;
    /* What the backend says of the disk. */
    uint64_t              sectors;              /* of 512 bytes */
    uint32_t              sector_size, physical_size;
    bool                  read_only, flush, barrier, discard;
    uint32_t              max_segs;             /* of one ring request */
    /* The ring. */
    bool                  connected, attached, detaching, gone, broken;
    struct blkif_front_ring ring;
    unsigned              order;
    uint32_t              ring_refs[1 << BLKFRONT_ORDER];
    int                   port;                 /* -1: none */
    struct blkfront_slot  slots[BLKFRONT_SLOTS];
    struct blkfront_slot *free, *waiting, **waiting_end;
    unsigned              on_ring;
    struct os_timer       retry;
    bool                  retrying, in_handler;
    unsigned              watchers;             /* threads that wait to detach it */
    uint64_t              reconnects, resubmitted;
    void                 *os;                   /* the glue's */
};

extern struct blkfront *all_blkfronts;

/* Starts io, or queues it; false when BLKFRONT_SLOTS are under way (blkfront_os_room is called later). */
bool blkfront_submit(struct blkfront *f, const struct blkfront_io *io);
/* Tells the backend of what was submitted. */
void blkfront_kick(struct blkfront *f);
/* "xvda", "xvdb3": the name of device number n. */
void blkfront_name(uint32_t n, char *buf, size_t size);
int  blkfront_boot(void);                       /* registers with xenbus */

/* ---- The kernel's glue ---- */
int  blkfront_os_attach(struct blkfront *f);              /* the disk is there: may sleep, its first requests may come at once */
int  blkfront_os_detach(struct blkfront *f, bool force);  /* no more requests will come; -EBUSY while in use, unless force */
void blkfront_os_done(struct blkfront *f, void *token, int status);   /* 0 or -errno; a handler */
void blkfront_os_room(struct blkfront *f);                /* there are free slots again; a handler */

#endif
