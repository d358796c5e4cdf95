/* SPDX-License-Identifier: MIT */
/* blk.h: block devices: a disk, a partition, an image file, a frontend's virtual disk.
 *
 * A request names sectors of 512 bytes and pieces of memory, and ends by a call of its `done`. blk.c stands between those who
 * ask (the page cache, /dev/NAME, swap, the block backend) and the drivers: it checks ranges, adds a partition's
 * start, and cuts a request that is too large for a driver. A driver therefore sees only requests that fit its limits.
 *
 * Memory is named by machine frame, so that a backend may hand another domain's page straight to a DMA engine; `va` is where
 * the kernel sees the piece, and null when it does not (then the device must not have needs_va).                 */
#ifndef NOVICE_BLK_H
#define NOVICE_BLK_H

#include "guest-kernel/kernel/base.h"
#include "guest-kernel/kernel/file.h"
#include "guest-kernel/kernel/wait.h"

#define BLK_SECTOR       512ul
#define BLK_SECTOR_SHIFT 9

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD };

struct blk_seg {
    uint64_t frame;                /* the machine's number of the page           */
    uint32_t offset, len;          /* bytes within it; both multiples of 512, offset + len <= PAGE_SIZE */
    void    *va;                   /* of the piece itself (offset added), or null */
};

struct blkdev;
struct blk_request {
    struct list      link;         /* the driver's while the request is in flight */
    enum blk_op      op;
    bool             fua;          /* a write that is durable when it is done    */
    uint64_t         sector;       /* first; of the device submitted to. blk_submit makes it the disk's: set it anew to submit again */
    uint64_t         count;        /* sectors: of discard; for read and write the sum of the segments */
    struct blk_seg  *segs;         /* the submitter's until done                 */
    unsigned         nsegs;
    int              status;       /* at done: 0, -EIO, -EROFS, -EINVAL (range), -ENXIO (device gone), -EOPNOTSUPP */
    void           (*done)(struct blk_request *r);   /* may be called inside blk_submit or from an upcall; must not sleep */
    void            *private;      /* the submitter's                            */
    struct blkdev   *dev;          /* blk.c's: where it went                     */
    uint64_t         driver[4];    /* the driver's while in flight               */
};

struct blkdev_ops {
    /* Starts r, or queues it in the driver's own list: never fails at once otherwise than by r->done. Does not sleep. */
    void (*submit)(struct blkdev *d, struct blk_request *r);
    /* No more requests of this batch: ring the doorbell now. Null: submit did. */
    void (*kick)(struct blkdev *d);
    /* After blk_unregister, once nobody has d open or claimed any more: its memory is the driver's again. Null: d stays for ever. */
    void (*release)(struct blkdev *d);
};

struct blkdev {
    struct list              link;
    char                     name[24];      /* "nvme0n1", "nvme0n1p2", "xvda", "loop0" */
    uint64_t                 sectors;       /* of 512 bytes                      */
    uint32_t                 logical, physical;   /* sector sizes, bytes         */
    uint32_t                 max_segs, max_sectors;   /* of one request; never 0 */
    bool                     read_only, flush, discard, needs_va, gone;
    bool                     fua;           /* the driver does fua writes itself; else blk.c adds a flush */
    bool                     joined;        /* the driver wants a request's pieces to meet at page ends only (NVMe's page lists) */
    const struct blkdev_ops *ops;
    void                    *private;       /* the driver's                      */
    struct blkdev           *whole;         /* of a partition: the disk, else null */
    uint64_t                 start;         /* of a partition                    */
    unsigned                 readers;       /* shared claims; see blk_claim      */
    unsigned                 opens, writers;     /* of /dev/NAME; for writing    */
    bool                     claimed;       /* somebody writes and wants nobody else to */
    uint64_t                 stat_reads, stat_writes, stat_read_sectors, stat_write_sectors;
    uint32_t                 rdev;
    struct inode            *inode;         /* its page cache: fs reads metadata through it */
};

/* Makes d known: /dev/NAME (S_IFBLK), then its partitions (GPT, MBR with logical ones), each a blkdev of its own. May sleep. The driver filled
 * in all above `private`. 0 or -errno. */
int  blk_register(struct blkdev *d);
/* Ends it: new requests fail with -ENXIO; partitions go too. The driver has ended those in flight. -EBUSY while claimed or
 * open, unless force. */
int  blk_unregister(struct blkdev *d, bool force);
struct blkdev *blk_find(const char *name);                 /* without "/dev/" */
struct blkdev *blk_of_rdev(uint32_t rdev);
extern struct list all_blkdevs;
/* Sole use for writing (a mount, swap, a backend), or shared use for reading: -EBUSY if it, its disk or one of its partitions
 * is in use so that the two do not agree; -EROFS. */
int  blk_claim(struct blkdev *d, bool write);
void blk_release(struct blkdev *d, bool write);

/* Reads the partition table again; -EBUSY while a partition is in use. May sleep. */
int  blk_rescan(struct blkdev *d);

/* Starts r (op, sector, segs, nsegs, done set; count too for discard). blk_kick after the last of a batch. A request of any
 * size: blk.c cuts it. Drivers end a request by r->status = ..., r->done(r), after which it is not theirs to touch. */
void blk_submit(struct blkdev *d, struct blk_request *r);
void blk_kick(struct blkdev *d);
/* Sleeping ones, for kernel memory in the direct map (n a multiple of 512): 0 or -errno. */
int  blk_rw(struct blkdev *d, enum blk_op op, uint64_t sector, void *buf, size_t n);
int  blk_flush(struct blkdev *d);
/* blk_file.c: what an open of a block-special file gets. */
extern const struct file_ops block_file_ops;
/* For such opens: counts them; -EBUSY for writing what somebody has claimed, -EROFS, -ENXIO. */
int  blk_open(struct blkdev *d, bool write);
void blk_close(struct blkdev *d, bool write);

/* blk_measure.c: ioctl BLKMEASURE. */
long blk_measure(struct blkdev *d, bool may_write, uptr_t arg);

/* blk_split.c: cuts r, already the disk's and in range, into requests that the driver takes. */
bool blk_fits(const struct blkdev *disk, const struct blk_request *r);
void blk_split(struct blkdev *disk, struct blk_request *r);

/* blk_part.c: pure. read: 512-byte sectors of the disk into buf, 0 or -errno. Returns how many partitions it wrote to out. */
struct blk_part { unsigned number; uint64_t start, sectors; };
struct blk_part_source {
    int    (*read)(void *ctx, uint64_t sector, void *buf, size_t n);
    void    *ctx;
    uint64_t sectors;              /* of 512 bytes */
    uint32_t logical;
};
#define BLK_PARTS_MAX 64
int  blk_part_scan(const struct blk_part_source *s, struct blk_part *out, unsigned max);

#endif
