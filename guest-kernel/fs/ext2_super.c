/* SPDX-License-Identifier: MIT */
/* ext2_super.c: mounting, and all that concerns a file system as a whole.
 *
 * What the superblock and the group descriptors say is checked once, here; what is beyond us is refused with a sentence.
 * While mounted for writing the superblock says "not clean" (and with a journal "needs recovery").               */
#include "guest-kernel/fs/ext2.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/uapi/mount.h"

#define COMPLAIN(fs, ...) (kprintf("novice: ext2 on %s: ", (fs)->dev->name), kprintf(__VA_ARGS__))
#define GROUPS_MAX     65536u                       /* their descriptors stay in memory: 2 MiB */
#define GROUP_MIN      256u                         /* blocks, as mke2fs has it */
#define COMPLAINTS_MAX 16                           /* an image full of damage does not fill the console */

static struct list mounted = LIST_INIT(mounted);

/* ---- Damage ---- */

int ext2_complain(struct ext2 *fs, const char *what, uint64_t which)
{
    if (fs->complaints++ < COMPLAINTS_MAX)
        COMPLAIN(fs, "%s (%lu): run e2fsck\n", what, which);
    return -EIO;
}

int ext2_damage(struct ext2 *fs, const char *what, uint64_t which)
{
    if (!fs->broken)
        COMPLAIN(fs, "%s (%lu): read-only from now on; run e2fsck\n", what, which);
    fs->broken = true;
    return -EIO;
}

static bool in_range(uint32_t block, uint32_t start, uint32_t n) { return block >= start && block - start < n; }

bool ext2_own(struct ext2 *fs, uint32_t block)
{
    if (block < fs->tables_end)
        return true;
    if (block >= fs->sb->blocks)
        return false;                               /* nobody's: buf_get refuses it */
    const struct ext2_group *d = group_of(fs, (block - fs->sb->first_block) / fs->sb->blocks_per_group);
    return block == d->block_bitmap || block == d->inode_bitmap || in_range(block, d->inode_table, fs->table_blocks);
}

/* ---- What it says of itself ---- */

static bool power_of_two(uint64_t n) { return n && !(n & (n - 1)); }

/* The numbers that all else is computed from. */
static const char *check_geometry(struct ext2 *fs, const struct ext2_super *s)
{
    uint32_t bits = 8 * fs->block_size;
    if (s->first_block != (fs->block_size == 1024) || s->blocks <= s->first_block + 8 ||
        (uint64_t)s->blocks * fs->sectors > fs->dev->sectors)
        return "is larger than its device, or its superblock is damaged";
    if (s->blocks_per_group < GROUP_MIN || s->blocks_per_group > bits || s->inodes_per_group == 0 || s->inodes_per_group > bits)
        return "has groups of an impossible size";
    uint64_t groups = ((uint64_t)s->blocks - s->first_block + s->blocks_per_group - 1) / s->blocks_per_group;
    if (groups > GROUPS_MAX)
        return "has more groups than we can hold in memory";
    fs->groups = groups;
    fs->inode_size = s->revision ? s->inode_size : 128;
    if (!power_of_two(fs->inode_size) || fs->inode_size < 128 || fs->inode_size > fs->block_size)
        return "has inodes of an impossible size";
    if ((uint64_t)fs->groups * s->inodes_per_group != s->inodes || s->inodes < 11)
        return "counts its inodes wrongly";
    fs->first_ino = s->revision ? s->first_ino : 11;
    if (fs->first_ino < 11 || fs->first_ino > s->inodes)
        return "reserves an impossible number of inodes";
    uint32_t per = fs->block_size / sizeof(struct ext2_group);
    fs->tables_end = s->first_block + 1 + (fs->groups + per - 1) / per;
    fs->table_blocks = (uint32_t)(((uint64_t)s->inodes_per_group * fs->inode_size + fs->block_size - 1) >> fs->block_shift);
    return 0;
}

static int read_super(struct ext2 *fs, struct ext2_super *s)
{
    int rc = fs->dev->sectors < 16 ? -EINVAL : blk_rw(fs->dev, BLK_READ, 2, s, sizeof(*s));
    if (rc)
        return rc;
    if (s->magic != EXT2_MAGIC)
        return -EINVAL;
    if (s->log_block_size > 2 || s->revision > 1) {
        COMPLAIN(fs, "blocks of more than 4 KiB, or a revision above 1: not supported\n");
        return -EINVAL;
    }
    fs->block_shift = 10 + s->log_block_size;
    fs->block_size = 1u << fs->block_shift;
    fs->sectors = fs->block_size / BLK_SECTOR;
    fs->per_block = fs->block_size / sizeof(uint32_t);
    const char *why = check_geometry(fs, s);
    if (why)
        COMPLAIN(fs, "the file system %s\n", why);
    uint64_t p = fs->per_block, most = EXT2_DIRECT + p + p * p + p * p * p;
    fs->max_block = MIN(most, (uint64_t)0xffffffff / fs->sectors - p * p / 2);
    fs->max_size = (uint64_t)fs->max_block << fs->block_shift;
    return why ? -EINVAL : 0;
}

