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
    char    *page[8];
    uint32_t ref[8];
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
    for (unsigned i = 0; i < 8; i++) {
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
    for (unsigned i = 0; i < 8; i++)
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

/* Anything at all, while a neighbour talks. */
void random_rings(void **state)
{
    unsigned stops = 0;
    up(1);
    hell_connect();
    back_port[9]->receive = keep;
    for (unsigned round = 0; round < 6000; round++) {
        unsigned n = (unsigned)rand() % 30;
        uint32_t at = h.tx->req_prod;
        for (unsigned i = 0; i < n; i++, at++) {
            if (rand() % 400 == 0) {
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
