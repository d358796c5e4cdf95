/* SPDX-License-Identifier: MIT */
/* volume.c: reading a guest's disk and its partition table (volume.h).       */
#include "dom0-tools/bootloader/volume.h"

#include <string.h>
#include <unistd.h>

#define SECTOR 512u
#define READ_COST 256u        /* the least a read counts: a word of a table takes time, too */

bool volume_read(struct volume *v, uint64_t at, void *buf, size_t n)
{
    uint64_t cost = n > READ_COST ? n : READ_COST;
    uint8_t *to = buf;

    if (at > v->size || n > v->size - at || cost > v->budget)
        return false;
    v->budget -= cost;
    while (n) {
        ssize_t got = pread(v->fd, to, n, (off_t)at);

        if (got <= 0)
            return false;
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

/* Notes a partition that lies on the disk; others are passed over. */
static void add(const struct volume *v, struct extent *part, unsigned *n, uint64_t first, uint64_t sectors)
{
    uint64_t disk = v->size / SECTOR;

    if (*n == VOLUME_PARTITIONS || sectors == 0 || first == 0 || first >= disk)
        return;
    if (sectors > disk - first)
        sectors = disk - first;
    part[*n].start = first * SECTOR;
    part[*n].len = sectors * SECTOR;
    ++*n;
}

/* ---- GPT ------------------------------------------------------------------------------- */

static unsigned gpt(struct volume *v, struct extent *part)
{
    uint8_t head[92], entry[128];
    uint64_t table;
    uint32_t count, size;
    unsigned n = 0;

    if (!volume_read(v, SECTOR, head, sizeof(head)) || memcmp(head, "EFI PART", 8) != 0)
        return 0;
    table = le64(head + 72);
    count = le32(head + 80);
    size = le32(head + 84);
    if (size < 128 || size > 4096 || table > v->size / SECTOR)
        return 0;
    for (uint32_t i = 0; i < count && i < 256; i++) {
        static const uint8_t unused[16];

        if (!volume_read(v, table * SECTOR + (uint64_t)i * size, entry, sizeof(entry)))
            break;
        if (memcmp(entry, unused, 16) == 0 || le64(entry + 40) < le64(entry + 32))
            continue;
        add(v, part, &n, le64(entry + 32), le64(entry + 40) - le64(entry + 32) + 1);
    }
    return n;
}

/* ---- MBR ------------------------------------------------------------------------------- */

static bool is_extended(uint8_t type)
{
    return type == 0x05 || type == 0x0f || type == 0x85;
}

/* Each logical partition is one more table, with a link to the next. */
static void logical(struct volume *v, uint64_t base, struct extent *part, unsigned *n)
{
    uint64_t at = base;

    for (unsigned i = 0; i < VOLUME_PARTITIONS; i++) {
        uint8_t sector[SECTOR];
        const uint8_t *e = sector + 446;

        if (!volume_read(v, at * SECTOR, sector, SECTOR) || sector[510] != 0x55 || sector[511] != 0xaa)
            return;
        if (e[4])
            add(v, part, n, at + le32(e + 8), le32(e + 12));
        e += 16;
        if (!is_extended(e[4]) || !le32(e + 8))
            return;
        at = base + le32(e + 8);
    }
}

static bool plausible(const uint8_t *sector)
{
    unsigned used = 0;

    if (sector[510] != 0x55 || sector[511] != 0xaa)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *e = sector + 446 + 16 * i;

        if (e[0] & 0x7f)
            return false;               /* a boot sector's code, not a table */
        used += e[4] && le32(e + 12);
    }
    return used > 0;
}

unsigned volume_partitions(struct volume *v, struct extent part[VOLUME_PARTITIONS])
{
    uint8_t sector[SECTOR];
    unsigned n = gpt(v, part);

    if (n)
        return n;
    if (volume_read(v, 0, sector, SECTOR) && plausible(sector))
        for (unsigned i = 0; i < 4; i++) {
            const uint8_t *e = sector + 446 + 16 * i;

            if (is_extended(e[4]))
                logical(v, le32(e + 8), part, &n);
            else if (e[4])
                add(v, part, &n, le32(e + 8), le32(e + 12));
        }
    if (n)
        return n;
    part[0].start = 0;
    part[0].len = v->size;
    return 1;
}
