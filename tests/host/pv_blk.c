/* SPDX-License-Identifier: MIT */
/* pv_blk.c: claim: blkfront and blkback (SPEC 11.6) carry every byte to its place, with many requests in flight, over restarts of the
 * backend at any moment; and a frontend that writes anything at all into its ring makes the backend touch nothing outside the disk,
 * leaves no grant mapped, and gets an answer of which every bit was meant for it. A failure of the first loses a guest's
 * data; of the second, it is a way into dom0.                                                                    */
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

#define SECTORS 16384u                          /* 8 MiB */
#define OPS     100                             /* of ours, under way at once */

static uint8_t disk[SECTORS * PV_SECTOR], model[SECTORS * PV_SECTOR];
static bool disk_read_only, disk_lazy, disk_needs_va, disk_fails;
static bool polite;                             /* a frontend of our own that is, to which an event completes nothing */
static unsigned disk_flushes, disk_discards, disk_writes;
static struct blkback_io *queued[1024];
static unsigned nqueued;

/* ---- The backend's disk ---- */

int blkback_os_open(struct blkback_disk *d, const char *params, const char *physical, bool write, char *why, size_t size)
{
    if (strcmp(params, "/dev/busy") == 0) {
        strcpy(why, "/dev/busy is in use");
        return -XEN_EBUSY;
    }
    *d = (struct blkback_disk){ .sectors = SECTORS, .sector_size = 512, .physical_size = 4096, .read_only = disk_read_only, .flush = true,
                                .discard = true, .needs_va = disk_needs_va };
    return 0;
}

void blkback_os_close(struct blkback_disk *d, bool write) { assert_int_equal(nqueued, 0); }

static void carry_out(struct blkback_io *io)
{
    uint64_t at = io->sector * PV_SECTOR, n = 0;
    assert_true(io->sector <= SECTORS && io->count <= SECTORS - io->sector);
    assert_false(disk_read_only && (io->op == PV_BLK_WRITE || io->op == PV_BLK_DISCARD));
    for (unsigned i = 0; i < io->nsegs; i++) {
        struct pv_blk_seg *s = &io->segs[i];
        assert_true(s->len && s->len % 512 == 0 && s->offset % 512 == 0 && s->offset + s->len <= 4096);
        assert_true(disk_needs_va ? s->va == (void *)((s->frame << 12) + s->offset) : !s->va);
        void *mem = (void *)((s->frame << 12) + s->offset);
        memcpy(io->op == PV_BLK_WRITE ? (void *)(disk + at + n) : mem, io->op == PV_BLK_WRITE ? mem : (void *)(disk + at + n), s->len);
        n += s->len;
    }
    assert_true(io->op > PV_BLK_WRITE || n == io->count * PV_SECTOR);
    disk_flushes += io->op == PV_BLK_FLUSH;
    disk_writes += io->op == PV_BLK_WRITE;
    if (io->op == PV_BLK_DISCARD) {
        disk_discards++;
        memset(disk + at, 0, io->count * PV_SECTOR);
    }
    io->status = disk_fails ? -XEN_EIO : 0;
    io->done(io);
}

void blkback_os_submit(struct blkback_disk *d, struct blkback_io *io)
{
    if (disk_lazy)
        queued[nqueued++] = io;
    else
        carry_out(io);
}

void blkback_os_kick(struct blkback_disk *d) { }

static void disk_complete(unsigned n)
{
    while (n-- > 0 && nqueued) {
        unsigned i = (unsigned)rand() % nqueued;
        struct blkback_io *io = queued[i];
        queued[i] = queued[--nqueued];
        carry_out(io);
    }
}

static void disk_idles(void) { disk_complete(3); }

/* ---- The frontend's users ---- */

struct op {
    bool busy;
    struct blkfront_io io;
    struct pv_blk_seg segs[600];
    uint8_t *mem;                               /* 600 pages */
};
static struct op ops[OPS];
static struct blkfront *front;
static unsigned completed, failed, attached, detached;
static bool front_busy;

int blkfront_os_attach(struct blkfront *f) { return attached++, front = f, 0; }

