/* SPDX-License-Identifier: MIT */
/* boot_format.c: claim: hv_snprintf prints what libc's snprintf prints, for the conversions it has, and never writes past its buffer.
 * A failure means garbled messages, or a smashed stack in the hypervisor. */
#include <stdio.h>
#include <string.h>

#include "tests/host/boot_host.h"

#include "hypervisor/lib/print.h"

#define SAME(...) do {                                       \
        char ours[200], theirs[200];                         \
        int n = hv_snprintf(ours, sizeof(ours), __VA_ARGS__); \
        assert_int_equal(n, snprintf(theirs, sizeof(theirs), __VA_ARGS__)); \
        assert_string_equal(ours, theirs);                   \
    } while (0)

static void numbers(void **state)
{
    SAME("%d %d %u", 0, -5, 4000000000u);
    SAME("%ld %lu %lx %llx", -1L, ~0UL, 0xdeadbeefcafeUL, ~0ULL);
    SAME("%zu %c %%", (size_t)77, 'x');
    SAME("[%5d] [%-5d] [%05d] [%05d]", 42, 42, 42, -42);
    SAME("[%016lx] [%8x] [%-8x]|", 0x1234UL, 0xabu, 0xabu);
    SAME("%ld", (long)(1UL << 63));
}

static void strings(void **state)
{
    SAME("[%s] [%8s] [%-8s]", "abc", "abc", "abc");
    SAME("plain");
}

static void cut_off(void **state)
{
    for (size_t room = 0; room < 12; room++) {
        char *buf = malloc(room + 1);
        buf[room] = 0x55;
        assert_int_equal(hv_snprintf(buf, room, "%s-%d", "hello", 12345), 11);
        if (room)
            assert_int_equal(strlen(buf), room - 1 < 11 ? room - 1 : 11);
        assert_int_equal(buf[room], 0x55);
        free(buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(numbers), cmocka_unit_test(strings), cmocka_unit_test(cut_off) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
