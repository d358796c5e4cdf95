/* SPDX-License-Identifier: MIT */
/* image_qcow2.c: reading and writing through a qcow2 image's tables. image_qcow2.h tells the format in short. */
#include "guest-kernel/kernel/image_qcow2.h"

enum kind { KIND_BACKING, KIND_ZERO, KIND_DATA };
struct extent {
    enum kind kind;
    uint64_t  at;                                 /* of the file: of the byte asked for; the cluster's for a zero with one */
    uint64_t  n;                                  /* bytes that go on like this */
};

/* ---- Where is it? ---- */

static uint64_t entries_a_table(const struct qcow2 *q) { return q->cluster / 8; }

static int l2_slice(struct qcow2 *q, uint64_t pos, struct slice **s, uint64_t *index)
{
    uint64_t n = pos >> q->cluster_bits, l2 = q->l1[n / entries_a_table(q)] & OFFSET_MASK, in_table = n % entries_a_table(q) * 8;
    *s = 0;
    *index = in_table % q->slice / 8;
    if (!l2)
        return 0;
    return qcow2_slice(q, SLICE_L2, l2 + in_table / q->slice * q->slice, s);
}

static int entry_kind(struct qcow2 *q, uint64_t e, enum kind *kind)
{
    if (e & OFLAG_COMPRESSED)
        return qcow2_broken(q, "a compressed cluster");
    *kind = (e & OFLAG_ZERO) && q->version >= 3 ? KIND_ZERO : e & OFFSET_MASK ? KIND_DATA : KIND_BACKING;
    return (e & OFFSET_MASK) && !qcow2_is_data(q, e & OFFSET_MASK) ? qcow2_broken(q, "a data cluster in a table's place") : 0;
}

/* From pos on, at most n bytes of one kind, side by side in the file if data. */
static int lookup(struct qcow2 *q, uint64_t pos, uint64_t n, struct extent *x)
{
    struct slice *s;
    uint64_t index, in = pos & (q->cluster - 1);
    int rc = l2_slice(q, pos, &s, &index);
    if (rc)
        return rc;
    *x = (struct extent){ KIND_BACKING, 0, q->cluster - in };
    uint64_t first = s ? be64(s->data + index * 8) : 0;
    rc = entry_kind(q, first, &x->kind);
    x->at = (first & OFFSET_MASK) + (x->kind == KIND_DATA ? in : 0);
    uint64_t last = s ? q->slice / 8 - 1 : 0;
    for (uint64_t i = index + 1; rc == 0 && i <= last && x->n < n; i++) {
        enum kind kind;
        uint64_t e = be64(s->data + i * 8), next = (first & OFFSET_MASK) + (i - index) * q->cluster;
        rc = entry_kind(q, e, &kind);
        if (kind != x->kind || (kind == KIND_DATA && (e & OFFSET_MASK) != next))
            break;
        x->n += q->cluster;
    }
    if (x->n > n)
        x->n = n;
    return rc;
}

/* ---- Reading: the lock is let go of while bytes move (Q4) ---- */

static void enter(struct qcow2 *q)
{
    image_lock(q->lock);
    while (q->shut)
        image_wait(q->lock);
}

static void use(struct qcow2 *q)
{
    q->users++;
    image_unlock(q->lock);
}

static void unuse(struct qcow2 *q)
{
    image_lock(q->lock);
    if (--q->users == 0)
        image_wake(q->lock);
    image_unlock(q->lock);
}

static int read_extent(struct qcow2 *q, const struct extent *x, void *buf, uint64_t pos)
{
    if (x->kind == KIND_DATA)
        return image_file_read(q->image.file, buf, x->n, x->at);
    if (x->kind == KIND_BACKING && q->image.backing)
        return image_read(q->image.backing, buf, x->n, pos);
    __builtin_memset(buf, 0, x->n);
    return 0;
}

static int qcow2_read(struct image *i, void *buf, size_t n, uint64_t pos)
{
    struct qcow2 *q = (struct qcow2 *)i;
    int rc = 0;
    for (uint64_t done = 0; done < n && rc == 0;) {
        struct extent x;
        enter(q);
        rc = lookup(q, pos + done, n - done, &x);
        if (rc) {
            image_unlock(q->lock);
            break;
        }
        use(q);
        rc = read_extent(q, &x, (char *)buf + done, pos + done);
        unuse(q);
        done += x.n;
    }
    return rc;
}

/* ---- Writing ---- */

