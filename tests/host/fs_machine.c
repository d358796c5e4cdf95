/* SPDX-License-Identifier: MIT */
/* fs_machine.c: fs_shim.c's machine boots, mounts and unmounts; and the kernel's calls, by path. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/uapi/mount.h"
#include "tests/host/fs_machine.h"

/* ---- The kernel's calls, by path ---- */

int do_create(const char *path, uint32_t mode)
{
    char name[NAME_MAX + 1];
    struct inode *dir, *i;
    int rc = path_parent(path, &dir, name);
    if (rc)
        return rc;
    rc = dir->ops->create(dir, name, mode, 0, &i);
    if (rc == 0)
        inode_put(i);
    inode_put(dir);
    return rc;
}
int do_unlink(const char *path)
{
    char name[NAME_MAX + 1];
    struct inode *dir;
    int rc = path_parent(path, &dir, name);
    if (rc)
        return rc;
    rc = dir->ops->unlink(dir, name);
    inode_put(dir);
    return rc;
}
int do_symlink(const char *target, const char *path)
{
    char name[NAME_MAX + 1];
    struct inode *dir;
    int rc = path_parent(path, &dir, name);
    if (rc)
        return rc;
    rc = dir->ops->symlink(dir, name, target);
    inode_put(dir);
    return rc;
}
int do_link(const char *from, const char *to)
{
    char name[NAME_MAX + 1];
    struct inode *dir, *i;
    int rc = path_lookup(from, 0, &i);
    if (rc)
        return rc;
    rc = path_parent(to, &dir, name);
    if (rc == 0) {
        rc = dir->ops->link(dir, name, i);
        inode_put(dir);
    }
    inode_put(i);
    return rc;
}
int do_rename(const char *from, const char *to)
{
    char a[NAME_MAX + 1], b[NAME_MAX + 1];
    struct inode *da, *db;
    int rc = path_parent(from, &da, a);
    if (rc)
        return rc;
    rc = path_parent(to, &db, b);
    if (rc == 0) {
        rc = da->ops->rename(da, a, db, b);
        inode_put(db);
    }
    inode_put(da);
    return rc;
}

void boot(void)
{
    static bool once;
    host_disk_forget();
    host_threads_init();
    host_memory_init();
    list_init(&all_mounts);
    list_init(&all_procs);
    if (!once) {
        host_dev = (struct blkdev){ .name = "disk", .logical = 512, .physical = 4096, .max_segs = 128, .max_sectors = 2048, .flush = true };
        ext2_boot();
        once = true;
    }
    host_dev.sectors = host_disk_size() / 512;
    host_dev.claimed = false;
    current->cwd = 0;
}

int mount_it(void)
{
    boot();
    return fs_mount("/dev/disk", "/", "ext2", 0);
}

struct mount *the_mount(void) { return container_of(all_mounts.next, struct mount, link); }

void unmount_it(void)
{
    struct mount *m = the_mount();
    CHECK(cache_sync_all() == 0, "sync at the end\n");
    int rc = m->type->umount(m);
    CHECK(rc == 0, "umount: %d\n", rc);
    kfree(m);
    list_init(&all_mounts);
    CHECK(cache_totals().pages == 0, "pages left: %zu\n", cache_totals().pages);
    CHECK(host_pages_used() == 0, "pages lost: %zu\n", host_pages_used());
}

const char *const formats[FORMATS] = {
    "-t ext2 -b 1024", "-t ext2 -b 4096", "-t ext3 -b 1024 -J size=1", "-t ext3 -b 4096 -J size=4", "-t ext2 -b 2048 -I 128",
    "-t ext3 -b 2048 -O ^dir_index -J size=2",
};

void fsck_clean(const char *when)
{
    int rc = host_fsck("-fn");
    CHECK(rc == 0, "%s: e2fsck -fn: %d\n", when, rc);
}

