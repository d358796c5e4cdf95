/* SPDX-License-Identifier: MIT */
/* image_qcow2_open.c: what a qcow2 file says of itself, and whether it is to be believed. Whoever made the file may be a guest's
 * user: every number is looked at before it is used. */
#include "guest-kernel/kernel/image_qcow2.h"

#define HEADER_2     72u
#define HEADER_3     104u
#define TABLE_MAX    (1u << 21)                   /* bytes of L1, or of the table of counts: what image_alloc gives in one piece */
#define GUEST_MAX     (1ull << 46)                 /* 64 TiB: what a guest sees, and so how many tables are looked through */
#define EXT_BACKING  0xe2792acau

#define INCOMPAT_DIRTY    1u
#define INCOMPAT_CORRUPT  2u
#define INCOMPAT_DATAFILE 4u
#define INCOMPAT_EXTL2    16u

struct load { struct qcow2 *q; uint8_t head[512]; uint32_t header_size; bool read_only; char *why; };

static int refuse(struct load *l, const char *what)
{
    image_say(l->why, "%s: %s", image_file_name(l->q->image.file), what);
    return -IMAGE_EINVAL;
}

static int check_features(struct load *l)
{
    uint64_t incompatible = be64(l->head + 72);
    if (incompatible & INCOMPAT_DATAFILE)
        return refuse(l, "its data lies in another file, which is not supported");
    if (incompatible & INCOMPAT_EXTL2)
        return refuse(l, "it uses extended L2 entries, which are not supported");
    if (incompatible & ~(uint64_t)(INCOMPAT_DIRTY | INCOMPAT_CORRUPT))
        return refuse(l, "it uses features of qcow2 that are not supported (another compression, or newer ones)");
    if ((incompatible & INCOMPAT_CORRUPT) && !l->read_only)
        return refuse(l, "it is marked as corrupt; repair it with qemu-img check -r all, or open it read-only");
    if ((incompatible & INCOMPAT_DIRTY) && !l->read_only)
        return refuse(l, "it was not closed (lazy reference counts); repair it with qemu-img check -r all");
    return 0;
}

static int load_header(struct load *l)
{
    struct qcow2 *q = l->q;
    int rc = image_file_read(q->image.file, l->head, sizeof(l->head), 0);
    if (rc)
        return rc;
    if (!qcow2_magic(l->head))
        return refuse(l, "it is not a qcow2 image");
    q->version = be32(l->head + 4);
    if (q->version != 2 && q->version != 3)
        return refuse(l, "only versions 2 and 3 of qcow2 are supported");
    if (be32(l->head + 32))
        return refuse(l, "it is encrypted, which is not supported");
    q->count_order = q->version == 3 ? be32(l->head + 96) : 4;
    l->header_size = q->version == 3 ? be32(l->head + 100) : HEADER_2;
    if (q->version == 3 && (rc = check_features(l)))
        return rc;
    q->cluster_bits = be32(l->head + 20);
    if (q->cluster_bits < 9 || q->cluster_bits > 21 || q->count_order > 6 || l->header_size < (q->version == 3 ? HEADER_3 : HEADER_2) ||
        l->header_size > 1u << q->cluster_bits)
        return refuse(l, "its header makes no sense");
    if (be32(l->head + 60) && !l->read_only)
        return refuse(l, "it holds snapshots, which are only supported read-only");
    q->cluster = 1ull << q->cluster_bits;
    q->slice = q->cluster < SLICE_MAX ? (uint32_t)q->cluster : SLICE_MAX;
    q->image.size = be64(l->head + 24) & ~511ull;
    return !q->image.size ? refuse(l, "it holds no sector") : q->image.size > GUEST_MAX ? refuse(l, "it is larger than supported") : 0;
}

static void sink(uint64_t *v, uint64_t i, uint64_t n)
{
    for (uint64_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && v[child + 1] > v[child];
        if (v[i] >= v[child])
            return;
        uint64_t t = v[i];
        v[i] = v[child];
        v[child] = t;
    }
}

static void sort(uint64_t *v, uint64_t n)
{
    for (uint64_t i = n / 2; i-- > 0;)
        sink(v, i, n);
    for (; n > 1; n--) {
        uint64_t t = v[0];
        v[0] = v[n - 1];
        v[n - 1] = t;
        sink(v, 0, n - 1);
    }
}

/* Each entry of L1, or of the table of counts, names a cluster within the file, and no two the same: else a small file could send us
 * through tables without end. */
static int check_distinct(struct load *l, const uint64_t *table, uint64_t entries)
{
    uint64_t *sorted = image_alloc(entries * 8), size = image_file_size(l->q->image.file), last = 0;
    int rc = sorted ? 0 : -IMAGE_ENOMEM;
    for (uint64_t i = 0; i < entries && rc == 0; i++) {
        sorted[i] = table[i] & OFFSET_MASK;
        if (sorted[i] && (sorted[i] >= size || !qcow2_is_data(l->q, sorted[i])))
            rc = refuse(l, "its tables overlap, or lie past its end; try qemu-img check");
    }
    if (rc == 0)
        sort(sorted, entries);
    for (uint64_t i = 0; i < entries && rc == 0; last = sorted[i++])
        if (sorted[i] && sorted[i] == last)
            rc = refuse(l, "its tables overlap or are shared; try qemu-img check");
    image_free(sorted);
    return rc;
}

