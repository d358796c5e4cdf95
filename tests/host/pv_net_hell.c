/* SPDX-License-Identifier: MIT */
/* pv_net_hell.c: frontends and backends that say anything at all: what pv_net.c claims of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pv_net_frames.h"

/* ---- Frontends from hell: domain 9's rings are ours to write ---- */

struct hell {
    struct netif_tx_sring *tx;
    struct netif_rx_sring *rx;
    uint32_t event;
    char    *page[10];
    uint32_t ref[10];
};

static struct hell h;

static void hell_event(void *arg) { }

static void hell_connect(void)
{
    char n[16];
    run_as(9);
    h.tx = os_page_alloc();
    h.rx = os_page_alloc();
    RING_INIT_SHARED(h.tx);
    RING_INIT_SHARED(h.rx);
    for (unsigned i = 0; i < 10; i++) {
        h.page[i] = os_page_alloc();
        h.ref[i] = (uint32_t)os_grant(0, os_frame(h.page[i]), i & 1);
    }
    h.event = (uint32_t)os_event_alloc(0, hell_event, 0);
    store_put("9/device/vif/0/mac", "00:16:3e:00:00:09");
    snprintf(n, sizeof(n), "%d", os_grant(0, os_frame(h.tx), false));
    store_put("9/device/vif/0/tx-ring-ref", n);
    snprintf(n, sizeof(n), "%d", os_grant(0, os_frame(h.rx), false));
    store_put("9/device/vif/0/rx-ring-ref", n);
    snprintf(n, sizeof(n), "%u", h.event);
    store_put("9/device/vif/0/event-channel", n);
    store_put("9/device/vif/0/request-rx-copy", "1");
    store_put("9/device/vif/0/state", "1");
    if (!back_device(9)) {
        store_put("backend/vif/9/0/mac", "00:16:3e:00:00:09");
        store_put("backend/vif/9/0/state", "1");
        netback_stop();
        netback_start();
    }
    world_run();
    store_put("9/device/vif/0/state", "4");
    world_run();
    assert_int_equal(back_device(9)->state, XenbusStateConnected);
}

static void hell_disconnect(void)
{
    store_put("9/device/vif/0/state", "5");
    world_run();
    store_put("9/device/vif/0/state", "6");
    world_run();
    run_as(9);
    os_event_close(h.event);
    os_grant_end_and_free((uint32_t)atoi(store_get("9/device/vif/0/tx-ring-ref")), h.tx);
    os_grant_end_and_free((uint32_t)atoi(store_get("9/device/vif/0/rx-ring-ref")), h.rx);
    for (unsigned i = 0; i < 10; i++)
        os_grant_end_and_free(h.ref[i], h.page[i]);
}

static void hell_put(uint32_t at, uint32_t ref, uint16_t offset, uint16_t size, uint16_t flags)
{
    h.tx->ring[at % 256].req = (struct netif_tx_request){ ref, offset, flags, (uint16_t)(at + 1000), size };
}

static void hell_kick(uint32_t prod)
{
    h.tx->req_prod = prod;
    event_poke(h.event);
    world_run();
}

/* A chain of 18 parts, and extra information between: put together right, answered slot by slot. */
void parts_are_joined(void **state)
{
    hell_connect();
    back_port[9]->receive = 0;
    struct net_frame f = frame_make(0, 1800);
    uint32_t at = 0;
    for (unsigned i = 0; i < 18; i++) {
        memcpy(h.page[i % 8] + (i / 8) * 1000 + 7, f.data + i * 100, 100);
        hell_put(at++, h.ref[i % 8], (uint16_t)((i / 8) * 1000 + 7), i ? 100 : 1800, i < 17 ? NETTXF_more_data : 0);
        if (i == 0) {
            h.tx->ring[0].req.flags |= NETTXF_extra_info;
            memset(&h.tx->ring[at % 256], 0, 12);
            ((uint8_t *)&h.tx->ring[at++ % 256])[0] = XEN_NETIF_EXTRA_TYPE_HASH;
        }
    }
    net_frame_free(&f);
    hell_kick(at);
    assert_int_equal(back_port[9]->received, 1);
    assert_int_equal(back_port[9]->wrong, 0);
    assert_int_equal(h.tx->rsp_prod, 19);
    for (uint32_t i = 0; i < 19; i++)
        assert_int_equal(h.tx->ring[i].rsp.status, i == 1 ? NETIF_RSP_NULL : NETIF_RSP_OKAY);
    assert_int_equal(h.tx->ring[5].rsp.id, 1005);
    hell_disconnect();
}