int blkfront_os_detach(struct blkfront *f, bool force)
{
    if (front_busy && !force)
        return -XEN_EBUSY;
    detached++;
    return 0;
}

void blkfront_os_room(struct blkfront *f) { }

void blkfront_os_done(struct blkfront *f, void *token, int status)
{
    struct op *o = token;
    assert_true(o->busy);
    o->busy = false;
    completed++;
    if (status) {
        failed++;
        return;
    }
    uint64_t at = o->io.sector * PV_SECTOR;
    for (unsigned i = 0; i < o->io.nsegs && o->io.op == PV_BLK_READ; i++) {
        assert_memory_equal((uint8_t *)(o->segs[i].frame << 12) + o->segs[i].offset, model + at, o->segs[i].len);
        at += o->segs[i].len;
    }
}

/* Each op has its own stretch of the disk, so that order does not matter. */
static void start(struct op *o, enum pv_blk_op op, unsigned max_segs)
{
    unsigned index = (unsigned)(o - ops);
    uint64_t lo = SECTORS / OPS * index, room = SECTORS / OPS, at = 0;
    unsigned n = 1 + (unsigned)rand() % max_segs;
    o->io = (struct blkfront_io){ .op = op, .sector = lo, .segs = o->segs, .token = o, .fua = op == PV_BLK_WRITE && rand() % 8 == 0 };
    for (unsigned i = 0; i < n && at < room && op <= PV_BLK_WRITE; i++) {
        unsigned first = (unsigned)rand() % 8, len = 1 + (unsigned)rand() % (8 - first);
        len = len < room - at ? len : (unsigned)(room - at);
        o->segs[i] = (struct pv_blk_seg){ .frame = os_frame(o->mem + i * 4096), .offset = first * 512, .len = len * 512 };
        o->io.nsegs = i + 1;
        if (op == PV_BLK_WRITE) {
            for (unsigned b = 0; b < len * 512; b++)
                o->mem[i * 4096 + first * 512 + b] = (uint8_t)rand();
            memcpy(model + (lo + at) * 512, o->mem + i * 4096 + first * 512, len * 512);
        }
        at += len;
    }
    o->io.count = at;
    if (op == PV_BLK_DISCARD) {
        o->io.count = 8;
        memset(model + lo * 512, 0, 8 * 512);
    }
    o->busy = true;
    assert_true(blkfront_submit(front, &o->io));
}

static void start_some(unsigned max_segs)
{
    for (unsigned i = 0; i < OPS; i++)
        if (!ops[i].busy && rand() % 3 == 0)
            start(&ops[i], rand() % 16 ? (enum pv_blk_op)(rand() % 2) : rand() % 2 ? PV_BLK_FLUSH : PV_BLK_DISCARD, max_segs);
    blkfront_kick(front);
}

static void settle(void)
{
    for (unsigned n = 0; n < 10000; n++) {
        fake_run();
        disk_complete(1000);
        fake_advance(30);
        bool busy = false;
        for (unsigned i = 0; i < OPS; i++)
            busy |= ops[i].busy;
        if (!busy)
            return;
    }
    fail_msg("requests that never end");
}

static int setup(void **state)
{
    srand(7);
    polite = disk_read_only = disk_lazy = disk_needs_va = disk_fails = front_busy = false;
    disk_flushes = disk_discards = disk_writes = completed = failed = attached = detached = 0;
    memset(disk, 0, sizeof(disk));
    memset(model, 0, sizeof(model));
    for (unsigned i = 0; i < OPS; i++)
        if (!ops[i].mem)
            ops[i].mem = aligned_alloc(4096, 600 * 4096);
    fake_put("back", "params", "/dev/ram");
    fake_put("back", "mode", "w");
    fake_put("back", "online", "1");
    return 0;
}

static int teardown(void **state)
{
    fake_idle = disk_idles;
    fake_reset();
    assert_int_equal(fake_maps, 0);
    assert_int_equal(fake_grants, 0);
    return 0;
}

