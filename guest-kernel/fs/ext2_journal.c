/* SPDX-License-Identifier: MIT */
/* ext2_journal.c: a commit is written to the journal as a whole before anything of it goes to its place.
 *
 * The journal is an inode's blocks, in the layout that ext3 and e2fsck know: a superblock, then descriptors (which block
 * belongs where), copies of the blocks, and a commit record; all numbers big-endian. Only the newest transaction counts: each
 * stands behind the one before it, round the journal, and the superblock that says where it begins is written with it, after
 * the older one's blocks have reached their places and were flushed. Until the new one is whole, the older one is, and
 * replaying it does no harm. So nothing of an older transaction can come back over what was freed and used anew, and no
 * revocations are needed; those that others wrote are obeyed when a journal is replayed. */
#include "guest-kernel/fs/ext2.h"

#define MAGIC       0xc03b3998u
#define DESCRIPTOR  1
#define COMMIT      2
#define REVOKE      5
#define ESCAPED     1                               /* the copy's first word, which was the magic, was zeroed */
#define SAME_UUID   2
#define LAST        8
#define FEATURE_REVOKE 1u

struct header { uint32_t magic, type, sequence; };
struct jsuper {
    struct header h;
    uint32_t block_size, length, first, sequence, start, error, compat, incompat, ro_compat;
    uint8_t  uuid[16];
};
struct tag { uint32_t block, flags; };

static uint32_t be(uint32_t v) { return __builtin_bswap32(v); }
static struct jsuper *super_of(struct ext2 *fs) { return (struct jsuper *)fs->journal.super; }

static size_t tags_per_block(const struct ext2 *fs) { return (fs->block_size - sizeof(struct header) - 16) / sizeof(struct tag); }

size_t journal_room(const struct ext2 *fs)
{
    size_t blocks = (fs->journal.length - fs->journal.first) / 2 - 2, per = tags_per_block(fs);
    return blocks - blocks / per - 1;
}

static int read_log(struct ext2 *fs, uint32_t n, uint8_t *data)
{
    return blk_rw(fs->dev, BLK_READ, (uint64_t)fs->journal.block[n] * fs->sectors, data, fs->block_size);
}

/* ---- Opening ---- */

static int find_blocks(struct ext2 *fs, struct inode *i)
{
    struct journal *j = &fs->journal;
    uint64_t n = i->size >> fs->block_shift;
    j->block = n >= 64 && n * sizeof(uint32_t) <= 2ul << 20 ? kmalloc(n * sizeof(uint32_t)) : 0;
    j->super = kmalloc(fs->block_size);
    if (!j->block || !j->super)
        return -ENOMEM;
    for (uint64_t k = 0; k < n; k++) {
        int rc = ext2_block(i, k, false, &j->block[k]);
        if (rc || j->block[k] >= fs->sb->blocks || ext2_own(fs, j->block[k]))       /* a hole is the file system's own, too */
            return rc ? rc : -EIO;
    }
    j->length = n;
    return read_log(fs, 0, j->super);
}

static int check_super(struct ext2 *fs)
{
    struct journal *j = &fs->journal;
    struct jsuper *s = super_of(fs);
    if (be(s->h.magic) != MAGIC || be(s->block_size) != fs->block_size || be(s->length) > j->length || be(s->first) == 0 ||
        be(s->first) + 32ul > be(s->length))
        return -EINVAL;
    if (be(s->h.type) == 4 && (be(s->incompat) & ~FEATURE_REVOKE))
        return -EOPNOTSUPP;
    j->length = be(s->length);
    j->first = be(s->first);
    j->sequence = be(s->sequence);
    j->head = j->first;
    return 0;
}

int journal_open(struct ext2 *fs)
{
    struct inode *i;
    mutex_lock(&fs->lock);
    int rc = ext2_iget(fs, fs->sb->journal_ino, &i);
    if (rc == 0) {
        rc = find_blocks(fs, i);
        inode_put(i);
    }
    mutex_unlock(&fs->lock);
    rc = rc ? rc : check_super(fs);
    if (rc)
        journal_close(fs);
    return rc;
}

void journal_close(struct ext2 *fs)
{
    kfree(fs->journal.block);
    kfree(fs->journal.super);
    fs->journal = (struct journal){ 0 };
}

/* ---- Writing ---- */

static int write_super(struct ext2 *fs)
{
    struct jsuper *s = super_of(fs);
    s->start = be(fs->journal.head);
    s->sequence = be(fs->journal.sequence);
    return blocks_write(fs, &(struct block_write){ fs->journal.block[0], fs->journal.super }, 1);
}

static void begin_block(const struct ext2 *fs, uint8_t *data, uint32_t type)
{
    memset(data, 0, fs->block_size);
    *(struct header *)data = (struct header){ be(MAGIC), be(type), be(fs->journal.sequence) };
}

static uint32_t next_block(const struct ext2 *fs, uint32_t at)
{
    return at + 1 == fs->journal.length ? fs->journal.first : at + 1;
}

