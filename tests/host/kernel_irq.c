/* SPDX-License-Identifier: MIT */
/* Claim: a shared line calls everybody on it, a line that nobody owns up to or that never stops is masked, and a busy but
 * honest one is not. A failure would mean that one broken card stops the machine, or that a fast one is silenced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest-kernel/drivers/irq.h"

void *calloc(size_t n, size_t size);
static uint64_t now;
static unsigned said, called;
void *kmalloc(size_t n) { return calloc(1, n); }
void kprintf(const char *f, ...) { said++; }
uint64_t plat_clock_ns(void) { return now; }

static bool handler(void *arg)
{
    called++;
    return *(bool *)arg;
}

static void storms(void **state)
{
    static bool yes = true, no = false;
    assert_int_equal(irq_handle(IRQS, handler, &yes), -EINVAL);
    assert_int_equal(irq_handle(-1, handler, &yes), -EINVAL);
    assert_int_equal(irq_handle(1, handler, &no), 0);
    assert_int_equal(irq_handle(1, handler, &yes), 0);
    for (unsigned i = 0; i < 200000; i++) {        /* 90,000 a second, one of two owns up */
        now += 11111;
        assert_false(irq_raised(1));
    }
    assert_int_equal(called, 400000);
    assert_int_equal(irq_handle(2, handler, &no), 0);
    unsigned n = 0;
    while (!irq_raised(2) && n < 200000)
        n++;
    assert_in_range(n, 10, 100000);
    assert_int_equal(said, 1);
    assert_int_equal(irq_handle(3, handler, &yes), 0);
    for (n = 0; !irq_raised(3) && n < 2000000; n++)
        now += 100;
    assert_in_range(n, 90000, 200000);
    uint64_t count;
    bool masked;
    assert_true(irq_count(3, &count, &masked) && masked && count == n + 1);
    assert_true(irq_count(1, &count, &masked) && !masked);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(storms) };
    return cmocka_run_group_tests(tests, 0, 0);
}