static int l2_make(struct qcow2 *q, uint64_t pos)
{
    uint64_t at, index = (pos >> q->cluster_bits) / entries_a_table(q);
    int rc = q->l1[index] & OFFSET_MASK ? 0 : qcow2_cluster_alloc(q, &at);
    if (rc || (q->l1[index] & OFFSET_MASK))
        return rc;
    __builtin_memset(q->bounce, 0, BOUNCE);
    for (uint64_t done = 0; done < q->cluster && rc == 0; done += BOUNCE)
        rc = image_file_write(q->image.file, q->bounce, q->cluster < BOUNCE ? q->cluster : BOUNCE, at + done);
    q->unsynced = true;
    if (rc == 0)
        qcow2_l1_set(q, (uint32_t)index, at | OFLAG_COPIED);
    return rc;
}

/* Fills [from, to) of the new cluster at `at` with what the guest saw there before: bytes below, or zeros. */
static int fill(struct qcow2 *q, enum kind kind, uint64_t at, uint64_t guest, uint64_t from, uint64_t to, bool fresh)
{
    bool below = kind == KIND_BACKING && q->image.backing;
    int rc = 0;
    if (!below && fresh)
        return 0;                                 /* past the file's end: zeros already */
    while (from < to && rc == 0) {
        uint64_t n = to - from < BOUNCE ? to - from : BOUNCE;
        if (below)
            rc = image_read(q->image.backing, q->bounce, n, guest + from);
        else
            __builtin_memset(q->bounce, 0, n);
        if (rc == 0)
            rc = image_file_write(q->image.file, q->bounce, n, at + from);
        from += n;
    }
    return rc;
}

/* A write to a cluster that has no data of its own yet; within that cluster. The lock is held: two writers of one cluster must not
 * both make it. */
static int write_new(struct qcow2 *q, const struct extent *x, const void *buf, uint64_t n, uint64_t pos)
{
    uint64_t in = pos & (q->cluster - 1), guest = pos - in, at = x->at, index;
    bool fresh = false;
    struct slice *s;
    int rc = q->broken ? -IMAGE_EIO : l2_make(q, pos);
    if (rc == 0 && !at) {
        rc = qcow2_cluster_alloc(q, &at);
        fresh = rc == 0 && at >= image_file_size(q->image.file);
    }
    if (rc == 0)
        rc = fill(q, x->kind, at, guest, 0, in, fresh);
    if (rc == 0)
        rc = image_file_write(q->image.file, buf, n, at + in);
    if (rc == 0)
        rc = fill(q, x->kind, at, guest, in + n, q->cluster, fresh);
    q->unsynced = true;
    if (rc == 0)
        rc = l2_slice(q, pos, &s, &index);
    if (rc)
        return rc;
    put_be64(s->data + index * 8, at | OFLAG_COPIED);
    s->dirty = true;
    return 0;
}

/* Data that has its place: only if nobody else (a snapshot) shares it. */
static int may_overwrite(struct qcow2 *q, uint64_t pos, uint64_t n)
{
    for (uint64_t at = pos & ~(q->cluster - 1); at < pos + n; at += q->cluster) {
        struct slice *s;
        uint64_t index;
        int rc = l2_slice(q, at, &s, &index);
        if (rc)
            return rc;
        if (!(be64(s->data + index * 8) & OFLAG_COPIED))
            return qcow2_broken(q, "a cluster used twice");
    }
    return q->broken ? -IMAGE_EIO : 0;
}

static int write_step(struct qcow2 *q, const void *buf, uint64_t n, uint64_t pos, uint64_t *did)
{
    struct extent x;
    enter(q);
    int rc = lookup(q, pos, n, &x);
    uint64_t room = q->cluster - (pos & (q->cluster - 1));
    if (rc == 0 && x.kind == KIND_DATA)
        rc = may_overwrite(q, pos, x.n);
    if (rc == 0 && x.kind != KIND_DATA) {
        *did = n < room ? n : room;
        rc = write_new(q, &x, buf, *did, pos);
    } else if (rc == 0) {
        use(q);
        *did = x.n;
        rc = image_file_write(q->image.file, buf, x.n, x.at);
        unuse(q);
        return rc;
    }
    image_unlock(q->lock);
    return rc;
}

static int qcow2_write(struct image *i, const void *buf, size_t n, uint64_t pos)
{
    int rc = 0;
    for (uint64_t done = 0, did = 0; done < n && rc == 0; done += did)
        rc = write_step((struct qcow2 *)i, (const char *)buf + done, n - done, pos + done, &did);
    return rc;
}

