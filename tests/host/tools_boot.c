/* SPDX-License-Identifier: MIT */
/* tools_boot.c: claim: what a disk's own menu would start is found on disks of every usual kind
 * (SPEC 13), and no disk at all, however forged, makes the reader read or write
 * out of bounds or go on for ever. A failure means that a guest's disk can harm
 * the process that reads it.                                                 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/bootloader/ext2.h"
#include "dom0-tools/bootloader/menu.h"

#define IMAGE (8u << 20)
#define BIG   700000u               /* needs double-indirect blocks of 1 KiB      */

static char dir[] = "/tmp/enso-boot-XXXXXX";

static void shell(const char *fmt, ...)
{
    char line[700];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (system(line))
        fail_msg("%s", line);
}

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 7 + (at >> 9));
}

static int set_up(void **state)
{
    char path[80];
    FILE *f;

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    shell("mkdir -p %s/tree/boot/grub %s/tree/loader/entries %s/tree/many", dir, dir, dir);
    snprintf(path, sizeof(path), "%s/tree/boot/kernel", dir);
    f = fopen(path, "w");
    for (uint64_t i = 0; i < BIG; i++)
        fputc(pattern(i), f);
    fclose(f);
    shell("cd %s/tree; ln -s boot/kernel vmlinuz; ln -s /vmlinuz again; ln -s loop2 loop1; ln -s loop1 loop2", dir);
    shell("cd %s/tree; echo 'menuentry x { linux /boot/kernel a b; }' >boot/grub/grub.cfg; truncate -s 300000 sparse", dir);
    shell("cd %s/tree/many; seq -f 'a-rather-long-name-to-fill-blocks-%%g' 600 | xargs touch", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shell("rm -rf %s", dir);
    return 0;
}

static void make(const char *name, const char *options)
{
    shell("cd %s && rm -f %s && truncate -s 8M %s && mke2fs -q -F %s -d tree %s >/dev/null", dir, name, name, options, name);
}

static struct volume open_volume(const char *name)
{
    struct volume v = { .budget = 64 << 20 };
    char path[80];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    v.fd = open(path, O_RDONLY);
    assert_true(v.fd >= 0);
    v.size = (uint64_t)lseek(v.fd, 0, SEEK_END);
    return v;
}

static void check_tree(struct ext2 *fs)
{
    static uint8_t buf[BIG];
    static const char *const same[] = { "/boot/kernel", "/vmlinuz", "/again", "//boot//kernel", "/boot/../boot/./kernel" };
    struct ext2_file f;

    for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (!ext2_find(fs, same[i], &f))
            fail_msg("%s is not found", same[i]);
        assert_true(ext2_is_file(&f));
        assert_int_equal(f.size, BIG);
    }
    assert_true(ext2_read(fs, &f, 0, buf, BIG));
    for (uint64_t i = 0; i < BIG; i++)
        if (buf[i] != pattern(i))
            fail_msg("byte %llu is wrong", (unsigned long long)i);
    assert_false(ext2_read(fs, &f, 1, buf, BIG));
    assert_false(ext2_find(fs, "/boot/none", &f));
    assert_false(ext2_find(fs, "/loop1", &f));
    assert_false(ext2_find(fs, "/boot/kernel/x", &f));
    assert_true(ext2_find(fs, "/many/a-rather-long-name-to-fill-blocks-600", &f));
    assert_true(ext2_find(fs, "/sparse", &f));
    assert_true(ext2_read(fs, &f, 0, buf, 300000));
    assert_int_equal(buf[299999], 0);
}

static void file_systems(void **state)
{
    static const char *const options[] = { "-t ext2 -b 1024", "-t ext2 -b 4096", "-t ext3 -b 1024", "-t ext4 -b 1024",
                                           "-t ext4 -b 4096 -O 64bit,^metadata_csum", "-t ext2 -r 1 -b 2048 -I 256" };

    (void)state;
    for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        struct extent part[VOLUME_PARTITIONS];
        struct volume v;
        struct ext2 fs;

        make("fs", options[i]);
        v = open_volume("fs");
        assert_int_equal(volume_partitions(&v, part), 1);
        if (!ext2_open(&fs, &v, &part[0]))
            fail_msg("%s is not understood", options[i]);
        check_tree(&fs);
        close(v.fd);
    }
}

static void partition(const char *script)
{
    make("fs", "-t ext2 -b 1024");
    shell("cd %s && rm -f disk && truncate -s 24M disk && printf '%s' | sfdisk -q disk >/dev/null 2>&1", dir, script);
}

