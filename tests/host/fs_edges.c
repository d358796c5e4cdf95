/* SPDX-License-Identifier: MIT */
/* fs_edges.c: claims about what happens at the limits: a full disk in the middle of a write, no inodes left, 32,000 links, names over
 * directories, files without a name when the power goes, directories that are synced, remounts, unmounts while others sync. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/uapi/mount.h"
#include "tests/host/fs_machine.h"

static struct inode *get(const char *path)
{
    struct inode *i = 0;
    int rc = path_lookup(path, 0, &i);
    CHECK(rc == 0, "%s: %d\n", path, rc);
    return i;
}

static void fresh(const char *format, unsigned mib)
{
    host_mkfs(format, mib);
    CHECK(mount_it() == 0, "mount\n");
    cache_boot();
}

/* ---- Unmounting while others sync ---- */

static bool stop;
static unsigned syncs;

static void syncer(void *arg)
{
    while (!stop) {
        cache_sync_all();
        syncs++;
        host_yield();
    }
    stop = false;
}

static void test_sync_unmount(void)
{
    struct inode below = { .refs = 1000, .mode = S_IFDIR };
    uint8_t buf[9000] = "x";
    host_mkfs(formats[2], 8);
    boot();
    cache_boot();
    kthread_create("sync", syncer, 0);
    kthread_create("sync", syncer, 0);
    for (unsigned n = 0; n < 60; n++) {
        CHECK(fs_mount("/dev/disk", "/", "ext2", 0) == 0, "mount %u\n", n);
        the_mount()->covered = &below;
        int rc = do_create("/file", S_IFREG | 0644);
        CHECK(rc == 0 || rc == -EEXIST, "create: %d\n", rc);
        struct inode *i = get("/file");
        CHECK(inode_write(i, buf, sizeof(buf), host_dice(50000)) == sizeof(buf), "write\n");
        inode_put(i);
        for (unsigned k = host_dice(10); k; k--)
            host_yield();
        while ((rc = fs_umount("/")) == -EBUSY)
            host_yield();                           /* its pages are being written */
        CHECK(rc == 0 && list_empty(&all_mounts), "umount: %d\n", rc);
    }
    for (unsigned k = 0; k < 2; k++)
        for (stop = true; stop;)
            host_yield();
    CHECK(syncs > 60, "%u syncs\n", syncs);
    fsck_clean("after unmounts among syncs");
}

/* ---- Limits ---- */

/* What was written is there, to the byte that the answer says; what has no room takes none. */
static void test_full(const char *format)
{
    struct inode *i;
    uint8_t *buf = host_alloc(1 << 20), *back = host_alloc(1 << 20);
    long total = 0, rc;
    fresh(format, 3);
    CHECK(do_create("/f", S_IFREG | 0644) == 0, "create\n");
    i = get("/f");
    for (unsigned k = 0; k < 1 << 20; k++)
        buf[k] = k * 31 >> 3;
    while ((rc = inode_write(i, buf, 700000, total)) > 0)
        total += rc;
    CHECK(rc == -ENOSPC && i->size == (uint64_t)total && total > 1 << 20, "full: %ld after %ld\n", rc, total);
    CHECK(inode_fsync(i, false) == 0, "fsync of a full disk\n");
    for (char d[] = "/a"; (rc = do_create(d, S_IFDIR | 0755)) == 0; d[1]++)
        CHECK(d[1] < 'h', "a page's blocks were not there, but those of directories\n");
    CHECK(rc == -ENOSPC, "a directory on a full disk: %ld\n", rc);
    CHECK(inode_truncate(i, (uint64_t)total + 5000000) == 0, "a hole needs no room\n");
    CHECK(inode_write(i, buf, 1, (uint64_t)total + 4000000) == -ENOSPC, "the hole has none\n");
    CHECK(inode_truncate(i, total / 2) == 0 && inode_write(i, buf, 3000, total / 2) == 3000, "room again\n");
    for (long at = 0; at < total / 2; at += 700000) {
        long n = MIN(total / 2 - at, 700000l);
        CHECK(inode_read(i, back, n, at) == n && memcmp(buf, back, n) == 0, "contents at %ld\n", at);
    }
    inode_put(i);
    unmount_it();
    fsck_clean("after a full disk");
    host_free(buf);
    host_free(back);
}