static void answered_with_an_error(uint32_t ref, uint16_t offset, uint16_t size)
{
    uint32_t at = h.tx->req_prod;
    hell_put(at, ref, offset, size, 0);
    hell_kick(at + 1);
    assert_int_equal(h.tx->rsp_prod, at + 1);
    assert_true(h.tx->ring[at % 256].rsp.status < 0);
    assert_string_equal(last_log, "");
}

void honest_mistakes_are_errors(void **state)
{
    hell_connect();
    last_log[0] = 0;
    answered_with_an_error(4242, 0, 100);           /* no such grant */
    answered_with_an_error(h.ref[0], 0, 13);        /* shorter than a header */
    answered_with_an_error(h.ref[0], 0, 0);
    answered_with_an_error(h.ref[0], 0, 4000);      /* longer than any frame of ours */
    hell_put(h.tx->req_prod, h.ref[0], 0, 100, 0);
    hell_kick(h.tx->req_prod + 1);
    assert_int_equal(back_port[9]->received, 1);    /* and it goes on */
    hell_disconnect();
}

static void stopped(const char *words)
{
    assert_non_null(strstr(last_log, "vif9.0: stopped"));
    assert_non_null(strstr(last_log, words));
    last_log[0] = 0;
    now_ns += 61000000000ull;                       /* beyond three, complaints are one a minute */
    uint32_t was = h.tx->rsp_prod;
    for (unsigned i = 0; i < 100; i++)
        event_poke(h.event);
    world_run();
    assert_int_equal(h.tx->rsp_prod, was);
    hell_disconnect();
    hell_connect();                                 /* it may begin anew */
}

void broken_rings_stop_their_vif(void **state)
{
    up(1);
    hell_connect();
    hell_kick(257);
    stopped("the transmit index");
    hell_kick(0x80000000u);
    stopped("the transmit index");
    for (unsigned i = 0; i < 19; i++)
        hell_put(i, h.ref[0], 0, i ? 10 : 200, NETTXF_more_data);
    hell_kick(19);
    stopped("too many parts");
    hell_put(0, h.ref[0], 0, 200, NETTXF_more_data);
    hell_kick(1);
    stopped("without its end");
    hell_put(0, h.ref[0], 4000, 200, 0);
    hell_kick(1);
    stopped("crosses its page");
    hell_put(0, h.ref[0], 0, 200, NETTXF_more_data);
    hell_put(1, h.ref[0], 0, 200, 0);
    hell_kick(2);
    stopped("longer than their frame");
    hell_put(0, h.ref[0], 0, 200, NETTXF_extra_info);
    hell_kick(1);
    stopped("is missing");
    hell_put(0, h.ref[0], 0, 200, NETTXF_extra_info);
    memset(&h.tx->ring[1], 0xff, 12);
    hell_kick(2);
    stopped("of a type");
    hell_put(0, h.ref[0], 0, 200, NETTXF_extra_info);
    for (unsigned i = 1; i < 10; i++) {
        memset(&h.tx->ring[i], 0, 12);
        ((uint8_t *)&h.tx->ring[i])[0] = XEN_NETIF_EXTRA_TYPE_HASH;
        ((uint8_t *)&h.tx->ring[i])[1] = XEN_NETIF_EXTRA_FLAG_MORE;
    }
    hell_kick(10);
    stopped("too much");
    h.rx->req_prod = 1000;
    dom0_sends(9, 1);
    world_run();
    stopped("the receive index");
    guest_sends(1, 50);
    world_run();
    assert_int_equal(back_port[1]->received, 50);
    hell_disconnect();
}