static void partitions(void **state)
{
    static const struct { const char *script; unsigned n, ours, start; } disks[] = {
        { "label: gpt\\nstart=2048,size=4096\\nstart=8192,size=16384\\n", 2, 1, 8192 },
        { "label: dos\\nstart=2048,size=4096,type=c\\nstart=8192,size=16384,type=83\\n", 2, 1, 8192 },
        { "label: dos\\nstart=2048,size=40000,type=5\\nstart=4096,size=2048\\nstart=12288,size=16384\\n", 2, 1, 12288 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
        struct extent part[VOLUME_PARTITIONS];
        struct volume v;
        struct ext2 fs;

        partition(disks[i].script);
        shell("cd %s && dd if=fs of=disk bs=512 seek=%u conv=notrunc 2>/dev/null", dir, disks[i].start);
        v = open_volume("disk");
        assert_int_equal(volume_partitions(&v, part), disks[i].n);
        assert_int_equal(part[disks[i].ours].start, disks[i].start * 512u);
        assert_false(ext2_open(&fs, &v, &part[0]));
        assert_true(ext2_open(&fs, &v, &part[disks[i].ours]));
        check_tree(&fs);
        close(v.fd);
    }
}

/* ---- forged disks ------------------------------------------------------------------------------ */

static bool count_names(void *arg, const char *name)
{
    (void)name;
    return ++*(unsigned *)arg > 100000;
}

static void read_all(const char *name)
{
    static uint8_t buf[BIG];
    struct extent part[VOLUME_PARTITIONS];
    struct volume v = open_volume(name);
    unsigned n = volume_partitions(&v, part), names = 0;

    for (unsigned i = 0; i < n; i++) {
        struct ext2_file f;
        struct ext2 fs;

        if (!ext2_open(&fs, &v, &part[i]))
            continue;
        if (ext2_find(&fs, "/again", &f))
            ext2_read(&fs, &f, 0, buf, f.size < BIG ? (size_t)f.size : BIG);
        ext2_find(&fs, "/loop1", &f);
        ext2_list(&fs, "/many", count_names, &names);
    }
    close(v.fd);
}

/* Bytes changed where it hurts: tables, inodes, directories, maps. */
/* Reading ends, in whatever pieces a disk's tables make one read. */
static void budget(void **state)
{
    struct volume v;
    uint8_t word[4];
    unsigned reads = 0;

    (void)state;
    make("fs", "-t ext2 -b 1024");
    v = open_volume("fs");
    v.budget = 1 << 20;
    while (volume_read(&v, 4 * reads, word, 4))
        reads++;
    assert_in_range(reads, 1000, 4096);
    close(v.fd);
}

static void forged(void **state)
{
    static const char *const options[] = { "-t ext2 -b 1024", "-t ext4 -b 1024" };
    static const uint8_t nasty[] = { 0, 1, 0x7f, 0x80, 0xff };
    uint8_t *clean = malloc(IMAGE);
    unsigned rounds = getenv("FUZZ_ROUNDS") ? (unsigned)atoi(getenv("FUZZ_ROUNDS")) : 400;
    char path[80];

    (void)state;
    srand(4711);
    snprintf(path, sizeof(path), "%s/fs", dir);
    for (unsigned o = 0; o < 2; o++) {
        FILE *f;

        make("fs", options[o]);
        f = fopen(path, "r");
        assert_int_equal(fread(clean, 1, IMAGE, f), IMAGE);
        fclose(f);
        for (unsigned r = 0; r < rounds; r++) {
            int fd = open(path, O_WRONLY);
            unsigned changes = 1 + (unsigned)rand() % 8;
            off_t at[8];

            for (unsigned i = 0; i < changes; i++) {
                uint8_t b = rand() & 1 ? nasty[(unsigned)rand() % 5] : (uint8_t)rand();

                /* The superblock and descriptors; or anywhere in the first MiB with something in it. */
                do
                    at[i] = r & 1 ? 1024 + rand() % 2048 : rand() % (1 << 20);
                while (!(r & 1) && !clean[at[i]]);
                assert_int_equal(pwrite(fd, &b, 1, at[i]), 1);
            }
            read_all("fs");
            for (unsigned i = 0; i < changes; i++)
                assert_int_equal(pwrite(fd, clean + at[i], 1, at[i]), 1);
            close(fd);
        }
    }
    free(clean);
}

/* ---- menus -------------------------------------------------------------------------------------- */

static const char debian[] =
    "# a comment { with braces }\n"
    "if [ -s $prefix/grubenv ]; then\n  set have_grubenv=true\n  load_env\nfi\n"
    "if [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\n   set boot_once=true\nelse\n   set default=\"0\"\nfi\n"
    "if [ x\"${feature_menuentry_id}\" = xy ]; then\n  menuentry_id_option=\"--id\"\nelse\n  menuentry_id_option=\"\"\nfi\n"
    "function savedefault {\n  if [ -z \"${boot_once}\" ]; then\n    saved_entry=\"${chosen}\"\n  fi\n}\n"
    "set timeout=5\n"
    "menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple' {\n"
    "\tload_video\n\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi\n"
    "\tset root='hd0,msdos1'\n\techo\t'Loading ...'\n"
    "\tlinux\t/boot/vmlinuz-6.1.0 root=UUID=1234 ro  quiet \"a b\"\n\tinitrd\t/boot/initrd.img-6.1.0\n}\n"
    "submenu 'Advanced options' $menuentry_id_option 'advanced' {\n"
    "\tmenuentry 'Old' --id old { linux /boot/old ro single\n }\n"
    "\tmenuentry 'Older' { linux ($root)/boot/older x=${undefined}y \\\n   more\n initrd /a /b }\n}\n"
    "menuentry \"Xen\" {\n multiboot2 /boot/xen.gz placeholder dom0_mem=1G\n"
    " module2 /boot/vmlinuz placeholder root=/dev/x ro\n module2 --nounzip /boot/initrd }\n"
    "menuentry enso { multiboot2 /boot/enso.elf; module2 /boot/novice domain=dom0 memory=9M -- console=hvc0 a; }\n"
    "menuentry nothing { echo hi; }\n";

static void grub_menus(void **state)
{
    static const struct { const char *want, *kernel, *ramdisk, *line; } rows[] = {
        { "", "/boot/vmlinuz-6.1.0", "/boot/initrd.img-6.1.0", "root=UUID=1234 ro quiet a b" },
        { "0", "/boot/vmlinuz-6.1.0", "/boot/initrd.img-6.1.0", "root=UUID=1234 ro quiet a b" },
        { "gnulinux-simple", "/boot/vmlinuz-6.1.0", "/boot/initrd.img-6.1.0", "root=UUID=1234 ro quiet a b" },
        { "1", "/boot/old", "", "ro single" },
        { "1>0", "/boot/old", "", "ro single" },
        { "old", "/boot/old", "", "ro single" },
        { "1>1", "/boot/older", "/b", "x=y more" },
        { "Advanced options>Older", "/boot/older", "/b", "x=y more" },
        { "Xen", "/boot/vmlinuz", "/boot/initrd", "root=/dev/x ro" },
        { "3", "/boot/novice", "", "console=hvc0 a" },
    };
    struct complaint why;
    struct choice c;

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (menu_grub(debian, rows[i].want, &c, &why))
            fail_msg("%s: %s", rows[i].want, why.text);
        assert_string_equal(c.kernel, rows[i].kernel);
        assert_string_equal(c.ramdisk, rows[i].ramdisk);
        assert_string_equal(c.line, rows[i].line);
    }
    assert_int_equal(menu_grub(debian, "nobody", &c, &why), -1);
    assert_non_null(strstr(why.text, "no entry \"nobody\"; it has"));
    assert_int_equal(menu_grub(debian, "nothing", &c, &why), -1);
    assert_non_null(strstr(why.text, "names no kernel"));
    assert_int_equal(menu_grub("", "", &c, &why), -1);
    assert_int_equal(menu_grub("set default=1\nmenuentry a { linux /a }\nmenuentry b {\nlinux /b x }\n", "", &c, &why), 0);
    assert_string_equal(c.kernel, "/b");
    assert_string_equal(c.title, "b");
}

