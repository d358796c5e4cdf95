/* SPDX-License-Identifier: MIT */
/* fs_hostile.c: claim: whatever an image holds, mounting and using it neither crashes nor hangs nor takes memory without end, and the
 * unmount gives back all that the mount took. A failure is a way into dom0's kernel by a guest's disk.
 *
 * Valid images are made once: every kind of file, long directories, trees of pointers, a journal with something to replay. Each
 * round changes a few fields of one (whose places fs_forge.c finds) to what an attacker would choose, mounts it, and does all
 * that programs do. Some rounds have a disk that fails besides, or little memory. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/uapi/mount.h"
#include "tests/host/fs_forge.h"
#include "tests/host/fs_machine.h"

#define KINDS 6

static const struct { const char *options; bool cut; } kinds[KINDS] = {
    { "-t ext2 -b 1024 -I 128 -N 512", false }, { "-t ext2 -b 4096 -N 512", false }, { "-t ext3 -b 1024 -J size=1 -N 256", false },
    { "-t ext3 -b 1024 -J size=1 -N 256", true }, { "-t ext3 -b 2048 -J size=3 -N 256", true }, { "-t ext2 -b 2048 -r 0 -N 128", false },
};
static struct forge *forges[KINDS];

static const char *const paths[] = {
    "/", "/d", "/d/e", "/d/e/f", "/many", "/big", "/small", "/hard", "/fast", "/slow", "/pipe", "/d/x", "/d/e/y", "/lost+found", "/new", "/d/new",
    "/many/name-7-of-many", "/many/name-99-of-many", "/gone", "/..", "/d/e/..", "/fast/z", "/d/e/f/g", "/other", "/many/other",
};
#define PATHS (sizeof(paths) / sizeof(paths[0]))

/* ---- A valid image ---- */

static void put_bytes(const char *path, uint64_t at, size_t n)
{
    struct inode *i;
    uint8_t *buf = host_alloc(n);
    memset(buf, 'x', n);
    CHECK(path_lookup(path, 0, &i) == 0 && inode_write(i, buf, n, at) == (long)n, "%s at %lu\n", path, at);
    inode_put(i);
    host_free(buf);
}

static void populate(unsigned block)
{
    static const char *const dirs[] = { "/d", "/d/e", "/d/e/f", "/many" }, *const files[] = { "/big", "/small", "/d/x", "/d/e/y", "/gone" };
    char path[64], target[200];
    for (unsigned k = 0; k < 4; k++)
        CHECK(do_create(dirs[k], S_IFDIR | 0755) == 0, "%s\n", dirs[k]);
    for (unsigned k = 0; k < 5; k++)
        CHECK(do_create(files[k], S_IFREG | 0644) == 0, "%s\n", files[k]);
    for (unsigned k = 0; k < 100; k++) {
        ksnprintf(path, sizeof(path), "/many/name-%u-of-many", k);
        CHECK((k ? do_link("/small", path) : do_create(path, S_IFREG | 0600)) == 0, "%s\n", path);
    }
    memset(target, 't', sizeof(target));
    target[150] = 0;
    CHECK(do_symlink("d/e/y", "/fast") == 0 && do_symlink(target, "/slow") == 0 && do_link("/small", "/hard") == 0, "links\n");
    CHECK(do_create("/pipe", S_IFIFO | 0600) == 0, "pipe\n");
    uint64_t per = block / 4;
    put_bytes("/small", 0, 700);
    put_bytes("/d/x", 0, 5 * block);
    put_bytes("/d/e/y", 3, 20 * block);
    put_bytes("/big", 0, 20 * block);
    put_bytes("/big", (12 + per + 3) * block, 2 * block);
    put_bytes("/big", (12 + per + per * per + 9) * block, 3);
}

static struct forge *prepare(unsigned kind)
{
    host_mkfs(kinds[kind].options, 8);
    CHECK(mount_it() == 0, "mount\n");
    cache_boot();
    populate(((struct ext2 *)the_mount()->private)->block_size);
    CHECK(cache_sync_all() == 0 && do_unlink("/gone") == 0 && cache_sync_all() == 0, "sync\n");
    struct forge *f = kinds[kind].cut ? forge_new(host_disk_copy(), host_disk_size()) : 0;
    unmount_it();
    return f ? f : forge_new(host_disk_copy(), host_disk_size());
}

/* ---- Use ---- */