static int load_table(struct load *l, uint64_t at, uint64_t entries, uint64_t **out)
{
    struct qcow2 *q = l->q;
    uint64_t bytes = entries * 8;
    if (at == 0 || (at & (q->cluster - 1)) || (at & ~OFFSET_MASK) || entries == 0 || bytes > TABLE_MAX)
        return refuse(l, "a table of it lies nowhere, or is larger than supported");
    uint64_t *table = image_alloc(bytes);
    if (!table)
        return -IMAGE_ENOMEM;
    *out = table;
    int rc = image_file_read(q->image.file, table, bytes, at);
    for (uint64_t i = 0; i < entries && rc == 0; i++) {
        table[i] = be64(&table[i]);
        if (table[i] & OFFSET_MASK & (q->cluster - 1))
            rc = refuse(l, "a table of it points beside the clusters");
    }
    return rc;
}

static uint64_t l1_needed(const struct qcow2 *q)
{
    uint64_t covers = q->cluster / 8 * q->cluster;
    return q->image.size / covers + (q->image.size % covers != 0);
}

static int load_tables(struct load *l)
{
    struct qcow2 *q = l->q;
    q->l1_size = be32(l->head + 36);
    q->l1_at = be64(l->head + 40);
    q->table_at = be64(l->head + 48);
    q->table_clusters = be32(l->head + 56);
    if (q->l1_size < l1_needed(q))
        return refuse(l, "its first table is too short for its size");
    int rc = load_table(l, q->l1_at, q->l1_size, &q->l1);
    if (rc == 0)
        rc = load_table(l, q->table_at, (uint64_t)q->table_clusters * (q->cluster / 8), &q->table);
    if (rc == 0)
        rc = check_distinct(l, q->l1, q->l1_size);
    if (rc == 0)
        rc = check_distinct(l, q->table, (uint64_t)q->table_clusters * (q->cluster / 8));
    for (uint32_t i = 0; i < q->l1_size && rc == 0; i++)
        if ((q->l1[i] & OFFSET_MASK) && !(q->l1[i] & OFLAG_COPIED) && !l->read_only)
            rc = refuse(l, "its tables are shared; try qemu-img check");
    return rc;
}

/* Compressed clusters are found before a guest starts, not when it reads them. */
static int scan_l2(struct load *l)
{
    struct qcow2 *q = l->q;
    for (uint32_t i = 0; i < l1_needed(q); i++) {
        uint64_t at = q->l1[i] & OFFSET_MASK;
        for (uint64_t done = 0; at && done < q->cluster; done += q->slice) {
            uint32_t n = q->slice;
            int rc = image_file_read(q->image.file, q->bounce, n, at + done);
            if (rc)
                return rc;
            for (uint32_t k = 0; k < n; k += 8)
                if (be64(q->bounce + k) & OFLAG_COMPRESSED)
                    return refuse(l, "it holds compressed clusters, which are not supported; qemu-img convert makes one without");
            image_breathe();
        }
    }
    return 0;
}

static int find_format(struct load *l, enum loop_format *format)
{
    uint64_t at = l->header_size;
    *format = LOOP_AUTO;
    for (unsigned n = 0; n < 64; n++) {
        uint8_t ext[16];
        int rc = image_file_read(l->q->image.file, ext, sizeof(ext), at);
        uint32_t len = be32(ext + 4);
        if (rc)
            return rc;
        if (be32(ext) == 0 || at + 8 + len > l->q->cluster)
            break;
        if (be32(ext) == EXT_BACKING) {
            if (len == 3 && ext[8] == 'r' && ext[9] == 'a' && ext[10] == 'w')
                *format = LOOP_RAW;
            else if (len == 5 && __builtin_memcmp(ext + 8, "qcow2", 5) == 0)
                *format = LOOP_QCOW2;
            else
                return refuse(l, "the image below it is neither raw nor qcow2");
            return 0;
        }
        at += 8 + ((len + 7) & ~7u);
    }
    /* To guess would let a guest that wrote the raw one choose what is below that. */
    return refuse(l, "it does not say whether the image below it is raw or qcow2; qemu-img rebase -u -F raw -b NAME does");
}

static int load_backing(struct load *l, char *name, size_t size, enum loop_format *format)
{
    uint64_t at = be64(l->head + 8);
    uint32_t n = be32(l->head + 16);
    name[0] = 0;
    if (at == 0 || n == 0)
        return 0;
    if (n >= size || at > l->q->cluster || at + n > l->q->cluster)
        return refuse(l, "the name of the image below it is too long");
    int rc = image_file_read(l->q->image.file, name, n, at);
    name[n] = 0;
    return rc ? rc : find_format(l, format);
}

int qcow2_load(struct qcow2 *q, bool read_only, char *backing, size_t backing_size, enum loop_format *backing_format, char *why)
{
    struct load *l = image_alloc(sizeof(*l));
    if (!l)
        return -IMAGE_ENOMEM;
    *l = (struct load){ .q = q, .read_only = read_only, .why = why };
    int rc = load_header(l);
    if (rc == 0)
        rc = load_tables(l);
    if (rc == 0)
        rc = scan_l2(l);
    if (rc == 0)
        rc = load_backing(l, backing, backing_size, backing_format);
    /* Bits that say "this extra is up to date": after a write of ours they are not. */
    if (rc == 0 && !read_only && q->version == 3 && be64(l->head + 88)) {
        uint64_t none = 0;
        rc = image_file_write(q->image.file, &none, 8, 88);
    }
    image_free(l);
    return rc;
}