static void test_inodes_out(const char *format)
{
    char path[64];
    unsigned n = 0;
    int rc;
    fresh(format, 3);
    do {
        ksnprintf(path, sizeof(path), "/f%u", n++);
    } while ((rc = do_create(path, S_IFREG | 0644)) == 0);
    CHECK(rc == -ENOSPC && n > 20, "inodes: %d after %u\n", rc, n);
    CHECK(do_create("/dir", S_IFDIR | 0755) == -ENOSPC && do_symlink("x", "/link") == -ENOSPC, "others, too\n");
    CHECK(do_unlink("/f3") == 0 && do_create("/again", S_IFREG | 0644) == 0, "one freed, one made\n");
    unmount_it();
    fsck_clean("after all inodes");
}

static void test_links(void)
{
    char path[64];
    fresh("-t ext2 -b 1024 -N 40000 -I 128", 40);
    CHECK(do_create("/one", S_IFREG | 0644) == 0 && do_create("/many", S_IFDIR | 0755) == 0, "create\n");
    for (unsigned n = 1; n < 32000; n++) {
        ksnprintf(path, sizeof(path), "/many/%u", n);
        CHECK(do_link("/one", path) == 0, "%s\n", path);
    }
    CHECK(do_link("/one", "/many/x") == -EMLINK, "32,000 links and one\n");
    struct inode *dir = get("/many");
    dir->nlink = 32000;                             /* as 31,998 directories would make it, which take their time */
    CHECK(do_create("/many/d", S_IFDIR | 0755) == -EMLINK, "one directory more\n");
    CHECK(do_create("/d", S_IFDIR | 0755) == 0 && do_create("/e", S_IFDIR | 0755) == 0, "d, e\n");
    dir->nlink = 2;
    dir->ops->changed(dir);
    inode_put(dir);
    unmount_it();
    fsck_clean("after many links");
}

static void test_over_directories(const char *format)
{
    fresh(format, 4);
    for (const char *const *d = (const char *const[]){ "/a", "/b", "/a/x", "/b/x", "/b/x/y", "/empty", 0 }; *d; d++)
        CHECK(do_create(*d, S_IFDIR | 0755) == 0, "%s\n", *d);
    CHECK(do_create("/file", S_IFREG | 0644) == 0, "file\n");
    CHECK(do_rename("/a", "/b") == -ENOTEMPTY, "over a directory that is not empty\n");
    CHECK(do_rename("/file", "/a") == -EISDIR && do_rename("/a", "/file") == -ENOTDIR, "a file and a directory\n");
    CHECK(do_rename("/a", "/a/x/z") == (format[6] == '3' ? -EINVAL : -EXDEV), "below itself\n");
    CHECK(do_rename("/a", "/empty") == 0 && do_unlink("/a") == -ENOENT, "over an empty one\n");
    CHECK(do_unlink("/b") == -ENOTEMPTY, "rmdir\n");
    struct inode *i = get("/empty/x");
    inode_put(i);
    unmount_it();
    fsck_clean("after renames over directories");
}

/* ---- Power ---- */

/* An open file without a name when the power goes: its blocks and its inode are free afterwards. */
static void test_unnamed_at_cut(const char *format)
{
    struct statfs before, after;
    uint8_t buf[60000] = "orphan";
    fresh(format, 8);
    cache_sync_all();
    the_mount()->type->statfs(the_mount(), &before);
    host_log_start();
    CHECK(do_create("/gone", S_IFREG | 0644) == 0, "create\n");
    struct inode *i = get("/gone");
    CHECK(inode_write(i, buf, sizeof(buf), 0) == sizeof(buf) && inode_fsync(i, false) == 0, "write\n");
    CHECK(do_unlink("/gone") == 0 && cache_sync_all() == 0, "unlink\n");
    CHECK(inode_read(i, buf, 10, 0) == 10 && buf[0] == 'o', "still there for us\n");
    uint64_t cut = host_log_length();
    inode_put(i);
    unmount_it();
    host_cut(cut);
    if (format[6] == '2')
        CHECK(host_fsck("-fp") <= 1, "e2fsck -p\n");
    CHECK(mount_it() == 0, "mount after the cut\n");
    CHECK(path_lookup("/gone", 0, &i) == -ENOENT, "no name\n");
    cache_sync_all();
    the_mount()->type->statfs(the_mount(), &after);
    CHECK(before.f_bfree == after.f_bfree && before.f_ffree == after.f_ffree, "%lu blocks free, were %lu; %lu inodes, were %lu\n",
          (unsigned long)after.f_bfree, (unsigned long)before.f_bfree, (unsigned long)after.f_ffree, (unsigned long)before.f_ffree);
    unmount_it();
    fsck_clean("after an orphan");
    host_uncut();
}