static void entries(void **state)
{
    struct complaint why;
    struct choice c;

    (void)state;
    assert_int_equal(menu_entry("title Debian 12\n# no\nversion 6\nlinux  /vmlinuz \ninitrd /i\noptions a=1\noptions b\r\n", &c, &why), 0);
    assert_string_equal(c.kernel, "/vmlinuz");
    assert_string_equal(c.line, "a=1 b");
    assert_int_equal(menu_entry("title x\n", &c, &why), -1);
    assert_true(menu_newer("linux-5.10.conf", "linux-5.9.conf") > 0);
    assert_true(menu_newer("a", "a") == 0 && menu_newer("a-1", "a-1-rc") < 0);
}

/* Every cut of the menu, and every byte made nasty. */
static void mangled_menus(void **state)
{
    static const char nasty[] = { '{', '}', '"', '\'', '$', '\\', '\n', ';', ' ', '#', (char)0xff };
    struct complaint why;
    struct choice c;

    (void)state;
    for (size_t n = 0; n < sizeof(debian); n++) {
        char *copy = strndup(debian, n);

        menu_grub(copy, "", &c, &why);
        menu_entry(copy, &c, &why);
        free(copy);
    }
    for (size_t at = 0; at < sizeof(debian) - 1; at++)
        for (size_t k = 0; k < sizeof(nasty); k++) {
            char *copy = strdup(debian);

            copy[at] = nasty[k];
            menu_grub(copy, "1>1", &c, &why);
            free(copy);
        }
    for (size_t k = 0; k < sizeof(nasty); k++) {
        static const char *const starts[] = { "", "menuentry a { ", "if [ a ]; then ", "set a=", "menuentry ", "submenu x {" };

        for (size_t s = 0; s < 6; s++) {
            char *copy = malloc(60001);
            size_t n = strlen(starts[s]), at = 0;

            while (at + n < 60000) {
                memcpy(copy + at, starts[s], n);
                at += n;
                copy[at++] = nasty[k];
            }
            copy[at] = '\0';
            menu_grub(copy, "", &c, &why);
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_systems), cmocka_unit_test(partitions),    cmocka_unit_test(budget), cmocka_unit_test(forged),
        cmocka_unit_test(grub_menus),   cmocka_unit_test(entries),       cmocka_unit_test(mangled_menus),
    };

    return cmocka_run_group_tests_name("tools_boot", tests, set_up, tear_down);
}
