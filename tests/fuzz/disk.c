/* SPDX-License-Identifier: MIT */
/* disk.c: bootfrom, the whole program, on a guest's disk: partition tables, ext2 and ext4, both kinds of menus.
 *
 * The input is a number for the disk to begin with (made by mke2fs: ext2 as it is, ext4 with extents, either behind a GPT or an MBR), and
 * patches, each the place of a word and its new value; so that a small input damages a large disk at many places.
 * What must hold: the program ends, by itself, and what it tells is well-formed messages: the receiver's own rules (message.h). */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <setjmp.h>
#include <unistd.h>

#include "dom0-tools/bootloader/message.h"
#include "dom0-tools/bootloader/volume.h"

/* What bootfrom.c and volume.c are compiled against, in place of the system's (disk_calls.h). */
int   bootfrom_main(int argc, char **argv);
int   confine(void);
void  fuzz_exit(int status) __attribute__((noreturn));
long  fuzz_write(int fd, const void *data, size_t n);
long  fuzz_pread(int fd, void *to, size_t n, long at);
long  fuzz_lseek(int fd, long at, int whence);
int   fuzz_close(int fd);

#define DISK  (512u << 10)
#define KINDS 4

static uint8_t base[KINDS][DISK], disk[DISK];
static size_t disk_size;
static jmp_buf ended;
static uint8_t told[1u << 20];
static size_t told_size, told_all;

int confine(void) { return 0; }
int fuzz_close(int fd) { (void)fd; return 0; }
void fuzz_exit(int status) { (void)status; longjmp(ended, 1); }

long fuzz_write(int fd, const void *data, size_t n)
{
    FUZZ_CHECK(fd == 1);
    fuzz_read(data, n);
    told_all += n;
    if (told_size + n <= sizeof(told)) {
        memcpy(told + told_size, data, n);
        told_size += n;
    }
    if (told_all > 64u << 20)             /* a large sparse kernel: enough seen */
        longjmp(ended, 1);
    return (long)n;
}

long fuzz_pread(int fd, void *to, size_t n, long at)
{
    FUZZ_CHECK(fd == 0 && at >= 0 && (size_t)at <= disk_size && n <= disk_size - (size_t)at);
    memcpy(to, disk + at, n);
    return (long)n;
}

long fuzz_lseek(int fd, long at, int whence)
{
    FUZZ_CHECK(fd == 0 && at == 0 && whence == SEEK_END);
    return (long)disk_size;
}

/* ---- disks to begin with ------------------------------------------------------------------------------------- */

static const char tree[] =
    "d=$(mktemp -d) && cd $d && mkdir -p t/boot/grub t/loader/entries && head -c 3000 /dev/zero | tr '\\0' k >t/boot/k && ln -s boot/k t/vmlinuz &&"
    " printf 'set default=1\\nmenuentry a --id x { linux /vmlinuz a }\\nsubmenu s { menuentry b { linux /boot/k root=b\\ninitrd /boot/k\\n} }\\n' >t/boot/grub/grub.cfg &&"
    " printf 'title E\\nlinux /boot/k\\noptions x\\n' >t/loader/entries/e-1.conf && cp t/loader/entries/e-1.conf t/loader/entries/e-10.conf &&"
    " if [ %d = 1 ]; then rm -r t/boot/grub; fi && truncate -s %u i && mke2fs -q -F %s -d t i >/dev/null 2>&1; cat i; rm -rf $d";

static void make_base(unsigned kind)
{
    static const char *const how[] = { "-b 1024 -I 128 -O none", "-t ext4 -b 1024 -O ^has_journal,^metadata_csum" };
    size_t at = kind >= 2 ? 32768 : 0, n;
    char line[1200];
    FILE *f;

    snprintf(line, sizeof(line), tree, kind == 1, (unsigned)(DISK - at - (at ? 32768 : 0)), how[kind & 1]);
    f = popen(line, "r");
    n = f ? fread(base[kind] + at, 1, DISK - at, f) : 0;
    if (f)
        pclose(f);
    if (n < DISK / 2) {
        fprintf(stderr, "no mke2fs here? a disk without a file system is used\n");
        memset(base[kind], 0, DISK);
    }
    if (kind == 2) {
        memcpy(base[kind] + 512, "EFI PART", 8);
        base[kind][512 + 72] = 2;
        base[kind][512 + 80] = 4;
        base[kind][512 + 84] = 128;
        base[kind][1024] = 1;
        base[kind][1024 + 32] = 64;
        memcpy(base[kind] + 1024 + 40, "\xbf\x03", 2);
    }
    if (kind == 3) {
        memcpy(base[kind] + 446 + 4, "\x05\0\0\0\x20\0\0\0\xff\x03\0\0", 12);
        memcpy(base[kind] + 510, "\x55\xaa", 2);
        memcpy(base[kind] + 32 * 512 + 446 + 4, "\x83\0\0\0\x20\0\0\0\xff\x03\0\0", 12);
        memcpy(base[kind] + 32 * 512 + 510, "\x55\xaa", 2);
    }
}