static int check_features(struct ext2 *fs, const struct ext2_super *s)
{
    if (s->revision == 0)
        return 0;
    if (s->incompat & ~(INCOMPAT_FILETYPE | INCOMPAT_RECOVER)) {
        COMPLAIN(fs, "it needs features we do not have (incompat %x)\n", s->incompat & ~(INCOMPAT_FILETYPE | INCOMPAT_RECOVER));
        return -EINVAL;
    }
    if ((s->ro_compat & ~(RO_COMPAT_SPARSE | RO_COMPAT_LARGE)) && !fs->m->read_only) {
        COMPLAIN(fs, "mounted read-only: it has features we cannot keep up (%x)\n", s->ro_compat & ~3u);
        fs->m->read_only = true;
    }
    return 0;
}

/* n blocks of a group's own lie in the group, behind what all have in common. */
static bool inside(const struct ext2 *fs, uint32_t group, uint32_t block, uint32_t n)
{
    uint32_t start = fs->sb->first_block + group * fs->sb->blocks_per_group;
    uint32_t count = MIN(fs->sb->blocks_per_group, fs->sb->blocks - start);
    return block >= fs->tables_end && in_range(block, start, count) && n <= count - (block - start);
}

static bool group_sound(const struct ext2 *fs, uint32_t group, const struct ext2_group *d)
{
    return inside(fs, group, d->block_bitmap, 1) && inside(fs, group, d->inode_bitmap, 1) &&
           inside(fs, group, d->inode_table, fs->table_blocks) && d->block_bitmap != d->inode_bitmap &&
           !in_range(d->block_bitmap, d->inode_table, fs->table_blocks) && !in_range(d->inode_bitmap, d->inode_table, fs->table_blocks);
}

static int load_groups(struct ext2 *fs)
{
    int rc = 0;
    uint32_t per = fs->block_size / sizeof(struct ext2_group), n = (fs->groups + per - 1) / per;
    fs->group_buf = kmalloc(n * sizeof(*fs->group_buf));
    if (!fs->group_buf)
        return -ENOMEM;
    for (uint32_t k = 0; k < n; k++) {
        fs->group_buf[k] = buf_get(fs, fs->sb->first_block + 1 + k, &rc);
        if (!fs->group_buf[k])
            return rc;
        fs->group_buf[k]->table = true;
    }
    for (uint32_t g = 0; g < fs->groups; g++) {
        if (group_sound(fs, g, group_of(fs, g)))
            continue;
        COMPLAIN(fs, "group %u is described wrongly: run e2fsck\n", g);
        return -EINVAL;
    }
    count_free(fs);
    return 0;
}

static int load(struct ext2 *fs)
{
    struct ext2_super *s = kmalloc(sizeof(*s));
    int rc = s ? read_super(fs, s) : -ENOMEM;
    rc = rc ? rc : check_features(fs, s);
    if (rc == 0) {
        fs->sb = s;
        fs->sb_buf = buf_get(fs, fs->block_size == 1024, &rc);
    }
    if (rc == 0) {
        fs->sb = (struct ext2_super *)(fs->sb_buf->data + (fs->block_size == 1024 ? 0 : 1024));
        fs->sb_buf->table = true;
        rc = load_groups(fs);
    }
    kfree(s);
    return rc;
}

/* A journal that was not replayed is replayed; then nothing read so far holds any more. */
static int take_journal(struct ext2 *fs)
{
    unsigned n;
    if (!(fs->sb->compat & COMPAT_JOURNAL) || fs->sb->revision == 0)
        return 0;
    int rc = journal_open(fs);
    if (rc == -ENOMEM)
        return rc;
    if (rc) {
        bool needed = fs->sb->incompat & INCOMPAT_RECOVER;
        COMPLAIN(fs, "its journal is of a kind we do not know (error %d)%s\n", -rc, needed ? ": run e2fsck" : ", and is left alone");
        return needed ? rc : 0;
    }
    if (!(fs->sb->incompat & INCOMPAT_RECOVER))
        return 0;
    if (fs->m->read_only || fs->dev->read_only) {
        COMPLAIN(fs, "it needs its journal replayed, which a read-only mount cannot do\n");
        return -EROFS;
    }
    rc = journal_replay(fs, &n);
    if (rc)
        return rc;
    COMPLAIN(fs, "journal replayed, %u blocks\n", n);
    ext2_forget_all(fs);
    buf_drop_all(fs);
    kfree(fs->group_buf);
    fs->group_buf = 0;
    journal_close(fs);
    rc = load(fs);
    return rc ? rc : journal_open(fs);              /* all of it may be another: the size of blocks, too */
}

