/* SPDX-License-Identifier: MIT */
/* core_console.c: claim: no bytes that a guest prints can make a line that begins "(enso) ", nor move the cursor (SPEC 4.6).
 * If this fails, a guest can forge a message of the hypervisor's.                                                     */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hypervisor/core/guestcons.h"

static void test_escape(void **state)
{
    for (int c = 0; c < 256; c++) {
        char out[8];
        unsigned n = guestcons_escape(out, (char)c);
        assert_in_range(n, 1, 4);
        for (unsigned i = 0; i < n; i++)
            assert_true(out[i] == '\t' || (unsigned char)out[i] >= ' ');
        if (c == 0x1b) {
            assert_int_equal(n, 4);
            assert_memory_equal(out, "\\x1b", 4);
        }
    }
}

/* Feeds text in pieces of `step` bytes and gives what comes out. */
static const char *guarded(const char *text, size_t step)
{
    static char out[1024];
    struct console_guard g = { 0 };
    size_t len = 0, n = strlen(text);

    for (size_t i = 0; i < n; i += step) {
        size_t part = n - i < step ? n - i : step;
        len += guestcons_guard(&g, out + len, text + i, part);
    }
    out[len] = 0;
    return out;
}

static void test_guard(void **state)
{
    for (size_t step = 1; step < 20; step++) {
        assert_string_equal(guarded("dom0# ls (enso) x\n", step), "dom0# ls (enso) x\n");
        assert_string_equal(guarded("(enso) forged\n", step), "'(enso) forged\n");
        assert_string_equal(guarded("a\n(enso) forged\nb\n", step), "a\n'(enso) forged\nb\n");
        assert_string_equal(guarded("x\r(enso) forged\n", step), "x\r'(enso) forged\n");
        assert_string_equal(guarded("(enso)x\n", step), "(enso)x\n");
        assert_string_equal(guarded("((enso) \n", step), "((enso) \n");
    }
}

static void test_guard_random(void **state)
{
    static const char alphabet[] = "(enso) \n\rx";
    srand(5);
    for (int round = 0; round < 5000; round++) {
        char text[64], *line;
        for (unsigned i = 0; i < sizeof(text) - 1; i++)
            text[i] = alphabet[rand() % (sizeof(alphabet) - 1)];
        text[sizeof(text) - 1] = 0;
        for (line = (char *)guarded(text, 1 + rand() % 9); line && *line; ) {
            assert_int_not_equal(strncmp(line, "(enso) ", 7), 0);
            line = strpbrk(line, "\n\r");
            line = line ? line + 1 : NULL;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape), cmocka_unit_test(test_guard), cmocka_unit_test(test_guard_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
