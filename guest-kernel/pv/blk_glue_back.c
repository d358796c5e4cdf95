/* SPDX-License-Identifier: MIT */
/* blk_glue_back.c: any block device of ours as the disk that blkback offers to a guest. */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/pv/backend_control.h"
#include "guest-kernel/pv/blk_glue.h"
#include "guest-kernel/pv/cpu.h"
#include "pv-drivers/blkback.h"
#include "pv-drivers/blkfront.h"

#define ANSWER_MS 300
#define DISKS_MS  10000
#define LOOK_MS   5

_Static_assert(sizeof(struct blk_request) <= sizeof(((struct blkback_io *)0)->os), "the kernel's request fits in blkback's");

/* "103:3", in hexadecimal, as the toolstack writes it. */
static struct blkdev *find_by_number(const char *text)
{
    char major[24] = "0x", minor[24] = "0x";
    const char *end, *colon = strchr(text, ':');
    if (!colon)
        return 0;
    strlcpy(major + 2, text, MIN(sizeof(major) - 2, (size_t)(colon - text) + 1));
    strlcpy(minor + 2, colon + 1, sizeof(minor) - 2);
    return blk_of_rdev(MAKEDEV(parse_number(major, &end), parse_number(minor, &end)));
}

int blkback_os_open(struct blkback_disk *disk, const char *params, const char *physical, bool write, char *why, size_t size)
{
    const char *name = strncmp(params, "/dev/", 5) == 0 ? params + 5 : params;
    struct blkdev *d = blk_find(name);
    if (!d && physical[0])
        d = find_by_number(physical);
    if (!d) {
        ksnprintf(why, size, "there is no block device %s", params[0] ? params : physical);
        return -ENODEV;
    }
    int rc = blk_claim(d, write);
    if (rc == -EBUSY)
        ksnprintf(why, size, "/dev/%s is in use (mounted, swap, or %s): free it or name another", d->name, write ? "a disk of a running domain" : "written by a running domain");
    else if (rc == -EROFS)
        ksnprintf(why, size, "/dev/%s is read-only, and the disk is to be written", d->name);
    else if (rc)
        ksnprintf(why, size, "/dev/%s cannot be opened: error %d", d->name, -rc);
    if (rc)
        return rc;
    *disk = (struct blkback_disk){ .sectors = d->sectors, .sector_size = d->logical, .physical_size = d->physical, .read_only = d->read_only,
                                   .flush = true, .discard = d->discard, .needs_va = d->needs_va, .os = d };
    return 0;
}

void blkback_os_close(struct blkback_disk *disk, bool write) { blk_release(disk->os, write); }

static void request_done(struct blk_request *r)
{
    struct blkback_io *io = container_of((void *)r, struct blkback_io, os);
    io->status = r->status;
    io->done(io);
}

void blkback_os_submit(struct blkback_disk *disk, struct blkback_io *io)
{
    struct blk_request *r = (void *)io->os;
    *r = (struct blk_request){ .op = (enum blk_op)io->op, .fua = io->fua, .sector = io->sector, .count = io->count,
                               .segs = (struct blk_seg *)io->segs, .nsegs = io->nsegs, .done = request_done };
    blk_submit(disk->os, r);
}

void blkback_os_kick(struct blkback_disk *disk) { blk_kick(disk->os); }

static unsigned count(void)
{
    unsigned n = 0;
    for (struct blkback *b = all_blkbacks; b; b = b->next)
        n++;
    return n;
}

/* ---- A guest's start: its disks are to be there when its first program looks ---- */

static struct { bool answered; int disks; } at_start;

static void count_disks(void *arg)
{
    char names[512];
    at_start.disks = store_list(0, "device/vbd", names, sizeof(names));
    at_start.answered = true;
}

static bool all_attached(void)
{
    int n = 0;
    for (struct blkfront *f = all_blkfronts; f; f = f->next)
        n += f->attached;
    return n >= at_start.disks;
}

/* Briefly until the store answers (a domain made by GRUB starts before xenstored), longer until the disks that it tells of have come. */
void pv_blk_settle(void)
{
    if (!pv_store_mfn || pv_is_dom0() || os_thread("blk-settle", count_disks, 0))
        return;
    for (unsigned ms = 0; !at_start.answered && ms < ANSWER_MS; ms += LOOK_MS)
        os_sleep_ms(LOOK_MS);
    for (unsigned ms = 0; at_start.answered && !all_attached() && ms < DISKS_MS; ms += LOOK_MS)
        os_sleep_ms(LOOK_MS);
    if (at_start.answered && !all_attached())
        kprintf("novice: not all of the %d virtual disks have come; going on without\n", at_start.disks);
}

void pv_blk_boot(void)
{
    if (!pv_store_mfn && !pv_is_dom0())
        return;                                     /* no store: nobody tells of disks */
    int rc = blkfront_boot();
    if (rc == 0 && pv_is_dom0()) {
        rc = blkback_start();
        backend_control_add("vbd", blkback_start, blkback_stop, count);
    }
    if (rc)
        kprintf("novice: no virtual disks: error %d\n", -rc);
}