/* ---- Large segments ---- */

static void put16(uint8_t *b, uint32_t n) { b[0] = (uint8_t)(n >> 8); b[1] = (uint8_t)n; }
static uint32_t get16(const uint8_t *b) { return (uint32_t)b[0] << 8 | b[1]; }
static uint32_t sum16(const uint8_t *b, uint32_t len, uint32_t sum)
{
    for (uint32_t i = 0; i < len; i += 2)
        sum += get16(b + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

#define LARGE_HEADERS (14u + 20u + 32u)
#define LARGE_SEQ     0xfffff000u               /* wraps on the way */
static uint8_t large[65536];
static uint32_t large_size, large_done, large_count, large_mss;

static void large_make(uint32_t size, uint8_t protocol)
{
    uint8_t *ip = large + 14, *tcp = ip + 20;
    memset(large, 0, sizeof(large));
    for (uint32_t i = LARGE_HEADERS; i < size; i++)
        large[i] = (uint8_t)(i * 31 + (i >> 8));
    large[12] = 8;
    ip[0] = 0x45;
    put16(ip + 4, 0xfffe);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, "\x0a\x00\x02\x28\xff\xff\xff\xfe", 8);
    put16(tcp + 4, LARGE_SEQ >> 16);
    put16(tcp + 6, LARGE_SEQ & 0xffff);
    tcp[12] = 0x80;
    tcp[13] = 0x80 | 0x10 | 0x08 | 0x01;                /* CWR ACK PSH FIN */
    large_size = size;
    large_done = large_count = 0;
}

/* Each frame is what TCP itself would have sent. */
static void large_check(struct port *p, struct net_frame *f)
{
    uint8_t *ip = f->data + 14, *tcp = ip + 20;
    if (large_done == large_size - LARGE_HEADERS)
        large_done = large_count = 0;                   /* the next of several */
    uint32_t len = f->len - LARGE_HEADERS, seq = LARGE_SEQ + large_done;
    bool last = large_done + len == large_size - LARGE_HEADERS;
    assert_int_equal(len, last ? len : large_mss);
    assert_int_equal(get16(ip + 2), f->len - 14);
    assert_int_equal(get16(ip + 4), (0xfffe + large_count) & 0xffff);
    assert_int_equal(sum16(ip, 20, 0), 0xffff);
    assert_int_equal(get16(tcp + 4) << 16 | get16(tcp + 6), seq);
    assert_int_equal(tcp[13], 0x10 | (large_count ? 0 : 0x80) | (last ? 0x09 : 0));
    assert_int_equal(get16(tcp + 16), sum16(ip + 12, 8, 6 + f->len - 34));
    assert_int_equal(f->flags & NET_CSUM_PARTIAL, NET_CSUM_PARTIAL);
    assert_int_equal(f->csum_start, 34);
    assert_int_equal(f->csum_offset, 16);
    assert_memory_equal(f->data + LARGE_HEADERS, large + LARGE_HEADERS + large_done, len);
    large_done += len;
    large_count++;
    p->received++;
    net_frame_free(f);
}

/* The segment in parts: the first has `first` bytes, the others 4096; returns where the ring goes on. */
static uint32_t large_put(uint32_t at, uint32_t first, uint16_t mss, uint8_t type)
{
    large_mss = mss;
    for (uint32_t i = 0, done = 0; done < large_size; i++) {
        uint32_t n = i ? 4096 : first;
        if (n > large_size - done)
            n = large_size - done;
        memcpy(h.page[i] + (i ? 0 : 4096 - n), large + done, n);
        done += n;
        hell_put(at++, h.ref[i], (uint16_t)(i ? 0 : 4096 - n), (uint16_t)(i ? n : large_size),
                 (uint16_t)((done < large_size ? NETTXF_more_data : 0) | (i ? 0 : NETTXF_extra_info | (first & NETTXF_csum_blank))));
        if (i == 0) {
            struct netif_extra_info x = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = { .size = mss, .type = type } };
            memcpy(&h.tx->ring[at++ % 256], &x, sizeof(x));
        }
    }
    return at;
}

