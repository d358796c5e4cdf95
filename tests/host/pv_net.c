/* SPDX-License-Identifier: MIT */
/* pv_net.c: claim: the network frontend and backend (pv-drivers/, SPEC 11.5) carry every frame whole and in order both ways, begin
 * anew after a restart with what was not acknowledged, keep a guest to its rate and its share of memory, and hold against rings,
 * indices, grants and answers of any content, each of which hurts its own vif at most. A failure means lost or mixed-up traffic, or a
 * guest that reaches into dom0 or stops its neighbours. Honest traffic and life are here, hell is in pv_net_hell.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pv_net_frames.h"

/* ---- Honest traffic ---- */

static void frames_go_both_ways(void **state)
{
    up(1);
    for (unsigned i = 0; i < 500; i++) {
        guest_sends(1, (unsigned)rand() % 40);
        dom0_sends(1, (unsigned)rand() % 40);
        world_run();
    }
    assert_int_equal(back_port[1]->received, out_seq[1]);
    assert_int_equal(front_port[1]->received, in_seq[1]);
    assert_int_equal(back_port[1]->wrong + back_port[1]->lost + front_port[1]->wrong + front_port[1]->lost, 0);
    printf("%u frames: %u copies in %u hypercalls, %u events\n", out_seq[1] + in_seq[1], copies_made, copy_calls, events_sent);
    assert_true(copy_calls < (out_seq[1] + in_seq[1]) / 8);
    assert_true(events_sent < (out_seq[1] + in_seq[1]) / 4);
}

/* More at once than ring and queue hold: what does not fit is dropped and counted, what is taken arrives. */
static void a_burst_is_bounded(void **state)
{
    up(1);
    guest_sends(1, 5000);
    world_run();
    const struct netfront_counters *c = netfront_counters(front_port[1]->front);
    assert_int_equal(c->tx_dropped, 5000 - 256 - 512);
    assert_int_equal(back_port[1]->received, 256 + 512);
    dom0_sends(1, 5000);
    world_run();
    assert_int_equal(netback_counters(back_port[1]->netback)->rx_dropped + front_port[1]->received, 5000);
    assert_in_range(front_port[1]->received, 256 + 256, 5000);
    assert_int_equal(front_port[1]->wrong + back_port[1]->wrong, 0);
}

static struct net_frame tcp_frame(unsigned len)
{
    struct net_frame f;
    assert_true(net_frame_alloc(&f));
    memset(f.data, 0, len);
    f.len = len;
    f.data[12] = 8;
    f.data[14] = 0x45;
    f.data[23] = 6;
    f.flags = NET_CSUM_PARTIAL;
    f.csum_start = 34;
    f.csum_offset = 16;
    return f;
}

static void checksums_stay_blank(void **state)
{
    up(1);
    struct net_frame f = tcp_frame(200);
    back_port[1]->receive = front_port[1]->receive = keep;
    run_as(1);
    netfront_transmit(front_port[1]->front, &f);
    netfront_kick(front_port[1]->front);
    world_run();
    assert_int_equal(back_port[1]->received, 1);
    assert_int_equal(seen.flags & NET_CSUM_PARTIAL, NET_CSUM_PARTIAL);
    assert_int_equal(seen.csum_start, 34);
    assert_int_equal(seen.csum_offset, 16);
    f = tcp_frame(100);
    run_as(0);
    netback_transmit(back_port[1]->netback, &f);
    netback_kick(back_port[1]->netback);
    world_run();
    assert_int_equal(front_port[1]->received, 1);
    assert_int_equal(seen.flags & NET_CSUM_PARTIAL, NET_CSUM_PARTIAL);
    f = frame_make(0, 100);                         /* blank, and no such frame: an error, to the guest alone */
    f.flags = NET_CSUM_PARTIAL;
    run_as(1);
    netfront_transmit(front_port[1]->front, &f);
    netfront_kick(front_port[1]->front);
    world_run();
    assert_int_equal(back_port[1]->received, 1);
    assert_int_equal(netback_counters(back_port[1]->netback)->tx_errors, 1);
}

/* ---- Life ---- */

static void backend_restarts_under_load(void **state)
{
    up(1);
    up(2);
    for (unsigned round = 0; round < 40; round++) {
        unsigned got1 = back_port[1]->next_seq, got2 = back_port[2]->next_seq;
        guest_sends(1, 100);
        for (unsigned i = (unsigned)rand() % 4; i > 0; i--)
            world_turn();
        guest_sends(2, 10);
        uint32_t want1 = back_port[1]->next_seq, want2 = back_port[2]->next_seq;
        unsigned wrong = back_port[1]->wrong + back_port[1]->lost;
        assert_int_equal(wrong, 0);
        netback_stop();
        assert_null(back_port[1]);
        guest_sends(1, 50);                         /* into the queue */
        for (unsigned i = (unsigned)rand() % 3; i > 0; i--)
            world_turn();
        assert_int_equal(netback_start(), 0);
        back_port[1]->next_seq = want1;
        back_port[2]->next_seq = want2;
        world_run();
        assert_true(front_port[1]->carrier && front_port[2]->carrier);
        guest_sends(1, 1);
        world_run();
        assert_int_equal(back_port[1]->next_seq, out_seq[1]);
        assert_int_equal(back_port[1]->lost + back_port[1]->wrong, 0);
        assert_int_equal(back_port[2]->next_seq, out_seq[2]);
        assert_int_equal(back_port[2]->lost + back_port[2]->wrong, 0);
        assert_true(got1 <= want1 && got2 <= want2);
        dom0_sends(1, 20);
        world_run();
    }
    assert_int_equal(front_port[1]->lost + front_port[1]->wrong, 0);
    assert_int_equal(front_port[1]->received, in_seq[1]);
}

