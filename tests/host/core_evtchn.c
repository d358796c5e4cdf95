/* SPDX-License-Identifier: MIT */
/* core_evtchn.c: claims: the two-level bit protocol raises an upcall exactly when a port that is neither pending nor masked
 * becomes pending or a pending one is unmasked, and touches no bit but its port's (SPEC 6, pitfalls A13); runstates add up
 * (SPEC 8.2). If this fails, guests miss events or are woken for nothing.                                            */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hypervisor/core/evtchn_2l.h"
#include "hypervisor/core/time.h"

static struct shared_info s;
static struct vcpu_info info;

static bool send(unsigned port)
{
    return ev2l_set_pending(&s, port) && ev2l_select(&info, port);
}

static void clear(void **state)
{
    memset(&s, 0, sizeof(s));
    memset(&info, 0, sizeof(info));
}

static void test_send_once(void **state)
{
    clear(state);
    assert_true(send(70));
    assert_int_equal(s.evtchn_pending[1], 1UL << 6);
    assert_int_equal(info.evtchn_pending_sel, 2);
    assert_false(send(70));                        /* pending already */
    assert_false(send(71));                        /* its selector is set already: the upcall is raised */
    assert_true(ev2l_is_pending(&s, 71));
}

static void test_masked(void **state)
{
    clear(state);
    s.evtchn_mask[63] = 1UL << 63;
    assert_false(send(4095));
    assert_true(ev2l_is_pending(&s, 4095));
    assert_int_equal(info.evtchn_pending_sel, 0);
    assert_true(ev2l_unmask(&s, &info, 4095));
    assert_int_equal(info.evtchn_pending_sel, 1UL << 63);
    assert_false(ev2l_unmask(&s, &info, 4095));    /* not masked any more */
    assert_false(ev2l_is_masked(&s, 4095));
}

static void test_every_port(void **state)
{
    for (unsigned port = 0; port < 4096; port++) {
        clear(state);
        assert_true(send(port));
        for (unsigned w = 0; w < 64; w++)
            assert_int_equal(s.evtchn_pending[w], w == port / 64 ? 1UL << port % 64 : 0);
        ev2l_clear_pending(&s, port);
        assert_false(ev2l_is_pending(&s, port));
        assert_false(ev2l_unmask(&s, &info, port));
    }
}

static void test_runstates(void **state)
{
    struct vcpu_runstate_info r = { .state = RUNSTATE_offline, .state_entry_time = 100 };
    uint64_t now = 100, sum = 0;

    srand(3);
    for (int i = 0; i < 1000; i++) {
        now += rand() % 1000;
        runstate_account(&r, rand() % 4, now);
    }
    for (int i = 0; i < 4; i++)
        sum += r.time[i];
    assert_int_equal(sum, now - 100);
    runstate_account(&r, RUNSTATE_running, now - 50);   /* a clock that is a little behind takes nothing away */
    assert_int_equal(r.state_entry_time, now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_once), cmocka_unit_test(test_masked), cmocka_unit_test(test_every_port),
        cmocka_unit_test(test_runstates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
