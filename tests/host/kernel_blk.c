/* SPDX-License-Identifier: MIT */
/* Claim: a block request reaches its driver only in range and in pieces that fit, in whatever order they end, and a partition
 * table, however hostile, yields only partitions that lie on the disk. A failure would mean one partition writing another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/fs.h"

void *calloc(size_t n, size_t size);
void free(void *p);
long random(void);
void srandom(unsigned seed);
void abort(void) __attribute__((noreturn));
int vsnprintf(char *s, size_t n, const char *f, va_list ap);

/* ---- the kernel around it ---- */

static bool no_memory;
void *kmalloc(size_t n) { return no_memory ? 0 : calloc(1, n); }
void kfree(void *p) { free(p); }
void kprintf(const char *f, ...) { }
void panic(const char *f, ...) { abort(); }
int ksnprintf(char *b, size_t n, const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    int rc = vsnprintf(b, n, f, ap);
    va_end(ap);
    return rc;
}
int fs_make(const char *path, uint32_t mode, uint32_t rdev) { return 0; }
int path_parent(const char *path, struct inode **dir, char *name) { return -ENOENT; }
void inode_put(struct inode *i) { }
void block_inode_drop(struct blkdev *d) { }
void wait_init(struct wait_queue *q) { list_init(&q->waiters); }
void wake_all(struct wait_queue *q) { }
uint64_t plat_pfn_to_frame(uint64_t pfn) { return pfn + 1000; }

/* ---- a disk whose requests end when the test says so ---- */

#define SECTORS 4096ul
static uint8_t medium[SECTORS * BLK_SECTOR];
static struct list waiting = LIST_INIT(waiting);
static unsigned submitted, flushes, kicks, in_flight, most_in_flight;
static bool at_once, fail_one;
static struct blkdev disk;

static void transfer(struct blk_request *r)
{
    uint64_t at = r->sector * BLK_SECTOR;
    for (unsigned i = 0; i < r->nsegs; i++) {
        if (r->op == BLK_READ)
            memcpy(r->segs[i].va, medium + at, r->segs[i].len);
        else
            memcpy(medium + at, r->segs[i].va, r->segs[i].len);
        at += r->segs[i].len;
    }
}

static void complete(struct blk_request *r)
{
    in_flight--;
    r->status = fail_one ? -EIO : 0;
    fail_one = false;
    if (r->op == BLK_READ || r->op == BLK_WRITE)
        transfer(r);
    r->done(r);
}

static void fake_submit(struct blkdev *d, struct blk_request *r)
{
    uint64_t sum = 0;
    assert_ptr_equal(d, &disk);
    submitted++;
    in_flight++;
    most_in_flight = MAX(most_in_flight, in_flight);
    flushes += r->op == BLK_FLUSH;
    for (unsigned i = 0; i < r->nsegs; i++) {
        sum += r->segs[i].len / BLK_SECTOR;
        if (d->joined && i)
            assert_true(r->segs[i].offset == 0 && r->segs[i - 1].offset + r->segs[i - 1].len == PAGE_SIZE);
    }
    if (r->op == BLK_READ || r->op == BLK_WRITE) {
        assert_true(r->nsegs <= d->max_segs && sum <= d->max_sectors && sum == r->count);
        assert_true(r->sector + sum <= d->sectors);
        assert_true(r->sector % (d->logical / BLK_SECTOR) == 0 && sum % (d->logical / BLK_SECTOR) == 0);
    }
    list_append(&waiting, &r->link);
    if (at_once) {
        list_remove(&r->link);
        complete(r);
    }
}

static void fake_kick(struct blkdev *d) { kicks++; }

static const struct blkdev_ops fake_ops = { fake_submit, fake_kick, 0 };

/* One of those in flight ends, whichever chance says. */
static bool one_ends(void)
{
    unsigned n = 0, pick = in_flight ? random() % in_flight : 0;
    list_for (r, &waiting, struct blk_request, link)
        if (n++ == pick) {
            list_remove(&r->link);
            complete(r);
            return true;
        }
    return false;
}

int sleep_on(struct wait_queue *q, uint64_t deadline, bool interruptible)
{
    assert_true(one_ends());
    return 0;
}

