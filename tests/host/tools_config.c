/* SPDX-License-Identifier: MIT */
/* tools_config.c: claim: a configuration file is read as its author meant it,
 * or refused with the file, the line and what was expected there; no text at
 * all makes the parser read or write out of bounds.                          */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/config.h"

static const char full[] =
    "# carol\n"
    "name = \"carol\"; vcpus=2\n"
    "kernel='/boot/novice-pv.elf'   # the same as ours\n"
    "ramdisk = \"/boot/guest.cpio\"\n"
    "memory = 32\nmaxmem = 0x40\n"
    "root = \"/dev/ram0\"\nextra = \"ro init=/bin/sh\"\n"
    "cpus = [\"0-1\", '3']\ncpu_weight = 512\ncap=25\n"
    "on_poweroff = \"destroy\"\non_reboot='restart'\non_crash = \"rename-restart\"\n"
    "disk = [ 'phy:/dev/x,xvda,w' ,\n  'format=qcow2, vdev=xvdb, access=ro, iops=100,target=/i/a,b \\'c.qcow2' ]\n"
    "vif = [ 'mac=00:16:3e:01:02:03, bridge=br1,ip=10.0.0.2,rate=10Mb/s', '' ]\n"
    "uuid = '0e8a1c5e-4b6f-4c9f-9a67-2f3d5b7c9e11'\nbootentry = '1'\nconsoles=2\nmem_floor=8\nmem_weight=3\n"
    "mem_auto=1\nlocaltime=1\n"
    "type = \"pv\"";

static int parse(struct config *c, const char *text, struct complaint *why)
{
    /* An exact copy, without a NUL, so that ASan sees a read past the end. */
    size_t n = strlen(text);
    char *copy = malloc(n ? n : 1);
    int rc;

    memcpy(copy, text, n);
    config_init(c);
    rc = config_parse(c, "f.cfg", copy, n, why);
    free(copy);
    return rc;
}

static void whole_file(void **state)
{
    struct config c;
    struct complaint why = { "" };
    char line[CONFIG_LINE];

    (void)state;
    assert_int_equal(parse(&c, full, &why), 0);
    assert_int_equal(config_check(&c, "f.cfg", &why), 0);
    assert_string_equal(c.name, "carol");
    assert_string_equal(c.kernel, "/boot/novice-pv.elf");
    assert_int_equal(c.vcpus, 2);
    assert_int_equal(c.memory, 32);
    assert_int_equal(c.maxmem, 64);
    assert_int_equal(c.cpus, 0xb);
    assert_int_equal(c.weight, 512);
    assert_int_equal(c.cap, 25);
    assert_int_equal(c.on_crash, ACTION_RENAME_RESTART);
    assert_string_equal(c.notes.text, "localtime");
    assert_int_equal(c.disks, 2);
    assert_string_equal(c.disk[0].target, "/dev/x");
    assert_int_equal(c.disk[0].devid, 51712);
    assert_true(c.disk[0].writable && !c.disk[1].writable);
    assert_string_equal(c.disk[1].target, "/i/a,b 'c.qcow2");
    assert_int_equal(c.disk[1].format, DISK_QCOW2);
    assert_int_equal(c.disk[1].iops, 100);
    assert_int_equal(c.vifs, 2);
    assert_string_equal(c.vif[0].bridge, "br1");
    assert_int_equal(c.vif[0].rate, 1250000);
    assert_int_equal(c.vif[0].rate_us, 50000);
    assert_true(c.vif[0].has_mac && !c.vif[1].has_mac);
    assert_string_equal(c.vif[1].bridge, "br0");
    assert_int_equal(c.uuid[15], 0x11);
    assert_int_equal(c.consoles, 2);
    config_cmdline(&c, line, sizeof(line));
    assert_string_equal(line, "root=/dev/ram0 ro init=/bin/sh");
}