/* fsync of a directory: its names are there, whatever else was lost. */
static void test_directory_fsync(const char *format)
{
    struct inode *i;
    fresh(format, 8);
    CHECK(do_create("/d", S_IFDIR | 0755) == 0 && cache_sync_all() == 0, "create\n");
    host_log_start();
    CHECK(do_create("/d/a", S_IFREG | 0644) == 0 && do_create("/d/b", S_IFREG | 0644) == 0 && do_rename("/d/b", "/d/c") == 0, "names\n");
    i = get("/d");
    CHECK(inode_fsync(i, false) == 0, "fsync\n");
    inode_put(i);
    uint64_t cut = host_log_length();
    unmount_it();
    for (unsigned n = 0; n < 4; n++) {
        host_cut(cut);
        CHECK(host_fsck("-fp") <= 1 && mount_it() == 0, "after the cut\n");
        inode_put(get("/d/a"));
        inode_put(get("/d/c"));
        CHECK(path_lookup("/d/b", 0, &i) == -ENOENT, "the old name\n");
        unmount_it();
        host_uncut();
    }
}

/* ---- Remounts ---- */

static void test_remount(const char *format)
{
    uint8_t buf[20] = "contents";
    struct inode *i;
    fresh(format, 8);
    CHECK(do_create("/f", S_IFREG | 0644) == 0, "create\n");
    i = get("/f");
    CHECK(inode_write(i, buf, sizeof(buf), 0) == sizeof(buf), "write\n");
    CHECK(fs_mount(0, "/", "ext2", MS_REMOUNT | MS_RDONLY) == 0, "to read-only, with a file open\n");
    fsck_clean("while mounted read-only");
    CHECK(inode_write(i, buf, 1, 0) == -EROFS && inode_truncate(i, 0) == -EROFS && do_create("/g", S_IFREG | 0644) == -EROFS &&
          do_unlink("/f") == -EROFS && do_rename("/f", "/g") == -EROFS && do_link("/f", "/g") == -EROFS, "nothing is written\n");
    CHECK(inode_read(i, buf, 20, 0) == 20 && buf[0] == 'c', "read\n");
    uint64_t quiet = (host_log_start(), host_log_length());
    CHECK(cache_sync_all() == 0 && host_log_length() == quiet, "a sync writes nothing\n");
    CHECK(fs_mount(0, "/", "ext2", MS_REMOUNT) == 0 && inode_write(i, buf, 20, 5000) == 20, "writable again\n");
    CHECK(do_unlink("/f") == 0 && fs_mount(0, "/", "ext2", MS_REMOUNT | MS_RDONLY) == -EBUSY, "an open file without a name is in the way\n");
    inode_put(i);
    CHECK(fs_mount(0, "/", "ext2", MS_REMOUNT | MS_RDONLY) == 0 && host_dev.claimed, "now it may\n");
    unmount_it();
    CHECK(!host_dev.claimed, "given back\n");
    fsck_clean("after remounts");
}

void test_edges(void)
{
    host_say("limits, remounts, files without names\n");
    host_page_limit = 4096;
    promises_off();
    test_sync_unmount();
    test_links();
    for (unsigned f = 0; f < 2; f++) {
        static const char *const two[] = { "-t ext2 -b 1024 -N 64", "-t ext3 -b 1024 -J size=1 -N 64" };
        test_full(two[f]);
        test_inodes_out(two[f]);
        test_over_directories(two[f]);
        test_unnamed_at_cut(two[f]);
        test_directory_fsync(two[f]);
        test_remount(two[f]);
    }
}
