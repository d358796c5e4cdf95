/* SPDX-License-Identifier: MIT */
/* boot_options.c: claim: the boot line's words do what they say, Xen's usual ones are taken, and an unknown one is named. */
#include <string.h>

#include "tests/host/boot_host.h"

#include "hypervisor/boot/options.h"
#include "hypervisor/lib/print.h"

static char complaints[1024];
static struct boot_options o;

static void complain(const char *word)
{
    strcat(complaints, word);
    strcat(complaints, ";");
}

static void parse(const char *line)
{
    complaints[0] = 0;
    options_parse(line, &o, complain);
}

static void defaults(void **state)
{
    parse("");
    assert_int_equal(o.console_port, 0x3f8);
    assert_int_equal(o.loglvl, LOG_INFO);
    assert_string_equal(o.sched, "credit");
    assert_int_equal(o.maxcpus, 64);
    assert_false(o.noreboot || o.debugexit);
}

static void words(void **state)
{
    parse("  console=com2 com2=115200,8n1 loglvl=all guest_loglvl=error/info sched=rr dom0_mem=512M,max:512M noreboot maxcpus=2 debugexit");
    assert_string_equal(complaints, "");
    assert_int_equal(o.console_port, 0x2f8);
    assert_int_equal(o.loglvl, LOG_DEBUG);
    assert_int_equal(o.guest_loglvl, LOG_INFO);
    assert_string_equal(o.sched, "rr");
    assert_int_equal(o.dom0_mem, 512UL << 20);
    assert_int_equal(o.maxcpus, 2);
    assert_true(o.noreboot && o.debugexit);
    parse("dom0_mem=262144");
    assert_int_equal(o.dom0_mem, 256UL << 20);
    parse("console=com1,vga");
    assert_int_equal(o.console_port, 0x3f8);
    parse("console=none");
    assert_int_equal(o.console_port, 0);
}

static void unknown(void **state)
{
    parse("foo=bar console=com9 maxcpus=0 dom0_mem=x loglvl=loud sched=aaaaaaaaaaaaaaaaaaaaaaaa baz");
    assert_string_equal(complaints, "foo=bar;console=com9;maxcpus=0;dom0_mem=x;loglvl=loud;sched=aaaaaaaaaaaaaaaaaaaaaaaa;baz;");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(defaults), cmocka_unit_test(words), cmocka_unit_test(unknown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
