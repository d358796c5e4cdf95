/* SPDX-License-Identifier: MIT */
/* blkfront.c: a backend that answers anything: wrong ids, statuses, indices, which change while they are read, odd sizes and features in
 * the store, states in any order, maps that it keeps for a while. Each request ends once at most, and exactly once when
 * the disk has gone; then no grant and no port is left. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "hypercall-abi/errno.h"
#include "pv-drivers/blkfront.h"
#include "tests/fuzz/dice.h"
#include "tests/fuzz/shared.h"
#include "tests/host/pv_fake.h"

#define OPS 24

DICE_OF_THIS_TARGET;

static struct op { bool busy; struct blkfront_io io; struct pv_blk_seg segs[40]; } ops[OPS];
static struct blkfront *front;
static uint8_t *memory;                    /* one page, of all segments: what is in it nobody asks */
static uint32_t kept[4], nkept, port;

/* ---- The frontend's users ---- */

int  blkfront_os_attach(struct blkfront *f) { return front = f, 0; }
int  blkfront_os_detach(struct blkfront *f, bool force) { return !force && dice(2) ? -XEN_EBUSY : 0; }
void blkfront_os_room(struct blkfront *f) { }
void blkfront_os_done(struct blkfront *f, void *token, int status)
{
    struct op *o = token;

    assert(o >= ops && o < ops + OPS && o->busy && status <= 0);
    o->busy = false;
}

static void submit(struct op *o)
{
    unsigned n = 1 + dice(40), sectors = 0;

    if (o->busy || !front)
        return;
    o->io = (struct blkfront_io){ .op = (enum pv_blk_op)dice(4), .sector = dice(1000), .segs = o->segs, .token = o, .fua = dice(2) };
    for (unsigned i = 0; i < n; i++) {
        unsigned first = dice(8), len = 1 + dice(8 - first);
        o->segs[i] = (struct pv_blk_seg){ .frame = os_frame(memory), .va = memory + first * 512, .offset = first * 512, .len = len * 512 };
        sectors += len;
    }
    bool data = o->io.op == PV_BLK_READ || o->io.op == PV_BLK_WRITE;
    o->io.nsegs = data ? n : 0;
    o->io.count = o->io.op == PV_BLK_FLUSH ? 0 : sectors;
    o->busy = true;
    if (!blkfront_submit(front, &o->io))
        o->busy = false;
    if (dice(2))
        blkfront_kick(front);
}

/* ---- The backend ---- */

static void says(const char *node)
{
    static const uint64_t values[] = { 0, 1, 2, 3, 8, 11, 12, 100, 256, 512, 513, 4096, 8192, 65536, 1ull << 32, 1ull << 50, 1ull << 51, ~0ull };
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)values[dice(18)]);
    if (dice(16) == 15)
        strcpy(text, "x1");
    fake_put("back", node, text);
}

static void become(enum xenbus_state s)
{
    xenbus_set_state(&fake_back, s);
    fake_run();
}

static struct blkif_sring *ring(void) { return front && front->ring.sring ? front->ring.sring : 0; }

static void answer(void)
{
    struct blkif_sring *s = ring();
    uint32_t at, slots;

    if (!s)
        return;
    slots = front->ring.nr_ents;
    at = s->rsp_prod;
    for (unsigned n = dice(8); n; n--, at++) {
        struct blkif_response r = { dice(4) ? dice(16) : dice8() & 0x80 ? dice64() : dice8(), dice(7), (int16_t)(dice(2) ? 0 : -(int)dice(4)) };
        s->ring[at & (slots - 1)].rsp = r;
    }
    s->rsp_prod = dice(16) == 15 ? dice32() : at;
    os_event_raise((uint32_t)front->port);
}

static void hold_a_grant(void)
{
    struct os_map m = { .ref = front ? front->slots[dice(16)].refs[dice(11)] : 0 };

    if (nkept == 4 || !front)
        return;
    os_grant_map(0, &m, 1, OS_MAP_READ);
    if (m.handle != ~0u)
        kept[nkept++] = m.handle;
}

static void let_go(void)
{
    while (nkept) {
        struct os_map m = { .handle = kept[--nkept] };
        os_grant_unmap(&m, 1);
    }
}

static void one_step(void)
{
    static const char *const nodes[] = { "sectors", "sector-size", "physical-sector-size", "info", "feature-flush-cache", "feature-barrier",
                                         "feature-discard", "feature-max-indirect-segments", "max-ring-page-order", "online" };

    switch (dice(12)) {
    case 0: case 1: case 2: case 3:
        submit(&ops[dice(OPS)]);
        break;
    case 4: case 5: case 6:
        answer();
        break;
    case 7:
        says(nodes[dice(10)]);
        break;
    case 8:
        fake_put("back", "sectors", "1000");
        fake_put("back", "sector-size", "512");
        become(dice(2) ? (enum xenbus_state)dice(9) : XenbusStateClosed);
        become(XenbusStateInitWait);
        become(XenbusStateConnected);
        break;
    case 9:
        hold_a_grant();
        break;
    case 10:
        let_go();
        break;
    default:
        fake_advance(dice(60));
    }
    if (ring()) {
        shared_is(0, ring(), 4096u << front->order);
        fake_run();
    }
    if (!ring())
        shared_is(0, 0, 0);
}

/* A thread that waits until the disk is no longer used sleeps with the backend's world going on; here it is not used after a while. */
static void idles(void) { let_go(); }

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dice_begin(bytes, n);
    memset(ops, 0, sizeof(ops));
    front = 0;
    nkept = port = 0;
    memory = aligned_alloc(4096, 4096);
    shared_changes = false;
    shared_is(0, 0, 0);
    fake_now_ns = 0;
    fake_idle = idles;
    if (blkfront_boot() || fake_plug(51712))
        abort();
    fake_put("back", "sectors", "1000");
    fake_put("back", "max-ring-page-order", "2");
    fake_put("back", "feature-max-indirect-segments", "256");
    fake_put("back", "feature-flush-cache", "1");
    become(XenbusStateInitWait);
    become(XenbusStateConnected);
    shared_changes = dice(2);
    for (unsigned steps = 0; dice_left && steps < 300; steps++)
        one_step();
    shared_changes = false;
    let_go();
    fake_reset();
    for (unsigned i = 0; i < OPS; i++)
        assert(!ops[i].busy);
    assert(fake_grants == 0 && fake_maps == 0);
    free(memory);
    return 0;
}