static void disk_new(uint32_t logical, uint32_t segs, uint32_t sectors, bool joined)
{
    disk = (struct blkdev){ .name = "disk0", .sectors = SECTORS, .logical = logical, .max_segs = segs, .max_sectors = sectors,
                            .flush = true, .discard = true, .joined = joined, .ops = &fake_ops };
    submitted = flushes = kicks = in_flight = most_in_flight = 0;
    at_once = fail_one = no_memory = false;
    assert_int_equal(blk_register(&disk), 0);
}

static void disk_end(void)
{
    blk_unregister(&disk, true);
    assert_true(list_empty(&all_blkdevs));
    memset(medium, 0, sizeof(medium));
}

static unsigned ended;
static void on_done(struct blk_request *r) { ended++; }

static int run(struct blkdev *d, struct blk_request *r)
{
    r->done = on_done;
    ended = 0;
    blk_submit(d, r);
    blk_kick(d);
    while (!ended && one_ends())
        ;
    assert_int_equal(ended, 1);
    assert_int_equal(in_flight, 0);
    return r->status;
}

/* ---- requests ---- */

static uint8_t memory[64][PAGE_SIZE], copy[64][PAGE_SIZE];

/* Segments of random size over `pages`, n sectors in all. */
static unsigned random_segs(struct blk_seg *seg, uint8_t (*pages)[PAGE_SIZE], unsigned unit, uint64_t *count)
{
    unsigned n = 1 + random() % 60;
    *count = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t offset = random() % 3 ? 0 : random() % (PAGE_SIZE / unit) * unit;
        uint32_t len = random() % 3 ? PAGE_SIZE - offset : (1 + random() % ((PAGE_SIZE - offset) / unit)) * unit;
        seg[i] = (struct blk_seg){ i, offset, len, pages[i] + offset };
        *count += len / BLK_SECTOR;
    }
    return n;
}

static void cut(void **state)
{
    srandom(1);
    for (unsigned turn = 0; turn < 600; turn++) {
        struct blk_seg seg[64], back[64];
        uint32_t logical = turn % 5 ? 512 : 4096;
        uint64_t count;
        disk_new(logical, 1 + random() % 20, 8 + random() % 100 / 8 * 8, turn & 1);
        at_once = random() % 2;
        unsigned n = random_segs(seg, memory, logical, &count);
        uint64_t sector = random() % (SECTORS - 480) / 8 * 8;
        for (unsigned i = 0; i < n; i++)
            for (unsigned k = 0; k < PAGE_SIZE; k += 8)
                memory[i][k] = random();
        struct blk_request w = { .op = BLK_WRITE, .sector = sector, .segs = seg, .nsegs = n, .fua = turn % 3 == 0 };
        assert_int_equal(run(&disk, &w), 0);
        assert_true(most_in_flight <= 4);
        assert_int_equal(flushes, turn % 3 == 0);
        memcpy(back, seg, sizeof(back));
        for (unsigned i = 0; i < n; i++)
            back[i].va = copy[i] + back[i].offset;
        struct blk_request r = { .op = BLK_READ, .sector = sector, .segs = back, .nsegs = n };
        assert_int_equal(run(&disk, &r), 0);
        for (unsigned i = 0; i < n; i++)
            assert_memory_equal(back[i].va, seg[i].va, seg[i].len);
        fail_one = true;
        r.sector = sector;
        assert_int_equal(run(&disk, &r), -EIO);
        disk_end();
    }
}

static int status_of(struct blkdev *d, enum blk_op op, uint64_t sector, uint32_t offset, uint32_t len)
{
    struct blk_seg s = { 1, offset, len, memory[0] };
    struct blk_request r = { .op = op, .sector = sector, .segs = &s, .nsegs = 1, .count = len / 512 };
    return run(d, &r);
}

static void refused(void **state)
{
    disk_new(512, 4, 64, false);
    assert_int_equal(status_of(&disk, BLK_READ, SECTORS - 1, 0, 512), 0);
    assert_int_equal(status_of(&disk, BLK_READ, SECTORS - 1, 0, 1024), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_READ, SECTORS, 0, 512), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_READ, ~0ul, 0, 512), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_WRITE, 0, 3584, 1024), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_WRITE, 0, 0, 100), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_WRITE, 0, 100, 512), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_WRITE, 0, 0, 0), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_WRITE, 0, 0xfffffe00, 1024), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_DISCARD, SECTORS - 1, 0, 1024), -EINVAL);
    assert_int_equal(status_of(&disk, BLK_DISCARD, 5, 0, 1024), 0);
    assert_int_equal(status_of(&disk, BLK_FLUSH, 0, 0, 0), 0);
    disk.read_only = true;
    assert_int_equal(status_of(&disk, BLK_WRITE, 0, 0, 512), -EROFS);
    disk.discard = disk.read_only = false;
    assert_int_equal(status_of(&disk, BLK_DISCARD, 5, 0, 1024), -EOPNOTSUPP);
    disk.gone = true;
    assert_int_equal(status_of(&disk, BLK_READ, 0, 0, 512), -ENXIO);
    disk_end();
}

