/* SPDX-License-Identifier: MIT */
/* attack_frontend.c: claims: whatever a frontend puts into its rings, grants and store nodes, its backend answers that guest alone and
 * dom0 goes on (SPEC 11; bug classes F: double fetch, malformed and endless requests, event storms). The attackers first do
 * as a good frontend does, so that the backend is connected and listening, then throw dice, for seconds= seconds.       */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/grant.h"
#include "hypercall-abi/io/blkif.h"
#include "hypercall-abi/io/console.h"
#include "hypercall-abi/io/netif.h"
#include "hypercall-abi/io/xs_wire.h"
#include "hypercall-abi/sched.h"
#include "tests/hostile/hostile.h"

#define FLAGS (PTE_P | PTE_U | PTE_A | PTE_D)
#define FIRST_REF 16                     /* below: the toolstack's */
#define DATA 16                          /* pool[DATA..DATA+15] are lent as data, references FIRST_REF + 4 and up */

static struct grant_entry_v1 *const table = (struct grant_entry_v1 *)pool[63];
static uint64_t tick_end;

bool time_left(void)
{
    struct vcpu_time_info *t = (struct vcpu_time_info *)&shared->vcpu_info[0].time;
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    uint64_t tsc = (uint64_t)hi << 32 | lo, delta = tsc - t->tsc_timestamp;
    delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
    uint64_t now = t->system_time + (uint64_t)(((unsigned __int128)delta * t->tsc_to_system_mul) >> 32);
    if (!tick_end)
        tick_end = now + option("seconds", 10) * 1000000000UL;
    return now < tick_end;
}

static void set_up_grants(void)
{
    uint64_t frame = 0;
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1, .frame_list = gva(&frame) };

    if (hypercall_grant_table_op(GNTTABOP_setup_table, gva(&s), 1) || s.status || map_at(pool[63], frame << 12 | FLAGS | PTE_RW))
        TEST_ERROR("no grant table");
}

static void lend(unsigned ref, unsigned page, bool readonly)
{
    table[ref].frame = va_to_mfn(pool[page]);
    table[ref].domid = 0;
    __atomic_store_n(&table[ref].flags, GTF_permit_access | (readonly ? GTF_readonly : 0), __ATOMIC_RELEASE);
}

static uint32_t new_port(void)
{
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = 0 };
    return hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&a)) ? 0 : a.port;
}

/* Some references are good, some go while they are in use, some never were. */
static uint32_t any_ref(void)
{
    switch (rnd() % 8) {
    case 0: return (uint32_t)rnd();
    case 1: return (uint32_t)(rnd() % 4096);
    default: return FIRST_REF + 4 + (uint32_t)(rnd() % 16);
    }
}

static void shake_grants(void)
{
    unsigned i = rnd() % 16;

    if (rnd() % 4 == 0)
        table[FIRST_REF + 4 + i].flags = 0;
    else if (!(table[FIRST_REF + 4 + i].flags & (GTF_reading | GTF_writing)))
        lend(FIRST_REF + 4 + i, DATA + i, rnd() % 4 == 0);
}

static void noise(void *to, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i += 8)
        *(volatile uint64_t *)((char *)to + i) = rnd();
}

static void breathe(void)
{
    if (rnd() % 16 == 0)
        hypercall_sched_op(SCHEDOP_yield, 0);
}

/* ---- block ------------------------------------------------------------------------------------------------ */