/* A transaction that is being laid out. */
struct layout {
    struct block_write *w;
    size_t              n;
    uint32_t            at;                         /* the journal's next block */
    uint8_t            *made[64];                   /* descriptors and escaped copies, to be freed */
    unsigned            nmade;
};

static uint8_t *new_block(struct ext2 *fs, struct layout *l)
{
    uint8_t *data = l->nmade < 64 ? kmalloc(fs->block_size) : 0;
    if (data)
        l->made[l->nmade++] = data;
    return data;
}

static void place(struct ext2 *fs, struct layout *l, const uint8_t *data)
{
    l->w[l->n++] = (struct block_write){ fs->journal.block[l->at], data };
    l->at = next_block(fs, l->at);
}

/* b's tag into the descriptor, and its copy into the log. */
static int lay_one(struct ext2 *fs, struct layout *l, struct buf *b, struct tag *tag, bool first)
{
    const uint8_t *data = b->data;
    uint32_t flags = first ? 0 : SAME_UUID;
    if (*(const uint32_t *)data == be(MAGIC)) {
        uint8_t *copy = new_block(fs, l);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, data, fs->block_size);
        *(uint32_t *)copy = 0;
        data = copy;
        flags |= ESCAPED;
    }
    *tag = (struct tag){ be(b->block), be(flags) };
    place(fs, l, data);
    return 0;
}

static int lay_out(struct ext2 *fs, struct layout *l)
{
    size_t per = tags_per_block(fs), in_this = 0;
    uint8_t *descriptor = 0;
    struct tag *tag = 0;
    list_for (b, &fs->dirty, struct buf, link) {
        if (!descriptor || in_this == per) {
            descriptor = new_block(fs, l);
            if (!descriptor)
                return -ENOMEM;
            begin_block(fs, descriptor, DESCRIPTOR);
            place(fs, l, descriptor);
            tag = (struct tag *)(descriptor + sizeof(struct header));
            in_this = 0;
        }
        int rc = lay_one(fs, l, b, tag, in_this == 0);
        if (rc)
            return rc;
        bool last = b->link.next == &fs->dirty || in_this + 1 == per;
        tag->flags |= last ? be(LAST) : 0;
        tag = (struct tag *)((uint8_t *)(tag + 1) + (in_this++ == 0 ? 16 : 0));       /* the first is followed by a UUID */
    }
    return 0;
}

static int write_commit(struct ext2 *fs, uint32_t at)
{
    uint8_t *data = kmalloc(fs->block_size);
    if (!data)
        return -ENOMEM;
    begin_block(fs, data, COMMIT);
    int rc = blocks_write(fs, &(struct block_write){ fs->journal.block[at], data }, 1);
    kfree(data);
    return rc;
}

static int flush(struct ext2 *fs) { return fs->dev->flush ? blk_flush(fs->dev) : 0; }

int journal_write(struct ext2 *fs)
{
    struct layout l = { .at = fs->journal.head };
    size_t max = fs->ndirty + fs->ndirty / tags_per_block(fs) + 1;
    int rc = 0;
    if (fs->ndirty > journal_room(fs)) {
        kprintf("novice: ext2 on %s: the journal is too small for %zu blocks at once\n", fs->dev->name, fs->ndirty);
        return flush(fs);                           /* in place at once, for want of better */
    }
    l.w = kmalloc(max * sizeof(*l.w));
    if (!l.w)
        return -ENOMEM;
    if (fs->in_place)                               /* the last transaction's blocks, before it is overwritten */
        rc = flush(fs);
    fs->in_place = false;
    rc = rc ? rc : write_super(fs);
    rc = rc ? rc : lay_out(fs, &l);
    rc = rc ? rc : blocks_write(fs, l.w, l.n);
    rc = rc ? rc : flush(fs);
    rc = rc ? rc : write_commit(fs, l.at);
    rc = rc ? rc : flush(fs);
    if (rc == 0) {
        fs->journal.sequence++;
        fs->journal.head = next_block(fs, l.at);
    }
    while (l.nmade)
        kfree(l.made[--l.nmade]);
    kfree(l.w);
    return rc;
}

/* ---- Replaying ---- */

struct revoked { uint32_t block, sequence; };

struct replay {
    struct ext2    *fs;
    uint8_t        *head, *data;
    uint32_t        at, sequence;                   /* where we are */
    struct revoked *revoked;
    size_t          nrevoked, room;
    bool            write;                          /* the second pass */
    unsigned        blocks;
};

static void step(struct replay *r)
{
    if (++r->at == r->fs->journal.length)
        r->at = r->fs->journal.first;
}

/* By block, those of one block by sequence. A heap's order, turned into a row from its end: no order of theirs makes it slow. */
static uint64_t rank(const struct replay *r, size_t i)
{
    return (uint64_t)r->revoked[i].block << 32 | (r->revoked[i].sequence - be(super_of(r->fs)->sequence));
}

static void sink(struct replay *r, size_t i, size_t n)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && rank(r, child + 1) > rank(r, child);
        if (rank(r, i) >= rank(r, child))
            return;
        struct revoked t = r->revoked[i];
        r->revoked[i] = r->revoked[child];
        r->revoked[child] = t;
    }
}

