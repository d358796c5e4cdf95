/* SPDX-License-Identifier: MIT */
/* mount.c: file systems come and go: mounted on directories, made read-only or writable, written back, taken away. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/uapi/mount.h"

struct list all_mounts = LIST_INIT(all_mounts);
static const struct fs_type *types;
static uint32_t last_dev;
static struct wait_queue unpinned = { LIST_INIT(unpinned.waiters) };

/* False: it is on its way out. */
static bool pin(struct mount *m)
{
    m->pins += !m->going;
    return !m->going;
}

static void unpin(struct mount *m)
{
    m->pins--;
    wake_all(&unpinned);
}

void fs_register(struct fs_type *t)
{
    t->next = types;
    types = t;
}

static struct mount *find_mount(struct inode *i)
{
    list_for (m, &all_mounts, struct mount, link)
        if (m->root == i)
            return m;
    return 0;
}

static int remount(const char *target, bool read_only)
{
    struct inode *i;
    int rc = path_lookup(target, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    struct mount *m = find_mount(i);
    inode_put(i);
    if (!m || !m->type->remount)
        return -EINVAL;
    if (!pin(m))
        return -EBUSY;
    rc = m->type->remount(m, read_only);
    unpin(m);
    return rc;
}

int fs_mount(const char *source, const char *target, const char *type, unsigned flags)
{
    if (flags & MS_REMOUNT)
        return remount(target, flags & MS_RDONLY);
    const struct fs_type *t = types;
    while (t && strcmp(t->name, type) != 0)
        t = t->next;
    if (!t)
        return -ENODEV;
    struct mount *m = kmalloc(sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->type = t;
    m->dev = ++last_dev;
    m->read_only = flags & MS_RDONLY;
    strlcpy(m->source, source, sizeof(m->source));
    strlcpy(m->target, target, sizeof(m->target));
    int rc = list_empty(&all_mounts) ? 0 : path_lookup(target, WALK_FOLLOW, &m->covered);
    if (rc == 0 && m->covered && !S_ISDIR(m->covered->mode))
        rc = -ENOTDIR;
    if (rc == 0 && m->covered && m->covered == m->covered->mount->root)
        rc = -EBUSY;
    if (rc == 0)
        rc = t->mount(m);
    if (rc) {
        if (m->covered)
            inode_put(m->covered);
        kfree(m);
        return rc;
    }
    if (m->covered)
        m->covered->covered_by = m;
    list_append(&all_mounts, &m->link);
    return 0;
}

int fs_mount_root(const char *source, const char *type, unsigned flags)
{
    const struct fs_type *t = types;
    while (t && strcmp(t->name, type) != 0)
        t = t->next;
    struct mount *m = t ? kmalloc(sizeof(*m)) : 0;
    if (!m)
        return -ENOMEM;
    m->type = t;
    m->dev = ++last_dev;
    m->read_only = flags & MS_RDONLY;
    strlcpy(m->source, source, sizeof(m->source));
    strlcpy(m->target, "/", sizeof(m->target));
    int rc = t->mount(m);
    if (rc)
        kfree(m);
    else
        list_prepend(&all_mounts, &m->link);
    return rc;
}

static bool mount_busy(const struct mount *m)
{
    list_for (n, &all_mounts, struct mount, link)
        if (n->covered && n->covered->mount == m)
            return true;
    list_for (p, &all_procs, struct proc, all) {
        if (p->cwd && p->cwd->mount == m)
            return true;
        for (unsigned fd = 0; fd < p->fds.size; fd++)
            if (p->fds.file[fd] && p->fds.file[fd]->inode && p->fds.file[fd]->inode->mount == m)
                return true;
        if (!p->vm)
            continue;
        list_for (a, &p->vm->areas, struct vm_area, link)
            if (a->inode && a->inode->mount == m)
                return true;
    }
    return false;
}

int fs_umount(const char *target)
{
    struct inode *i;
    int rc = path_lookup(target, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    struct mount *m = i->mount;
    bool is_root = i == m->root;
    inode_put(i);
    if (!is_root)
        return -EINVAL;
    if (!m->covered || m->going || mount_busy(m))
        return -EBUSY;
    struct inode *root = m->root;
    m->covered->covered_by = 0;                     /* nobody comes in while it is taken apart */
    m->going = true;
    wait_event_always(&unpinned, m->pins == 0);
    rc = m->type->umount ? m->type->umount(m) : 0;
    if (rc) {
        m->going = false;
        m->covered->covered_by = m;
        return rc;
    }
    inode_put(m->covered);
    list_remove(&m->link);
    if (!m->type->umount)
        inode_put(root);
    kfree(m);
    return 0;
}

int fs_sync_mounts(void)
{
    int rc = 0;
    for (struct list *l = all_mounts.next; l != &all_mounts; l = l->next) {
        struct mount *m = container_of(l, struct mount, link);
        if (!m->type->sync || !pin(m))
            continue;
        int one = m->type->sync(m);
        unpin(m);                                   /* it, and so its link, is there until we sleep again */
        rc = rc ? rc : one;
    }
    return rc;
}

/* The machine goes down: what can be unmounted is, the rest is written and made read-only. */
bool fs_going_down;

void fs_shutdown(void)
{
    fs_going_down = true;
    cache_sync_all();
    list_for (m, &all_mounts, struct mount, link)
        if (m->type->remount && !m->read_only && m->type->remount(m, true))
            kprintf("novice: %s on %s could not be left clean\n", m->source, m->target);
}