static void block_request(struct blkif_request *r)
{
    static const uint64_t sectors[] = { 0, 1, 8, 1000, 1UL << 20, 1UL << 40, ~0UL, ~0UL - 7, 1UL << 55 };

    r->operation = rnd() % 8 ? rnd() % 7 : rnd();
    r->nr_segments = rnd() % 4 ? rnd() % 12 : rnd();
    r->handle = rnd();
    r->id = rnd();
    r->sector_number = rnd() % 2 ? sectors[rnd() % 9] : rnd() % 100000;
    for (unsigned i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
        r->seg[i].gref = any_ref();
        r->seg[i].first_sect = rnd() % 4 ? 0 : rnd() % 10;
        r->seg[i].last_sect = rnd() % 4 ? 7 : rnd() % 12;
    }
    if (r->operation == BLKIF_OP_INDIRECT) {
        struct blkif_request_indirect *in = (void *)r;
        in->indirect_op = rnd() % 3;
        in->nr_segments = rnd() % 4 ? rnd() % 300 : rnd();
        in->sector_number = rnd() % 2 ? sectors[rnd() % 9] : rnd() % 100000;
        for (unsigned i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
            in->indirect_grefs[i] = any_ref();
    }
}

static bool connect_block(const char *front, char *back, uint32_t *port)
{
    struct blkif_sring *ring = (void *)pool[0];
    char path[200];

    if (!store_get(join(path, front, "/backend", -1), back, 160) || !store_wait_state(back, '2'))
        return false;
    memset(ring, 0, PAGE);
    RING_INIT_SHARED(ring);
    lend(FIRST_REF, 0, false);
    *port = new_port();
    store_put_number(front, "/ring-ref", FIRST_REF);
    store_put_number(front, "/event-channel", *port);
    store_put(join(path, front, "/protocol", -1), "x86_64-abi");
    store_put_number(front, "/state", 3);
    if (!store_wait_state(back, '4'))
        return false;
    store_put_number(front, "/state", 4);
    return true;
}

static void shake_block(uint32_t port)
{
    struct blkif_sring *ring = (void *)pool[0];

    for (unsigned n = 0; n < 3000 && time_left(); n++) {
        uint32_t at = ring->req_prod;
        unsigned batch = 1 + rnd() % 20;

        for (unsigned i = 0; i < batch; i++)
            block_request(&ring->ring[(at + i) % 32].req);
        shake_grants();
        ring->req_prod = rnd() % 500 == 0 ? (uint32_t)rnd() : at + batch;
        ring->rsp_event = rnd() % 4 ? ring->rsp_prod + 1 : (uint32_t)rnd();
        event_send(port);
        /* While they are being read. */
        for (unsigned i = 0; i < batch; i++)
            if (rnd() % 2)
                block_request(&ring->ring[(at + i) % 32].req);
        noise(pool[DATA + rnd() % 16], 512);             /* indirect descriptors as well */
        if (rnd() % 8 == 0)
            shake_grants();
        breathe();
    }
}

/* ---- network ------------------------------------------------------------------------------------------------ */

static bool connect_net(const char *front, char *back, uint32_t *port)
{
    struct netif_tx_sring *tx = (void *)pool[1];
    struct netif_rx_sring *rx = (void *)pool[2];
    char path[200];

    if (!store_get(join(path, front, "/backend", -1), back, 160) || !store_wait_state(back, '2'))
        return false;
    memset(tx, 0, PAGE);
    memset(rx, 0, PAGE);
    RING_INIT_SHARED(tx);
    RING_INIT_SHARED(rx);
    lend(FIRST_REF + 1, 1, false);
    lend(FIRST_REF + 2, 2, false);
    *port = new_port();
    store_put_number(front, "/tx-ring-ref", FIRST_REF + 1);
    store_put_number(front, "/rx-ring-ref", FIRST_REF + 2);
    store_put_number(front, "/event-channel", *port);
    store_put_number(front, "/request-rx-copy", 1);
    store_put_number(front, "/feature-sg", 1);
    store_put_number(front, "/state", 4);
    return store_wait_state(back, '4');
}

static void shake_net(uint32_t port)
{
    struct netif_tx_sring *tx = (void *)pool[1];
    struct netif_rx_sring *rx = (void *)pool[2];

    for (unsigned n = 0; n < 3000 && time_left(); n++) {
        uint32_t at = tx->req_prod;
        unsigned batch = 1 + rnd() % 40;

        for (unsigned round = 0; round < 2; round++) {
            for (unsigned i = 0; i < batch; i++) {
                struct netif_tx_request *r = &tx->ring[(at + i) % 256].req;
                r->gref = any_ref();
                r->offset = rnd() % 4 ? rnd() % 64 : rnd();
                r->size = rnd() % 4 ? rnd() % 2000 : rnd();
                r->flags = rnd() % 2 ? 0 : rnd() % 16;
                r->id = rnd();
            }
            if (round == 0) {
                tx->req_prod = rnd() % 500 == 0 ? (uint32_t)rnd() : at + batch;
                event_send(port);
            }
        }
        for (unsigned i = rnd() % 8; i; i--) {
            struct netif_rx_request *r = &rx->ring[rx->req_prod % 256].req;
            r->id = rnd();
            r->gref = any_ref();
            rx->req_prod += rnd() % 400 ? 1 : (uint32_t)rnd();
        }
        rx->rsp_event = (uint32_t)rnd();
        tx->rsp_event = (uint32_t)rnd();
        noise(pool[DATA + rnd() % 16], 128);
        shake_grants();
        breathe();
    }
}

/* ---- the store's nodes, and starting over ------------------------------------------------------------------------ */

static void shake_nodes(const char *front)
{
    static const char *const nodes[] = { "/state", "/ring-ref", "/event-channel", "/tx-ring-ref", "/rx-ring-ref", "/protocol",
                                         "/ring-page-order", "/num-ring-pages", "/multi-queue-num-queues", "/request-rx-copy" };
    static const char *const values[] = { "0", "-1", "4294967295", "18446744073709551616", "", "x86_32-abi", "9999999999999999999999", "3", "4" };
    char path[200];

    for (unsigned i = rnd() % 6; i; i--)
        store_put(join(path, front, nodes[rnd() % 10], -1), values[rnd() % 9]);
}

static void frontend(const char *front, bool (*connect)(const char *, char *, uint32_t *), void (*shake)(uint32_t))
{
    static char back[160], path[200];
    unsigned connected = 0;
    uint32_t port = 0;

    set_up_grants();
    for (unsigned i = 0; i < 16; i++)
        lend(FIRST_REF + 4 + i, DATA + i, false);
    /* As a good one would: nothing is touched before the toolstack has made the device. */
    while (!store_get(join(path, front, "/backend", -1), back, sizeof(back)))
        for (unsigned i = 0; i < 1000; i++)
            rest();
    while (time_left()) {
        if (connect(front, back, &port)) {
            connected++;
            shake(port);
        }
        shake_nodes(front);
        struct evtchn_close c = { port };
        if (port)
            hypercall_event_channel_op(EVTCHNOP_close, gva(&c));
        port = 0;
        store_put_number(front, "/state", 5);
        store_put_number(front, "/state", 6);
        store_wait_state(back, '6');
        store_put_number(front, "/state", 1);
    }
    say("%u connections to %s", (uint64_t)connected, back);
    if (!connected)
        TEST_ERROR("the backend never connected");
}

void attack_blkfront(void) { frontend("device/vbd/51712", connect_block, shake_block); }
void attack_netfront(void) { frontend("device/vif/0", connect_net, shake_net); }

/* ---- byte rings -------------------------------------------------------------------------------------------------- */

void attack_conring(void)
{
    struct xencons_interface *c = mfn_to_va(si->console.domU.mfn);

    while (time_left()) {
        noise(c->out, sizeof(c->out));
        c->out_prod = rnd() % 4 ? c->out_prod + rnd() % 3000 : (uint32_t)rnd();
        c->in_cons = (uint32_t)rnd();
        if (rnd() % 8 == 0)
            c->out_cons = (uint32_t)rnd();
        event_send(si->console.domU.evtchn);
        breathe();
    }
}

/* Requests that are well formed, nearly so, and not at all; answers never read; counters out of this world. */
void attack_storering(void)
{
    struct xenstore_domain_interface *p = store_page();
    char path[200], value[64];

    for (unsigned n = 0; n < 200 && time_left(); n++)     /* quota first, by its own rules */
        store_put(join(path, "data/", "n", (int64_t)n), "value");
    store_get("name", value, sizeof(value));
    while (time_left()) {
        struct xsd_sockmsg h = { .type = rnd() % 24, .req_id = rnd(), .tx_id = rnd() % 4 ? 0 : rnd() % 5, .len = rnd() % 4 ? rnd() % 64 : rnd() % 5000 };
        unsigned n = rnd() % 200;
        noise(p->req, sizeof(p->req));
        for (unsigned i = 0; i < sizeof(h); i++)
            p->req[MASK_XENSTORE_IDX(p->req_prod + i)] = ((char *)&h)[i];
        p->req_prod += sizeof(h) + (rnd() % 2 ? h.len : n);
        if (rnd() % 64 == 0)
            p->req_prod = (uint32_t)rnd();
        if (rnd() % 16 == 0)
            p->rsp_cons = rnd() % 2 ? p->rsp_prod : (uint32_t)rnd();
        if (rnd() % 32 == 0)
            p->req_cons = (uint32_t)rnd();
        if (rnd() % 64 == 0)
            p->connection = rnd() % 2;
        event_send(si->store_evtchn);
        breathe();
    }
}
