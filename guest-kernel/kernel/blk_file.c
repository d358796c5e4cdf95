/* SPDX-License-Identifier: MIT */
/* blk_file.c: /dev/NAME of a block device, read and written as a file.
 *
 * Directly, through a bounce buffer, without a cache: what a program wrote is on the device when write returns (and durable
 * after an ioctl BLKFLSBUF). A piece that is not of whole sectors is read, changed and written back.               */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"

#define BOUNCE_ORDER 4
#define BOUNCE       (PAGE_SIZE << BOUNCE_ORDER)

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
    f->private = d;
    f->inode->size = d->sectors << BLK_SECTOR_SHIFT;
    return 0;
}

static void block_close(struct file *f)
{
    if (f->private)
        blk_close(f->private, for_writing(f));
}

/* One bounce buffer's worth: how many bytes, or -errno. */
static long piece(struct blkdev *d, char *bounce, uptr_t buf, size_t n, uint64_t pos, bool write)
{
    uint64_t first = ROUND_DOWN(pos, (uint64_t)d->logical);
    n = MIN(n, BOUNCE - (pos - first));
    uint64_t end = ROUND_UP(pos + n, (uint64_t)d->logical);
    uint64_t sector = first >> BLK_SECTOR_SHIFT;
    size_t size = end - first;
    bool whole = pos == first && pos + n == end;
    int rc = !write || !whole ? blk_rw(d, BLK_READ, sector, bounce, size) : 0;
    if (rc)
        return rc;
    if (!write)
        return copy_to_user(buf, bounce + (pos - first), n) ? -EFAULT : (long)n;
    if (copy_from_user(bounce + (pos - first), buf, n))
        return -EFAULT;
    rc = blk_rw(d, BLK_WRITE, sector, bounce, size);
    return rc ? rc : (long)n;
}

static long transfer(struct file *f, uptr_t buf, size_t n, uint64_t *pos, bool write)
{
    struct blkdev *d = f->private;
    uint64_t size = d->sectors << BLK_SECTOR_SHIFT;
    char *bounce = pages_alloc_raw(BOUNCE_ORDER);
    size_t done = 0;
    long rc = bounce ? 0 : -ENOMEM;
    if (write && n && *pos >= size)
        rc = -ENOSPC;
    while (rc >= 0 && done < n && *pos < size && !(done && signal_waiting(current))) {
        rc = piece(d, bounce, buf + done, MIN(n - done, size - *pos), *pos, write);
        if (rc < 0)
            break;
        done += rc;
        *pos += rc;
    }
    if (bounce)
        pages_free(bounce);
    return done ? (long)done : MIN(rc, 0);
}

static long block_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return transfer(f, buf, n, pos, false); }
static long block_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return transfer(f, buf, n, pos, true); }

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
        return blk_flush(d);
    case BLKDISCARD:
        return discard(f, arg);
    case BLKRRPART:
        return blk_rescan(d);
    default:
        return -ENOTTY;
    }
}

const struct file_ops block_file_ops = {
    .open = block_open, .close = block_close, .read = block_read, .write = block_write, .ioctl = block_ioctl,
};