static void make_bases(void)
{
    static bool made;

    for (unsigned k = 0; !made && k < KINDS; k++)
        make_base(k);
    made = true;
}

/* ---- one disk ------------------------------------------------------------------------------------------------- */

static void check_told(void)
{
    uint64_t files = 0;

    for (size_t at = 0; at < told_size;) {
        struct boot_header h;

        if (told_size - at < sizeof(h))
            break;
        memcpy(&h, told + at, sizeof(h));
        FUZZ_CHECK(h.magic == BOOT_MAGIC && h.type >= BOOT_TITLE && h.type <= BOOT_WRONG && h.len <= BOOT_CHUNK);
        FUZZ_CHECK(h.type > BOOT_LINE || h.len < 1024);
        at += sizeof(h) + h.len;
        files += h.len;
    }
    FUZZ_CHECK(files <= BOOT_KERNEL_MOST + BOOT_RAMDISK_MOST + 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const wants[] = { "", "0", "1>0", "b", "e-1", "3", "x", "E" };
    struct fuzz_input in = { data, size };
    unsigned what;
    char want[8];
    char *argv[] = { "bootfrom", want, NULL };

    make_bases();
    what = (unsigned)fuzz_take(&in, 1);
    memcpy(disk, base[what % KINDS], DISK);
    strcpy(want, wants[what >> 2 & 7]);
    disk_size = what & 0x40 ? (size_t)fuzz_take(&in, 3) % DISK + 1 : DISK;
    while (in.left) {
        uint32_t at = (uint32_t)fuzz_take(&in, 3);

        if (at & 0x800000) {                           /* text: a row of bytes */
            size_t n = at >> 20 & 7, got;
            const uint8_t *from;

            n = n * 8 + 4;
            from = fuzz_bytes(&in, n, &got);
            at = (at & 0xfffff) % (DISK - 64);
            memcpy(disk + at, from, got);
        } else {
            uint32_t v = (uint32_t)fuzz_take(&in, 4);

            memcpy(disk + (at & 0x7ffff & ~3u), &v, 4);
        }
    }
    told_size = told_all = 0;
    if (!setjmp(ended))
        bootfrom_main(want[0] ? 2 : 1, argv);
    check_told();
    return 0;
}

/* The disk as it is, of each kind; then with the places that matter named: superblock, group, inodes, the tables. */
size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint32_t at[] = { 1024, 1028, 1044, 1048, 1064, 1112, 1120, 2048 + 8, 512 + 72, 512 + 80, 446, 450 };
    size_t size = 1;

    (void)room;
    if (n >= 16)
        return 0;
    make_bases();
    data[0] = (uint8_t)(n % KINDS | n / KINDS % 4 << 2);
    for (unsigned i = 0; n >= 8 && i < sizeof(at) / sizeof(at[0]); i++) {
        uint32_t where = at[i] + (n % KINDS >= 2 && i < 8 ? 32768 : 0);

        memcpy(data + size, &where, 3);
        memcpy(data + size + 3, base[n % KINDS] + where, 4);
        size += 7;
    }
    /* The inodes, word by word: of the root and what follows it. */
    for (unsigned w = 0; n >= 12 && w < 64; w++) {
        uint32_t group = n % KINDS >= 2 ? 32768 + 2048 : 2048, table, where;

        memcpy(&table, base[n % KINDS] + group + 8, 4);
        where = (group - 2048) + table * 1024 % DISK + (n & 1 ? 256 : 128) + 4 * w;
        memcpy(data + size, &where, 3);
        memcpy(data + size + 3, base[n % KINDS] + where, 4);
        size += 7;
    }
    return size;
}
