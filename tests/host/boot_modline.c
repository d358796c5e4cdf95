/* SPDX-License-Identifier: MIT */
/* boot_modline.c: claim: a module's text means what design.md section 4 says, text written for Xen passes through unchanged, and a mistake
 * is answered by a sentence that names the word. A failure means domains with the wrong memory, or none. */
#include <string.h>

#include "tests/host/boot_host.h"

#include "hypervisor/boot/modline.h"

static struct modline m;
static char err[256];

static int parse(const char *s)
{
    err[0] = 0;
    return modline_parse(s, &m, err, sizeof(err));
}

static void domain(void **state)
{
    assert_int_equal(parse("domain=alice memory=32M vcpus=2 weight=512 cap=25 ramdisk=bob --  init=/bin/sh  x "), 0);
    assert_int_equal(m.kind, MODLINE_DOMAIN);
    assert_string_equal(m.name, "alice");
    assert_string_equal(m.ramdisk, "bob");
    assert_int_equal(m.memory, 32 << 20);
    assert_int_equal(m.vcpus, 2);
    assert_int_equal(m.weight, 512);
    assert_int_equal(m.cap, 25);
    assert_string_equal(m.cmdline, "init=/bin/sh  x ");
    assert_int_equal(parse("memory=1G domain=x"), 0);
    assert_int_equal(m.kind, MODLINE_DOMAIN);
    assert_string_equal(m.cmdline, "");
}

static void ramdisk(void **state)
{
    assert_int_equal(parse("ramdisk=dom0"), 0);
    assert_int_equal(m.kind, MODLINE_RAMDISK);
    assert_string_equal(m.name, "dom0");
}

static void positional(void **state)
{
    const char *linux_line = "placeholder root=/dev/ram0 ramdisk=5 -- domain=no";

    assert_int_equal(parse(linux_line), 0);
    assert_int_equal(m.kind, MODLINE_POSITIONAL);
    assert_ptr_equal(m.cmdline, linux_line);
    assert_int_equal(parse(""), 0);
    assert_int_equal(m.kind, MODLINE_POSITIONAL);
}

static void refused(void **state)
{
    static const struct { const char *line, *names; } bad[] = {
        { "domain=a memroy=32M", "'memroy'" }, { "domain=a foo", "'foo'" }, { "domain=a memory=lots", "'memory=lots'" },
        { "domain=a memory=", "memory=" }, { "domain=a memory=-1", "memory=-1" }, { "domain=a vcpus=0", "vcpus=0" },
        { "domain=a vcpus=33", "vcpus=33" }, { "domain=", "domain=" }, { "domain=a/b", "domain=a/b" },
        { "domain=a memory=1M memory=0", "memory=0" }, { "domain=a weight=65536", "weight=65536" },
        { "domain=0123456789012345678901234567890123456789", "domain" },
        { "domain=a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=1", "xxxx" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i].line), -1);
        assert_non_null(strstr(err, bad[i].names));
    }
    assert_int_equal(parse("domain=a memroy=32M"), -1);
    assert_non_null(strstr(err, "domain, memory, vcpus, weight, cap, ramdisk"));
}

static void random_lines(void **state)
{
    static const char *const pieces[] = { "domain=", "memory=", "32M", "--", " ", "ramdisk=", "vcpus=", "9", "=", "\t", "\x80", "weight=x" };

    for (int round = 0; round < 20000; round++) {
        char line[200] = "";
        for (int k = host_random() % 12; k > 0; k--)
            strcat(line, pieces[host_random() % (sizeof(pieces) / sizeof(pieces[0]))]);
        char *copy = host_copy(line, strlen(line) + 1);
        if (parse(copy))
            assert_true(err[0] != 0);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domain), cmocka_unit_test(ramdisk), cmocka_unit_test(positional), cmocka_unit_test(refused),
        cmocka_unit_test(random_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