static void plug(void)
{
    assert_int_equal(blkfront_boot(), 0);
    assert_int_equal(blkback_start(), 0);
    assert_int_equal(fake_plug(51712), 0);
    fake_run();
}

/* ---- Claims ---- */

static void test_data(void **state)
{
    plug();
    assert_int_equal(fake_front.state, XenbusStateConnected);
    assert_int_equal(fake_back.state, XenbusStateConnected);
    assert_int_equal(front->sectors, SECTORS);
    assert_int_equal(front->ring.nr_ents, 128);
    for (int round = 0; round < 300; round++) {
        disk_lazy = rand() % 4;
        start_some(round % 3 ? 3 : round % 2 ? 40 : 600);
        fake_run();
        disk_complete((unsigned)rand() % 60);
        fake_run();
    }
    settle();
    assert_int_equal(failed, 0);
    assert_memory_equal(disk, model, sizeof(disk));
    assert_true(disk_flushes > 10 && disk_discards > 10);
    assert_true(fake_sends < 2 * completed);
}

static void test_with_addresses(void **state)
{
    disk_needs_va = true;
    test_data(state);
}

static void test_few_grants(void **state)
{
    plug();
    fake_grant_limit = fake_grants + 300;
    for (int round = 0; round < 30; round++)
        start_some(250);
    settle();
    assert_int_equal(failed, 0);
    assert_memory_equal(disk, model, sizeof(disk));
}

static void test_restarts(void **state)
{
    plug();
    disk_lazy = true;
    fake_idle = disk_idles;
    for (int round = 0; round < 200; round++) {
        start_some(round % 2 ? 30 : 300);
        if (rand() % 2)
            fake_run();
        disk_complete((unsigned)rand() % 20);
        blkback_stop();
        assert_int_equal(fake_maps, 0);
        if (rand() % 2)
            fake_run();                          /* else the frontend never sees Closed */
        assert_int_equal(blkback_start(), 0);
        if (rand() % 2)
            start_some(20);
        fake_run();
        assert_int_equal(fake_back.state, XenbusStateConnected);
    }
    settle();
    assert_int_equal(failed, 0);
    assert_int_equal(attached, 1);
    assert_true(front->resubmitted > 100);
    assert_memory_equal(disk, model, sizeof(disk));
}

static void test_errors_are_told(void **state)
{
    disk_read_only = true;
    plug();
    assert_true(front->read_only);
    start(&ops[0], PV_BLK_WRITE, 3);
    start(&ops[1], PV_BLK_WRITE, 100);
    blkfront_kick(front);
    settle();
    assert_int_equal(failed, 2);
    disk_fails = true;
    start(&ops[0], PV_BLK_READ, 3);
    blkfront_kick(front);
    settle();
    assert_int_equal(failed, 3);
}

static void test_detach(void **state)
{
    plug();
    fake_put("back", "online", "0");
    fake_back.state = XenbusStateClosing;
    xenbus_set_state(&fake_back, XenbusStateClosing);
    fake_run();
    assert_int_equal(fake_front.state, XenbusStateClosed);
    assert_int_equal(fake_back.state, XenbusStateClosed);
    assert_int_equal(detached, 1);
    assert_int_equal(fake_maps, 0);
}

static void stop_being_busy(void) { front_busy = fake_now_ns < 3000000000ull; }

static void test_detach_busy(void **state)
{
    plug();
    fake_now_ns = 0;
    front_busy = true;
    fake_idle = stop_being_busy;
    fake_put("back", "online", "0");
    xenbus_set_state(&fake_back, XenbusStateClosing);
    fake_run();
    assert_int_equal(fake_front.state, XenbusStateClosed);
    assert_true(fake_now_ns >= 3000000000ull);
}

static void test_in_use(void **state)
{
    fake_put("back", "params", "/dev/busy");
    blkback_start();
    assert_int_equal(fake_plug(51712), -XEN_EBUSY);
    assert_string_equal(fake_get("back", "error"), "/dev/busy is in use");
}

