/* SPDX-License-Identifier: MIT */
/* boot_mb2.c: claim: mb2_parse finds what a good loader says, and reads nothing beyond the given bytes whatever a bad one says.
 * A failure means a machine that does not boot, or a boot that reads where nothing is. */
#include <string.h>

#include "tests/host/boot_host.h"

#include "hypervisor/boot/mb2.h"

static uint8_t buf[4096];
static uint32_t len;

static void put32(uint32_t v) { memcpy(buf + len, &v, 4); len += 4; }
static void put64(uint64_t v) { memcpy(buf + len, &v, 8); len += 8; }

static void begin(void) { memset(buf, 0, sizeof(buf)); len = 8; }

static uint32_t tag(uint32_t type)
{
    uint32_t at = len;
    put32(type);
    put32(0);
    return at;
}
static void tag_end(uint32_t at)
{
    uint32_t size = len - at;
    memcpy(buf + at + 4, &size, 4);
    len = (len + 7) & ~7u;
}
static void text_tag(uint32_t type, const char *s)
{
    uint32_t at = tag(type);
    memcpy(buf + len, s, strlen(s) + 1);
    len += (uint32_t)strlen(s) + 1;
    tag_end(at);
}
static void module_tag(uint32_t start, uint32_t end, const char *s)
{
    uint32_t at = tag(3);
    put32(start);
    put32(end);
    memcpy(buf + len, s, strlen(s) + 1);
    len += (uint32_t)strlen(s) + 1;
    tag_end(at);
}
static void mmap_tag(void)
{
    uint32_t at = tag(6);
    put32(24);
    put32(0);
    put64(0); put64(0x9fc00); put32(1); put32(0);
    put64(0x100000); put64(0x3ff00000); put32(1); put32(0);
    put64(0xfffffffffffff000); put64(0x10000); put32(2); put32(0);    /* wraps */
    tag_end(at);
}
static void finish(void)
{
    tag_end(tag(0));
    memcpy(buf, &len, 4);
}

static int parse(struct mb2_info *out, uint32_t n)
{
    void *p = host_copy(buf, n);
    int rc = mb2_parse(p, n, out);

    /* The strings must be readable, all of them, before the copy goes. */
    volatile size_t total = strlen(out->cmdline);
    for (uint32_t i = 0; i < out->nr_modules; i++)
        total += strlen(out->module[i].text);
    free(p);
    return rc;
}

static void good(void **state)
{
    struct mb2_info *o = calloc(1, sizeof(*o));

    begin();
    text_tag(1, "console=com1");
    module_tag(0x1000000, 0x1200000, "domain=a -- x");
    module_tag(0x1200000, 0x1200000, "");
    mmap_tag();
    finish();
    assert_int_equal(mb2_parse(buf, len, o), 0);
    assert_null(o->complaint);
    assert_string_equal(o->cmdline, "console=com1");
    assert_int_equal(o->nr_modules, 2);
    assert_string_equal(o->module[0].text, "domain=a -- x");
    assert_int_equal(o->nr_ranges, 3);
    assert_int_equal(o->range[1].size, 0x3ff00000);
    assert_int_equal(o->range[2].addr + o->range[2].size, 0);
    free(o);
}

static void modules_overlap(void **state)
{
    struct mb2_info *o = calloc(1, sizeof(*o));

    begin();
    module_tag(0x1000000, 0x1200000, "a");
    module_tag(0x11ff000, 0x1300000, "b");
    module_tag(0x1400000, 0x1300000, "c");
    finish();
    assert_int_equal(mb2_parse(buf, len, o), 0);
    assert_int_equal(o->nr_modules, 1);
    assert_non_null(o->complaint);
    free(o);
}

static void every_truncation(void **state)
{
    struct mb2_info *o = calloc(1, sizeof(*o));

    begin();
    text_tag(1, "console=com1");
    module_tag(0x1000000, 0x1200000, "domain=a");
    mmap_tag();
    finish();
    for (uint32_t n = 0; n < len; n++) {
        assert_int_equal(parse(o, n), -1);        /* the length in the header says more */
        uint32_t whole = len;
        memcpy(buf, &n, 4);                       /* now the header agrees with the cut */
        parse(o, n);
        memcpy(buf, &whole, 4);
    }
    free(o);
}

static void random_damage(void **state)
{
    struct mb2_info *o = calloc(1, sizeof(*o));

    for (int round = 0; round < 20000; round++) {
        begin();
        text_tag(1, "console=com1");
        module_tag(0x1000000, 0x1200000, "domain=a");
        mmap_tag();
        module_tag(0x1200000, 0x1300000, "ramdisk=a");
        finish();
        for (int k = 0; k < 4; k++)
            buf[8 + host_random() % (len - 8)] = (uint8_t)host_random();
        parse(o, len);
        assert_true(o->nr_modules <= MB2_MAX_MODULES && o->nr_ranges <= MB2_MAX_RANGES);
        for (uint32_t i = 0; i < o->nr_modules; i++)
            assert_true(o->module[i].start <= o->module[i].end);
    }
    free(o);
}

static void too_many(void **state)
{
    struct mb2_info *o = calloc(1, sizeof(*o));

    begin();
    for (uint32_t i = 0; i < 120; i++)
        module_tag(0x1000000 + i * 0x1000, 0x1001000 + i * 0x1000, "");
    finish();
    assert_int_equal(mb2_parse(buf, len, o), 0);
    assert_int_equal(o->nr_modules, MB2_MAX_MODULES);
    assert_non_null(o->complaint);
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good), cmocka_unit_test(modules_overlap), cmocka_unit_test(every_truncation),
        cmocka_unit_test(random_damage), cmocka_unit_test(too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
