/* SPDX-License-Identifier: MIT */
/* pv_blk_flush.c: claim: what a guest was told is durable is durable (SPEC 11.6). The disk below blkback has a cache: a write that
 * it has completed is on the medium only when a flush was begun after that and has ended. Whenever the power goes, the medium holds
 * each sector as the guest had written it when it asked for a flush, or sent a durable write, that it was told has ended, or newer:
 * over flushes and barriers, disks that answer late and in any order, and restarts of the backend. A failure means that an
 * fsync in a guest is no promise.                                                                                */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hypercall-abi/errno.h"
#include "pv-drivers/blkback.h"
#include "pv-drivers/blkfront.h"
#include "tests/host/pv_fake.h"

#define PLACES  40                              /* each with one write at a time */
#define EACH    64u                             /* sectors of a place            */
#define FLUSHES 4
#define SECTORS (PLACES * EACH)

/* A sector is the number of the write that it was last written by. */
static uint64_t cache[SECTORS], medium[SECTORS];
static struct { uint64_t sector, number, when; } unflushed[100000];
static unsigned nunflushed, flushes;
static uint64_t now;                            /* completions of writes so far */
static struct blkback_io *queued[1024];
static unsigned nqueued;

/* ---- The disk ---- */

int blkback_os_open(struct blkback_disk *d, const char *params, const char *physical, bool write, char *why, size_t size)
{
    *d = (struct blkback_disk){ .sectors = SECTORS, .sector_size = 512, .physical_size = 4096, .flush = true };
    return 0;
}

void blkback_os_close(struct blkback_disk *d, bool write) { assert_int_equal(nqueued, 0); }
void blkback_os_kick(struct blkback_disk *d) { }

void blkback_os_submit(struct blkback_disk *d, struct blkback_io *io)
{
    io->os[0] = now;                            /* a flush is of what has ended by now, and of no more */
    queued[nqueued++] = io;
}

static void disk_write(struct blkback_io *io)
{
    uint64_t at = io->sector;
    now++;
    for (unsigned i = 0; i < io->nsegs; i++)
        for (unsigned n = 0; n < io->segs[i].len; n += PV_SECTOR, at++) {
            cache[at] = *(uint64_t *)((io->segs[i].frame << 12) + io->segs[i].offset + n);
            assert_true(nunflushed < 100000);
            unflushed[nunflushed].sector = at;
            unflushed[nunflushed].number = cache[at];
            unflushed[nunflushed++].when = now;
        }
    assert_int_equal(at, io->sector + io->count);
}

static void disk_flush(uint64_t until)
{
    unsigned left = 0;
    flushes++;
    for (unsigned i = 0; i < nunflushed; i++) {
        if (unflushed[i].when > until)
            unflushed[left++] = unflushed[i];
        else
            medium[unflushed[i].sector] = unflushed[i].number;
    }
    nunflushed = left;
}

static void disk_complete(unsigned n)
{
    while (n-- > 0 && nqueued) {
        unsigned i = (unsigned)rand() % nqueued;
        struct blkback_io *io = queued[i];
        queued[i] = queued[--nqueued];
        if (io->op == PV_BLK_WRITE)
            disk_write(io);
        else
            disk_flush(io->os[0]);
        io->status = 0;
        io->done(io);
    }
}

static void disk_idles(void) { disk_complete(3); }

/* ---- The guest ---- */

static struct blkfront *front;
static uint64_t written[SECTORS];               /* by writes that the guest was told have ended */
static uint64_t promised[SECTORS];
static uint64_t number;
static unsigned promises;

struct op {
    bool busy;
    struct blkfront_io io;
    struct pv_blk_seg segs[EACH];
    uint8_t *mem;
    uint64_t number;
    uint64_t then[SECTORS];                     /* a flush: what was written when it was asked for */
};
static struct op ops[PLACES + FLUSHES];

int  blkfront_os_attach(struct blkfront *f) { return front = f, 0; }
int  blkfront_os_detach(struct blkfront *f, bool force) { return 0; }
void blkfront_os_room(struct blkfront *f) { }

void blkfront_os_done(struct blkfront *f, void *token, int status)
{
    struct op *o = token;
    assert_true(o->busy);
    assert_int_equal(status, 0);
    o->busy = false;
    for (uint64_t s = o->io.sector; s < o->io.sector + o->io.count; s++) {
        written[s] = o->number;
        if (o->io.fua)
            promised[s] = o->number;
    }
    for (unsigned s = 0; s < SECTORS && o->io.op == PV_BLK_FLUSH; s++)
        if (promised[s] < o->then[s])
            promised[s] = o->then[s];
    promises += o->io.fua || o->io.op == PV_BLK_FLUSH;
}

