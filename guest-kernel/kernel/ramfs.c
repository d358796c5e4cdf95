/* SPDX-License-Identifier: MIT */
/* ramfs.c: files that are pages of memory. The root file system and /dev are made of it.
 *
 * A directory is a list of names; a file an array of pages, null where nothing was written. A name holds a
 * reference on its inode, so a file lives until its last name and its last user are gone.                       */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/syscalls.h"

#define FILE_PAGES_MAX (1ul << 18)                  /* 1 GiB */

struct name {
    struct list   link;
    uint64_t      cookie;                           /* ascending: where a reader of the directory is */
    struct inode *inode;
    char          text[];
};

struct dir {
    struct list names;
    uint64_t    last_cookie;
};

struct data {
    struct page **page;
    uint64_t      capacity;
};

static const struct inode_ops ramfs_ops;

static struct dir *dir_of(struct inode *i) { return i->private; }
static struct data *data_of(struct inode *i) { return i->private; }

static struct inode *make(struct mount *m, uint32_t mode, uint32_t rdev)
{
    struct inode *i = inode_alloc(m, mode, &ramfs_ops);
    if (!i)
        return 0;
    i->rdev = rdev;
    if (S_ISDIR(mode) || S_ISREG(mode)) {
        i->private = kmalloc(S_ISDIR(mode) ? sizeof(struct dir) : sizeof(struct data));
        if (!i->private) {
            i->mode = 0;
            inode_put(i);
            return 0;
        }
    }
    if (S_ISDIR(mode)) {
        list_init(&dir_of(i)->names);
        i->nlink = 2;
    }
    return i;
}

static struct name *find(struct inode *dir, const char *name)
{
    list_for (n, &dir_of(dir)->names, struct name, link)
        if (strcmp(n->text, name) == 0)
            return n;
    return 0;
}

static void touch(struct inode *i) { i->mtime = i->ctime = wall_ns(); }

static int ram_lookup(struct inode *dir, const char *name, struct inode **out)
{
    struct name *n = find(dir, name);
    if (!n)
        return -ENOENT;
    *out = n->inode;
    inode_get(*out);
    return 0;
}

/* Adds a name; takes over a reference on i. */
static int add_name(struct inode *dir, const char *name, struct inode *i)
{
    size_t len = strlen(name) + 1;
    struct name *n = kmalloc(sizeof(*n) + len);
    if (!n)
        return -ENOSPC;
    memcpy(n->text, name, len);
    n->inode = i;
    n->cookie = ++dir_of(dir)->last_cookie;
    list_append(&dir_of(dir)->names, &n->link);
    if (S_ISDIR(i->mode)) {
        i->parent = dir;
        dir->nlink++;
    }
    touch(dir);
    return 0;
}

static void drop_name(struct inode *dir, struct name *n)
{
    if (S_ISDIR(n->inode->mode)) {
        dir->nlink--;
        n->inode->parent = n->inode;
    }
    list_remove(&n->link);
    inode_put(n->inode);
    kfree(n);
    touch(dir);
}

static int ram_create(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, struct inode **out)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || find(dir, name))
        return -EEXIST;
    struct inode *i = reclaim_room() && !find(dir, name) ? make(dir->mount, mode, rdev) : 0;
    if (!i)
        return -ENOSPC;
    int rc = add_name(dir, name, i);
    if (rc) {
        inode_put(i);
        return rc;
    }
    inode_get(i);
    *out = i;
    return 0;
}

static int ram_link(struct inode *dir, const char *name, struct inode *target)
{
    if (find(dir, name))
        return -EEXIST;
    int rc = add_name(dir, name, target);
    if (rc == 0) {
        inode_get(target);
        target->nlink++;
        target->ctime = wall_ns();
    }
    return rc;
}

static int ram_unlink(struct inode *dir, const char *name)
{
    struct name *n = find(dir, name);
    if (!n)
        return -ENOENT;
    struct inode *i = n->inode;
    if (S_ISDIR(i->mode)) {
        if (!list_empty(&dir_of(i)->names))
            return -ENOTEMPTY;
        if (i->covered_by)
            return -EBUSY;
        i->nlink = 0;
    } else {
        i->nlink--;
        i->ctime = wall_ns();
    }
    drop_name(dir, n);
    return 0;
}

static int ram_rename(struct inode *from, const char *name, struct inode *to, const char *new_name)
{
    struct name *n = find(from, name), *old = find(to, new_name);
    if (!n)
        return -ENOENT;
    struct inode *i = n->inode;
    if (old && old->inode == i)
        return 0;
    for (struct inode *up = to; S_ISDIR(i->mode); up = up->parent) {
        if (up == i)
            return -EINVAL;                         /* a directory into itself */
        if (up->parent == up)
            break;
    }
    if (old && S_ISDIR(old->inode->mode) != S_ISDIR(i->mode))
        return S_ISDIR(i->mode) ? -ENOTDIR : -EISDIR;
    if (i->covered_by)
        return -EBUSY;
    if (old) {
        int rc = ram_unlink(to, new_name);
        if (rc)
            return rc;
    }
    inode_get(i);
    int rc = add_name(to, new_name, i);
    if (rc) {
        inode_put(i);
        return rc;
    }
    drop_name(from, n);
    if (S_ISDIR(i->mode))
        i->parent = to;
    return 0;
}