static void use_file(struct inode *i)
{
    static uint8_t buf[40000];
    static const uint64_t at[] = { 0, 5000, 13 << 10, 300 << 10, 70 << 20, 1ul << 32, ~0ul >> 1 };
    uint64_t pos = host_dice(3) ? host_dice(i->size ? MIN(i->size, 1ul << 30) : 1) : at[host_dice(7)];
    struct page *p;
    int rc;
    switch (host_dice(8)) {
    case 0: case 1: case 2:
        inode_read(i, buf, sizeof(buf), pos);
        break;
    case 3:
        inode_truncate(i, host_dice(2) ? pos : 0);
        break;
    case 4:
        inode_punch(i, pos, host_dice(100000));
        break;
    case 5:
        inode_fsync(i, host_dice(2));
        break;
    case 6:
        p = i->ops->page(i, host_dice(100), host_dice(2), &rc);
        if (p)
            page_put(p);
        break;
    default:
        inode_write(i, buf, 1 + host_dice(sizeof(buf)), pos);
    }
}

static void use_directory(struct inode *i)
{
    char name[NAME_MAX + 1];
    uint64_t cookie = host_dice(8) ? 0 : (uint64_t)host_dice(~0u) << host_dice(32), ino;
    uint8_t type;
    for (unsigned n = 0; n < 20000 && i->ops->entry(i, &cookie, name, &ino, &type) == 0; n++) {
        CHECK(strlen(name) <= NAME_MAX && *name && !strchr(name, '/'), "a name that is none: \"%s\"\n", name);
        struct inode *child;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || host_dice(8) || i->ops->lookup(i, name, &child))
            continue;
        inode_put(child);
    }
}

static void use_path(const char *path)
{
    static char text[PATH_MAX];
    struct inode *i;
    struct stat st;
    if (path_lookup(path, host_dice(2) ? WALK_FOLLOW : 0, &i))
        return;
    inode_stat(i, &st);
    if (S_ISDIR(i->mode)) {
        use_directory(i);
        path_of(i, text, sizeof(text));
    } else if (S_ISREG(i->mode))
        use_file(i);
    else if (S_ISLNK(i->mode))
        i->ops->readlink(i, text, sizeof(text) - 1);
    inode_put(i);
}

static void use(unsigned steps)
{
    struct statfs st;
    for (unsigned k = 0; k < steps; k++) {
        const char *a = paths[host_dice(PATHS)], *b = paths[host_dice(PATHS)];
        switch (host_dice(12)) {
        case 0:
            do_unlink(a);
            break;
        case 1:
            do_rename(a, b);
            break;
        case 2:
            do_create(a, (host_dice(3) ? S_IFREG : S_IFDIR) | 0755);
            break;
        case 3:
            if (host_dice(2))
                do_link(a, b);
            else
                do_symlink("target", a);
            break;
        case 4:
            if (host_dice(4) == 0)
                cache_sync_all();
            the_mount()->type->statfs(the_mount(), &st);
            break;
        case 5:
            if (host_dice(6) == 0)
                the_mount()->type->remount(the_mount(), !the_mount()->read_only);
            break;
        default:
            use_path(a);
        }
    }
}

/* ---- A round ---- */

static void one_round(unsigned kind, unsigned seed)
{
    host_seed(seed);
    size_t before = host_pieces();
    struct forge *f = forges[kind];
    host_disk_set(f->clean, f->size);
    boot();
    for (unsigned n = host_dice(5) ? 1 + host_dice(4) : 20; n; n--)
        forge_one(f);
    unsigned trouble = host_dice(12);
    host_bad_reads = trouble == 0 ? 40 : 0;
    host_bad_writes = trouble <= 1 ? 40 : 0;
    host_bad_memory = trouble == 2 ? 60 : 0;
    int rc = fs_mount("/dev/disk", "/", "ext2", host_dice(5) ? 0 : MS_RDONLY);
    if (rc == 0) {
        use(60);
        struct mount *m = the_mount();
        cache_sync_all();
        host_bad_reads = host_bad_memory = 0;
        rc = m->type->umount(m);
        CHECK(rc == 0, "umount: %d\n", rc);
        kfree(m);
        list_init(&all_mounts);
    }
    host_bad_reads = host_bad_writes = host_bad_memory = 0;
    CHECK(host_pages_used() == 0, "pages lost: %zu\n", host_pages_used());
    CHECK(host_pieces() == before, "of the heap were lost: %zd\n", host_pieces() - before);
    CHECK(!host_dev.claimed, "the disk is still taken\n");
}

void test_hostile(unsigned seed, unsigned rounds)
{
    host_say("hostile images: %u from %u\n", rounds, seed);
    host_page_limit = 2048;
    promises_off();
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (!forges[kind])
            forges[kind] = prepare(kind);
    boot();
    cache_boot();
    for (unsigned r = seed; r < seed + rounds; r++) {
        host_alarm(10, "in hostile image %u (FS_VERBOSE=1 .../fs/test hostile %u 1)\n", r, r);
        one_round(r % KINDS, r);
    }
    host_alarm(0, "");
}