static void detach_and_death(void **state)
{
    for (unsigned round = 0; round < 20; round++) {
        up(1);
        guest_sends(1, 100);
        dom0_sends(1, 100);
        if (round & 1)
            world_turn();
        store_put("backend/vif/1/0/online", "0");
        store_put("backend/vif/1/0/state", "5");
        world_run();
        assert_string_equal(store_get("backend/vif/1/0/state"), "6");
        world_remove(1);
        assert_int_equal(frames_alive, 0);
    }
}

static void a_guest_without_buffers_harms_itself(void **state)
{
    up(1);
    up(2);
    no_memory = true;                               /* the guest's: it posts no more */
    for (unsigned i = 0; i < 1; i++)
        world_run();
    no_memory = false;
    front_port[1]->receive = 0;
    netfront_counters(front_port[1]->front);
    for (unsigned i = 0; i < 3000; i++) {           /* we never let domain 1 run: only domain 2's frames are brought */
        run_as(0);
        struct net_frame f = frame_make(in_seq[1]++, 1000);
        netback_transmit(back_port[1]->netback, &f);
        netback_kick(back_port[1]->netback);
        now_ns += 20 * 1000000ull;
    }
    assert_true(frames_alive <= 256 + 256 + 256 + 2);
    assert_true(netback_counters(back_port[1]->netback)->rx_dropped > 2000);
    assert_true(frames_alive <= 2 * 256 + 4);       /* stale: the queue was given up */
    dom0_sends(2, 100);
    world_run();
    assert_int_equal(front_port[2]->received, 100);
    dom0_sends(1, 10);
    world_run();
    assert_int_equal(front_port[1]->wrong, 0);
    uint32_t before = front_port[1]->received;
    dom0_sends(1, 10);
    world_run();
    assert_int_equal(front_port[1]->received, before + 10);
}

static void rate_is_kept(void **state)
{
    world_add(1);
    store_put("backend/vif/1/0/rate", "50000,50000");           /* 1 MB a second */
    netback_stop();
    netback_start();
    world_run();
    uint64_t start = now_ns, bytes = 0;
    for (unsigned ms = 0; ms < 3000; ms++, now_ns += 1000000) {
        while (netfront_counters(front_port[1]->front)->tx_dropped == 0) {
            struct net_frame f = frame_make(out_seq[1]++, 1500);
            run_as(1);
            netfront_transmit(front_port[1]->front, &f);
        }
        out_seq[1]--;
        netfront_kick(front_port[1]->front);
        world_run();
        struct netfront_counters *c = (struct netfront_counters *)netfront_counters(front_port[1]->front);
        c->tx_dropped = 0;
    }
    bytes = back_port[1]->received * 1500ull;
    uint64_t a_second = bytes * 1000000000ull / (now_ns - start);
    printf("rate=1MB/s: %llu bytes a second\n", (unsigned long long)a_second);
    assert_in_range(a_second, 950000, 1060000);
}

static void words_of_the_store(void **state)
{
    uint8_t mac[6];
    assert_true(net_parse_mac("00:16:3e:aA:0B:ff", mac));
    assert_int_equal(mac[3], 0xaa);
    const char *bad[] = { "", "00:16:3e:aa:bb", "00:16:3e:aa:bb:cc:", "01:16:3e:aa:bb:cc", "00:00:00:00:00:00", "0g:16:3e:aa:bb:cc", "00-16-3e-aa-bb-cc" };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(net_parse_mac(bad[i], mac));
    world_add(1);
    store_put("backend/vif/1/0/mac", "ff:ff:ff:ff:ff:ff");
    netback_stop();
    netback_start();
    assert_null(back_device(1));
    assert_non_null(strstr(last_log, "no MAC address"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(frames_go_both_ways), T(a_burst_is_bounded), T(checksums_stay_blank), T(backend_restarts_under_load), T(detach_and_death),
        T(a_guest_without_buffers_harms_itself), T(rate_is_kept), T(words_of_the_store), T(parts_are_joined), T(honest_mistakes_are_errors),
        T(broken_rings_stop_their_vif), T(large_segments_become_frames), T(large_segments_that_are_none),
        T(large_segments_pay_for_their_headers), T(large_segments_leave_neighbours_their_turns),
        T(random_rings), T(a_storm_of_events_is_paced), T(random_answers),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
