/* SPDX-License-Identifier: MIT */
/* blk_file.c: /dev/NAME of a block device: opens, and questions by ioctl. Its contents are blk_data.c's: cached (durable after
 * fsync or an ioctl BLKFLSBUF), or with O_DIRECT not. */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/blk_data.h"
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/uapi/blkmeasure.h"

/* Linux's numbers. */
#define BLKROGET     0x125e
#define BLKRRPART    0x125f
#define BLKGETSIZE   0x1260
#define BLKFLSBUF    0x1261
#define BLKSSZGET    0x1268
#define BLKDISCARD   0x1277
#define BLKGETSIZE64 0x80081272

static bool for_writing(const struct file *f) { return (f->flags & O_ACCMODE) != O_RDONLY; }

static int block_open(struct file *f)
{
    struct blkdev *d = blk_of_rdev(f->inode->rdev);
    int rc = d ? blk_open(d, for_writing(f)) : -ENXIO;
    if (rc)
        return rc;
    struct inode *i = block_inode(d);
    if (!i) {
        blk_close(d, for_writing(f));
        return -ENOMEM;
    }
    inode_get(i);
    inode_put(f->inode);
    f->inode = i;                                   /* the device's own, whatever node led here */
    f->private = d;
    return 0;
}

static void block_close(struct file *f)
{
    if (for_writing(f))
        cache_write_back(f->inode->cache, true);    /* who opens it next, or mounts it, finds it on the device */
    struct blkdev *d = f->private;
    if (d->opens == 1)                              /* and who writes past this cache next does so unseen */
        cache_drop(f->inode->cache, 0, ~0ul & ~(PAGE_SIZE - 1));
    inode_put(f->inode);
    f->inode = 0;                                   /* before the device goes, if this was its last user */
    blk_close(d, for_writing(f));
}

struct discard {
    struct blk_request request;
    struct wait_queue  queue;
    bool               done;
};

static void discard_done(struct blk_request *r)
{
    struct discard *s = container_of(r, struct discard, request);
    s->done = true;
    wake_all(&s->queue);
}

static long discard(struct file *f, uptr_t arg)
{
    struct blkdev *d = f->private;
    uint64_t range[2];                              /* bytes: from, how many */
    if (!for_writing(f))
        return -EBADF;
    if (copy_from_user(range, arg, sizeof(range)))
        return -EFAULT;
    if ((range[0] | range[1]) % d->logical)
        return -EINVAL;
    struct discard s = { .request = { .op = BLK_DISCARD, .sector = range[0] >> BLK_SECTOR_SHIFT,
                                      .count = range[1] >> BLK_SECTOR_SHIFT, .done = discard_done } };
    cache_drop(f->inode->cache, range[0], range[0] + range[1]);
    wait_init(&s.queue);
    blk_submit(d, &s.request);
    blk_kick(d);
    wait_event_always(&s.queue, s.done);
    return s.request.status;
}

static long block_ioctl(struct file *f, unsigned long cmd, uptr_t arg)
{
    struct blkdev *d = f->private;
    uint64_t bytes = d->sectors << BLK_SECTOR_SHIFT;
    int number;
    switch (cmd) {
    case BLKGETSIZE64:
        return copy_to_user(arg, &bytes, sizeof(bytes)) ? -EFAULT : 0;
    case BLKGETSIZE:
        return copy_to_user(arg, &d->sectors, sizeof(d->sectors)) ? -EFAULT : 0;
    case BLKSSZGET:
    case BLKROGET:
        number = cmd == BLKSSZGET ? (int)d->logical : d->read_only;
        return copy_to_user(arg, &number, sizeof(number)) ? -EFAULT : 0;
    case BLKFLSBUF:
        return inode_fsync(f->inode, true);
    case BLKDISCARD:
        return discard(f, arg);
    case BLKMEASURE:
        return blk_measure(d, for_writing(f), arg);
    case BLKRRPART:
        return blk_rescan(d);
    default:
        return -ENOTTY;
    }
}

const struct file_ops block_file_ops = {
    .open = block_open, .close = block_close, .read = block_data_read, .write = block_data_write, .ioctl = block_ioctl,
};
