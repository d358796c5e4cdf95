/* SPDX-License-Identifier: MIT */
/* blkback.h: the backend's end of the split block driver. SPEC 11.6.
 *
 * It trusts nothing that comes from the other domain: what it takes off the ring or out of a shared page it copies once,
 * checks, and only then believes. A request that is wrong is answered with an error and harms nobody else.    */
#ifndef PV_DRIVERS_BLKBACK_H
#define PV_DRIVERS_BLKBACK_H

#include <stdbool.h>
#include <stddef.h>

#include "hypercall-abi/io/blkif.h"
#include "pv-drivers/blkseg.h"
#include "pv-drivers/os.h"
#include "pv-drivers/xenbus.h"

#define BLKBACK_ORDER     3                     /* the largest ring we take: 8 pages, 256 requests */
#define BLKBACK_MAX_SEGS  256                   /* of an indirect request: half a page of segments, 1 MiB */
#define BLKBACK_BATCH     512                   /* grants mapped in one go                         */
#define BLKBACK_MAX_PAGES 4096                  /* mapped for one disk at any time: 16 MiB         */
#define BLKBACK_MAX_SEEN  1024                  /* likewise, when each needs an address            */

/* A disk as the glue opened it. */
struct blkback_disk {
    uint64_t sectors;                           /* of 512 bytes */
    uint32_t sector_size, physical_size;
    bool     read_only, flush, discard, needs_va;
    void    *os;
};

struct blkback_io {
    enum pv_blk_op      op;
    bool                fua;
    uint64_t            sector, count;
    struct pv_blk_seg  *segs;
    unsigned            nsegs;
    int                 status;
    void              (*done)(struct blkback_io *io);     /* a handler; may be called inside submit */
    uint64_t            os[16];                 /* room for the glue's own request */
};

struct blkback_job {
    struct blkback_job *next;
    struct blkback     *back;
    uint64_t            id;
    uint8_t             op;                     /* as the response echoes it */
    uint8_t             stage;                  /* of a barrier: flush, write, flush */
    bool                barrier, large;
    unsigned            nsegs, capacity;
    struct os_map      *maps;
    struct pv_blk_seg  *segs;
    struct blkback_io   io;
};

struct blkback_limit { uint64_t rate, last_ns; int64_t tokens; };   /* rate 0: none */

struct blkback {
    struct xenbus_device *bus;
    struct blkback       *next;
    struct blkback_disk   disk;
    bool                  write, open, connected, fresh, broken, stopping, in_pass, throttled, barrier;
    bool                  refused;              /* for want of memory, until a job comes back */
    char                  params[64];
    struct blkif_back_ring ring;
    struct os_map         ring_maps[1 << BLKBACK_ORDER];
    unsigned              ring_pages;
    int                   port;
    unsigned              idle_events;          /* in a row that brought nothing */
    bool                  masked;
    unsigned              in_flight, pages;     /* jobs given to the disk, grants mapped */
    struct blkback_job   *done, *free[2];       /* completed, not answered; to be used again: small, large */
    struct blkback_job   *batch_jobs[2];        /* checked, to be mapped: those that read the guest's memory, those that write it */
    struct os_map        *batch[2];
    unsigned              batched[2];
    struct blkif_request_segment *indirect;     /* a copy of a guest's page of segments */
    struct blkback_limit  bytes, ops;
    struct os_timer       timer;
    struct os_event      *idle;
    uint64_t              requests, errors;
};

extern struct blkback *all_blkbacks;

int  blkback_start(void);                       /* registers with xenbus: existing devices are probed */
void blkback_stop(void);                        /* every device is let go of, its state left at Closed; sleeps */

/* ---- The kernel's glue ---- */
/* Opens what `params` ("/dev/nvme0n1p3") or physical ("103:3", hexadecimal) names, for sole use if write. why: the sentence for people. */
int  blkback_os_open(struct blkback_disk *disk, const char *params, const char *physical, bool write, char *why, size_t size);
void blkback_os_close(struct blkback_disk *disk, bool write);
void blkback_os_submit(struct blkback_disk *disk, struct blkback_io *io);
void blkback_os_kick(struct blkback_disk *disk);

#endif
