/* SPDX-License-Identifier: MIT */
/* blkback.c: a frontend that says and does anything: its ring, its directory in the store, its state, its grants. What the backend reads of
 * shared memory may change before each read of it (trace-loads calls us there). Whatever it does: the disk is touched inside its
 * bounds and by its rules only, no completion comes twice, and when the device goes nothing stays mapped. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "hypercall-abi/errno.h"
#include "pv-drivers/blkback.h"
#include "tests/fuzz/dice.h"
#include "tests/fuzz/shared.h"
#include "tests/host/pv_fake.h"

#define SECTORS 1024u
#define PAGES   6                                /* of data, and of indirect segments */

DICE_OF_THIS_TARGET;

static uint8_t disk[SECTORS * PV_SECTOR];
static bool disk_read_only, disk_lazy, disk_needs_va;
static unsigned disk_unit;
static struct blkback_io *queued[1024];
static unsigned nqueued;
static struct { struct blkif_sring ring[1]; } *rings;     /* 8 pages */
static uint8_t *pages;
static uint32_t ring_refs[8], grefs[PAGES], prod, port;

/* ---- The backend's disk ---- */

int blkback_os_open(struct blkback_disk *d, const char *params, const char *physical, bool write, char *why, size_t size)
{
    *d = (struct blkback_disk){ .sectors = SECTORS, .sector_size = disk_unit, .physical_size = 4096, .read_only = disk_read_only, .flush = true,
                                .discard = true, .needs_va = disk_needs_va };
    return 0;
}

void blkback_os_close(struct blkback_disk *d, bool write) { assert(nqueued == 0); }

static void carry_out(struct blkback_io *io)
{
    uint64_t at = io->sector * PV_SECTOR, n = 0, unit = disk_unit - 1;

    assert(io->sector <= SECTORS && io->count <= SECTORS - io->sector && ((at | io->count * PV_SECTOR) & unit) == 0);
    assert(!(disk_read_only && (io->op == PV_BLK_WRITE || io->op == PV_BLK_DISCARD)));
    for (unsigned i = 0; i < io->nsegs; i++) {
        struct pv_blk_seg *s = &io->segs[i];
        assert(s->len && s->len % 512 == 0 && s->offset % 512 == 0 && s->offset + s->len <= 4096);
        assert(disk_needs_va ? s->va == (void *)((s->frame << 12) + s->offset) : !s->va);
        void *mem = (void *)((s->frame << 12) + s->offset);
        memcpy(io->op == PV_BLK_WRITE ? (void *)(disk + at + n) : mem, io->op == PV_BLK_WRITE ? mem : (void *)(disk + at + n), s->len);
        n += s->len;
    }
    assert(io->op > PV_BLK_WRITE || n == io->count * PV_SECTOR);
    io->status = dice(8) == 7 ? -XEN_EIO : 0;
    io->done(io);
}

void blkback_os_submit(struct blkback_disk *d, struct blkback_io *io)
{
    if (!disk_lazy) {
        carry_out(io);
        return;
    }
    for (unsigned i = 0; i < nqueued; i++)
        assert(queued[i] != io);
    assert(nqueued < 1024);
    queued[nqueued++] = io;
}

void blkback_os_kick(struct blkback_disk *d) { }

static void disk_complete(unsigned n)
{
    while (n-- > 0 && nqueued) {
        unsigned i = dice(nqueued);
        struct blkback_io *io = queued[i];
        queued[i] = queued[--nqueued];
        carry_out(io);
    }
}

static void disk_idles(void) { disk_complete(3); }

/* ---- The frontend ---- */

static void nothing(void *arg) { }

static uint64_t some_number(void)
{
    static const uint64_t edges[] = { 0, 1, 2, 3, 4, 7, 8, 9, 31, 32, 255, 65535, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, ~0ull };
    unsigned k = dice(20);

    return k < 17 ? edges[k] : k == 17 ? dice64() : ring_refs[dice(8)];
}

static void put_number(const char *node, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    fake_put("front", node, text);
}

static void tell_ring(unsigned order)
{
    put_number("ring-page-order", order);
    for (unsigned i = 0; i < 8; i++) {
        char node[] = { 'r', 'i', 'n', 'g', '-', 'r', 'e', 'f', (char)('0' + i), 0 };
        put_number(node, ring_refs[i]);
    }
    put_number("ring-ref", ring_refs[0]);
    if (port)
        os_event_close(port);
    port = (uint32_t)os_event_alloc(0, nothing, 0);
    put_number("event-channel", port);
}

static void odd_store(void)
{
    static const char *const nodes[] = { "ring-page-order", "ring-ref", "ring-ref0", "ring-ref1", "ring-ref7", "event-channel", "protocol" };
    char text[12];

    if (dice(2)) {
        put_number(nodes[dice(6)], some_number());
        return;
    }
    dice_bytes(text, sizeof(text) - 1);
    text[11] = 0;
    fake_put("front", nodes[dice(7)], dice(4) ? text : "x86_64-abi");
}