static void sort_revoked(struct replay *r)
{
    for (size_t i = r->nrevoked / 2; i-- > 0;)
        sink(r, i, r->nrevoked);
    for (size_t n = r->nrevoked; n-- > 1;) {
        struct revoked t = r->revoked[0];
        r->revoked[0] = r->revoked[n];
        r->revoked[n] = t;
        sink(r, 0, n);
    }
}

/* In this transaction or a later one? The last of the block's says so. */
static bool is_revoked(const struct replay *r, uint32_t block)
{
    size_t from = 0, to = r->nrevoked;
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (r->revoked[mid].block <= block)
            from = mid + 1;
        else
            to = mid;
    }
    return from && r->revoked[from - 1].block == block && (int32_t)(r->revoked[from - 1].sequence - r->sequence) >= 0;
}

static int copy_home(struct replay *r, const struct tag *tag)
{
    struct ext2 *fs = r->fs;
    uint32_t block = be(tag->block);
    int rc = read_log(fs, r->at, r->data);
    if (rc || is_revoked(r, block))
        return rc;
    if (block >= fs->sb->blocks)
        return -EIO;
    if (be(tag->flags) & ESCAPED)
        *(uint32_t *)r->data = be(MAGIC);
    r->blocks++;
    return blk_rw(fs->dev, BLK_WRITE, (uint64_t)block * fs->sectors, r->data, fs->block_size);
}

static int replay_descriptor(struct replay *r)
{
    uint32_t at = sizeof(struct header);
    for (;;) {
        struct tag *tag = (struct tag *)(r->head + at);
        step(r);
        if (at + sizeof(*tag) > r->fs->block_size)
            return -EIO;
        int rc = r->write ? copy_home(r, tag) : 0;
        uint32_t flags = be(tag->flags);
        if (rc || (flags & LAST))
            return rc;
        at += sizeof(*tag) + (flags & SAME_UUID ? 0 : 16);
    }
}

static int note_revoked(struct replay *r)
{
    uint32_t end = MIN(be(*(uint32_t *)(r->head + sizeof(struct header))), r->fs->block_size);
    for (uint32_t at = sizeof(struct header) + 4; at + 4 <= end; at += 4) {
        if (r->nrevoked == r->room) {
            size_t room = r->room ? r->room * 2 : 128;
            struct revoked *more = kmalloc(room * sizeof(*more));
            if (!more)
                return -ENOMEM;
            if (r->revoked)
                memcpy(more, r->revoked, r->nrevoked * sizeof(*more));
            kfree(r->revoked);
            r->revoked = more;
            r->room = room;
        }
        r->revoked[r->nrevoked++] = (struct revoked){ be(*(uint32_t *)(r->head + at)), r->sequence };
    }
    return 0;
}

/* From the log's start as far as the sequence holds, or to `end`: *end is then the first that has no commit record. */
static int pass(struct replay *r, uint32_t start, uint32_t *end)
{
    uint32_t from = be(super_of(r->fs)->sequence), limit = r->write ? *end : from + 0x7fffffff;
    unsigned steps = 0;
    r->at = start;
    r->sequence = from;
    while (r->sequence != limit && steps++ <= r->fs->journal.length) {
        int rc = read_log(r->fs, r->at, r->head);
        struct header *h = (struct header *)r->head;
        if (rc)
            return rc;
        if (be(h->magic) != MAGIC || be(h->sequence) != r->sequence)
            break;
        if (be(h->type) == DESCRIPTOR)
            rc = replay_descriptor(r);
        else if (be(h->type) == REVOKE && !r->write)
            rc = note_revoked(r);
        else if (be(h->type) == COMMIT)
            r->sequence++;
        else if (be(h->type) != REVOKE)
            break;
        if (rc)
            return r->write ? rc : 0;               /* nonsense behind the last commit is no error */
        step(r);
        if (!r->write)
            *end = r->sequence;
    }
    return 0;
}

int journal_replay(struct ext2 *fs, unsigned *replayed)
{
    struct replay r = { .fs = fs, .head = kmalloc(fs->block_size), .data = kmalloc(fs->block_size) };
    uint32_t start = be(super_of(fs)->start), end = be(super_of(fs)->sequence);
    int rc = r.head && r.data ? 0 : -ENOMEM;
    if (rc == 0 && start) {
        rc = start < fs->journal.first || start >= fs->journal.length ? -EIO : pass(&r, start, &end);
        sort_revoked(&r);
        r.write = true;
        rc = rc ? rc : pass(&r, start, &end);
    }
    *replayed = r.blocks;
    fs->journal.sequence = end;
    rc = rc ? rc : flush(fs);
    rc = rc ? rc : journal_begin(fs);
    kfree(r.head);
    kfree(r.data);
    kfree(r.revoked);
    return rc;
}

int journal_begin(struct ext2 *fs)
{
    fs->journal.sequence++;
    fs->journal.head = fs->journal.first;
    int rc = write_super(fs);
    return rc ? rc : flush(fs);
}