static void written_and_read_again(void **state)
{
    struct config c, d;
    struct complaint why = { "" };
    char a[4096], b[4096];

    (void)state;
    assert_int_equal(parse(&c, full, &why), 0);
    assert_int_equal(config_override(&c, "extra=say \"hi\" \\o/", &why), 0);
    assert_int_equal(config_check(&c, "f", &why), 0);
    assert_true(config_write(&c, a, sizeof(a)) > 0);
    assert_int_equal(parse(&d, a, &why), 0);
    assert_string_equal(d.extra, "say \"hi\" \\o/");
    assert_true(config_write(&d, b, sizeof(b)) > 0);
    assert_string_equal(a, b);
    assert_int_equal(config_write(&c, a, 20), -1);
}

static void complaints(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "name = \"a\"\nmemory = lots\n", "f.cfg:2: memory: expected a number of MiB from 2 to 1048576, found \"lots\"" },
        { "memory = 1\n", "f.cfg:1: memory: expected a number of MiB from 2 to 1048576, found \"1\"" },
        { "\n\nmemroy = 3\n", "f.cfg:3: unknown key \"memroy\"; did you mean memory?" },
        { "name = \"a b\"", "f.cfg:1: name: expected 1 to 31 letters" },
        { "name = \"abc\n", "f.cfg:1: expected a closing \" before the line ends" },
        { "name \"abc\"\n", "f.cfg:1: expected = after name, found \"\"abc\"\"" },
        { "name =\n", "f.cfg:1: expected a value for name, found the end of the line" },
        { "name =", "f.cfg:1: expected a value for name, found the end of the file" },
        { "= 3", "f.cfg:1: expected `key = value`, found \"= 3\"" },
        { "vcpus = 2 2", "f.cfg:1: expected the line to end after the value of vcpus, found \"2\"" },
        { "cpus = [1, 2", "f.cfg:1: expected , or ] in the list, found the end of the file" },
        { "cpus = \"7-3\"", "f.cfg:1: cpus: expected CPUs such as" },
        { "on_crash = \"explode\"", "f.cfg:1: on_crash: expected destroy, restart, preserve or rename-restart" },
        { "type = \"hvm\"", "f.cfg:1: type: expected \"pv\"" },
        { "kernel = \"\"", "f.cfg:1: kernel: expected the path of a file" },
        { "kernel = ['a']", "f.cfg:1: kernel: expected a string in quotes, not a list" },
        { "disk = ['/a,raw,sda,w']", "f.cfg:1: disk: expected the guest's name for it, xvda to xvdz, found \"sda\"" },
        { "disk = ['a,raw,xvda,w']", "f.cfg:1: disk: expected a whole path that begins with /, found \"a\"" },
        { "disk = ['']", "f.cfg:1: disk: expected a target" },
        { "disk = ['/a,vmdk,xvda,w']", "f.cfg:1: disk: expected the format raw or qcow2, found \"vmdk\"" },
        { "disk = ['/a,raw,xvda,x']", "f.cfg:1: disk: expected the access rw or ro (or w or r), found \"x\"" },
        { "disk = ['/a,raw,xvda,w,7']", "f.cfg:1: disk: unexpected \"7\" after the access" },
        { "disk = ['/a']", "f.cfg:1: disk: expected the guest's name for /a, as in" },
        { "disk = ['/a,raw,xvda,iops=0']", "f.cfg:1: disk: iops: expected a number from 1 to 1000000, found \"0\"" },
        { "vif = ['mac=01:16:3e:01:02:03']", "f.cfg:1: vif: mac: expected one card's address" },
        { "vif = ['mac=00:16:3e:01:02']", "f.cfg:1: vif: mac: expected one card's address" },
        { "vif = ['bridge=a/b']", "f.cfg:1: vif: bridge: expected a bridge's name such as br0, found \"a/b\"" },
        { "vif = ['rate=10']", "f.cfg:1: vif: rate: expected such as 10Mb/s" },
        { "vif = ['mca=1']", "f.cfg:1: vif: unknown word \"mca\"; expected mac, bridge, ip or rate" },
        { "uuid = '12'", "f.cfg:1: uuid: expected a UUID such as" },
        { "cap = 99999", "f.cfg:1: cap: expected a number from 0 to 3200" },
    };
    struct config c;
    struct complaint why;

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why.text[0] = '\0';
        assert_int_equal(parse(&c, bad[i].text, &why), -1);
        if (strncmp(why.text, bad[i].says, strlen(bad[i].says)) != 0)
            fail_msg("for <%s>: <%s>, not <%s>", bad[i].text, why.text, bad[i].says);
    }
}

