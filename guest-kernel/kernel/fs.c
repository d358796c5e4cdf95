/* SPDX-License-Identifier: MIT */
/* fs.c: names. A path is walked component by component, through symbolic links and across mounts.
 *
 * A file system (ramfs.c, procfs.c) answers lookup in one of its directories; what `..`, a mount point and a link
 * mean is decided here, once for all of them.                                                                   */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"

#define LINKS_MAX 10

/* ---- Inodes ---- */

struct inode *inode_alloc(struct mount *m, uint32_t mode, const struct inode_ops *ops)
{
    struct inode *i = kmalloc(sizeof(*i));
    if (!i)
        return 0;
    i->refs = 1;
    i->mode = mode;
    i->ops = ops;
    i->mount = m;
    i->ino = m ? ++m->next_ino : 0;
    i->parent = i;
    i->nlink = 1;
    i->atime = i->mtime = i->ctime = wall_ns();
    i->fops = S_ISDIR(mode) ? &directory_file_ops : S_ISREG(mode) ? &regular_file_ops : S_ISCHR(mode) ? &device_file_ops :
              S_ISFIFO(mode) ? &fifo_file_ops : S_ISBLK(mode) ? &block_file_ops : 0;
    mutex_init(&i->lock);
    return i;
}

void inode_get(struct inode *i) { i->refs++; }

void inode_put(struct inode *i)
{
    BUG_ON(i->refs == 0);
    if (--i->refs)
        return;
    if (i->ops->idle && i->ops->idle(i))
        return;
    if (i->ops->release)
        i->ops->release(i);
    kfree(i);
}

static struct timespec stamp(uint64_t ns) { return (struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC }; }

void inode_stat(const struct inode *i, struct stat *st)
{
    *st = (struct stat){
        .st_dev = i->mount ? i->mount->dev : 0, .st_ino = i->ino, .st_mode = i->mode, .st_nlink = i->nlink, .st_uid = i->uid,
        .st_gid = i->gid, .st_rdev = i->rdev, .st_size = i->size, .st_atim = stamp(i->atime), .st_mtim = stamp(i->mtime),
        .st_ctim = stamp(i->ctime), .st_blksize = PAGE_SIZE, .st_blocks = i->ops->map ? i->blocks : (i->size + 511) / 512,
    };
}

/* ---- Walking ---- */

struct walk {
    struct inode *at;                               /* a reference */
    char         *buf;                              /* what remains to be walked, PATH_MAX bytes */
    char         *rest;
    unsigned      links;
    char          name[NAME_MAX + 1];
};

static struct inode *root_inode(void)
{
    return container_of(all_mounts.next, struct mount, link)->root;
}

/* Replaces w->at by i, taking over i's reference. */
static void walk_to(struct walk *w, struct inode *i)
{
    inode_put(w->at);
    w->at = i;
}

static int walk_begin(struct walk *w, const char *path)
{
    if (!*path)
        return -ENOENT;
    w->buf = kmalloc(2 * PATH_MAX);
    if (!w->buf)
        return -ENOMEM;
    strlcpy(w->buf, path, PATH_MAX);
    w->rest = w->buf;
    w->links = 0;
    w->at = *path == '/' || !current->cwd ? root_inode() : current->cwd;
    inode_get(w->at);
    return 0;
}

static void walk_end(struct walk *w)
{
    inode_put(w->at);
    kfree(w->buf);
}

