/* SPDX-License-Identifier: MIT */
/* image_qcow2_count.c: which clusters of a qcow2 file are used. */
#include "guest-kernel/kernel/image_qcow2.h"

static uint64_t counts_a_block(const struct qcow2 *q) { return q->cluster * 8 >> q->count_order; }
static uint64_t table_entries(const struct qcow2 *q) { return (uint64_t)q->table_clusters * q->cluster / 8; }

/* A count of 1 << order bits, the index-th of the piece. */
static uint64_t count_get(const uint8_t *data, unsigned order, uint64_t index)
{
    uint64_t v = 0;
    if (order < 3)
        return data[index >> (3 - order)] >> ((index & ((8u >> order) - 1)) << order) & ((1u << (1u << order)) - 1);
    unsigned bytes = 1u << (order - 3);
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | data[index * bytes + i];
    return v;
}

static void count_set(uint8_t *data, unsigned order, uint64_t index, uint64_t v)
{
    if (order < 3) {
        unsigned shift = (unsigned)(index & ((8u >> order) - 1)) << order;
        uint8_t *byte = &data[index >> (3 - order)], mask = (uint8_t)(((1u << (1u << order)) - 1) << shift);
        *byte = (uint8_t)((*byte & ~mask) | v << shift);
        return;
    }
    unsigned bytes = 1u << (order - 3);
    for (unsigned i = bytes; i-- > 0; v >>= 8)
        data[index * bytes + i] = (uint8_t)v;
}

/* The piece that holds cluster n's count, and its index in there. */
static int find_count(struct qcow2 *q, uint64_t n, struct slice **s, uint64_t *index)
{
    uint64_t block = n / counts_a_block(q), in_block = n % counts_a_block(q);
    uint64_t a_slice = (uint64_t)q->slice * 8 >> q->count_order;
    if (block >= table_entries(q) || !(q->table[block] & OFFSET_MASK))
        return qcow2_broken(q, "a used cluster that is not counted");
    *index = in_block % a_slice;
    return qcow2_slice(q, SLICE_COUNTS, (q->table[block] & OFFSET_MASK) + in_block / a_slice * q->slice, s);
}

static bool in_area(uint64_t at, uint64_t n, uint64_t cluster) { return at >= cluster && at - cluster < n; }

bool qcow2_is_data(const struct qcow2 *q, uint64_t at)
{
    uint64_t l1_bytes = ((uint64_t)q->l1_size * 8 + q->cluster - 1) & ~(q->cluster - 1);
    return at != 0 && (at & (q->cluster - 1)) == 0 && !in_area(at, l1_bytes, q->l1_at) &&
           !in_area(at, (uint64_t)q->table_clusters * q->cluster, q->table_at);
}

/* ---- New blocks, a longer table ---- */

static int write_zeros(struct qcow2 *q, uint64_t at, uint64_t n)
{
    int rc = 0;
    __builtin_memset(q->bounce, 0, BOUNCE);
    for (uint64_t done = 0; done < n && rc == 0; done += BOUNCE)
        rc = image_file_write(q->image.file, q->bounce, n - done < BOUNCE ? n - done : BOUNCE, at + done);
    return rc;
}

/* A range of clusters without a block has none in use: its first cluster becomes the block, and counts itself, and the `more` that follow. */
static int block_write(struct qcow2 *q, uint64_t block, unsigned more)
{
    uint64_t at = block * counts_a_block(q) * q->cluster;
    struct slice *s;
    if (!qcow2_is_data(q, at))
        return qcow2_broken(q, "a table's cluster that is not counted");
    int rc = write_zeros(q, at, q->cluster);
    for (uint64_t i = 0; i <= more && rc == 0; i++) {
        uint64_t a_slice = (uint64_t)q->slice * 8 >> q->count_order;
        rc = qcow2_slice(q, SLICE_COUNTS, at + i / a_slice * q->slice, &s);
        if (rc == 0) {
            count_set(s->data, q->count_order, i % a_slice, 1);
            s->dirty = true;
        }
    }
    return rc;
}

static int block_sync(struct qcow2 *q)
{
    int rc = 0;
    for (unsigned i = 0; i < SLICES && rc == 0; i++) {
        struct slice *s = &q->slices[i];
        if (s->at && s->dirty && s->kind == SLICE_COUNTS) {
            rc = image_file_write(q->image.file, s->data, q->slice, s->at);
            s->dirty = rc != 0;
        }
    }
    return rc ? rc : qcow2_sync(q);
}

static int block_make(struct qcow2 *q, uint64_t block)
{
    uint8_t raw[8];
    uint64_t at = block * counts_a_block(q) * q->cluster;
    int rc = block_write(q, block, 0);
    if (rc == 0)
        rc = block_sync(q);                       /* before the table points to it */
    if (rc)
        return rc;
    put_be64(raw, at);
    rc = image_file_write(q->image.file, raw, 8, q->table_at + block * 8);
    q->unsynced = true;
    if (rc == 0)
        q->table[block] = at;
    return rc;
}

static int header_table(struct qcow2 *q, uint64_t at, uint32_t clusters)
{
    uint8_t raw[12];
    put_be64(raw, at);
    clusters = __builtin_bswap32(clusters);
    __builtin_memcpy(raw + 8, &clusters, 4);
    int rc = image_file_write(q->image.file, raw, 12, 48);
    return rc ? rc : qcow2_sync(q);
}