static int write_super(struct ext2 *fs)
{
    struct block_write w = { fs->sb_buf->block, fs->sb_buf->data };
    fs->sb->write_time = wall_ns() / NSEC_PER_SEC;
    int rc = blocks_write(fs, &w, 1);
    return rc ? rc : fs->dev->flush ? blk_flush(fs->dev) : 0;
}

/* What a crash left without a name is freed. */
static void free_orphans(struct ext2 *fs)
{
    uint32_t ino = fs->sb->last_orphan;
    unsigned n = 0;
    mutex_lock(&fs->lock);
    for (struct inode *i; ino >= fs->first_ino && ext2_iget_orphan(fs, ino, &i) == 0; n++) {
        ino = node_of(i)->raw.dtime;
        inode_put(i);
    }
    if (fs->sb->last_orphan) {
        fs->sb->last_orphan = 0;
        buf_dirty(fs, fs->sb_buf);
    }
    ext2_end(fs);
    if (n)
        COMPLAIN(fs, "%u unnamed files of before the crash freed\n", n);
}

static int make_writable(struct ext2 *fs)
{
    struct ext2_super *s = fs->sb;
    if (!(s->state & EXT2_STATE_CLEAN) && !fs->journal.block)
        COMPLAIN(fs, "it was not unmounted cleanly, and has no journal: e2fsck should look at it\n");
    s->state &= ~EXT2_STATE_CLEAN;
    s->mounts++;
    s->mount_time = wall_ns() / NSEC_PER_SEC;
    if (fs->journal.block) {
        int rc = journal_begin(fs);
        if (rc)
            return rc;
        s->incompat |= INCOMPAT_RECOVER;
    }
    int rc = write_super(fs);
    if (rc == 0)
        free_orphans(fs);
    return rc;
}

static int make_clean(struct ext2 *fs)
{
    mutex_lock(&fs->lock);
    int rc = ext2_commit(fs);
    if (rc == 0)
        rc = ext2_commit(fs);                       /* what reaping left, and the frees of the last one */
    if (rc == 0 && fs->dev->flush)
        rc = blk_flush(fs->dev);
    if (rc == 0) {
        fs->sb->state |= EXT2_STATE_CLEAN;
        if (fs->journal.block) {
            fs->sb->incompat &= ~INCOMPAT_RECOVER;
            ((uint32_t *)fs->journal.super)[7] = 0;            /* its start: nothing to replay */
            rc = blocks_write(fs, &(struct block_write){ fs->journal.block[0], fs->journal.super }, 1);
        }
        rc = rc ? rc : write_super(fs);
    }
    mutex_unlock(&fs->lock);
    return rc;
}

static void destroy(struct ext2 *fs)
{
    ext2_forget_all(fs);
    buf_drop_all(fs);
    journal_close(fs);
    list_remove(&fs->link);
    kfree(fs->group_buf);
    kfree(fs->freed);
    kfree(fs->freed_inodes);
    kfree(fs);
}

static struct ext2 *make(struct mount *m, struct blkdev *dev)
{
    struct ext2 *fs = kmalloc(sizeof(*fs));
    if (!fs)
        return 0;
    fs->m = m;
    fs->dev = dev;
    fs->seed = plat_clock_ns() * 0x9e3779b97f4a7c15ul ^ wall_ns();
    mutex_init(&fs->lock);
    wait_init(&fs->wait);
    struct list *const lists[] = { &fs->clean, &fs->dirty, &fs->idle, &fs->changed, &fs->orphans, &fs->doomed, &fs->link };
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
        list_init(lists[i]);
    for (unsigned i = 0; i < INODE_BUCKETS; i++)
        list_init(&fs->inodes[i]);
    m->private = fs;
    return fs;
}

static int get_root(struct ext2 *fs)
{
    mutex_lock(&fs->lock);
    int rc = ext2_iget(fs, EXT2_ROOT_INO, &fs->m->root);
    mutex_unlock(&fs->lock);
    if (rc == 0 && !S_ISDIR(fs->m->root->mode)) {
        inode_put(fs->m->root);
        rc = -EINVAL;
    }
    return rc;
}

static int mount_on(struct mount *m, struct blkdev *dev)
{
    struct ext2 *fs = make(m, dev);
    if (!fs)
        return -ENOMEM;
    m->read_only |= dev->read_only;
    int rc = load(fs);
    rc = rc ? rc : take_journal(fs);
    if (rc == 0 && !m->read_only)
        rc = make_writable(fs);
    rc = rc ? rc : get_root(fs);
    if (rc)
        destroy(fs);
    else
        list_append(&mounted, &fs->link);
    return rc;
}