static void test_limits(void **state)
{
    fake_put("back", "iops", "100");
    fake_put("back", "bps", "400000");
    plug();
    disk_lazy = false;
    completed = 0;
    unsigned sectors = 0;
    for (int ms = 0; ms < 10000; ms++) {
        for (unsigned i = 0; i < 4; i++)
            if (!ops[i].busy) {
                start(&ops[i], PV_BLK_READ, 3);
                sectors += (unsigned)ops[i].io.count;
            }
        blkfront_kick(front);
        fake_advance(1);
    }
    assert_in_range(completed, 10000 * 100 / 1000 / 4, 1100);
    assert_in_range(sectors * 512, 2000000, 4400000);
    settle();
}

/* ---- A hostile frontend: only the backend is real ---- */

static struct blkif_sring *ring;
static unsigned order;

static void front_hears(void *unused)
{
    if (!polite)
        disk_idles();
}

static void hostile_connect(void)
{
    char text[32];
    ring = aligned_alloc(4096, 4096u << order);
    memset(ring, 0, 4096u << order);
    RING_INIT_SHARED(ring);
    assert_int_equal(blkback_start(), 0);
    assert_int_equal(fake_plug(51712), 0);
    os_format(text, sizeof(text), "%u", order);
    fake_put("front", "ring-page-order", text);
    for (unsigned i = 0; i < 1u << order; i++) {
        char node[16];
        os_format(node, sizeof(node), "ring-ref%u", i);
        os_format(text, sizeof(text), "%u", fake_grant_page((char *)ring + i * 4096, false));
        fake_put("front", node, text);
    }
    os_format(text, sizeof(text), "%d", os_event_alloc(0, front_hears, 0));
    fake_put("front", "event-channel", text);
    xenbus_set_state(&fake_front, XenbusStateInitialised);
    fake_run();
    assert_int_equal(fake_back.state, XenbusStateConnected);
}

static void hostile_end(void)
{
    fake_idle = disk_idles;
    fake_remove_back();
    assert_int_equal(fake_maps, 0);
    for (uint32_t r = 0; r < 70000 && fake_grants; r++)
        if (os_grant_in_use(r))
            assert_true(os_grant_end(r));
    free(ring);
}

static void random_request(struct blkif_request *r, uint8_t *pages, const uint32_t *grefs)
{
    uint8_t *bytes = (uint8_t *)r;
    if (rand() % 4 == 0) {
        for (unsigned i = 0; i < sizeof(*r); i++)
            bytes[i] = (uint8_t)rand();
        return;
    }
    memset(r, 0, sizeof(*r));
    r->operation = (uint8_t)(rand() % 8);
    r->nr_segments = (uint8_t)(rand() % 13);
    r->id = (uint64_t)rand();
    r->sector_number = rand() % 3 ? (uint64_t)rand() % (SECTORS + 100) : rand() % 2 ? ~0ull - (uint64_t)rand() % 200 : (1ull << 55) + 3;
    for (unsigned i = 0; i < 11; i++)
        r->seg[i] = (struct blkif_request_segment){ rand() % 9 ? grefs[rand() % 8] : (uint32_t)rand(), (uint8_t)(rand() % 9), (uint8_t)(rand() % 9) };
    if (r->operation == BLKIF_OP_INDIRECT) {
        struct blkif_request_indirect *in = (struct blkif_request_indirect *)r;
        in->indirect_op = (uint8_t)(rand() % 3);
        in->nr_segments = (uint16_t)(rand() % 3 ? rand() % 300 : rand());
        in->indirect_grefs[0] = rand() % 5 ? grefs[0] : (uint32_t)rand();
        for (unsigned i = 0; i < 512; i++) {
            unsigned first = (unsigned)rand() % 8;
            struct blkif_request_segment s = { grefs[1 + rand() % 7], (uint8_t)first, (uint8_t)(first + (unsigned)rand() % (8 - first)) };
            if (rand() % 500 == 0)
                s.last_sect = 200;
            memcpy(pages + i * sizeof(s), &s, sizeof(s));
        }
    } else if (r->operation == BLKIF_OP_DISCARD) {
        ((struct blkif_request_discard *)r)->nr_sectors = rand() % 2 ? (uint64_t)rand() % 100 : ~0ull - (uint64_t)rand() % 100;
    }
}

