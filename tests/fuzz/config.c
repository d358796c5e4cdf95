/* SPDX-License-Identifier: MIT */
/* config.c: a domain's configuration file, words of the command line, one disk or network card, and the head of a qcow2 file.
 *
 * What must hold: what was read is written as a file that reads the same; a complaint is a sentence. */
#include "tests/fuzz/fuzz.h"

#include "dom0-tools/libenso/config.h"
#include "dom0-tools/libenso/disk.h"
#include "dom0-tools/libenso/text.h"

#define ENDS(s) FUZZ_CHECK(strnlen(s, sizeof(s)) < sizeof(s))

static void written_and_read(const struct config *c)
{
    static char first[16384], second[16384];
    static struct config again;
    struct complaint why = { "" };
    int n = config_write(c, first, sizeof(first));

    if (n < 0)
        return;
    config_init(&again);
    if (config_parse(&again, "again", first, (size_t)n, &why)) {
        fprintf(stderr, "%s\n%s\n", why.text, first);
        abort();
    }
    FUZZ_CHECK(config_write(&again, second, sizeof(second)) == n && !memcmp(first, second, (size_t)n));
}

static void file(const char *text, size_t n)
{
    static struct config c;
    struct complaint why = { "" };
    char line[CONFIG_LINE];

    config_init(&c);
    if (config_parse(&c, "f", text, n, &why)) {
        FUZZ_CHECK(why.text[0] == 'f');
        ENDS(why.text);
        return;
    }
    ENDS(c.name); ENDS(c.kernel); ENDS(c.ramdisk); ENDS(c.cmdline); ENDS(c.root); ENDS(c.extra); ENDS(c.bootentry);
    FUZZ_CHECK(c.disks <= CONFIG_DISKS && c.vifs <= CONFIG_VIFS && c.consoles <= CONFIG_CONSOLES);
    config_cmdline(&c, line, sizeof(line));
    ENDS(line);
    if (config_check(&c, "f", &why))
        FUZZ_CHECK(why.text[0]);
    else
        written_and_read(&c);
}

static void device(const char *text)
{
    static struct config_disk d, d2;
    static struct config_vif v, v2;
    struct complaint why = { "" };
    char back[1024];

    memset(&d, 0, sizeof(d)); memset(&d2, 0, sizeof(d2)); memset(&v, 0, sizeof(v)); memset(&v2, 0, sizeof(v2));
    if (config_disk_parse(&d, text, &why)) {
        FUZZ_CHECK(why.text[0]);
    } else {
        ENDS(d.target); ENDS(d.vdev);
        config_disk_text(&d, back, sizeof(back));
        FUZZ_CHECK(config_disk_parse(&d2, back, &why) == 0 && !strcmp(d.target, d2.target) && d.devid == d2.devid && d.format == d2.format);
        FUZZ_CHECK(d.writable == d2.writable && d.iops == d2.iops && d.mbps == d2.mbps);
    }
    if (config_vif_parse(&v, text, &why) == 0) {
        ENDS(v.bridge); ENDS(v.ip);
        config_vif_text(&v, back, sizeof(back));
        FUZZ_CHECK(config_vif_parse(&v2, back, &why) == 0 && v.has_mac == v2.has_mac && !memcmp(v.mac, v2.mac, 6) && !strcmp(v.bridge, v2.bridge));
        FUZZ_CHECK(v.rate == v2.rate && v.rate_us == v2.rate_us && !strcmp(v.ip, v2.ip));
    }
}

static void words(const char *text)
{
    static const char *const known[] = { "memory", "maxmem", "vcpus", "kernel", NULL };
    uint64_t n, mask, again;
    uint8_t uuid[16];
    char buf[300], normal[18];
    uint32_t devid;

    text_number(text, &n);
    text_memory(text, &n);
    if (text_cpus(text, &mask) && mask) {
        text_from_cpus(mask, 64, buf, sizeof(buf));
        FUZZ_CHECK(text_cpus(buf, &again) && again == mask);
    }
    text_is_name(text);
    text_nearest(text, known);
    config_vdev(text, &devid);
    if (config_mac(text, normal))
        ENDS(normal);
    if (config_uuid(text, uuid))
        config_uuid_text(uuid, buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config c;
    struct complaint why = { "" };
    char backing[256], *text;
    uint8_t kind = size ? data[0] : 0;

    if (size)
        data++, size--;
    text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    switch (kind & 3) {
    case 0: {
        char *exact = malloc(size ? size : 1);

        memcpy(exact, data, size);
        file(exact, size);
        free(exact);
        break;
    }
    case 1: device(text); break;
    case 2:
        words(text);
        config_init(&c);
        FUZZ_CHECK(config_override(&c, text, &why) == 0 || why.text[0]);
        break;
    case 3:
        if (disk_qcow2((uint8_t *)text, size, kind & 4 ? 1 << 20 : size, backing, sizeof(backing), &why))
            FUZZ_CHECK(why.text[0]);
        else
            ENDS(backing);
        break;
    }
    free(text);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const char *const seeds[] = {
        "\4# carol\nname = \"carol\"; vcpus=2\nkernel='/k'   # x\nramdisk = \"/r\"\nmemory = 32\nmaxmem = 0x40\nroot = \"/dev/ram0\"\nextra = \"ro\"\n"
        "cpus = [\"0-1\", '3']\ncpu_weight = 512\ncap=25\non_poweroff = \"destroy\"\non_reboot='restart'\non_crash = \"rename-restart\"\n",
        "\4name='a'\nmemory=8\nkernel='/k'\ndisk = [ 'phy:/dev/x,xvda,w' ,\n  'format=qcow2, vdev=xvdb, access=ro, iops=100,target=/i/a,b \\'c.qcow2' ]\n"
        "vif = [ 'mac=00:16:3e:01:02:03, bridge=br1,ip=10.0.0.2,rate=10Mb/s', '' ]\nuuid = '0e8a1c5e-4b6f-4c9f-9a67-2f3d5b7c9e11'\n"
        "bootentry = '1'\nconsoles=2\nmem_floor=8\nmem_weight=3\nmem_auto=1\nlocaltime=1\ntype = \"pv\"",
        "\5phy:/dev/x,xvda,w", "\5format=qcow2, vdev=sdb15, access=ro, iops=100, mbps=3,target=/i/a,b", "\5mac=00:16:3e:01:02:03, bridge=br1,ip=10.0.0.2,rate=10MB/s@20ms",
        "\6memory=32", "\6""0-3,5,^2", "\6""64m", "\6" "0e8a1c5e-4b6f-4c9f-9a67-2f3d5b7c9e11", "\6xvdzz", "\6disk=['a,raw,xvda,r']",
    };
    static const uint8_t qcow2[112] = { 7, 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 105, 0, 0, 0, 4, 0, 0, 0, 16, [26] = 1, [35] = 0, [40] = 1,
        [101] = 0, [104] = 104, [105] = 0, [106] = 'b', 'a', 's', 'e' };

    if (n == sizeof(seeds) / sizeof(seeds[0])) {
        memcpy(data, qcow2, sizeof(qcow2));
        return sizeof(qcow2);
    }
    return n < sizeof(seeds) / sizeof(seeds[0]) ? (size_t)snprintf((char *)data, room, "%s", seeds[n]) : 0;
}