static int ext2_mount(struct mount *m)
{
    struct blkdev *dev = blk_find(strncmp(m->source, "/dev/", 5) == 0 ? m->source + 5 : m->source);
    if (!dev)
        return -ENXIO;
    m->read_only |= dev->read_only;
    bool write = !m->read_only;
    int rc = blk_claim(dev, write);
    if (rc)
        return rc;
    if (dev->inode && dev->inode->cache)            /* what programs read and wrote there before */
        cache_write_back(dev->inode->cache, true);
    rc = mount_on(m, dev);
    if (rc)
        blk_release(dev, write);
    else if (write && m->read_only) {
        blk_release(dev, true);
        rc = blk_claim(dev, false);
    }
    return rc;
}

static int ext2_umount(struct mount *m)
{
    struct ext2 *fs = m->private;
    struct blkdev *dev = fs->dev;
    bool write = !m->read_only;
    cache_write_all();
    ext2_end((mutex_lock(&fs->lock), fs));          /* erases what is doomed */
    int rc = write && !fs->broken ? ext2_commit_now(fs) : 0;
    if (rc == -ENOMEM)
        return rc;
    if (ext2_in_use(fs))
        return -EBUSY;                              /* the kernel itself uses one of its files */
    rc = write && !fs->broken ? make_clean(fs) : rc;
    if (rc)
        COMPLAIN(fs, "unmounted with errors: %d\n", -rc);
    destroy(fs);
    if (dev->inode && dev->inode->cache)
        cache_drop(dev->inode->cache, 0, ~0ul & ~(PAGE_SIZE - 1));
    blk_release(dev, write);
    return 0;
}

static int ext2_sync(struct mount *m)
{
    struct ext2 *fs = m->private;
    if (m->read_only || fs->broken)
        return fs->broken ? -EIO : 0;
    if (!list_empty(&fs->changed) || fs->ndirty || !list_empty(&fs->doomed) || fs->nfreed || fs->nfreed_inodes)
        return ext2_commit_now(fs);
    return fs->dev->flush ? blk_flush(fs->dev) : 0;
}

static int ext2_remount(struct mount *m, bool read_only)
{
    struct ext2 *fs = m->private;
    if (read_only == m->read_only)
        return 0;
    if (!read_only) {
        if (fs->dev->read_only || (fs->sb->ro_compat & ~(RO_COMPAT_SPARSE | RO_COMPAT_LARGE)) || fs->broken)
            return -EROFS;
        blk_release(fs->dev, false);
        int rc = blk_claim(fs->dev, true);
        if (rc) {
            blk_claim(fs->dev, false);
            return rc;
        }
        m->read_only = false;
        return make_writable(fs);
    }
    cache_write_all();
    ext2_end((mutex_lock(&fs->lock), fs));
    if (!list_empty(&fs->orphans) && !fs_going_down)
        return -EBUSY;
    ext2_abandon_orphans(fs);
    int rc = make_clean(fs);
    if (rc)
        return rc;
    m->read_only = true;
    blk_release(fs->dev, true);
    return blk_claim(fs->dev, false);
}

static void ext2_statfs(struct mount *m, struct statfs *st)
{
    struct ext2 *fs = m->private;
    uint64_t pending = 0;
    for (size_t i = 0; i < fs->nfreed; i++)
        pending += fs->freed[i].count;
    uint64_t own = (uint64_t)fs->groups * (fs->table_blocks + 2);
    *st = (struct statfs){ .f_type = EXT2_MAGIC, .f_bsize = fs->block_size, .f_namelen = EXT2_NAME_MAX,
                           .f_blocks = fs->sb->blocks - fs->sb->first_block - own,
                           .f_bfree = fs->free_blocks + pending, .f_bavail = fs->free_blocks + pending,
                           .f_files = fs->sb->inodes, .f_ffree = fs->free_inodes + fs->nfreed_inodes };
}

/* ---- Memory ---- */

static size_t count(void)
{
    size_t n = 0;
    list_for (fs, &mounted, struct ext2, link)
        n += fs->nclean * fs->block_size / PAGE_SIZE;
    return n;
}

static size_t shrink(size_t pages)
{
    size_t got = 0;
    list_for (fs, &mounted, struct ext2, link)
        if (got < pages)
            got += buf_shrink(fs, (pages - got) * (PAGE_SIZE / fs->block_size)) * fs->block_size / PAGE_SIZE;
    return got;
}

static struct shrinker shrinker = { .name = "ext2", .priority = SHRINK_CACHE + 1, .count = count, .shrink = shrink };

static struct fs_type ext2_type = {
    .name = "ext2", .mount = ext2_mount, .umount = ext2_umount, .sync = ext2_sync, .remount = ext2_remount,
    .statfs = ext2_statfs, .device = true,
};

void ext2_boot(void)
{
    shrinker_register(&shrinker);
    fs_register(&ext2_type);
}
