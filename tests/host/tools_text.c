/* SPDX-License-Identifier: MIT */
/* tools_text.c: claim: what people type is either understood whole or refused
 * (dom0-tools/libenso/text.h). A failure means a wrong CPU mask or name would
 * reach the hypervisor.                                                      */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "dom0-tools/libenso/text.h"

static void numbers(void **state)
{
    uint64_t v = 7;

    (void)state;
    assert_true(text_number("0", &v) && v == 0);
    assert_true(text_number("0x1f", &v) && v == 31);
    assert_true(text_number("18446744073709551615", &v) && v == UINT64_MAX);
    assert_false(text_number("18446744073709551616", &v));
    assert_false(text_number("", &v));
    assert_false(text_number("0x", &v));
    assert_false(text_number("12k", &v));
    assert_false(text_number("-1", &v));
    assert_true(text_memory("40", &v) && v == 40 << 10);
    assert_true(text_memory("40k", &v) && v == 40);
    assert_true(text_memory("40M", &v) && v == 40 << 10);
    assert_true(text_memory("2g", &v) && v == 2 << 20);
    assert_true(text_memory("1T", &v) && v == 1 << 30);
    static const char *const bad[] = { "", "k", "1kk", "m1", "-1m", "1.5g", "1 g", "1b", "18446744073709551615", "99999999999t",
                                       "111111111111111111111111111" };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(text_memory(bad[i], &v));
}

static void cpu_lists(void **state)
{
    uint64_t m = 0;
    char buf[64];

    (void)state;
    assert_true(text_cpus("0-3,5", &m) && m == 0x2f);
    assert_true(text_cpus("all", &m) && m == ~0ull);
    assert_true(text_cpus("0-7,^2", &m) && m == 0xfb);
    assert_true(text_cpus("^0", &m) && m == ~1ull);
    assert_true(text_cpus("63", &m) && m == 1ull << 63);
    assert_false(text_cpus("64", &m));
    assert_false(text_cpus("3-1", &m));
    assert_false(text_cpus("1,", &m));
    assert_false(text_cpus("", &m));
    assert_false(text_cpus("0,^0", &m));
    text_from_cpus(0x2f, 8, buf, sizeof(buf));
    assert_string_equal(buf, "0-3,5");
    text_from_cpus(0x3, 2, buf, sizeof(buf));
    assert_string_equal(buf, "all");
    text_from_cpus(0x5555555555555555ull, 64, buf, 8);       /* cut, not overrun */
    assert_true(strlen(buf) < 8);
}

static void names(void **state)
{
    (void)state;
    assert_true(text_is_name("alice"));
    assert_true(text_is_name("a-1_b.c+d"));
    assert_false(text_is_name(""));
    assert_false(text_is_name("12"));
    assert_false(text_is_name("0x12"));
    assert_false(text_is_name("a b"));
    assert_false(text_is_name("-a"));
    assert_false(text_is_name("../etc"));
    assert_false(text_is_name("a/b"));
    assert_true(text_is_name("abcdefghijklmnopqrstuvwxyzabcde"));
    assert_false(text_is_name("abcdefghijklmnopqrstuvwxyzabcdef"));
}

static void near_misses(void **state)
{
    static const char *const words[] = { "create", "list", "console", "destroy", NULL };

    (void)state;
    assert_int_equal(text_distance("create", "create"), 0);
    assert_int_equal(text_distance("craete", "create"), 1);
    assert_int_equal(text_distance("", "ab"), 2);
    assert_string_equal(text_nearest("craete", words), "create");
    assert_string_equal(text_nearest("cons", words), "console");
    assert_null(text_nearest("xyzzy", words));
    assert_null(text_nearest("a-word-that-is-much-longer-than-any-table", words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(cpu_lists),
        cmocka_unit_test(names),
        cmocka_unit_test(near_misses),
    };

    return cmocka_run_group_tests_name("tools_text", tests, NULL, NULL);
}
