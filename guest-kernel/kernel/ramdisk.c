/* SPDX-License-Identifier: MIT */
/* ramdisk.c: a block device in memory, for tests: `ramdisk=MIB` on the boot line makes /dev/ram0.
 *
 * Requests end a timer's tick after they were made, as a disk's do: who asks has really slept.                    */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/cmdline.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/ramdisk.h"
#include "guest-kernel/kernel/timer.h"

#define CHUNK_ORDER 6
#define CHUNK       (PAGE_SIZE << CHUNK_ORDER)
#define DELAY_NS    (50 * 1000ul)

static struct {
    struct blkdev dev;
    char        **chunk;
    struct list   queue;
    struct timer  timer;
} rd;

static void move(const struct blk_request *r)
{
    uint64_t at = r->sector * BLK_SECTOR;
    for (unsigned i = 0; i < r->nsegs; i++)
        for (uint32_t done = 0; done < r->segs[i].len; done += BLK_SECTOR, at += BLK_SECTOR) {
            char *mem = (char *)r->segs[i].va + done, *disk = rd.chunk[at / CHUNK] + at % CHUNK;
            memcpy(r->op == BLK_READ ? mem : disk, r->op == BLK_READ ? disk : mem, BLK_SECTOR);
        }
}

static void tick(struct timer *t)
{
    struct list done = LIST_INIT(done);
    list_for (r, &rd.queue, struct blk_request, link) {
        list_remove(&r->link);
        list_append(&done, &r->link);
    }
    list_for (r, &done, struct blk_request, link) {
        list_remove(&r->link);
        if (r->op == BLK_READ || r->op == BLK_WRITE)
            move(r);
        r->status = 0;
        r->done(r);
    }
}

static void submit(struct blkdev *d, struct blk_request *r)
{
    list_append(&rd.queue, &r->link);
    timer_set(&rd.timer, plat_clock_ns() + DELAY_NS);
}

static const struct blkdev_ops ops = { .submit = submit };

void ramdisk_boot(void)
{
    char word[16];
    if (!cmdline_value("ramdisk", word, sizeof(word)))
        return;
    uint64_t size = parse_number(word, 0) << 20, chunks = size / CHUNK;
    rd.chunk = chunks && chunks < 4096 ? kmalloc(chunks * sizeof(*rd.chunk)) : 0;
    for (uint64_t i = 0; rd.chunk && i < chunks; i++)
        if (!(rd.chunk[i] = pages_alloc(CHUNK_ORDER))) {
            kprintf("novice: no memory for ramdisk=%s\n", word);
            return;
        }
    if (!rd.chunk)
        return;
    list_init(&rd.queue);
    timer_init(&rd.timer, tick);
    rd.dev = (struct blkdev){ .name = "ram0", .sectors = size / BLK_SECTOR, .logical = BLK_SECTOR, .physical = PAGE_SIZE, .max_segs = 64,
                              .max_sectors = 512, .flush = true, .needs_va = true, .ops = &ops };
    int rc = blk_register(&rd.dev);
    if (rc)
        kprintf("novice: ramdisk=%s: error %d\n", word, -rc);
}
