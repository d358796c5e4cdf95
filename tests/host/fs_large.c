/* SPDX-License-Identifier: MIT */
/* fs_large.c: claim: large directories, files beyond 2 GiB and sparse ones are as they should be (e2fsck says so too). */
#include "guest-kernel/kernel/cache.h"
#include "tests/host/fs_machine.h"

void test_many_entries(void)
{
    char path[64];
    host_say("10,000 names in one directory\n");
    host_page_limit = 4096;
    host_mkfs("-t ext2 -b 1024 -N 12000", 32);
    CHECK(mount_it() == 0, "mount\n");
    cache_boot();
    CHECK(do_create("/many", S_IFDIR | 0755) == 0, "mkdir\n");
    for (unsigned k = 0; k < 10000; k++) {
        ksnprintf(path, sizeof(path), "/many/some-file-with-a-name-%u", k);
        CHECK(do_create(path, S_IFREG | 0644) == 0, "%s\n", path);
    }
    struct inode *dir;
    CHECK(path_lookup("/many", 0, &dir) == 0, "many\n");
    uint64_t cookie = 0, ino, n = 0;
    uint8_t type;
    char name[256];
    while (dir->ops->entry(dir, &cookie, name, &ino, &type) == 0)
        n++;
    CHECK(n == 10002, "%lu entries\n", n);
    inode_put(dir);
    for (unsigned k = 0; k < 10000; k += 2) {
        ksnprintf(path, sizeof(path), "/many/some-file-with-a-name-%u", k);
        CHECK(do_unlink(path) == 0, "%s\n", path);
    }
    unmount_it();
    fsck_clean("after 10,000 names");
}

void test_sizes(void)
{
    struct inode *i;
    uint8_t buf[5000], back[5000];
    host_say("large and sparse files\n");
    for (unsigned f = 0; f < 2; f++) {
        host_mkfs(f ? "-t ext3 -b 4096 -J size=4" : "-t ext2 -b 1024", 32);
        CHECK(mount_it() == 0, "mount\n");
        cache_boot();
        CHECK(do_create("/big", S_IFREG | 0644) == 0 && path_lookup("/big", 0, &i) == 0, "big\n");
        static const uint64_t at[] = { 0, 11 * 1024 + 500, 267 * 1024, 70ul << 20, (3ul << 30) + 123, (9ul << 30) - 17 };
        for (unsigned k = 0; k < 6; k++) {
            memset(buf, k + 1, sizeof(buf));
            CHECK(inode_write(i, buf, sizeof(buf), at[k]) == sizeof(buf), "write at %lu\n", at[k]);
        }
        CHECK(inode_fsync(i, false) == 0, "fsync\n");
        for (unsigned k = 0; k < 6; k++) {
            memset(buf, k + 1, sizeof(buf));
            CHECK(inode_read(i, back, sizeof(back), at[k]) == sizeof(back) && !memcmp(buf, back, sizeof(buf)), "read at %lu\n", at[k]);
        }
        CHECK(inode_read(i, back, 5000, 1ul << 30) == 5000 && back[0] == 0 && back[4999] == 0, "hole\n");
        CHECK(i->blocks < 400, "%lu blocks\n", i->blocks);
        uint64_t limit = f ? 0 : 17ul << 30;
        if (limit)
            CHECK(inode_write(i, buf, 1, limit) == -EFBIG, "too large\n");
        inode_put(i);
        unmount_it();
        fsck_clean("large");
        CHECK(mount_it() == 0 && path_lookup("/big", 0, &i) == 0, "again\n");
        CHECK(i->size == (9ul << 30) - 17 + 5000, "size\n");
        CHECK(inode_truncate(i, (3ul << 30) + 200) == 0, "truncate\n");
        inode_put(i);
        CHECK(do_unlink("/big") == 0, "unlink\n");
        unmount_it();
        fsck_clean("gone");
    }
}