static void some_segments(struct blkif_request_segment *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t k = dice8();
        uint32_t ref = k & 0x80 ? dice32() : grefs[k % PAGES];
        s[i] = (struct blkif_request_segment){ ref, (k >> 3) & 7, k & 0x40 ? 7 : dice8() };
    }
}

static void fill(struct blkif_request *r)
{
    memset(r, 0, sizeof(*r));
    r->operation = dice8();
    r->nr_segments = dice(14);
    r->id = dice8();
    r->sector_number = dice(4) ? dice(SECTORS) : some_number();
    if (r->operation == BLKIF_OP_INDIRECT) {
        struct blkif_request_indirect *in = (struct blkif_request_indirect *)r;
        in->indirect_op = dice8() & 3;
        in->nr_segments = dice(4) ? dice(40) : dice16();
        in->indirect_grefs[0] = dice(8) ? grefs[PAGES - 1] : dice32();
        some_segments((struct blkif_request_segment *)(pages + (PAGES - 1) * 4096), dice(40));
    } else if (r->operation == BLKIF_OP_DISCARD)
        ((struct blkif_request_discard *)r)->nr_sectors = dice(4) ? dice(SECTORS) : some_number();
    else
        some_segments(r->seg, r->nr_segments < 11 ? r->nr_segments : 11);
}

static void put_request(struct blkif_sring *s, uint32_t slots)
{
    struct blkif_request *r = &s->ring[prod++ & (slots - 1)].req;

    if (dice(6))
        fill(r);
    else
        dice_bytes(r, sizeof(*r));
}

static void one_step(unsigned order)
{
    struct blkif_sring *s = (void *)rings;
    uint32_t slots = RING_SLOTS(blkif, 4096u << order);

    switch (dice(12)) {
    case 0: case 1: case 2: case 3: case 4:
        for (unsigned n = dice(4) + 1; n; n--)
            put_request(s, slots);
        s->req_prod = prod;
        os_event_send(port);
        break;
    case 5:
        fake_run();
        break;
    case 6:
        disk_complete(dice(20));
        break;
    case 7:
        prod = s->req_prod = (uint32_t)some_number() + (dice(2) ? prod : 0);
        os_event_send(port);
        break;
    case 8:
        ((uint32_t *)s)[dice(4)] = dice(2) ? prod + dice8() : (uint32_t)some_number();
        break;
    case 9:
        odd_store();
        break;
    case 10:
        xenbus_set_state(&fake_front, (enum xenbus_state)dice(9));
        fake_run();
        if (dice(2)) {
            prod = s->rsp_prod;
            tell_ring(order);
            xenbus_set_state(&fake_front, XenbusStateInitialised);
        }
        break;
    default:
        fake_put("back", "online", dice(2) ? "1" : "0");
        if (dice(4) == 3)
            xenbus_set_state(&fake_back, XenbusStateClosing);
        fake_advance(dice(50));
    }
}

/* ---- One life ---- */

static void begin(void)
{
    static const unsigned units[] = { 512, 512, 4096 };

    rings = aligned_alloc(4096, 16 * 4096);              /* pv_fake maps a page where it lies: a ring may begin at any of them */
    pages = aligned_alloc(4096, (PAGES + 8) * 4096);
    memset(rings, 0, 16 * 4096);
    memset(pages, 0, (PAGES + 8) * 4096);
    for (unsigned i = 0; i < 8; i++)
        ring_refs[i] = fake_grant_page((char *)rings + i * 4096, false);
    for (unsigned i = 0; i < PAGES; i++)
        grefs[i] = fake_grant_page(pages + i * 4096, i == 1);
    shared_is(0, rings, 8 * 4096);
    shared_is(1, pages, PAGES * 4096);
    uint8_t k = dice8();
    disk_unit = units[k % 3];
    disk_lazy = k & 4;
    disk_needs_va = k & 8;
    disk_read_only = k & 16;
    if (k & 32) {
        fake_put("back", "iops", "100");
        fake_put("back", "bps", "400000");
    }
    fake_put("back", "params", "/dev/disk");
    fake_put("back", "mode", "w");
    prod = port = 0;
}

static void end(void)
{
    shared_changes = false;
    fake_idle = disk_idles;
    fake_remove_back();
    assert(fake_maps == 0 && nqueued == 0);
    for (uint32_t i = 0; i < 8; i++)
        assert(os_grant_end(ring_refs[i]));
    for (uint32_t i = 0; i < PAGES; i++)
        assert(os_grant_end(grefs[i]));
    if (port)
        os_event_close(port);
    fake_reset();
    free(rings);
    free(pages);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dice_begin(bytes, n);
    begin();
    unsigned order = dice(4);
    if (blkback_start() || fake_plug(51712))
        abort();
    fake_idle = disk_idles;
    tell_ring(order);
    xenbus_set_state(&fake_front, XenbusStateInitialised);
    fake_run();
    shared_changes = dice(2);
    for (unsigned steps = 0; dice_left && steps < 500; steps++)
        one_step(order);
    end();
    return 0;
}