static void missing_and_unfitting(void **state)
{
    struct config c;
    struct complaint why;

    (void)state;
    assert_int_equal(parse(&c, "kernel='k'\nmemory=8", &why), 0);
    assert_int_equal(config_check(&c, "f.cfg", &why), -1);
    assert_non_null(strstr(why.text, "name"));
    assert_int_equal(parse(&c, "name='n'\nkernel='k'\nmemory=8\nmaxmem=4", &why), 0);
    assert_int_equal(config_check(&c, "f.cfg", &why), -1);
    assert_string_equal(why.text, "f.cfg: maxmem is 4 MiB, less than memory, 8 MiB");
}

/* All of xl's ways to write the same disk. */
static void disks(void **state)
{
    static const char *const same[] = {
        "/images/a.img,raw,xvda,rw", "/images/a.img,,xvda,w", "file:/images/a.img,xvda,w", "raw:/images/a.img,xvda",
        "tap:aio:/images/a.img,xvda,w", "phy:/images/a.img,xvda", "aio:/images/a.img,vdev=xvda",
        "/images/a.img,raw,xvda", "vdev=xvda,target=/images/a.img", "format=raw, vdev=xvda, access=rw, target=/images/a.img",
        "/images/a.img, raw, vdev=xvda", "  /images/a.img , raw , xvda , rw ", "access=w,vdev=xvda,format=,target= /images/a.img",
        "target=/images/a.img,format=raw,vdev=xvda,access=rw", "target=/images/a.img , vdev=xvda", "vdev=xvda, target=/images/a.img,access=w",
    };
    static const struct { const char *name; uint32_t devid; } names[] = {
        { "xvda", 51712 }, { "xvda1", 51713 }, { "xvdb", 51728 }, { "xvdp15", 51967 }, { "xvdq", 1u << 28 | 16 << 8 },
        { "xvdaa", 1u << 28 | 26 << 8 }, { "xvda16", 1u << 28 | 16 },
    };
    struct config_disk d, first;
    struct complaint why;
    char text[600];
    uint32_t id;

    (void)state;
    assert_int_equal(config_disk_parse(&first, same[0], &why), 0);
    for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (config_disk_parse(&d, same[i], &why))
            fail_msg("<%s>: %s", same[i], why.text);
        assert_memory_equal(&d, &first, sizeof(d));
    }
    assert_int_equal(config_disk_parse(&d, "tap2:qcow2:/images/a.img,xvda,w", &why), 0);
    assert_true(d.format == DISK_QCOW2 && strcmp(d.target, "/images/a.img") == 0);
    assert_int_equal(config_disk_parse(&d, "vdev=xvdb,target=/images/a,b=c,d.img", &why), 0);
    assert_string_equal(d.target, "/images/a,b=c,d.img");
    assert_int_equal(config_disk_parse(&d, "phy:nvme0n1p3,xvdb,r", &why), 0);
    assert_string_equal(d.target, "/dev/nvme0n1p3");
    assert_int_equal(config_disk_parse(&d, "file:a.img,xvdb,r", &why), -1);
    config_disk_text(&first, text, sizeof(text));
    assert_int_equal(config_disk_parse(&d, text, &why), 0);
    assert_memory_equal(&d, &first, sizeof(d));
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(config_vdev(names[i].name, &id));
        assert_int_equal(id, names[i].devid);
    }
    assert_false(config_vdev("xvd", &id) || config_vdev("xvd1", &id) || config_vdev("xvda01", &id) || config_vdev("", &id));
    assert_false(config_vdev("xvdaaaaaaaaaa", &id) || config_vdev("xvda999", &id) || config_vdev("xvda1b", &id));
}