/* ---- Discard and flush ---- */

/* Whole clusters only. With something below, a zero flag must hide it, which version 2 does not have. */
static int discard_cluster(struct qcow2 *q, uint64_t pos)
{
    struct slice *s;
    uint64_t index;
    enum kind kind;
    int rc = l2_slice(q, pos, &s, &index);
    if (rc || !s || (q->image.backing && q->version < 3))
        return rc;
    uint64_t e = be64(s->data + index * 8), at = e & OFFSET_MASK;
    rc = entry_kind(q, e, &kind);
    if (rc || !at)
        return rc;
    if (!(e & OFLAG_COPIED))
        return qcow2_broken(q, "a cluster used twice");
    rc = qcow2_free_later(q, at);                 /* may flush, and so move slices */
    if (rc == 0)
        rc = l2_slice(q, pos, &s, &index);
    if (rc)
        return rc;
    put_be64(s->data + index * 8, q->image.backing ? OFLAG_ZERO : 0);
    s->dirty = true;
    return 0;
}

static int qcow2_discard(struct image *i, uint64_t n, uint64_t pos)
{
    struct qcow2 *q = (struct qcow2 *)i;
    uint64_t mask = q->cluster - 1, at = (pos + mask) & ~mask, end = pos + n == i->size ? pos + n : (pos + n) & ~mask;
    int rc = 0;
    enter(q);
    q->shut = true;                               /* Q4 */
    while (q->users)
        image_wait(q->lock);
    while (at < end && rc == 0) {
        uint64_t covers = entries_a_table(q) * q->cluster;
        if (!(q->l1[at / covers] & OFFSET_MASK)) {
            at = (at / covers + 1) * covers;      /* nothing there as far as a table would reach */
            continue;
        }
        rc = discard_cluster(q, at);
        at += q->cluster;
        if (at / q->cluster % 64 == 0)
            image_breathe();
    }
    q->shut = false;
    image_wake(q->lock);
    image_unlock(q->lock);
    return rc;
}

static bool tables_dirty(const struct qcow2 *q)
{
    bool dirty = q->nfreed || q->l1_dirty_from != q->l1_dirty_to;
    for (unsigned i = 0; i < SLICES; i++)
        dirty |= q->slices[i].at && q->slices[i].dirty;
    return dirty;
}

static int qcow2_flush(struct image *i)
{
    struct qcow2 *q = (struct qcow2 *)i;
    enter(q);
    if (!tables_dirty(q)) {                       /* the usual case: nobody else has to wait */
        image_unlock(q->lock);
        return image_file_sync(i->file);
    }
    q->shut = true;                               /* free clusters may be given anew when a flush ends: Q4 */
    while (q->users)
        image_wait(q->lock);
    int rc = qcow2_flush_locked(q);
    q->shut = false;
    image_wake(q->lock);
    image_unlock(q->lock);
    return rc;
}

static void release(struct qcow2 *q)
{
    for (unsigned i = 0; i < SLICES; i++)
        image_free(q->slices[i].data);
    image_free(q->l1);
    image_free(q->table);
    image_free(q->bounce);
    if (q->lock)
        image_lock_free(q->lock);
    image_free(q);
}

static void qcow2_close(struct image *i)
{
    struct qcow2 *q = (struct qcow2 *)i;
    if (!i->read_only && !q->broken)
        qcow2_flush(i);                           /* the counts of what the last flush freed */
    release(q);
}

static const struct image_ops qcow2_ops = { "qcow2", qcow2_read, qcow2_write, qcow2_discard, qcow2_flush, qcow2_close };

/* ---- Opening ---- */

bool qcow2_magic(const uint8_t *head) { return be32(head) == 0x514649fb; }

int qcow2_open(struct image_file *f, bool read_only, struct image **out, char *backing, size_t backing_size, enum loop_format *backing_format,
               char *why)
{
    struct qcow2 *q = image_alloc(sizeof(*q));
    int rc = q ? 0 : -IMAGE_ENOMEM;
    if (rc)
        return rc;
    q->image.ops = &qcow2_ops;
    q->image.file = f;
    q->lock = image_lock_new();
    q->bounce = image_alloc(BOUNCE);
    if (!q->lock || !q->bounce)
        rc = -IMAGE_ENOMEM;
    if (rc == 0)
        rc = qcow2_load(q, read_only, backing, backing_size, backing_format, why);
    if (rc) {
        release(q);
        return rc;
    }
    *out = &q->image;
    return 0;
}