static long ram_readlink(struct inode *i, char *buf, size_t n)
{
    n = MIN(n, i->size);
    memcpy(buf, i->private, n);
    buf[n] = 0;
    return n;
}

static int set_link(struct inode *i, const char *target)
{
    i->private = kstrdup(target);
    i->size = strlen(target);
    return i->private ? 0 : -ENOSPC;
}

static int ram_symlink(struct inode *dir, const char *name, const char *target)
{
    struct inode *i;
    int rc = ram_create(dir, name, S_IFLNK | 0777, 0, &i);
    if (rc)
        return rc;
    rc = set_link(i, target);
    inode_put(i);
    return rc;
}

static int grow(struct data *d, uint64_t index)
{
    uint64_t capacity = MAX(d->capacity, 4ul);
    if (index >= FILE_PAGES_MAX)
        return -EFBIG;
    while (capacity <= index)
        capacity *= 2;
    if (capacity == d->capacity)
        return 0;
    struct page **bigger = kmalloc(capacity * sizeof(*bigger));
    if (!bigger)
        return -ENOSPC;
    if (d->page)
        memcpy(bigger, d->page, d->capacity * sizeof(*bigger));
    kfree(d->page);
    d->page = bigger;
    d->capacity = capacity;
    return 0;
}

static struct page *ram_page(struct inode *i, uint64_t index, bool create, int *rc)
{
    struct data *d = data_of(i);
    bool room = !create || (index < d->capacity && d->page[index]) || reclaim_room();   /* first: it may sleep */
    *rc = create ? grow(d, index) : 0;
    if (*rc || index >= d->capacity)
        return 0;
    if (!d->page[index] && create) {
        void *page = room ? page_alloc() : 0;
        if (!page) {
            *rc = -ENOSPC;
            return 0;
        }
        d->page[index] = page_of(page);
    }
    struct page *p = d->page[index];
    if (p)
        page_get(p);
    return p;
}

static int ram_truncate(struct inode *i, uint64_t size)
{
    struct data *d = data_of(i);
    uint64_t keep = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (size > FILE_PAGES_MAX << PAGE_SHIFT)
        return -EFBIG;
    for (uint64_t n = keep; n < d->capacity; n++) {
        if (d->page[n])
            page_put(d->page[n]);
        d->page[n] = 0;
    }
    if (size < i->size && (size & (PAGE_SIZE - 1)) && keep <= d->capacity && d->page[keep - 1])
        memset((char *)page_va(d->page[keep - 1]) + (size & (PAGE_SIZE - 1)), 0, PAGE_SIZE - (size & (PAGE_SIZE - 1)));
    if (keep == 0) {
        kfree(d->page);
        *d = (struct data){ 0 };
    }
    i->size = size;
    touch(i);
    return 0;
}

/* Cookies 0 and 1 are "." and "..". */
static int ram_entry(struct inode *dir, uint64_t *cookie, char *name, uint64_t *ino, uint8_t *type)
{
    if (*cookie < 2) {
        strlcpy(name, *cookie ? ".." : ".", NAME_MAX);
        *ino = *cookie ? dir->parent->ino : dir->ino;
        *type = DT_DIR;
        ++*cookie;
        return 0;
    }
    list_for (n, &dir_of(dir)->names, struct name, link) {
        if (n->cookie + 1 < *cookie)
            continue;
        strlcpy(name, n->text, NAME_MAX + 1);
        *ino = n->inode->ino;
        *type = (n->inode->mode & S_IFMT) >> 12;
        *cookie = n->cookie + 2;
        return 0;
    }
    return -ENOENT;
}

static void ram_release(struct inode *i)
{
    if (S_ISREG(i->mode))
        ram_truncate(i, 0);
    else if (S_ISDIR(i->mode))
        list_for (n, &dir_of(i)->names, struct name, link)
            drop_name(i, n);
    kfree(i->private);
}

static const struct inode_ops ramfs_ops = {
    .lookup = ram_lookup, .create = ram_create, .link = ram_link, .unlink = ram_unlink, .rename = ram_rename,
    .readlink = ram_readlink, .truncate = ram_truncate, .page = ram_page, .entry = ram_entry, .release = ram_release,
    .symlink = ram_symlink,
};

static int ramfs_mount(struct mount *m)
{
    m->root = make(m, S_IFDIR | 0755, 0);
    return m->root ? 0 : -ENOMEM;
}

static struct fs_type ram_type = { .name = "ram", .mount = ramfs_mount };
static struct fs_type dev_type = { .name = "dev", .mount = ramfs_mount };

void ramfs_boot(void)
{
    fs_register(&ram_type);
    fs_register(&dev_type);
}