/* The answer, the same in all its slots; 99: none. */
static int16_t large_send(uint32_t first, uint16_t mss, uint8_t type)
{
    uint32_t begin = h.tx->req_prod, end = large_put(begin, first, mss, type);
    hell_kick(end);
    if (h.tx->rsp_prod != end)
        return 99;
    for (uint32_t i = begin; i < end; i++)
        assert_int_equal(h.tx->ring[i % 256].rsp.status, i == begin + 1 ? NETIF_RSP_NULL : h.tx->ring[begin % 256].rsp.status);
    return h.tx->ring[begin % 256].rsp.status;
}

void large_segments_become_frames(void **state)
{
    hell_connect();
    assert_string_equal(store_get("backend/vif/9/0/feature-gso-tcpv4"), "1");
    back_port[9]->receive = large_check;
    static const struct { uint32_t payload; uint16_t mss; } cases[] = {
        { 28000, 1448 }, { 1448, 1448 }, { 1449, 1448 }, { 1, 1448 }, { 28960, 1448 }, { 20000, 3900 }, { 25600, 100 }, { 30000, 536 }, { 40, 0xffff },
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (unsigned first = 1; first < 400; first += first < 70 ? 23 : 300) {      /* the headers lie in one part or two */
            large_make(LARGE_HEADERS + cases[i].payload, 6);
            assert_int_equal(large_send(first, cases[i].mss, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_OKAY);
            assert_int_equal(large_done, cases[i].payload);
        }
    unsigned before = back_port[9]->received;
    uint32_t at = h.tx->req_prod;
    large_make(LARGE_HEADERS + 25500, 6);               /* far more at once than a turn takes */
    for (unsigned i = 0; i < 20; i++)
        at = large_put(at, 100, 100, XEN_NETIF_GSO_TYPE_TCPV4);
    hell_kick(at);
    assert_int_equal(h.tx->rsp_prod, at);
    assert_int_equal(back_port[9]->received, before + 20 * 255);
    hell_disconnect();
}

static uint64_t wire_bytes;

static void count_bytes(struct port *p, struct net_frame *f)
{
    wire_bytes += f->len;
    keep(p, f);
}

/* Requests of 322 bytes that become 256 frames each: what leaves is held to the rate, headers and all. */
void large_segments_pay_for_their_headers(void **state)
{
    store_put("backend/vif/9/0/rate", "50000,50000");           /* 1 MB a second */
    hell_connect();
    back_port[9]->receive = count_bytes;
    wire_bytes = 0;
    large_make(LARGE_HEADERS + 256, 6);
    uint64_t start = now_ns;
    uint32_t at = 0;
    for (unsigned ms = 0; ms < 3000; ms++, now_ns += 1000000) {
        while (at - h.tx->rsp_prod <= 254)
            at = large_put(at, 4096, 1, XEN_NETIF_GSO_TYPE_TCPV4);
        hell_kick(at);
    }
    uint64_t a_second = wire_bytes * 1000000000ull / (now_ns - start);
    printf("rate=1MB/s, large segments: %llu bytes a second\n", (unsigned long long)a_second);
    assert_in_range(a_second, 950000, 1060000);
    for (unsigned s = 0; at != h.tx->rsp_prod && s < 100; s++, now_ns += 1000000000)         /* the rest, and idle for long */
        world_run();
    assert_int_equal(at, h.tx->rsp_prod);
    hell_disconnect();
}

static unsigned theirs_meanwhile;

static void note_theirs(struct port *p, struct net_frame *f)
{
    keep(p, f);
    if (p->received == 256)
        theirs_meanwhile = back_port[9]->received;
}

/* A turn that ends with a large segment's many frames is paid for with the turns after it: a neighbour gets as many frames through. */
void large_segments_leave_neighbours_their_turns(void **state)
{
    up(1);
    hell_connect();
    back_port[1]->receive = note_theirs;
    back_port[9]->receive = keep;
    uint32_t at = 0;
    for (unsigned turns = 0; turns < 3; turns++) {
        for (unsigned i = 0; i < 63; i++)
            hell_put(at++, h.ref[1], 0, 60, 0);
        large_make(LARGE_HEADERS + 256, 6);
        at = large_put(at, 4096, 1, XEN_NETIF_GSO_TYPE_TCPV4);
    }
    theirs_meanwhile = 0;
    guest_sends(1, 256);
    hell_kick(at);
    assert_int_equal(h.tx->rsp_prod, at);
    assert_int_equal(back_port[9]->received, 3 * (63 + 256));
    assert_int_equal(back_port[1]->received, 256);
    assert_in_range(theirs_meanwhile, 64, 63 + 256 + 64);
    hell_disconnect();
}

void large_segments_that_are_none(void **state)
{
    hell_connect();
    back_port[9]->receive = large_check;
    last_log[0] = 0;
    large_make(20000, 17);                          /* not TCP */
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_ERROR);
    large_make(LARGE_HEADERS, 6);                   /* no payload */
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_ERROR);
    large_make(50, 6);                              /* not even its headers */
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_ERROR);
    large_make(20000, 6);                           /* frames longer than ours */
    assert_int_equal(large_send(200, NET_FRAME_MAX, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_ERROR);
    large_make(LARGE_HEADERS + 257, 6);             /* too many */
    assert_int_equal(large_send(200, 1, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_ERROR);
    for (unsigned words = 0; words < 5; words++) {  /* TCP headers too short */
        large_make(20000, 6);
        large[46] = (uint8_t)(words << 4);
        assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_ERROR);
    }
    large_make(90, 6);                              /* or longer than the whole */
    large[46] = 0xf0;
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_ERROR);
    assert_int_equal(back_port[9]->received, 0);
    uint32_t ref = h.ref[3];
    h.ref[3] = 4242;                                /* a part that cannot be copied: what lies in others may go */
    back_port[9]->receive = keep;
    large_make(20000, 6);
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_ERROR);
    h.ref[3] = ref;
    no_memory = true;
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_DROPPED);
    no_memory = false;
    assert_string_equal(last_log, "");
    back_port[9]->receive = large_check;
    large_make(20000, 6);
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV4), NETIF_RSP_OKAY);
    large_make(20000, 6);
    assert_int_equal(large_send(200, 0, XEN_NETIF_GSO_TYPE_TCPV4), 99);
    stopped("without a size");
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_TCPV6), 99);
    stopped("not offered");
    assert_int_equal(large_send(200, 1448, XEN_NETIF_GSO_TYPE_NONE), 99);
    stopped("not offered");
    hell_disconnect();
}

