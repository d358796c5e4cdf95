/* SPDX-License-Identifier: MIT */
/* blk_part.c: partition tables, as UEFI (GPT) and PCs before it (MBR) write them.
 *
 * What stands on a disk is input: a guest's disk has been written by the guest. Every number is checked against the disk's size,
 * every chain has an end, and a partition that overlaps an earlier one is left out.                                 */
#include "guest-kernel/kernel/blk.h"

#define TABLE_MAX     (PAGE_SIZE * 8)               /* of a GPT: 256 entries of 128 bytes */
#define LOGICAL_MAX   4096u
#define EBR_MAX       BLK_PARTS_MAX

struct mbr_entry { uint8_t status, chs_first[3], type, chs_last[3]; uint32_t first, count; } __attribute__((packed));
struct gpt_header {
    char     signature[8];
    uint32_t revision, size, crc, zero;
    uint64_t here, other, first_usable, last_usable;
    uint8_t  disk_guid[16];
    uint64_t entries;
    uint32_t entry_count, entry_size, entries_crc;
} __attribute__((packed));
struct gpt_entry { uint8_t type[16], guid[16]; uint64_t first, last, flags; uint8_t name[72]; } __attribute__((packed));

struct scan {
    const struct blk_part_source *s;
    struct blk_part *out;
    unsigned         n, max;
    uint64_t         unit;                          /* 512-byte sectors in a logical one */
    uint64_t         end;                           /* logical sectors of the disk       */
    char            *buf;                           /* TABLE_MAX                         */
};

/* n bytes from logical sector lba on. */
static int read_at(const struct scan *c, uint64_t lba, size_t n)
{
    if (lba >= c->end || ROUND_UP(n, c->s->logical) / c->s->logical > c->end - lba)
        return -EINVAL;
    return c->s->read(c->s->ctx, lba * c->unit, c->buf, ROUND_UP(n, (size_t)c->s->logical));
}

/* In logical sectors; one that does not lie on the disk or overlaps another is left out. */
static void add(struct scan *c, unsigned number, uint64_t first, uint64_t count)
{
    if (c->n == c->max || first == 0 || count == 0 || first >= c->end || count > c->end - first)
        return;
    uint64_t start = first * c->unit, sectors = count * c->unit;
    for (unsigned i = 0; i < c->n; i++)
        if (start < c->out[i].start + c->out[i].sectors && c->out[i].start < start + sectors)
            return;
    c->out[c->n++] = (struct blk_part){ number, start, sectors };
}

/* ---- GPT ---- */

