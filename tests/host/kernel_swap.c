/* SPDX-License-Identifier: MIT */
/* Claim: a swap area's slots are given out once, in runs, and counted right whatever the order of takes and drops; the pressure that
 * a balloon reports rises with want and never leaves 0 to 100. A failure here would be one program's memory in another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "guest-kernel/kernel/swap_slots.h"
#include "pv-drivers/balloon.h"

void *kmalloc(size_t n);
void kfree(void *p);
void panic(const char *fmt, ...);

void *kmalloc(size_t n) { return calloc(1, n); }
void kfree(void *p) { free(p); }
void panic(const char *fmt, ...)
{
    fprintf(stderr, "%s\n", fmt);
    abort();
}

static void slots_come_in_runs(void **state)
{
    struct swap_slots t;
    assert_int_equal(swap_slots_init(&t, 1000), 0);
    swap_slots_spoil(&t, 5);
    for (uint32_t i = 1; i < 1000; i++)
        if (i != 5)
            assert_int_equal(swap_slots_take(&t), i);
    assert_int_equal(swap_slots_take(&t), 0);
    assert_int_equal(t.used, 1000);
    assert_true(swap_slots_drop(&t, 700));
    assert_true(swap_slots_drop(&t, 3));
    uint32_t a = swap_slots_take(&t), b = swap_slots_take(&t);
    assert_true((a == 3 && b == 700) || (a == 700 && b == 3));
    swap_slots_free(&t);
}

static void counts_hold_in_any_order(void **state)
{
    enum { N = 600 };
    static uint32_t refs[N];
    struct swap_slots t;
    unsigned used = 1;
    assert_int_equal(swap_slots_init(&t, N), 0);
    srand(1);
    for (int i = 0; i < 200000; i++) {
        uint32_t n = (uint32_t)rand() % N;
        if (rand() % 3 == 0) {
            uint32_t got = swap_slots_take(&t);
            assert_true(got == 0 ? used == N : refs[got] == 0);
            if (got) {
                refs[got] = 1;
                used++;
            }
        } else if (n && refs[n] && rand() % 2) {
            swap_slot(&t, n)->refs++;
            refs[n]++;
        } else if (n && refs[n]) {
            assert_int_equal(swap_slots_drop(&t, n), --refs[n] == 0);
            used -= refs[n] == 0;
        }
        assert_int_equal(t.used, used);
    }
    swap_slots_free(&t);
}

static struct balloon_state fares(uint64_t available, uint64_t swap_in, uint64_t stalls)
{
    return (struct balloon_state){ .current = 64 << 10, .available = available, .swap_in = swap_in, .stalls = stalls };
}

static void pressure_rises_with_want(void **state)
{
    struct balloon_state before = fares(32 << 10, 0, 0);
    unsigned last = 0;
    for (uint64_t kib = 64 << 10; kib > 0; kib -= 1 << 10) {
        struct balloon_state now = fares(kib, 0, 0);
        unsigned p = balloon_pressure(&before, &now, 1000);
        assert_true(p >= last && p <= 100);
        last = p;
    }
    assert_true(last >= 50);
    struct balloon_state idle = fares(32 << 10, 0, 0), swaps = fares(1 << 10, 1 << 20, 1 << 20), fast = fares(20 << 10, 400, 0);
    assert_int_equal(balloon_pressure(&before, &idle, 1000), 0);
    assert_int_equal(balloon_pressure(&before, &swaps, 1000), 100);
    assert_in_range(balloon_pressure(&before, &fast, 1000), 20, 60);
    (void)balloon_pressure(&before, &swaps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(slots_come_in_runs), cmocka_unit_test(counts_hold_in_any_order),
                                        cmocka_unit_test(pressure_rises_with_want) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