/* Anything at all, while a neighbour talks. */
void random_rings(void **state)
{
    unsigned stops = 0;
    up(1);
    hell_connect();
    back_port[9]->receive = keep;
    large_make(4096, 6);
    for (unsigned i = 0; i < 4; i++)
        memcpy(h.page[i], large, 4096);
    for (unsigned round = 0; round < 6000; round++) {
        unsigned n = (unsigned)rand() % 30;
        uint32_t at = h.tx->req_prod;
        for (unsigned i = 0; i < n; i++, at++) {
            if (rand() % 40 == 0) {                 /* a large segment, or nearly one */
                struct netif_extra_info x = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = { (uint16_t)(rand() % 600 ? rand() % 500 + 1 : 0), 1, 0, 0 } };
                hell_put(at++, h.ref[rand() % 8], 0, (uint16_t)(rand() % 4096), NETTXF_extra_info);
                memcpy(&h.tx->ring[at % 256], &x, sizeof(x));
            } else if (rand() % 400 == 0) {
                uint8_t *raw = (uint8_t *)&h.tx->ring[at % 256];
                for (unsigned k = 0; k < 12; k++)
                    raw[k] = (uint8_t)(rand() % 3 ? rand() & 7 : rand());
            } else
                hell_put(at, rand() % 5 ? h.ref[rand() % 8] : (uint32_t)rand() % 20000, (uint16_t)(rand() % (rand() % 300 ? 2000 : 5000)),
                         (uint16_t)(rand() % 500 ? rand() % 2000 : rand()), (uint16_t)(rand() % 200 ? rand() & 3 : rand() & 15));
        }
        h.rx->ring[rand() % 256].req = (struct netif_rx_request){ (uint16_t)rand(), 0, rand() % 3 ? h.ref[rand() % 8] : (uint32_t)rand() };
        if (rand() % 3)
            h.rx->req_prod += (uint32_t)rand() % 4;
        h.tx->rsp_event = (uint32_t)rand();
        hell_kick(rand() % 400 ? at : (uint32_t)rand());
        if (rand() % 3 == 0)
            dom0_sends(9, (unsigned)rand() % 5);
        if (round % 10 == 0) {
            guest_sends(1, 5);
            dom0_sends(1, 5);
        }
        world_run();
        if (strstr(last_log, "stopped") || rand() % 200 == 0) {
            stops++;
            last_log[0] = 0;
            now_ns += 61000000000ull;
            hell_disconnect();
            hell_connect();
            back_port[9]->receive = keep;
        }
        now_ns += 1000000;
    }
    printf("random rings: stopped %u times\n", stops);
    assert_true(stops > 20);
    assert_int_equal(back_port[1]->received, out_seq[1]);
    assert_int_equal(front_port[1]->received, in_seq[1]);
    assert_int_equal(back_port[1]->wrong + front_port[1]->wrong, 0);
    hell_disconnect();
}

