/* SPDX-License-Identifier: MIT */
/* part.c: a partition table of any content, its checksums made right when the input asks for it. What is found lies on the disk, is not
 * empty and overlaps nothing. */
#include "guest-kernel/kernel/blk.h"
#include "tests/fuzz/dice.h"

void *malloc(size_t n);
void free(void *p);
_Noreturn void abort(void);
#define MUST(x) do { if (!(x)) abort(); } while (0)

DICE_OF_THIS_TARGET;

#define SECTORS 512u
static uint8_t disk[SECTORS * 512];

void *kmalloc(size_t n) { return memset(malloc(n), 0xa5, n); }
void kfree(void *p) { free(p); }

static int read_disk(void *ctx, uint64_t sector, void *buf, size_t n)
{
    MUST(n % 512 == 0 && n && sector < SECTORS && n / 512 <= SECTORS - sector);
    memcpy(buf, disk + sector * 512, n);
    return 0;
}

static uint32_t crc32(const uint8_t *p, size_t n)
{
    uint32_t crc = ~0u;
    while (n--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static uint64_t number(void)
{
    static const uint64_t edges[] = { 0, 1, 2, 3, SECTORS - 2, SECTORS - 1, SECTORS, ~0u, ~0ul };
    unsigned k = dice(16);
    return k < 9 ? edges[k] : k == 15 ? dice64() : dice(SECTORS);
}

static void put(size_t at, uint64_t v, unsigned n) { memcpy(disk + at, &v, n); }

static void gpt(uint32_t unit, uint32_t lba)
{
    size_t at = (size_t)lba * unit, table = (size_t)2 * unit;
    uint32_t count = dice(8) ? 1 + dice(128) : dice32(), size = dice(8) ? 128 << dice(3) : dice32(), length = dice(8) ? 92 : dice16();
    memcpy(disk + at, "EFI PART", 8);
    put(at + 12, length, 4);
    put(at + 24, lba, 8);
    put(at + 40, number(), 8);
    put(at + 48, number(), 8);
    put(at + 72, dice(8) ? 2 : number(), 8);
    put(at + 80, count, 4);
    put(at + 84, size, 4);
    for (unsigned i = dice(6); i; i--) {
        size_t e = table + (size_t)dice(16) * 128;
        disk[e] = dice8();
        put(e + 32, number(), 8);
        put(e + 40, number(), 8);
    }
    uint64_t bytes = (uint64_t)count * size;
    if (bytes <= sizeof(disk) - table)
        put(at + 88, crc32(disk + table, bytes), 4);
    put(at + 16, 0, 4);
    if (length <= unit)
        put(at + 16, crc32(disk + at, length), 4);
}

static void mbr(uint32_t sector)
{
    static const uint8_t types[] = { 0, 0x83, 5, 0x0f, 0x85, 0xee };
    size_t at = (size_t)sector * 512;
    put(at + 510, 0xaa55, 2);
    for (unsigned i = 0; i < 4; i++) {
        put(at + 446 + 16 * i, dice(8) == 7 ? dice8() : 0, 1);
        put(at + 446 + 16 * i + 4, types[dice(6)], 1);
        put(at + 446 + 16 * i + 8, number(), 4);
        put(at + 446 + 16 * i + 12, number(), 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct blk_part out[BLK_PARTS_MAX];
    struct blk_part_source s = { .read = read_disk, .sectors = SECTORS };

    dice_begin(bytes, n);
    memset(disk, 0, sizeof(disk));
    s.logical = 512u << dice(4);
    if (dice(8) == 7)
        s.sectors = dice(SECTORS + 1);
    mbr(0);
    for (unsigned k = dice(12); k; k--)
        mbr(dice(SECTORS));
    if (dice(2)) {
        put(446 + 4, 0xee, 1);
        gpt(s.logical, dice(2) ? 1 : (uint32_t)(sizeof(disk) / s.logical - 1));
    }
    while (dice_left > 2) {
        uint32_t at = dice(SECTORS * 512);
        disk[at] = dice8();
    }
    int found = blk_part_scan(&s, out, BLK_PARTS_MAX);
    MUST(found <= BLK_PARTS_MAX);
    for (int i = 0; i < found; i++) {
        MUST(out[i].start && out[i].sectors && out[i].start < s.sectors && out[i].sectors <= s.sectors - out[i].start);
        for (int k = 0; k < i; k++)
            MUST(out[i].start >= out[k].start + out[k].sectors || out[k].start >= out[i].start + out[i].sectors);
    }
    return 0;
}
