/* SPDX-License-Identifier: MIT */
/* boot_lines.c: words of GRUB's menu: Enso's own options, and the text behind a module. */
#include "hypervisor/boot/modline.h"
#include "hypervisor/boot/options.h"
#include "tests/fuzz/fuzz.h"

static void complain(const char *word)
{
    fuzz_read(word, strlen(word));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), err[160];

    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t n = 1; n <= sizeof(err); n = n == 1 ? 20 : n * 2) {
        struct modline m = { 0 };
        int rc = modline_parse(text, &m, err, n);

        FUZZ_CHECK(rc == 0 || (rc == -1 && strnlen(err, n) < n));
        if (rc)
            continue;
        FUZZ_CHECK(strnlen(m.name, sizeof(m.name)) < sizeof(m.name) && strnlen(m.ramdisk, sizeof(m.ramdisk)) < sizeof(m.ramdisk));
        FUZZ_CHECK(m.kind != MODLINE_DOMAIN || (m.name[0] && m.vcpus >= 1 && m.vcpus <= 32 && m.weight && m.weight < 65536));
        FUZZ_CHECK(m.kind == MODLINE_RAMDISK || !m.cmdline[0] || (m.cmdline >= text && m.cmdline <= text + size));
    }
    struct boot_options o = { .maxcpus = 64 };
    options_parse(text, &o, complain);
    FUZZ_CHECK(o.maxcpus >= 1 && strnlen(o.sched, sizeof(o.sched)) < sizeof(o.sched));
    FUZZ_CHECK(o.console_port == 0 || o.console_port == 0x3f8 || o.console_port == 0x2f8);
    free(text);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const char *const seeds[] = {
        "domain=alice memory=32M vcpus=2 weight=512 cap=25 ramdisk=bob --  init=/bin/sh  x", "ramdisk=dom0", "placeholder root=/dev/ram0 ramdisk=5 -- x",
        "  console=com2 com2=115200,8n1 loglvl=all guest_loglvl=error/info sched=rr dom0_mem=512M,max:512M noreboot maxcpus=2 debugexit",
        "dom0_mem=262144 console=com1,vga loglvl=warning/info sched=credit",
    };

    return n < sizeof(seeds) / sizeof(seeds[0]) ? (size_t)snprintf((char *)data, room, "%s", seeds[n]) : 0;
}
