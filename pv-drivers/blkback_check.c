/* SPDX-License-Identifier: MIT */
/* blkback_check.c: what a guest's request must fulfil before the disk hears of it.
 *
 * All of this works on copies that the guest can no longer change. Sums are made so that they cannot wrap: a sector number is compared
 * with what is left of the disk, never added to first.                                                       */
#include "pv-drivers/blkback_check.h"

#define SECTORS_A_PAGE (PV_PAGE / PV_SECTOR)
#define SEGS_A_PAGE    (PV_PAGE / sizeof(struct blkif_request_segment))

unsigned blkback_segments(const struct blkif_request *r)
{
    if (r->operation == BLKIF_OP_INDIRECT)
        return ((const struct blkif_request_indirect *)r)->nr_segments;
    return r->nr_segments;
}

static bool in_range(const struct blkback *b, uint64_t sector, uint64_t count)
{
    uint64_t unit = b->disk.sector_size / PV_SECTOR - 1;
    return sector <= b->disk.sectors && count <= b->disk.sectors - sector && ((sector | count) & unit) == 0;
}

static bool decode_segs(struct blkback *b, struct blkback_job *j, const struct blkif_request_segment *segs, unsigned n, uint64_t sector)
{
    struct os_map *map = j->maps;
    struct pv_blk_seg *seg = j->segs;
    uint64_t count = 0;
    unsigned bits = 0;
    for (const struct blkif_request_segment *s = segs, *end = s + n; s < end; s++, map++, seg++) {
        unsigned first = s->first_sect, last = s->last_sect;
        if (first > last || last >= SECTORS_A_PAGE)
            return false;
        map->ref = s->gref;                      /* the rest os_grant_map tells */
        seg->offset = first * PV_SECTOR;
        seg->len = (last - first + 1) * PV_SECTOR;
        bits |= first | (last + 1);
        count += last - first + 1;
    }
    j->io.sector = sector;
    j->io.count = count;
    j->nsegs = n;
    return !(bits & (b->disk.sector_size / PV_SECTOR - 1)) && in_range(b, sector, count);
}

static int decode_indirect(struct blkback *b, struct blkback_job *j, const struct blkif_request_indirect *r)
{
    unsigned n = r->nr_segments;
    j->op = r->indirect_op;
    if ((r->indirect_op != BLKIF_OP_READ && r->indirect_op != BLKIF_OP_WRITE) || n == 0 || n > BLKBACK_MAX_SEGS)
        return BLKIF_RSP_ERROR;
    _Static_assert(BLKBACK_MAX_SEGS <= SEGS_A_PAGE, "one indirect page holds them all");
    struct os_copy c = { .ref = r->indirect_grefs[0], .len = (uint16_t)(n * sizeof(struct blkif_request_segment)), .local = b->indirect };
    if (os_grant_copy(b->bus->other_domid, &c, 1) < 0 || c.status != 0)
        return BLKIF_RSP_ERROR;
    return decode_segs(b, j, b->indirect, n, r->sector_number) ? 0 : BLKIF_RSP_ERROR;
}

static int decode_discard(struct blkback *b, struct blkback_job *j, const struct blkif_request_discard *r)
{
    if (!b->disk.discard || (r->flag & BLKIF_DISCARD_SECURE))
        return BLKIF_RSP_EOPNOTSUPP;
    if (r->nr_sectors == 0 || !in_range(b, r->sector_number, r->nr_sectors))
        return BLKIF_RSP_ERROR;
    j->io.op = PV_BLK_DISCARD;
    j->io.sector = r->sector_number;
    j->io.count = r->nr_sectors;
    return 0;
}

static int decode_plain(struct blkback *b, struct blkback_job *j, const struct blkif_request *r)
{
    if (r->nr_segments == 0 || r->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return BLKIF_RSP_ERROR;
    return decode_segs(b, j, r->seg, r->nr_segments, r->sector_number) ? 0 : BLKIF_RSP_ERROR;
}

static int decode_transfer(struct blkback *b, struct blkback_job *j, const struct blkif_request *r)
{
    int rc = r->operation == BLKIF_OP_INDIRECT ? decode_indirect(b, j, (const struct blkif_request_indirect *)r) : decode_plain(b, j, r);
    if (rc)
        return rc;
    j->io.op = j->op == BLKIF_OP_READ ? PV_BLK_READ : PV_BLK_WRITE;
    return j->io.op == PV_BLK_WRITE && b->disk.read_only ? BLKIF_RSP_ERROR : 0;
}

int blkback_decode(struct blkback *b, struct blkback_job *j, const struct blkif_request *r)
{
    j->id = r->id;
    j->op = r->operation;
    j->nsegs = 0;
    j->barrier = false;
    j->stage = 0;
    j->io.fua = false;
    j->io.sector = j->io.count = 0;
    switch (r->operation) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
    case BLKIF_OP_INDIRECT:
        return decode_transfer(b, j, r);
    case BLKIF_OP_FLUSH_DISKCACHE:
        j->io.op = PV_BLK_FLUSH;
        return b->disk.flush ? 0 : BLKIF_RSP_EOPNOTSUPP;
    case BLKIF_OP_WRITE_BARRIER:
        if (!b->disk.flush || b->disk.read_only)
            return BLKIF_RSP_EOPNOTSUPP;
        j->barrier = true;
        j->io.op = PV_BLK_FLUSH;
        return r->nr_segments == 0 ? 0 : decode_plain(b, j, r);
    case BLKIF_OP_DISCARD:
        return b->disk.read_only ? BLKIF_RSP_ERROR : decode_discard(b, j, (const struct blkif_request_discard *)r);
    default:
        return BLKIF_RSP_EOPNOTSUPP;
    }
}
