/* SPDX-License-Identifier: MIT */
/* Claim: balloond's arithmetic keeps M1 to M3 (policy.h) for any states, and in a simulated machine memory follows a load and
 * comes to rest. A failure would starve a domain, or give the same memory twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dom0-tools/balloond/policy.h"

#define MIB 1024ull

static struct balance domain(uint64_t mib, uint64_t most, uint64_t available, unsigned pressure)
{
    return (struct balance){ .current = mib * MIB, .target = mib * MIB, .floor = 16 * MIB, .most = most * MIB, .weight = 256,
                             .available = available * MIB, .pressure = pressure, .managed = true };
}

static void nothing_moves_at_rest(void **state)
{
    (void)state;
    struct balance d[] = { domain(64, 128, 60, 0), domain(64, 128, 20, 10), domain(32, 64, 8, 20) };
    assert_false(balance_memory(d, 3, 100 * MIB));
    assert_false(balance_memory(d, 3, 0));
}

static void free_memory_goes_to_the_pressed(void **state)
{
    (void)state;
    struct balance d[] = { domain(64, 128, 60, 0), domain(64, 128, 1, 80) };
    assert_true(balance_memory(d, 2, 100 * MIB));
    assert_true(d[0].goal == d[0].target && d[1].goal > d[1].target && d[1].goal <= d[1].most);
}

static void the_idle_give_first(void **state)
{
    (void)state;
    struct balance d[] = { domain(64, 128, 60, 0), domain(64, 128, 1, 80), domain(64, 128, 2, 30) };
    assert_true(balance_memory(d, 3, 0));
    assert_true(d[0].goal < d[0].target && d[0].goal >= d[0].floor);
    assert_true(d[1].goal == d[1].target);               /* M2: not before it is there */
    assert_true(d[2].goal == d[2].target);
}

static void weights_rule_when_all_are_pressed(void **state)
{
    (void)state;
    struct balance d[] = { domain(96, 128, 1, 80), domain(32, 128, 1, 80) };
    assert_true(balance_memory(d, 2, 0));
    assert_true(d[0].goal < d[0].target && d[1].goal == d[1].target);
    d[0] = domain(96, 128, 1, 80);
    d[1] = domain(32, 128, 1, 80);
    d[0].weight = 768;
    assert_false(balance_memory(d, 2, 0));
}

static void a_request_is_met_from_what_lies_idle(void **state)
{
    (void)state;
    struct balance d[] = { domain(64, 128, 50, 0), domain(64, 128, 10, 20) };
    assert_true(balance_reserves(d, 2) >= 30 * MIB && balance_reserves(d, 2) < 64 * MIB);
    assert_true(balance_memory(d, 2, -20 * (int64_t)MIB));
    assert_true(d[0].target - d[0].goal + d[1].target - d[1].goal >= 19 * MIB);
}

static void any_state_keeps_the_rules(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 100000; round++) {
        struct balance d[6];
        int64_t free = (rand() % 400 - 100) * (int64_t)MIB, rise = 0, spoken = 0;
        for (unsigned i = 0; i < 6; i++) {
            uint64_t most = 16 + (uint64_t)rand() % 500, mib = 16 + (uint64_t)rand() % (most - 15);
            d[i] = domain(mib, most, (uint64_t)rand() % (mib + 1), (unsigned)rand() % 101);
            d[i].weight = 1 + (uint32_t)rand() % 65535;
            d[i].managed = rand() % 5;
            d[i].stuck = rand() % 6 == 0;
            d[i].keeps = rand() % 6 == 0;
            d[i].target = 16 * MIB + (uint64_t)rand() % ((most - 15) * MIB);
            d[i].target = d[i].target > d[i].most ? d[i].most : d[i].target;
        }
        balance_memory(d, 6, free);
        for (unsigned i = 0; i < 6; i++) {
            assert_true(d[i].goal == d[i].target || (d[i].managed && d[i].goal >= d[i].floor && d[i].goal <= d[i].most));
            if (d[i].stuck) {                                /* what it has is what it is to have */
                assert_true(!d[i].managed || d[i].goal == d[i].current);
                continue;
            }
            spoken += d[i].target > d[i].current && !d[i].stuck ? (int64_t)(d[i].target - d[i].current) : 0;
            rise += d[i].goal > d[i].target ? (int64_t)(d[i].goal - d[i].target) : 0;
        }
        assert_true(rise == 0 || rise <= free - spoken);
    }
}

/* Three domains of at most 72 MiB, 130 between them, and a load of 50 that goes round; a domain has 8 of its own. */
static void memory_follows_a_load(void **state)
{
    (void)state;
    struct balance d[] = { domain(24, 72, 16, 0), domain(24, 72, 16, 0), domain(24, 72, 16, 0) };
    int64_t free = 130 * (int64_t)MIB - 72 * (int64_t)MIB;
    for (unsigned turn = 0; turn < 9; turn++) {
        unsigned fed = 0;
        for (unsigned t = 0; t < 60; t++) {
            for (unsigned i = 0; i < 3; i++) {
                uint64_t need = (i == turn % 3 ? 58 : 8) * MIB;
                d[i].available = d[i].current > need ? d[i].current - need : 0;
                d[i].pressure = d[i].available * 4 >= d[i].current ? 0 : d[i].available * 8 >= d[i].current ? 20 : d[i].available ? 40 : 100;
                fed += i == turn % 3 && d[i].current >= need;
            }
            balance_memory(d, 3, free);
            for (unsigned i = 0; i < 3; i++) {
                d[i].target = d[i].goal;
                if (d[i].target < d[i].current) {
                    free += (int64_t)(d[i].current - d[i].target);
                    d[i].current = d[i].target;
                } else if ((int64_t)(d[i].target - d[i].current) <= free) {
                    free -= (int64_t)(d[i].target - d[i].current);
                    d[i].current = d[i].target;
                }
            }
        }
        assert_true(fed > 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_moves_at_rest), cmocka_unit_test(free_memory_goes_to_the_pressed), cmocka_unit_test(the_idle_give_first),
        cmocka_unit_test(weights_rule_when_all_are_pressed), cmocka_unit_test(a_request_is_met_from_what_lies_idle),
        cmocka_unit_test(any_state_keeps_the_rules), cmocka_unit_test(memory_follows_a_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