/* The CRC of Ethernet and zip, bit by bit: a table is read once. */
static uint32_t crc32(const void *data, size_t n)
{
    const uint8_t *p = data;
    uint32_t crc = ~0u;
    while (n--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static bool header_good(struct gpt_header *h, uint64_t lba, const struct scan *c)
{
    uint32_t crc = h->crc;
    if (memcmp(h->signature, "EFI PART", 8) != 0 || h->size < sizeof(*h) || h->size > c->s->logical || h->here != lba)
        return false;
    h->crc = 0;
    if (crc32(h, h->size) != crc)
        return false;
    return h->entry_size >= sizeof(struct gpt_entry) && h->entry_size <= LOGICAL_MAX && h->entry_count > 0 &&
           h->entry_count <= TABLE_MAX / h->entry_size;
}

/* The table whose header stands at lba; -EINVAL if it is none or damaged. */
static int gpt_at(struct scan *c, uint64_t lba)
{
    static const uint8_t unused[16];
    struct gpt_header h;
    int rc = read_at(c, lba, c->s->logical);
    if (rc)
        return rc;
    if (!header_good((struct gpt_header *)c->buf, lba, c))
        return -EINVAL;
    memcpy(&h, c->buf, sizeof(h));
    rc = read_at(c, h.entries, (size_t)h.entry_count * h.entry_size);
    if (rc)
        return rc;
    if (crc32(c->buf, (size_t)h.entry_count * h.entry_size) != h.entries_crc)
        return -EINVAL;
    for (unsigned i = 0; i < h.entry_count; i++) {
        const struct gpt_entry *e = (const struct gpt_entry *)(c->buf + (size_t)i * h.entry_size);
        if (memcmp(e->type, unused, sizeof(unused)) == 0 || e->last < e->first || e->first < h.first_usable || e->last > h.last_usable)
            continue;
        if (e->last - e->first != ~0ul)
            add(c, i + 1, e->first, e->last - e->first + 1);
    }
    return 0;
}

/* ---- MBR ---- */

static bool is_extended(uint8_t type) { return type == 5 || type == 0x0f || type == 0x85; }

/* A file system's boot sector has the same signature, but other bytes where a table has its flags. */
static bool table_good(const char *sector)
{
    const struct mbr_entry *e = (const struct mbr_entry *)(sector + 446);
    for (unsigned i = 0; i < 4; i++)
        if (e[i].status & 0x7f)
            return false;
    return (uint8_t)sector[510] == 0x55 && (uint8_t)sector[511] == 0xaa;
}

/* Logical partitions: each has a table before it that says where it is, and where the next such table is, which must lie
 * further on, or the chain could be a ring. */
static int chain(struct scan *c, uint64_t base, uint64_t count)
{
    uint64_t at = base;
    unsigned number = 5;
    for (unsigned links = 0; links < EBR_MAX; links++) {
        struct mbr_entry e[4];
        int rc = read_at(c, at, BLK_SECTOR);
        if (rc)
            return rc == -EINVAL ? 0 : rc;
        if (!table_good(c->buf))
            return 0;
        memcpy(e, c->buf + 446, sizeof(e));
        uint64_t first = at + e[0].first;
        if (e[0].type && e[0].first && first - base < count && e[0].count <= count - (first - base))
            add(c, number, first, e[0].count);
        number++;
        uint64_t next = base + e[1].first;
        if (!is_extended(e[1].type) || next <= at || next - base >= count)
            return 0;
        at = next;
    }
    return 0;
}

static int mbr(struct scan *c, const struct mbr_entry e[4])
{
    int rc = 0;
    for (unsigned i = 0; i < 4; i++)
        if (e[i].type && !is_extended(e[i].type))
            add(c, i + 1, e[i].first, e[i].count);
    for (unsigned i = 0; i < 4 && rc == 0; i++)
        if (is_extended(e[i].type) && e[i].first && e[i].first < c->end)
            rc = chain(c, e[i].first, MIN((uint64_t)e[i].count, c->end - e[i].first));
    return rc;
}

static int tables(struct scan *c)
{
    struct mbr_entry e[4];
    bool protective = false;
    int rc = read_at(c, 0, BLK_SECTOR);
    if (rc || !table_good(c->buf))
        return rc == -EINVAL ? 0 : rc;
    memcpy(e, c->buf + 446, sizeof(e));
    for (unsigned i = 0; i < 4; i++)
        protective |= e[i].type == 0xee;
    if (!protective)
        return mbr(c, e);
    rc = gpt_at(c, 1);
    if (rc == -EINVAL) {
        c->n = 0;
        rc = gpt_at(c, c->end - 1);                 /* the copy at the end */
    }
    return rc == -EINVAL ? 0 : rc;
}

int blk_part_scan(const struct blk_part_source *s, struct blk_part *out, unsigned max)
{
    struct scan c = { .s = s, .out = out, .max = max, .unit = s->logical / BLK_SECTOR };
    c.end = s->sectors / c.unit;
    if (c.end < 2)
        return 0;
    c.buf = kmalloc(TABLE_MAX);
    if (!c.buf)
        return -ENOMEM;
    int rc = tables(&c);
    kfree(c.buf);
    return rc ? rc : (int)c.n;
}