static void addresses(void **state)
{
    char mac[18];

    (void)state;
    assert_true(config_mac("00:16:3E:aB:cD:09", mac));
    assert_string_equal(mac, "00:16:3e:ab:cd:09");
    assert_false(config_mac("00:16:3e:ab:cd", mac) || config_mac("00:16:3e:ab:cd:0g", mac) || config_mac("", mac));
    assert_string_equal(mac, "");
}

/* What xl knows and we do not, and what nobody knows, is passed over and named; a slip is not. */
static void keys_passed_over(void **state)
{
    struct config c;
    struct complaint why;

    (void)state;
    assert_int_equal(parse(&c, "name='n'\nboot='cd'\nblurb=1\npool='x'\ntsc_mode='native'\nzebra=['a','b']\n", &why), 0);
    assert_string_equal(c.notes.text, "boot, pool, tsc_mode");
    assert_string_equal(c.unknown.text, "blurb, zebra");
    assert_int_equal(parse(&c, "rooot='x'", &why), -1);
}

static void overrides(void **state)
{
    struct config c;
    struct complaint why;

    (void)state;
    assert_int_equal(parse(&c, full, &why), 0);
    assert_int_equal(config_override(&c, "memory=64", &why), 0);
    assert_int_equal(config_override(&c, "name=\"dave\"", &why), 0);
    assert_int_equal(c.memory, 64);
    assert_string_equal(c.name, "dave");
    assert_int_equal(config_override(&c, "memory", &why), -1);
    assert_int_equal(config_override(&c, "=3", &why), -1);
    assert_int_equal(config_override(&c, "name=\"dave\" x", &why), -1);
    assert_int_equal(config_override(&c, "memory=no", &why), -1);
    assert_string_equal(why.text,
                        "on the command line: memory: expected a number of MiB from 2 to 1048576, found \"no\"");
}

/* Every prefix, and every single byte changed to a few nasty ones. */
static void mangled(void **state)
{
    static const char nasty[] = { '\0', '"', '\'', '\\', '[', ']', '#', '\n', '=', (char)0xff };
    char text[sizeof(full)];
    struct config c;
    struct complaint why;

    (void)state;
    for (size_t n = 0; n < sizeof(full); n++) {
        memcpy(text, full, n);
        text[n] = '\0';
        parse(&c, text, &why);
    }
    for (size_t at = 0; at < sizeof(full) - 1; at++)
        for (size_t k = 0; k < sizeof(nasty); k++) {
            char *copy = malloc(sizeof(full) - 1);

            memcpy(copy, full, sizeof(full) - 1);
            copy[at] = nasty[k];
            config_init(&c);
            config_parse(&c, "f.cfg", copy, sizeof(full) - 1, &why);
            assert_true(memchr(c.name, 0, sizeof(c.name)) != NULL);
            free(copy);
        }
}

static void too_long(void **state)
{
    char *text = malloc(5000);
    struct config c;
    struct complaint why;

    (void)state;
    strcpy(text, "extra = \"");
    memset(text + 9, 'x', 3000);
    strcpy(text + 3009, "\"");
    assert_int_equal(parse(&c, text, &why), -1);
    text[0] = '\0';
    for (int i = 0; i < 300; i++)
        strcat(text, "aaaaaaaaaa");
    assert_int_equal(parse(&c, text, &why), -1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_file),   cmocka_unit_test(written_and_read_again), cmocka_unit_test(complaints),
        cmocka_unit_test(missing_and_unfitting), cmocka_unit_test(overrides), cmocka_unit_test(disks),    cmocka_unit_test(mangled),
        cmocka_unit_test(too_long), cmocka_unit_test(addresses), cmocka_unit_test(keys_passed_over),
    };

    return cmocka_run_group_tests_name("tools_config", tests, NULL, NULL);
}