static void start(struct op *o)
{
    unsigned place = (unsigned)(o - ops), at = 0;
    o->busy = true;
    o->number = ++number;
    o->io = (struct blkfront_io){ .op = PV_BLK_FLUSH, .segs = o->segs, .token = o };
    if (place >= PLACES) {
        memcpy(o->then, written, sizeof(written));
    } else {
        o->io.op = PV_BLK_WRITE;
        o->io.fua = rand() % 4 == 0;
        o->io.sector = place * EACH + (unsigned)rand() % (EACH / 2);
        o->io.nsegs = 1 + (unsigned)rand() % (rand() % 2 ? 4 : EACH / 2);       /* a sector a segment: long ones go as indirect, or as several */
        for (; at < o->io.nsegs; at++) {
            o->segs[at] = (struct pv_blk_seg){ .frame = os_frame(o->mem + at / 8 * 4096), .offset = at % 8 * 512, .len = 512 };
            *(uint64_t *)(o->mem + at * 512) = o->number;
        }
        o->io.count = at;
    }
    assert_true(blkfront_submit(front, &o->io));
}

static void start_some(void)
{
    for (unsigned i = 0; i < PLACES + FLUSHES; i++)
        if (!ops[i].busy && rand() % (i < PLACES ? 3 : 9) == 0)
            start(&ops[i]);
    blkfront_kick(front);
}

/* Were the power to go now, and all that the medium does not have with it. */
static void power_goes(void)
{
    for (unsigned s = 0; s < SECTORS; s++)
        if (medium[s] < promised[s])
            fail_msg("sector %u: write %lu is on the medium, %lu was promised", s, medium[s], promised[s]);
}

static void settle(void)
{
    bool busy = true;
    for (unsigned n = 0; busy; n++) {
        assert_true(n < 10000);
        fake_run();
        disk_complete(1000);
        fake_advance(30);
        busy = false;
        for (unsigned i = 0; i < PLACES + FLUSHES; i++)
            busy |= ops[i].busy;
        power_goes();
    }
}

static int setup(void **state)
{
    srand(7);
    memset(cache, 0, sizeof(cache));
    memset(medium, 0, sizeof(medium));
    memset(written, 0, sizeof(written));
    memset(promised, 0, sizeof(promised));
    nunflushed = flushes = promises = 0;
    for (unsigned i = 0; i < PLACES; i++)
        if (!ops[i].mem)
            ops[i].mem = aligned_alloc(4096, EACH * 512);
    fake_put("back", "params", "/dev/ram");
    fake_put("back", "mode", "w");
    fake_put("back", "online", "1");
    assert_int_equal(blkfront_boot(), 0);
    assert_int_equal(blkback_start(), 0);
    assert_int_equal(fake_plug(51712), 0);
    fake_run();
    assert_true(front->flush);
    return 0;
}

static int teardown(void **state)
{
    fake_idle = disk_idles;
    fake_reset();
    return fake_maps || fake_grants;
}

static void play(unsigned restarts)
{
    for (unsigned round = 0; round < 2000; round++) {
        start_some();
        if (rand() % 4)
            fake_run();
        disk_complete((unsigned)rand() % 30);
        power_goes();
        if (rand() % 2)
            fake_run();
        power_goes();
        if (restarts && rand() % restarts == 0) {
            fake_idle = disk_idles;
            start_some();                       /* on the ring, and never taken from it */
            blkback_stop();
            power_goes();
            assert_int_equal(blkback_start(), 0);
            fake_run();
            power_goes();
        }
    }
    settle();
    assert_true(promises > 1000);
    assert_memory_equal(cache, written, sizeof(cache));
}

/* ---- Claims ---- */

static void test_flush(void **state)
{
    play(0);
    assert_true(flushes >= promises);
}

static void test_restarts(void **state)
{
    play(10);
    assert_true(front->resubmitted > 100);
}

/* A frontend that knows barriers only. */
static void test_barriers(void **state)
{
    front->flush = false;
    front->barrier = true;
    play(0);
}

/* A barrier with data, as frontends of old sent: before it is answered, what was completed and it itself are on the medium. */
static void test_barrier_with_data(void **state)
{
    for (unsigned round = 0; round < 500; round++) {
        struct op *before = &ops[rand() % PLACES], *o = &ops[rand() % PLACES];
        start(before);
        blkfront_kick(front);
        settle();
        start(o);
        uint64_t prod = front->ring.req_prod_pvt;
        assert_true(prod != front->ring.sring->req_prod);
        struct blkif_request *r = &RING_SLOT(&front->ring, prod - 1)->req;
        if (r->operation != BLKIF_OP_WRITE) {
            blkfront_kick(front);
            settle();
            continue;
        }
        r->operation = BLKIF_OP_WRITE_BARRIER;
        uint64_t earlier = written[before->io.sector], place = before->io.sector;
        blkfront_kick(front);
        settle();
        assert_true(medium[place] >= earlier);
        assert_int_equal(medium[o->io.sector], o->number);
    }
}

int main(int argc, char **argv)
{
    cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = { T(test_flush), T(test_restarts), T(test_barriers), T(test_barrier_with_data) };
    return cmocka_run_group_tests(tests, 0, 0);
}