static void play(unsigned rounds, bool nonsense)
{
    uint8_t *pages = aligned_alloc(4096, 8 * 4096);
    uint32_t grefs[8], prod = 0;
    for (unsigned i = 0; i < 8; i++)
        grefs[i] = fake_grant_page(pages + i * 4096, i == 7);
    uint32_t slots = RING_SLOTS(blkif, 4096u << order);
    for (unsigned round = 0; round < rounds; round++) {
        uint32_t room = slots - (prod - ring->rsp_prod), n = room && room <= slots ? (unsigned)rand() % room : 2;
        for (; n > 0; n--, prod++)
            random_request(&ring->ring[prod & (slots - 1)].req, pages, grefs);
        ring->req_prod = prod;
        if (nonsense && rand() % 20 == 0)
            ring->req_prod = (uint32_t)rand();
        if (nonsense)
            ring->rsp_event = ring->req_event = ring->rsp_prod = (uint32_t)rand();
        os_event_send(fake_get("front", "event-channel") ? (uint32_t)atoi(fake_get("front", "event-channel")) : 0);
        fake_run();
        disk_complete((unsigned)rand() % 100);
        fake_run();
    }
    hostile_end();
    free(pages);
}

static void test_hostile(void **state)
{
    for (int round = 0; round < 40; round++) {
        order = (unsigned)round % 4;
        disk_lazy = round % 3;
        disk_needs_va = round % 2;
        disk_read_only = round % 5 == 0;
        hostile_connect();
        play(60, round % 4 == 3);
    }
}

static void test_ahead(void **state)
{
    order = 0;
    hostile_connect();
    ring->req_prod = 33;
    os_event_send((uint32_t)atoi(fake_get("front", "event-channel")));
    fake_run();
    assert_true(all_blkbacks->broken);
    assert_int_equal(all_blkbacks->requests, 0);
    hostile_end();
}

/* ---- A frontend on another pCPU, which sends no event that it was not asked for ---- */

static uint32_t polite_gref, polite_prod;
static bool polite_was_asked;

static void polite_put(uint8_t op)
{
    struct blkif_request r = { .operation = op, .nr_segments = 1, .id = polite_prod, .sector_number = 8 * polite_prod };
    r.seg[0] = (struct blkif_request_segment){ polite_gref, 0, 7 };
    ring->ring[polite_prod++ & 31].req = r;
}

static void polite_publish(void)
{
    polite_was_asked = ring_publish(&ring->req_prod, &ring->req_event, polite_prod);
    if (polite_was_asked)
        os_event_send((uint32_t)atoi(fake_get("front", "event-channel")));
}

static void polite_puts_another(void)
{
    polite_put(BLKIF_OP_READ);
    polite_publish();
}

static void polite_connect(uint8_t *page)
{
    order = 0;
    disk_lazy = polite = true;
    hostile_connect();
    polite_prod = 0;
    polite_gref = fake_grant_page(page, false);
}

/* Told of an answer, it puts in its next request while the backend is at work: that one waits for no other's completion. */
static void test_request_within_pass(void **state)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    polite_connect(page);
    polite_put(BLKIF_OP_READ);
    polite_put(BLKIF_OP_READ);
    polite_publish();
    fake_run();
    assert_int_equal(all_blkbacks->in_flight, 2);
    ring->rsp_event = ring->rsp_prod + 1;
    fake_sent = polite_puts_another;
    disk_complete(1);
    fake_run();
    assert_int_equal(ring->rsp_prod, 1);
    assert_false(polite_was_asked);
    assert_int_equal(all_blkbacks->requests, 3);
    assert_int_equal(all_blkbacks->in_flight, 2);
    polite_put(BLKIF_OP_READ);                   /* and asleep it wants to hear of the next */
    polite_publish();
    assert_true(polite_was_asked);
    hostile_end();
}

