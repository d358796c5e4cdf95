/* SPDX-License-Identifier: MIT */
/* boot_words.c: what bootfrom tells enso, when a guest's disk has taken bootfrom over: any bytes (dom0-tools/enso/bootdisk.c).
 *
 * What must hold: the two files get no more than they may, the command line is printable and fits, and nonsense ends it. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int  fuzz_open(const char *name, int flags, ...);
static long fuzz_write(int fd, const void *data, size_t n);
#define open  fuzz_open
#define write fuzz_write
#include "dom0-tools/enso/bootdisk.c"
#undef open
#undef write

#define KERNEL 5000
static uint64_t kernel, ramdisk;

static int fuzz_open(const char *name, int flags, ...)
{
    FUZZ_CHECK(!strncmp(name, STATE_DIR "/boot-", strlen(STATE_DIR) + 6) && (flags & O_TRUNC));
    return strstr(name, ".kernel") ? KERNEL : KERNEL + 1;
}

static long fuzz_write(int fd, const void *data, size_t n)
{
    FUZZ_CHECK(fd == KERNEL || fd == KERNEL + 1);
    fuzz_read(data, n);
    *(fd == KERNEL ? &kernel : &ramdisk) += n;
    FUZZ_CHECK(kernel <= BOOT_KERNEL_MOST && ramdisk <= BOOT_RAMDISK_MOST);
    return (long)n;
}

int os_make_dir(const char *path) { (void)path; return 0; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading r;
    static struct config config;
    static struct parts parts;
    struct complaint why = { "" };
    uint8_t how = size ? data[0] : 0;
    int rc = 0;

    memset(&config, 0, sizeof(config));
    memset(&parts, 0, sizeof(parts));
    strcpy(config.cmdline, how & 1 ? "own" : "");
    strcpy(config.root, how & 2 ? "/dev/xvda1" : "");
    memset(config.extra, 'e', how & 4 ? CONFIG_LINE - 30 : 0);
    parts.config = &config;
    kernel = ramdisk = 0;
    memset(&r, 0, offsetof(struct reading, data));
    r.p = &parts;
    r.why = &why;
    r.kernel = r.ramdisk = -1;
    r.from = fuzz_file(data + (size > 0), size - (size > 0));
    while (!rc && !r.ended)
        rc = hear(&r);
    FUZZ_CHECK(!rc || why.text[0]);
    FUZZ_CHECK(rc || kernel);
    FUZZ_CHECK(strnlen(parts.boot.cmdline, CONFIG_LINE) < CONFIG_LINE);
    for (const char *c = parts.boot.cmdline; *c && !rc; c++)
        FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 127);
    for (const char *c = why.text; *c; c++)
        FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 127);
    close(r.from);
    return 0;
}

static size_t message(uint8_t *to, uint32_t type, const char *text)
{
    struct boot_header h = { BOOT_MAGIC, type, (uint32_t)strlen(text) };

    memcpy(to, &h, sizeof(h));
    memcpy(to + sizeof(h), text, h.len);
    return sizeof(h) + h.len;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    size_t at = 1;

    (void)room;
    if (n >= 5)
        return 0;
    data[0] = (uint8_t)n;
    at += message(data + at, BOOT_TITLE, "Debian");
    at += message(data + at, BOOT_LINE, "root=/dev/x\tquiet\x1b");
    at += message(data + at, BOOT_KERNEL, "kernel");
    at += message(data + at, BOOT_RAMDISK, "ramdisk");
    at += message(data + at, n == 4 ? BOOT_WRONG : BOOT_END, n == 4 ? "broken\n" : "");
    return at;
}