/* ---- partitions ---- */

static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

static void mbr_entry(uint64_t sector, unsigned i, uint8_t type, uint32_t first, uint32_t count)
{
    uint8_t *e = medium + sector * 512 + 446 + 16 * i;
    e[4] = type;
    put32(e + 8, first);
    put32(e + 12, count);
    medium[sector * 512 + 510] = 0x55;
    medium[sector * 512 + 511] = 0xaa;
}

static uint32_t crc(const uint8_t *p, size_t n)
{
    uint32_t c = ~0u;
    while (n--) {
        c ^= *p++;
        for (int i = 0; i < 8; i++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    }
    return ~c;
}

static void gpt_header(uint64_t lba, uint64_t entries, uint32_t unit)
{
    uint8_t *h = medium + lba * unit;
    memset(h, 0, 92);
    memcpy(h, "EFI PART", 8);
    put32(h + 8, 0x10000);
    put32(h + 12, 92);
    put64(h + 24, lba);
    put64(h + 40, 6);
    put64(h + 48, SECTORS * 512 / unit - 8);
    put64(h + 72, entries);
    put32(h + 80, 16);
    put32(h + 84, 128);
    put32(h + 88, crc(medium + entries * unit, 16 * 128));
    put32(h + 16, crc(h, 92));
}

static void gpt_entry(uint64_t entries, uint32_t unit, unsigned i, uint64_t first, uint64_t last)
{
    uint8_t *e = medium + entries * unit + 128 * i;
    e[0] = 1;
    put64(e + 32, first);
    put64(e + 40, last);
}

static struct blkdev *part(const char *name, uint64_t start, uint64_t sectors)
{
    struct blkdev *d = blk_find(name);
    assert_non_null(d);
    assert_int_equal(d->start, start);
    assert_int_equal(d->sectors, sectors);
    return d;
}

static void mbr_table(void **state)
{
    mbr_entry(0, 0, 0x83, 100, 200);
    mbr_entry(0, 1, 5, 1000, 1000);
    mbr_entry(0, 2, 0x83, 250, 100);                /* overlaps the first */
    mbr_entry(0, 3, 0x83, 4000, 97);                /* beyond the end */
    mbr_entry(1000, 0, 0x83, 10, 50);
    mbr_entry(1000, 1, 5, 100, 100);
    mbr_entry(1100, 0, 0x83, 10, 5000);             /* beyond the extended one */
    mbr_entry(1100, 1, 5, 200, 100);
    mbr_entry(1200, 0, 0x83, 10, 20);
    mbr_entry(1200, 1, 5, 100, 100);                /* back to 1100: a ring */
    disk_new(512, 4, 64, false);
    part("disk0p1", 100, 200);
    part("disk0p5", 1010, 50);
    part("disk0p7", 1210, 20);
    assert_null(blk_find("disk0p3"));
    assert_null(blk_find("disk0p4"));
    assert_null(blk_find("disk0p6"));
    assert_null(blk_find("disk0p8"));
    assert_int_equal(status_of(blk_find("disk0p1"), BLK_READ, 200, 0, 512), -EINVAL);
    memory[0][0] = 77;
    assert_int_equal(status_of(blk_find("disk0p1"), BLK_WRITE, 199, 0, 512), 0);
    assert_int_equal(medium[299 * 512], 77);
    disk_end();
}

static void gpt_table(void **state)
{
    for (uint32_t unit = 512; unit <= 4096; unit *= 8) {
        uint64_t last = SECTORS * 512 / unit - 1, m = unit / 512;
        mbr_entry(0, 0, 0xee, 1, 0xffffffff);
        gpt_entry(2, unit, 0, 10, 19);
        gpt_entry(2, unit, 2, 20, 29);
        gpt_entry(2, unit, 3, 25, 40);              /* overlaps */
        gpt_entry(2, unit, 4, 50, last);            /* over the backup */
        gpt_entry(2, unit, 5, 60, 59);
        gpt_entry(2, unit, 6, 0, ~0ul);
        memcpy(medium + (last - 6) * unit, medium + 2 * unit, 16 * 128);
        gpt_header(1, 2, unit);
        gpt_header(last, last - 6, unit);
        for (unsigned turn = 0; turn < 2; turn++) {
            disk_new(unit, 4, 64, false);
            part("disk0p1", 10 * m, 10 * m);
            part("disk0p3", 20 * m, 10 * m);
            for (unsigned i = 4; i < 8; i++) {
                char name[] = "disk0p0";
                name[6] = '0' + i;
                assert_null(blk_find(name));
            }
            blk_unregister(&disk, true);
            medium[unit + 60] ^= 1;                 /* the second time from the backup */
        }
        memset(medium, 0, sizeof(medium));
    }
}

/* Random damage to good tables: nothing but partitions on the disk, apart from each other, and an end. */
static void hostile_tables(void **state)
{
    srandom(2);
    for (unsigned turn = 0; turn < 600; turn++) {
        mbr_entry(0, 0, turn & 1 ? 0xee : 0x83, 1, 500);
        mbr_entry(0, 1, 5, 1000, 1000);
        for (unsigned i = 0; i < 20; i++)
            mbr_entry(1000 + i * 10, i & 1, random() % 2 ? 5 : 0x83, random() % 300, random() % 300);
        for (unsigned i = 0; i < 16; i++)
            gpt_entry(2, 512, i, random() % 5000, random() % 3 ? random() % 5000ul : ~0ul - random() % 3);
        gpt_header(1, 2, 512);
        if (turn % 4 > 1) {
            uint8_t *h = medium + 512;
            put32(h + 80, random() % 3 ? random() % 300 : ~0u);
            put32(h + 84, random() % 3 ? 128 + random() % 4096 : ~0u);
            if (random() % 2)
                put64(h + 72, random() % 3 ? random() % 5000ul : ~0ul - random() % 100);
            put32(h + 16, 0);
            put32(h + 16, crc(h, 92));
        } else {
            medium[random() % 512] ^= random();
        }
        disk_new(512, 4, 64, false);
        list_for (d, &all_blkdevs, struct blkdev, link) {
            assert_true(d->sectors && d->start < SECTORS && d->sectors <= SECTORS - d->start);
            list_for (e, &all_blkdevs, struct blkdev, link)
                assert_true(d == e || !d->whole || !e->whole || d->start >= e->start + e->sectors || e->start >= d->start + d->sectors);
        }
        disk_end();
    }
}

static void claims(void **state)
{
    mbr_entry(0, 0, 0x83, 100, 200);
    mbr_entry(0, 1, 0x83, 300, 200);
    disk_new(512, 4, 64, false);
    struct blkdev *a = blk_find("disk0p1"), *b = blk_find("disk0p2");
    assert_int_equal(blk_claim(a, true), 0);
    assert_int_equal(blk_claim(a, true), -EBUSY);
    assert_int_equal(blk_claim(a, false), -EBUSY);
    assert_int_equal(blk_claim(&disk, true), -EBUSY);
    assert_int_equal(blk_claim(&disk, false), -EBUSY);
    assert_int_equal(blk_claim(b, true), 0);
    assert_int_equal(blk_open(a, true), -EBUSY);
    assert_int_equal(blk_open(a, false), 0);
    assert_int_equal(blk_unregister(&disk, false), -EBUSY);
    blk_close(a, false);
    blk_release(a, true);
    blk_release(b, true);
    assert_int_equal(blk_claim(&disk, false), 0);
    assert_int_equal(blk_claim(a, false), 0);
    assert_int_equal(blk_claim(a, true), -EBUSY);
    assert_int_equal(blk_open(b, true), -EBUSY);
    assert_int_equal(blk_rescan(&disk), -EBUSY);
    blk_unregister(&disk, true);
    assert_int_equal(status_of(a, BLK_READ, 0, 0, 512), -ENXIO);
    assert_int_equal(blk_claim(a, false), -ENXIO);
    blk_release(a, false);                          /* frees it: ASan watches */
    blk_release(&disk, false);
    disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut), cmocka_unit_test(refused), cmocka_unit_test(mbr_table),
        cmocka_unit_test(gpt_table), cmocka_unit_test(hostile_tables), cmocka_unit_test(claims),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