/* Without memory for another job the backend does not go round and round, but waits for a job to come back. */
static void test_no_memory(void **state)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    polite_connect(page);
    polite_put(BLKIF_OP_READ);
    polite_publish();
    fake_run();
    assert_int_equal(all_blkbacks->in_flight, 1);
    fake_no_memory = true;
    polite_put(BLKIF_OP_READ);
    polite_publish();
    fake_run();
    assert_int_equal(all_blkbacks->requests, 1);
    disk_complete(1);
    fake_run();
    assert_int_equal(all_blkbacks->requests, 2);
    assert_int_equal(all_blkbacks->errors, 0);
    hostile_end();
}

/* A barrier waits until it is alone; written over meanwhile by what is no request at all, it leaves nothing behind. */
static void test_barrier_rewritten(void **state)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    polite_connect(page);
    polite_put(BLKIF_OP_WRITE);
    polite_put(BLKIF_OP_WRITE_BARRIER);
    polite_publish();
    fake_run();
    assert_int_equal(all_blkbacks->requests, 1);
    ring->ring[1].req.operation = 77;
    disk_complete(1);
    fake_run();
    assert_int_equal(ring->rsp_prod, 2);
    polite_put(BLKIF_OP_READ);
    polite_publish();
    fake_run();
    assert_int_equal(all_blkbacks->in_flight, 1);
    hostile_end();
}

/* Events without requests are no longer heard after a while, and then again. */
static void test_storm(void **state)
{
    order = 0;
    hostile_connect();
    uint32_t port = (uint32_t)atoi(fake_get("front", "event-channel"));
    for (int n = 0; n < 70; n++) {
        os_event_send(port);
        fake_run();
    }
    assert_true(all_blkbacks->masked);
    fake_advance(4);
    assert_false(all_blkbacks->masked);
    hostile_end();
}

/* The response's padding is zero, and nothing beside it changes. */
static void test_no_leak(void **state)
{
    order = 0;
    hostile_connect();
    memset(ring->ring, 0xee, sizeof(ring->ring[0]));
    ring->ring[0].req.operation = 77;
    ring->ring[0].req.nr_segments = 0;
    ring->ring[0].req.id = 0x1122334455667788;
    ring->req_prod = 1;
    os_event_send((uint32_t)atoi(fake_get("front", "event-channel")));
    fake_run();
    uint8_t want[16] = { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 77, 0, 0xfe, 0xff, 0, 0, 0, 0 };
    assert_int_equal(ring->rsp_prod, 1);
    assert_memory_equal(&ring->ring[0].rsp, want, 16);
    assert_int_equal(((uint8_t *)&ring->ring[0])[16], 0xee);
    hostile_end();
}

static void test_protocol(void **state)
{
    blkback_start();
    fake_put("front", "protocol", "x86_32-abi");
    fake_put("front", "ring-ref", "8");
    fake_put("front", "event-channel", "1");
    assert_int_equal(fake_plug(51712), 0);
    xenbus_set_state(&fake_front, XenbusStateInitialised);
    fake_run();
    assert_int_equal(fake_back.state, XenbusStateInitWait);
    assert_non_null(strstr(fake_get("back", "error"), "x86_32-abi"));
}

static void test_names(void **state)
{
    const struct { uint32_t n; const char *name; } names[] = {
        { 51712, "xvda" }, { 51728, "xvdb" }, { 51713, "xvda1" }, { 1u << 28 | 26 << 8, "xvdaa" }, { 768, "hda" }, { 2048, "sda" },
    };
    for (unsigned i = 0; i < 6; i++) {
        char name[24];
        blkfront_name(names[i].n, name, sizeof(name));
        assert_string_equal(name, names[i].name);
    }
}

int main(int argc, char **argv)
{
    cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_data), T(test_with_addresses), T(test_few_grants), T(test_restarts), T(test_errors_are_told), T(test_detach), T(test_detach_busy),
        T(test_in_use), T(test_limits), T(test_hostile), T(test_ahead), T(test_storm), T(test_request_within_pass), T(test_no_memory), T(test_barrier_rewritten),
        T(test_no_leak), T(test_protocol), T(test_names),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
