/* SPDX-License-Identifier: MIT */
/* bootfrom.c: reads a guest's disk for the kernel that it wants to be started with.
 *
 *     bootfrom [ENTRY]       standard input: the disk, read only; standard output: to enso
 *
 * Every byte it works on was written by the guest. So it is a process of its own
 * which, before the first of them, closes whatever else it holds and has the
 * kernel take away all calls that would give it anything new (confine, uapi/
 * syscalls.def). The worst that a disk can make of it is a wrong kernel for the
 * very guest whose disk it is.                                               */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/bootloader/ext2.h"
#include "dom0-tools/bootloader/menu.h"
#include "dom0-tools/bootloader/message.h"
#include "dom0-tools/libenso/text.h"

#define TEXT_MOST   (256u << 10)          /* of a configuration file               */
#define NAMES_MOST  64u
#define BUDGET      (2ull << 30)          /* bytes read from the disk in all       */
#define FDS_MOST    256

int confine(void);

static struct complaint why;

/* ---- to enso ------------------------------------------------------------------------------- */

static void put(const void *data, size_t n)
{
    const char *from = data;

    while (n) {
        ssize_t done = write(1, from, n);

        if (done <= 0)
            _exit(1);                     /* nobody listens any more */
        from += done;
        n -= (size_t)done;
    }
}

static void tell(enum boot_message type, const void *data, size_t n)
{
    struct boot_header h = { BOOT_MAGIC, type, (uint32_t)n };

    put(&h, sizeof(h));
    put(data, n);
}

static _Noreturn void give_up(void)
{
    tell(BOOT_WRONG, why.text, strlen(why.text));
    _exit(1);
}

static void send_file(struct ext2 *fs, enum boot_message type, const char *path, uint64_t most)
{
    static uint8_t chunk[BOOT_CHUNK];
    char below[MENU_PATH + 8];
    struct ext2_file f;

    /* Paths of entries are meant from the partition's root or, where /boot is none of its own, from /boot. */
    snprintf(below, sizeof(below), "/boot%s", path);
    if ((!ext2_find(fs, path, &f) && !ext2_find(fs, below, &f)) || !ext2_is_file(&f)) {
        complain(&why, "its boot menu names %.200s, and there is no such file on the disk", path);
        give_up();
    }
    if (f.size == 0 || f.size > most) {
        complain(&why, "%.200s on the disk has %llu bytes; up to %llu MiB can be loaded", path, (unsigned long long)f.size,
                 (unsigned long long)(most >> 20));
        give_up();
    }
    for (uint64_t at = 0; at < f.size;) {
        size_t n = f.size - at < sizeof(chunk) ? (size_t)(f.size - at) : sizeof(chunk);

        if (!ext2_read(fs, &f, at, chunk, n)) {
            complain(&why, "%.200s cannot be read: the file system on the disk is damaged (`e2fsck`)", path);
            give_up();
        }
        tell(type, chunk, n);
        at += n;
    }
}

/* ---- menus on a file system ----------------------------------------------------------------- */

/* The text of a file, with a NUL after it; NULL if it is not there. */
static const char *read_text(struct ext2 *fs, const char *path)
{
    static char text[TEXT_MOST + 1];
    struct ext2_file f;
    size_t n;

    if (!ext2_find(fs, path, &f) || !ext2_is_file(&f))
        return NULL;
    n = f.size < TEXT_MOST ? (size_t)f.size : TEXT_MOST;
    if (!ext2_read(fs, &f, 0, text, n))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!text[i])
            text[i] = ' ';
    text[n] = '\0';
    return text;
}

struct names {
    unsigned n;
    char     name[NAMES_MOST][128];
};

static bool take_name(void *arg, const char *name)
{
    struct names *all = arg;
    size_t len = strlen(name);

    if (len > 5 && len < sizeof(all->name[0]) && strcmp(name + len - 5, ".conf") == 0 && all->n < NAMES_MOST)
        strcpy(all->name[all->n++], name);
    return false;
}