/* Events without work: after some, the next are heard only after a pause. */
void a_storm_of_events_is_paced(void **state)
{
    hell_connect();
    uint64_t before = netback_counters(back_port[9]->netback)->events;
    for (unsigned i = 0; i < 20000; i++) {
        event_poke(h.event);
        world_run();
        if (i % 20 == 0)
            now_ns += 100000;                       /* 100 ms in all */
    }
    uint64_t heard = netback_counters(back_port[9]->netback)->events - before;
    printf("of 20000 empty events in 100 ms %llu were heard\n", (unsigned long long)heard);
    assert_in_range(heard, 16, 1200);
    hell_disconnect();
}

/* The frontend side: a backend that answers anything. */
void random_answers(void **state)
{
    up(1);
    netback_stop();
    for (unsigned round = 0; round < 40; round++) {
        /* Ours is the backend now: the frontend said Initialising when the other closed. */
        world_run();
        store_put("backend/vif/1/0/state", "2");
        world_run();
        struct netif_tx_sring *tx = page_of_grant((uint32_t)atoi(store_get("1/device/vif/0/tx-ring-ref")));
        struct netif_rx_sring *rx = page_of_grant((uint32_t)atoi(store_get("1/device/vif/0/rx-ring-ref")));
        run_as(0);
        int port = os_event_bind(1, (uint32_t)atoi(store_get("1/device/vif/0/event-channel")), hell_event, 0);
        assert_true(port > 0);
        store_put("backend/vif/1/0/state", "4");
        world_run();
        front_port[1]->receive = keep;
        for (unsigned i = 0; i < 200; i++) {
            guest_sends(1, (unsigned)rand() % 20);
            for (unsigned k = 0; k < 20; k++) {
                tx->ring[rand() % 256].rsp = (struct netif_tx_response){ (uint16_t)(rand() % 300), (int16_t)(rand() % 4 - 2) };
                rx->ring[rand() % 256].rsp = (struct netif_rx_response){ (uint16_t)rand(), (uint16_t)(rand() % 3 ? 0 : rand()),
                                                                       (uint16_t)(rand() & 15), (int16_t)(rand() % 3 ? rand() % 2000 : rand()) };
            }
            tx->rsp_prod += (uint32_t)rand() % 5;
            rx->rsp_prod += (uint32_t)rand() % 20;
            if (rand() % 50 == 0)
                rx->rsp_prod = (uint32_t)rand();
            event_poke((uint32_t)port);
            world_run();
        }
        run_as(0);
        os_event_close((uint32_t)port);
        store_put("backend/vif/1/0/state", "6");
        world_run();
        assert_string_equal(store_get("1/device/vif/0/state"), "1");
    }
    netback_start();
}