/* The next component into w->name: 1, or 0 at the end. */
static int next_name(struct walk *w)
{
    char *s = w->rest;
    while (*s == '/')
        s++;
    char *end = s;
    while (*end && *end != '/')
        end++;
    w->rest = end;
    if (end == s)
        return 0;
    if (end - s > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(w->name, s, end - s);
    w->name[end - s] = 0;
    return 1;
}

static bool is_last(const struct walk *w)
{
    const char *s = w->rest;
    while (*s == '/')
        s++;
    return *s == 0;
}

static struct inode *parent_of(struct inode *i)
{
    while (i->mount && i == i->mount->root && i->mount->covered)
        i = i->mount->covered;
    return i->parent;
}

/* What w->name means in directory w->at; mounts are crossed. */
static int step(struct walk *w, struct inode **out)
{
    struct inode *i;
    if (!S_ISDIR(w->at->mode))
        return -ENOTDIR;
    if (strcmp(w->name, ".") == 0) {
        i = w->at;
        inode_get(i);
    } else if (strcmp(w->name, "..") == 0) {
        i = parent_of(w->at);
        inode_get(i);
    } else {
        int rc = w->at->ops->lookup(w->at, w->name, &i);
        if (rc)
            return rc;
    }
    while (i->covered_by) {
        struct inode *top = i->covered_by->root;
        inode_get(top);
        inode_put(i);
        i = top;
    }
    *out = i;
    return 0;
}

/* Puts the link's target before what remains. */
static int follow(struct walk *w, struct inode *link)
{
    if (++w->links > LINKS_MAX)
        return -ELOOP;
    char *target = kmalloc(2 * PATH_MAX);
    if (!target)
        return -ENOMEM;
    long n = link->ops->readlink(link, target, PATH_MAX - 1);
    int rc = n < 0 ? (int)n : 0;
    if (rc == 0 && n + strlen(w->rest) + 1 >= 2 * PATH_MAX)
        rc = -ENAMETOOLONG;
    if (rc) {
        kfree(target);
        return rc;
    }
    strlcpy(target + n, w->rest, 2 * PATH_MAX - n);
    kfree(w->buf);
    w->buf = w->rest = target;
    if (*target == '/') {
        struct inode *root = root_inode();
        inode_get(root);
        walk_to(w, root);
    }
    return 0;
}

/* Walks all but, if `parent`, the last component, which is left in w->name. */
static int walk(struct walk *w, unsigned flags, bool parent)
{
    int rc;
    while ((rc = next_name(w)) > 0) {
        struct inode *i;
        bool last = is_last(w);
        if (last && parent)
            return S_ISDIR(w->at->mode) ? 0 : -ENOTDIR;
        if ((rc = step(w, &i)) != 0)
            return rc;
        if (S_ISLNK(i->mode) && (!last || *w->rest == '/' || (flags & WALK_FOLLOW))) {
            rc = follow(w, i);
            inode_put(i);
            if (rc)
                return rc;
            continue;
        }
        bool slash = last && *w->rest == '/';
        walk_to(w, i);
        if (slash && !S_ISDIR(i->mode))
            return -ENOTDIR;
    }
    strlcpy(w->name, ".", sizeof(w->name));
    return rc;
}

int path_lookup(const char *path, unsigned flags, struct inode **out)
{
    struct walk *w = kmalloc(sizeof(*w));
    int rc = w ? walk_begin(w, path) : -ENOMEM;
    if (rc == 0) {
        rc = walk(w, flags, false);
        if (rc == 0) {
            *out = w->at;
            inode_get(*out);
        }
        walk_end(w);
    }
    kfree(w);
    return rc;
}

int path_parent(const char *path, struct inode **dir, char *name)
{
    struct walk *w = kmalloc(sizeof(*w));
    int rc = w ? walk_begin(w, path) : -ENOMEM;
    if (rc == 0) {
        rc = walk(w, 0, true);
        if (rc == 0) {
            *dir = w->at;
            inode_get(*dir);
            strlcpy(name, w->name, NAME_MAX + 1);
        }
        walk_end(w);
    }
    kfree(w);
    return rc;
}

static int name_in(struct inode *dir, const struct inode *child, char *name)
{
    uint64_t cookie = 0, ino;
    uint8_t type;
    int rc;
    while ((rc = dir->ops->entry(dir, &cookie, name, &ino, &type)) == 0)
        if (ino == child->ino && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            return 0;
    return rc;
}

/* From the directory upwards, filling buf from its end. */
int path_of(struct inode *dir, char *buf, size_t size)
{
    char *name = kmalloc(NAME_MAX + 1);
    char *at = buf + size - 1;
    int rc = name ? 0 : -ENOMEM;
    *at = 0;
    while (rc == 0 && dir != root_inode()) {
        while (dir == dir->mount->root && dir->mount->covered)
            dir = dir->mount->covered;
        rc = dir->parent == dir ? -ENOENT : name_in(dir->parent, dir, name);
        size_t n = rc ? 0 : strlen(name);
        if (rc == 0 && n + 1 > (size_t)(at - buf))
            rc = -ERANGE;
        if (rc)
            break;
        at -= n + 1;
        *at = '/';
        memcpy(at + 1, name, n);
        dir = dir->parent;
    }
    kfree(name);
    if (rc)
        return rc;
    if (!*at)
        *--at = '/';
    memmove(buf, at, strlen(at) + 1);
    return 0;
}

/* ---- Opening and making ---- */

/* A symbolic link that leads nowhere is followed: what it names is made. */
static int create_file(const char *path, uint32_t mode, struct inode **out)
{
    struct walk *w = kmalloc(sizeof(*w));
    struct inode *link = 0;
    int rc = w ? walk_begin(w, path) : -ENOMEM;
    if (rc) {
        kfree(w);
        return rc;
    }
    while ((rc = walk(w, 0, true)) == 0) {
        if (w->at->ops->lookup(w->at, w->name, &link))
            break;
        rc = S_ISLNK(link->mode) ? follow(w, link) : -EEXIST;
        inode_put(link);
        if (rc)
            break;
    }
    if (rc == 0)
        rc = !w->at->ops->create ? -EACCES : *w->rest == '/' ? -EISDIR : w->at->nlink == 0 ? -ENOENT :
             w->at->ops->create(w->at, w->name, S_IFREG | (mode & 07777), 0, out);
    walk_end(w);
    kfree(w);
    return rc;
}

static int open_inode(struct inode *i, int flags, struct file **out)
{
    int mode = flags & O_ACCMODE, rc = 0;
    if (S_ISLNK(i->mode))
        return -ELOOP;
    if (S_ISDIR(i->mode) && mode != O_RDONLY)
        return -EISDIR;
    if (!S_ISDIR(i->mode) && (flags & O_DIRECTORY))
        return -ENOTDIR;
    if (!i->fops)
        return -ENXIO;
    if (mode != O_RDONLY && S_ISREG(i->mode) && i->mount && i->mount->read_only)
        rc = -EROFS;
    else if ((flags & O_TRUNC) && S_ISREG(i->mode) && mode != O_RDONLY)
        rc = i->ops->truncate ? i->ops->truncate(i, 0) : -EACCES;
    if (rc)
        return rc;
    struct file *f = file_alloc(i->fops, flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_NOCTTY | O_SYNC | O_DIRECT));
    if (!f)
        return -ENOMEM;
    f->inode = i;
    inode_get(i);
    rc = f->ops->open ? f->ops->open(f) : 0;
    if (rc) {
        f->ops = 0;                                 /* not open: nothing to close */
        file_put(f);
        return rc;
    }
    *out = f;
    return 0;
}

int file_open(const char *path, int flags, uint32_t mode, struct file **out)
{
    struct inode *i;
    if ((flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    bool follow_last = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
    int rc = path_lookup(path, follow_last ? WALK_FOLLOW : 0, &i);
    if (rc == 0 && (flags & O_CREAT) && (flags & O_EXCL)) {
        inode_put(i);
        return -EEXIST;
    }
    if (rc == 0 && (flags & O_CREAT) && S_ISDIR(i->mode)) {
        inode_put(i);
        return -EISDIR;
    }
    if (rc == -ENOENT && (flags & O_CREAT))
        rc = create_file(path, mode, &i);
    if (rc)
        return rc;
    rc = open_inode(i, flags, out);
    inode_put(i);
    return rc;
}

/* One level of a path at a time, so that "xen/privcmd" makes "xen". */
int fs_make(const char *path, uint32_t mode, uint32_t rdev)
{
    char part[128];
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        char name[NAME_MAX + 1];
        struct inode *dir, *made = 0;
        size_t n = slash ? (size_t)(slash - path) : strlen(path);
        if (n >= sizeof(part))
            return -ENAMETOOLONG;
        memcpy(part, path, n);
        part[n] = 0;
        int rc = path_parent(part, &dir, name);
        if (rc)
            return rc;
        rc = dir->ops->create ? dir->ops->create(dir, name, slash ? S_IFDIR | 0755 : mode, slash ? 0 : rdev, &made) : -EACCES;
        inode_put(dir);
        if (made)
            inode_put(made);
        if (!slash || (rc && rc != -EEXIST))
            return rc;
    }
}
