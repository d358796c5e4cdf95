/* SPDX-License-Identifier: MIT */
/* core_timer.c: claim: slot[1] is always the earliest timer, and any timer can be taken out of the middle (SPEC 9.3).
 * If this fails, guests' timers fire late or the wrong one is cancelled.                                            */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "hypervisor/core/timer_heap.h"

#define N 200

static struct timer timers[N];
static struct timer *slots[N + 1];
static struct timer_heap heap = { .slot = slots, .limit = N };

static void check_heap(void)
{
    for (uint32_t i = 1; i <= heap.count; i++) {
        assert_int_equal(heap.slot[i]->heap_index, i);
        if (i > 1)
            assert_true(heap.slot[i / 2]->expires <= heap.slot[i]->expires);
    }
}

static void test_random(void **state)
{
    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct timer *t = &timers[rand() % N];
        struct timer *before = timer_heap_first(&heap);
        if (t->heap_index) {
            bool was_first = timer_heap_remove(&heap, t);
            assert_int_equal(was_first, before == t);
            assert_int_equal(t->heap_index, 0);
        } else {
            t->expires = rand() % 50;
            bool first = timer_heap_insert(&heap, t);
            assert_int_equal(first, timer_heap_first(&heap) == t);
        }
        if (round % 50 == 0)
            check_heap();
    }
}

static void test_sorted_out(void **state)
{
    uint64_t last = 0;
    while (heap.count) {
        struct timer *t = timer_heap_first(&heap);
        assert_true(t->expires >= last);
        last = t->expires;
        assert_true(timer_heap_remove(&heap, t));
    }
    assert_null(timer_heap_first(&heap));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_sorted_out) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