static int table_write(struct qcow2 *q, const uint64_t *table, uint64_t entries, uint64_t at)
{
    int rc = 0;
    for (uint64_t i = 0; i < entries && rc == 0; i += BOUNCE / 8) {
        uint64_t n = entries - i < BOUNCE / 8 ? entries - i : BOUNCE / 8;
        for (uint64_t k = 0; k < n; k++)
            put_be64(q->bounce + k * 8, table[i + k]);
        rc = image_file_write(q->image.file, q->bounce, n * 8, at + i * 8);
    }
    return rc;
}

/* The table is full: a longer copy goes behind the first new block, which counts it. */
static int table_grow(struct qcow2 *q)
{
    uint64_t block = table_entries(q), old_at = q->table_at;
    uint32_t clusters = q->table_clusters + q->table_clusters / 2 + 1, old = q->table_clusters;
    uint64_t entries = (uint64_t)clusters * q->cluster / 8, base = block * counts_a_block(q) * q->cluster;
    if (clusters + 1 > counts_a_block(q) || entries * 8 > 1u << 21)
        return -IMAGE_ENOSPC;
    uint64_t *table = image_alloc(entries * 8);
    if (!table)
        return -IMAGE_ENOMEM;
    __builtin_memcpy(table, q->table, block * 8);
    table[block] = base;
    int rc = block_write(q, block, clusters);
    if (rc == 0)
        rc = table_write(q, table, entries, base + q->cluster);
    if (rc == 0)
        rc = block_sync(q);
    if (rc == 0)
        rc = header_table(q, base + q->cluster, clusters);
    if (rc) {
        image_free(table);
        return rc;
    }
    image_free(q->table);
    q->table = table;
    q->table_at = base + q->cluster;
    q->table_clusters = clusters;
    for (uint32_t i = 0; i < old && rc == 0; i++)
        rc = qcow2_free_later(q, old_at + i * q->cluster);
    return rc;
}

/* ---- Taking and giving ---- */

#define L1_LOOKED_AT 8192u                        /* 4 TiB in clusters of the usual size: a longer one would cost too much */

/* An L2 table, or a block of counts in memory: to be had by a wrong count. */
static bool is_table(const struct qcow2 *q, uint64_t at)
{
    for (uint32_t i = 0; i < q->l1_size && i < L1_LOOKED_AT; i++)
        if ((q->l1[i] & OFFSET_MASK) == at)
            return true;
    for (unsigned i = 0; i < SLICES; i++)
        if (q->slices[i].at && (q->slices[i].at & ~(q->cluster - 1)) == at)
            return true;
    return false;
}

/* The first free cluster from q->hint on, within one piece of a block; *n past the piece if it has none. */
static int search_slice(struct qcow2 *q, uint64_t *n, bool *found)
{
    struct slice *s;
    uint64_t index, a_slice = (uint64_t)q->slice * 8 >> q->count_order;
    int rc = find_count(q, *n, &s, &index);
    if (rc)
        return rc;
    for (; index < a_slice; index++, ++*n)
        if (count_get(s->data, q->count_order, index) == 0) {
            count_set(s->data, q->count_order, index, 1);
            s->dirty = *found = true;
            return 0;
        }
    return 0;
}

int qcow2_cluster_alloc(struct qcow2 *q, uint64_t *at)
{
    uint64_t n = q->hint;
    bool found = false;
    int rc = q->broken ? -IMAGE_EIO : 0;
    while (rc == 0 && !found) {
        uint64_t block = n / counts_a_block(q);
        if (n >= OFFSET_MASK / q->cluster)
            rc = -IMAGE_ENOSPC;
        else if (block >= table_entries(q))
            rc = table_grow(q);
        else if (!(q->table[block] & OFFSET_MASK))
            rc = block_make(q, block);
        else
            rc = search_slice(q, &n, &found);
    }
    if (rc)
        return rc;
    q->hint = n + 1;
    *at = n * q->cluster;
    return qcow2_is_data(q, *at) && !is_table(q, *at) ? 0 : qcow2_broken(q, "a table's cluster that is counted as free");
}

static int count_down(struct qcow2 *q, uint64_t at)
{
    struct slice *s;
    uint64_t index, n = at / q->cluster;
    int rc = find_count(q, n, &s, &index);
    if (rc)
        return rc;
    uint64_t v = count_get(s->data, q->count_order, index);
    if (v == 0)
        return qcow2_broken(q, "a used cluster that is counted as free");
    count_set(s->data, q->count_order, index, v - 1);
    s->dirty = true;
    if (v == 1) {
        if (n < q->hint)
            q->hint = n;
        image_file_punch(q->image.file, at, q->cluster);
    }
    return 0;
}

int qcow2_free_now(struct qcow2 *q)
{
    int rc = 0;
    while (q->nfreed && rc == 0)
        rc = count_down(q, q->freed[--q->nfreed]);
    return rc;
}

int qcow2_free_later(struct qcow2 *q, uint64_t at)
{
    int rc = q->nfreed == FREED ? qcow2_flush_locked(q) : 0;
    if (rc == 0)
        q->freed[q->nfreed++] = at;
    return rc;
}
