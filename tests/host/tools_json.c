/* SPDX-License-Identifier: MIT */
/* tools_json.c: claim: `enso list -l` is JSON whatever the names hold, and a
 * domain's record is read back as it was written, or not at all.             */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/json.h"
#include "dom0-tools/libenso/state.h"

static void shapes(void **state)
{
    char *text = NULL;
    size_t n = 0;
    struct json j = { .to = open_memstream(&text, &n) };

    (void)state;
    json_open(&j, NULL, '[');
    json_open(&j, NULL, '{');
    json_text(&j, "name", "a\"b\\c\n\xc3");
    json_number(&j, "n", UINT64_MAX);
    json_bool(&j, "yes", true);
    json_text(&j, "none", NULL);
    json_open(&j, "inner", '{');
    json_close(&j, '}');
    json_close(&j, '}');
    json_open(&j, NULL, '{');
    json_close(&j, '}');
    json_close(&j, ']');
    fclose(j.to);
    assert_string_equal(text, "[\n"
                              "    {\n"
                              "        \"name\": \"a\\\"b\\\\c\\u000a\\u00c3\",\n"
                              "        \"n\": 18446744073709551615,\n"
                              "        \"yes\": true,\n"
                              "        \"none\": null,\n"
                              "        \"inner\": {}\n"
                              "    },\n"
                              "    {}\n"
                              "]\n");
    free(text);
}

static void empty(void **state)
{
    char *text = NULL;
    size_t n = 0;
    struct json j = { .to = open_memstream(&text, &n) };

    (void)state;
    json_open(&j, NULL, '[');
    json_close(&j, ']');
    fclose(j.to);
    assert_string_equal(text, "[]\n");
    free(text);
}

static void records(void **state)
{
    struct record r, back;
    char text[8192];
    int n;

    (void)state;
    memset(&r, 0, sizeof(r));
    for (unsigned i = 0; i < 16; i++)
        r.handle[i] = (uint8_t)(i * 17);
    r.created = 1700000000;
    r.console_mfn = 0x123456789ull;
    r.console_port = 2;
    config_init(&r.config);
    strcpy(r.config.name, "carol");
    strcpy(r.config.kernel, "/boot/k");
    r.config.memory = r.config.maxmem = 32;
    n = record_write(&r, text, sizeof(text));
    assert_true(n > 0);
    assert_int_equal(record_parse(&back, text, (size_t)n), 0);
    assert_memory_equal(back.handle, r.handle, 16);
    assert_int_equal(back.created, r.created);
    assert_int_equal(back.console_mfn, r.console_mfn);
    assert_int_equal(back.console_port, 2);
    assert_string_equal(back.config.name, "carol");
    assert_int_equal(back.config.memory, 32);
    assert_int_equal(record_parse(&back, "name = \"x\"\n", 11), -1);
    assert_int_equal(record_parse(&back, "# enso 1 handle=12 created=1 console=1:2\n", 41), -1);
    assert_int_equal(record_write(&r, text, 30), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(empty),
        cmocka_unit_test(records),
    };

    return cmocka_run_group_tests_name("tools_json", tests, NULL, NULL);
}
