/* SPDX-License-Identifier: MIT */
/* root.c: the root file system on a disk (root=/dev/NAME), in place of the first one, which is of memory.
 *
 * What was mounted on the first root's directories (/dev, /proc) moves to the same names on the new one.       */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/cmdline.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/uapi/mount.h"

#define WAIT_NS (5 * NSEC_PER_SEC)                  /* for the device: a frontend's comes when its backend answers */

static bool wait_for(const char *name)
{
    uint64_t until = plat_clock_ns() + WAIT_NS;
    while (!blk_find(name)) {
        if (plat_clock_ns() >= until)
            return false;
        sleep_until(plat_clock_ns() + 10 * NSEC_PER_MS, false);
    }
    return true;
}

/* Hangs m onto the same path of the new root; the directory is made if there is none. */
static void move(struct mount *m)
{
    struct inode *i;
    fs_make(m->target, S_IFDIR | 0755, 0);
    int rc = path_lookup(m->target, WALK_FOLLOW, &i);
    if (rc) {
        kprintf("novice: the root file system has no %s: error %d\n", m->target, -rc);
        return;
    }
    m->covered->covered_by = 0;
    inode_put(m->covered);
    m->covered = i;
    i->covered_by = m;
}

int root_mount(const char *device)
{
    const char *name = strncmp(device, "/dev/", 5) == 0 ? device + 5 : device;
    char flags[16] = "";
    cmdline_value("rootflags", flags, sizeof(flags));
    if (!wait_for(name)) {
        kprintf("novice: root=%s: there is no such block device; the initrd is used\n", device);
        return -ENXIO;
    }
    int rc = fs_mount_root(device, "ext2", strcmp(flags, "ro") == 0 ? MS_RDONLY : 0);
    if (rc) {
        kprintf("novice: root=%s cannot be mounted (error %d); the initrd is used\n", device, -rc);
        return rc;
    }
    list_for (m, &all_mounts, struct mount, link)
        if (m->covered)
            move(m);
    struct mount *old = container_of(all_mounts.next->next, struct mount, link);
    list_remove(&old->link);
    inode_put(old->root);
    kfree(old);
    fs_make("/tmp", S_IFDIR | 01777, 0);
    return 0;
}
