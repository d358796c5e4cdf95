/* SPDX-License-Identifier: MIT */
/* fs_hostile.c: claim: a damaged image is refused, or survived: no crash, no endless loop. */
#include "guest-kernel/kernel/cache.h"
#include "tests/host/fs_machine.h"

void test_damage(unsigned rounds)
{
    host_say("damaged images\n");
    for (unsigned r = 0; r < rounds; r++) {
        host_mkfs(formats[r % 4], 4);
        CHECK(mount_it() == 0, "mount\n");
        cache_boot();
        make_base(&worlds[0], 0);
        full_disk_ok = true;
        promises_off();
        for (unsigned k = 0; k < 60; k++)
            step(&worlds[0]);
        unmount_it();
        forget_world(&worlds[0]);
        for (unsigned k = 0; k < 30; k++) {
            uint8_t b[4];
            host_fill(b, 4);
            for (unsigned j = 0; j < 4; j++)
                b[j] = host_dice(256);
            host_disk_write(b, host_dice(3) ? host_dice(200 * 1024) : 1024 + host_dice(200), 4);
        }
        if (mount_it() == 0) {
            static const char *const paths[] = { "/t0", "/t0/d", "/lost+found" };
            for (unsigned k = 0; k < 40; k++) {
                char path[64], name[256];
                uint64_t cookie = 0, ino;
                uint8_t type;
                struct inode *i;
                path_for(&worlds[0], host_dice(NAMES), path);
                const char *p = host_dice(2) ? path : paths[host_dice(3)];
                if (path_lookup(p, 0, &i))
                    continue;
                if (S_ISDIR(i->mode)) {
                    for (unsigned n = 0; n < 1000 && i->ops->entry(i, &cookie, name, &ino, &type) == 0; n++)
                        ;
                } else if (S_ISREG(i->mode)) {
                    uint8_t *buf = host_alloc(70000);
                    inode_read(i, buf, 70000, host_dice(300000));
                    inode_write(i, buf, 5000, host_dice(300000));
                    inode_truncate(i, host_dice(100000));
                    host_free(buf);
                } else if (S_ISLNK(i->mode)) {
                    char *buf = host_alloc(5000);
                    i->ops->readlink(i, buf, 1000);
                    host_free(buf);
                }
                inode_put(i);
                do_unlink(p);
                do_create(path, S_IFREG | 0644);
            }
            struct mount *m = the_mount();
            cache_sync_all();
            m->type->umount(m);
            list_init(&all_mounts);
        }
    }
    full_disk_ok = false;
}
