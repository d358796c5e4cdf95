/* SPDX-License-Identifier: MIT */
/* image_qcow2_meta.c: pieces of a qcow2 image's tables in memory, and the order in which they are written back. */
#include "guest-kernel/kernel/image_qcow2.h"

uint32_t be32(const void *p) { uint32_t v; __builtin_memcpy(&v, p, 4); return __builtin_bswap32(v); }
uint64_t be64(const void *p) { uint64_t v; __builtin_memcpy(&v, p, 8); return __builtin_bswap64(v); }
void put_be64(void *p, uint64_t v) { v = __builtin_bswap64(v); __builtin_memcpy(p, &v, 8); }

int qcow2_broken(struct qcow2 *q, const char *what)
{
    if (!q->broken)
        image_say(0, "%s: the image contradicts itself (%s); it is no longer written to", image_file_name(q->image.file), what);
    q->broken = true;
    return -IMAGE_EIO;
}

int qcow2_sync(struct qcow2 *q)
{
    int rc = image_file_sync(q->image.file);
    if (rc == 0)
        q->unsynced = false;
    return rc;
}

static int slice_write(struct qcow2 *q, struct slice *s)
{
    int rc = image_file_write(q->image.file, s->data, q->slice, s->at);
    if (rc == 0)
        s->dirty = false;
    return rc;
}

static int write_all(struct qcow2 *q, enum slice_kind kind, bool *any)
{
    int rc = 0;
    for (unsigned i = 0; i < SLICES && rc == 0; i++) {
        struct slice *s = &q->slices[i];
        if (!s->at || !s->dirty || s->kind != kind)
            continue;
        rc = slice_write(q, s);
        *any = true;
    }
    return rc;
}

/* Q1: data and counts are durable when this returns 0. */
static int counts_first(struct qcow2 *q)
{
    int rc = write_all(q, SLICE_COUNTS, &q->unsynced);
    return rc == 0 && q->unsynced ? qcow2_sync(q) : rc;
}

static int evict(struct qcow2 *q, struct slice *s)
{
    int rc = 0;
    if (s->at && s->dirty && s->kind == SLICE_L2)
        rc = counts_first(q);
    if (rc == 0 && s->at && s->dirty) {
        rc = slice_write(q, s);
        q->unsynced = true;
    }
    if (rc == 0)
        s->at = 0;
    return rc;
}

int qcow2_slice(struct qcow2 *q, enum slice_kind kind, uint64_t at, struct slice **out)
{
    struct slice *s = &q->slices[0];
    for (unsigned i = 0; i < SLICES; i++) {
        struct slice *other = &q->slices[i];
        if (other->at == at) {
            other->used = ++q->clock;
            *out = other;
            return other->kind == kind ? 0 : qcow2_broken(q, "two tables in one place");
        }
        if (other->used < s->used)
            s = other;
    }
    int rc = evict(q, s);
    if (rc == 0 && !s->data && !(s->data = image_alloc(q->slice)))
        rc = -IMAGE_ENOMEM;
    if (rc == 0)
        rc = image_file_read(q->image.file, s->data, q->slice, at);
    if (rc)
        return rc;
    s->at = at;
    s->kind = kind;
    s->dirty = false;
    s->used = ++q->clock;
    *out = s;
    return 0;
}

void qcow2_l1_set(struct qcow2 *q, uint32_t index, uint64_t value)
{
    q->l1[index] = value;
    if (q->l1_dirty_from == q->l1_dirty_to) {
        q->l1_dirty_from = index;
        q->l1_dirty_to = index + 1;
    } else if (index < q->l1_dirty_from) {
        q->l1_dirty_from = index;
    } else if (index >= q->l1_dirty_to) {
        q->l1_dirty_to = index + 1;
    }
}

static int l1_write(struct qcow2 *q)
{
    int rc = 0;
    for (uint32_t i = q->l1_dirty_from; i < q->l1_dirty_to && rc == 0; i++) {
        uint8_t raw[8];
        put_be64(raw, q->l1[i]);
        rc = image_file_write(q->image.file, raw, 8, q->l1_at + 8ull * i);
    }
    if (rc == 0)
        q->l1_dirty_from = q->l1_dirty_to = 0;
    return rc;
}

int qcow2_flush_locked(struct qcow2 *q)
{
    bool tables = false;
    int rc = write_all(q, SLICE_COUNTS, &tables);
    bool l2_dirty = q->l1_dirty_from != q->l1_dirty_to;
    for (unsigned i = 0; i < SLICES; i++)
        l2_dirty |= q->slices[i].at && q->slices[i].dirty;
    if (rc == 0)
        rc = qcow2_sync(q);                       /* Q1 */
    if (rc || !l2_dirty)
        return rc ? rc : qcow2_free_now(q);
    rc = write_all(q, SLICE_L2, &tables);
    if (rc == 0)
        rc = qcow2_sync(q);                       /* Q2 */
    if (rc == 0 && q->l1_dirty_from != q->l1_dirty_to) {
        rc = l1_write(q);
        if (rc == 0)
            rc = qcow2_sync(q);
    }
    return rc ? rc : qcow2_free_now(q);           /* Q3 */
}