static int by_age(const void *a, const void *b)
{
    return menu_newer(b, a);
}

/* The newest entry is number 0; `want` is a number, a title or a file's name. */
static bool from_entries(struct ext2 *fs, const char *dir, const char *want, struct choice *out, bool *found)
{
    static struct names all;
    char path[192];
    uint64_t number = 0;
    bool numbered = text_number(want, &number);

    memset(&all, 0, sizeof(all));
    ext2_list(fs, dir, take_name, &all);
    if (!all.n)
        return false;
    *found = true;
    qsort(all.name, all.n, sizeof(all.name[0]), by_age);
    for (unsigned i = 0; i < all.n; i++) {
        const char *text;
        size_t len = strlen(all.name[i]) - 5;

        snprintf(path, sizeof(path), "%s/%s", dir, all.name[i]);
        text = read_text(fs, path);
        if (!text || menu_entry(text, out, &why))
            continue;
        if (!want[0] || (numbered && number == i) || strcmp(want, out->title) == 0 ||
            (strlen(want) == len && memcmp(want, all.name[i], len) == 0))
            return true;
    }
    if (want[0])
        complain(&why, "%s on the disk has no entry \"%.60s\"", dir, want);
    return false;
}

/* 1: chosen, 0: no menu here, -1: a menu that cannot be followed (why). */
static int look_for_menu(struct ext2 *fs, const char *want, struct choice *out)
{
    static const char *const grubs[] = { "/boot/grub/grub.cfg", "/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub2/grub.cfg" };
    static const char *const dirs[] = { "/loader/entries", "/boot/loader/entries" };
    bool found = false;

    for (unsigned i = 0; i < 4; i++) {
        const char *text = read_text(fs, grubs[i]);

        if (text)
            return menu_grub(text, want, out, &why) ? -1 : 1;
    }
    for (unsigned i = 0; i < 2; i++)
        if (from_entries(fs, dirs[i], want, out, &found))
            return 1;
    return found ? -1 : 0;
}

static void boot(struct volume *v, const char *want)
{
    static struct extent part[VOLUME_PARTITIONS];
    static struct choice choice;
    unsigned n = volume_partitions(v, part), ext2s = 0;

    for (unsigned i = 0; i < n; i++) {
        struct ext2 fs;
        int rc;

        if (!ext2_open(&fs, v, &part[i]))
            continue;
        ext2s++;
        rc = look_for_menu(&fs, want, &choice);
        if (rc < 0)
            give_up();
        if (!rc)
            continue;
        tell(BOOT_TITLE, choice.title, strlen(choice.title));
        tell(BOOT_LINE, choice.line, strlen(choice.line));
        send_file(&fs, BOOT_KERNEL, choice.kernel, BOOT_KERNEL_MOST);
        if (choice.ramdisk[0])
            send_file(&fs, BOOT_RAMDISK, choice.ramdisk, BOOT_RAMDISK_MOST);
        tell(BOOT_END, NULL, 0);
        return;
    }
    if (ext2s)
        complain(&why, "no boot menu is on it: expected /boot/grub/grub.cfg or /boot/loader/entries/*.conf in its ext2 file system");
    else
        complain(&why, "no ext2 file system is on it (%u partition%s looked at), so there is no kernel to start", n, n == 1 ? "" : "s");
    give_up();
}

int main(int argc, char **argv)
{
    struct volume v = { .fd = 0, .budget = BUDGET };
    off_t end;

    for (int fd = 2; fd < FDS_MOST; fd++)
        close(fd);
    if (confine()) {
        complain(&why, "the kernel does not confine the reader of guests' disks");
        give_up();
    }
    end = lseek(0, 0, SEEK_END);
    if (end <= 0) {
        complain(&why, "it cannot be read");
        give_up();
    }
    v.size = (uint64_t)end;
    boot(&v, argc > 1 ? argv[1] : "");
    return 0;
}
