/* SPDX-License-Identifier: MIT */
/* sysfile.c: calls that take a path. Each copies its paths in, walks them, and lets the file system act. */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/uapi/mount.h"

/* A user's path in kernel memory; null with *rc set. kfree it. */
static char *get_path(uptr_t upath, long *rc)
{
    char *path = kmalloc(PATH_MAX);
    *rc = path ? copy_string_from_user(path, upath, PATH_MAX) : -ENOMEM;
    if (*rc >= 0)
        return path;
    kfree(path);
    return 0;
}

static long lookup(uptr_t upath, unsigned flags, struct inode **out)
{
    long rc;
    char *path = get_path(upath, &rc);
    if (path)
        rc = path_lookup(path, flags, out);
    kfree(path);
    return rc;
}

/* The directory and the name, which lies in a page of its own: kfree(*name). */
static long lookup_parent(uptr_t upath, struct inode **dir, char **name)
{
    long rc;
    char *path = get_path(upath, &rc);
    *name = 0;
    if (path) {
        *name = kmalloc(NAME_MAX + 1);
        rc = *name ? path_parent(path, dir, *name) : -ENOMEM;
    }
    kfree(path);
    if (rc) {
        kfree(*name);
        *name = 0;
    }
    return rc;
}

long sys_open(uptr_t upath, int flags, int mode)
{
    long rc;
    struct file *f;
    char *path = get_path(upath, &rc);
    if (!path)
        return rc;
    rc = file_open(path, flags, mode & ~current->umask & 07777, &f);
    kfree(path);
    if (rc)
        return rc;
    rc = fd_install(f, 0, flags & O_CLOEXEC);
    if (rc < 0)
        file_put(f);
    return rc;
}

static long stat_path(uptr_t path, unsigned flags, uptr_t out)
{
    struct inode *i;
    struct stat st;
    long rc = lookup(path, flags, &i);
    if (rc)
        return rc;
    inode_stat(i, &st);
    inode_put(i);
    return copy_to_user(out, &st, sizeof(st));
}

long sys_stat(uptr_t path, uptr_t out) { return stat_path(path, WALK_FOLLOW, out); }
long sys_lstat(uptr_t path, uptr_t out) { return stat_path(path, 0, out); }

long sys_fstat(int fd, uptr_t out)
{
    struct file *f = fd_file(fd);
    struct stat st = { .st_mode = S_IFIFO | 0600, .st_nlink = 1, .st_blksize = PAGE_SIZE };
    if (!f)
        return -EBADF;
    if (f->inode)
        inode_stat(f->inode, &st);
    return copy_to_user(out, &st, sizeof(st));
}

long sys_access(uptr_t path, int mode)
{
    struct inode *i;
    long rc = lookup(path, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    if (mode & ~(R_OK | W_OK | X_OK))
        rc = -EINVAL;
    else if ((mode & X_OK) && !S_ISDIR(i->mode) && !(i->mode & 0111))
        rc = -EACCES;                               /* even root runs only what is marked so */
    inode_put(i);
    return rc;
}

/* ---- Names come and go ---- */

static long make_node(uptr_t path, uint32_t mode, uint32_t rdev, struct inode **out)
{
    struct inode *dir;
    char *name;
    long rc = lookup_parent(path, &dir, &name);
    if (rc)
        return rc;
    rc = dir->ops->create ? dir->nlink == 0 ? -ENOENT : dir->ops->create(dir, name, mode, rdev, out) : -EACCES;
    inode_put(dir);
    kfree(name);
    return rc;
}

long sys_mkdir(uptr_t path, int mode)
{
    struct inode *made;
    long rc = make_node(path, S_IFDIR | (mode & ~current->umask & 07777), 0, &made);
    if (rc == 0)
        inode_put(made);
    return rc;
}

long sys_mknod(uptr_t path, int mode, unsigned dev)
{
    struct inode *made;
    uint32_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
    if (type != S_IFREG && type != S_IFIFO && type != S_IFCHR && type != S_IFBLK)
        return -EINVAL;
    long rc = make_node(path, type | (mode & ~current->umask & 07777), dev, &made);
    if (rc == 0)
        inode_put(made);
    return rc;
}

static bool dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

long sys_symlink(uptr_t utarget, uptr_t path)
{
    long rc;
    char *target = get_path(utarget, &rc);
    if (!target)
        return rc;
    struct inode *dir;
    char *name;
    rc = *target ? lookup_parent(path, &dir, &name) : -ENOENT;
    if (rc == 0) {
        rc = dots(name) ? -EEXIST : dir->nlink == 0 ? -ENOENT : dir->ops->symlink ? dir->ops->symlink(dir, name, target) : -EACCES;
        inode_put(dir);
        kfree(name);
    }
    kfree(target);
    return rc;
}

static long remove_name(uptr_t path, bool directory)
{
    struct inode *dir, *i = 0;
    char *name;
    long rc = lookup_parent(path, &dir, &name);
    if (rc)
        return rc;
    if (strcmp(name, ".") == 0)
        rc = directory ? -EINVAL : -EISDIR;
    else if (strcmp(name, "..") == 0)
        rc = directory ? -ENOTEMPTY : -EISDIR;
    else
        rc = dir->ops->lookup(dir, name, &i);
    if (rc == 0) {
        bool is_dir = S_ISDIR(i->mode);
        inode_put(i);
        rc = directory && !is_dir ? -ENOTDIR : !directory && is_dir ? -EISDIR :
             dir->ops->unlink ? dir->ops->unlink(dir, name) : -EACCES;
    }
    inode_put(dir);
    kfree(name);
    return rc;
}

long sys_unlink(uptr_t path) { return remove_name(path, false); }
long sys_rmdir(uptr_t path) { return remove_name(path, true); }

long sys_link(uptr_t from, uptr_t to)
{
    struct inode *i, *dir;
    char *name;
    long rc = lookup(from, 0, &i);
    if (rc)
        return rc;
    rc = S_ISDIR(i->mode) ? -EPERM : lookup_parent(to, &dir, &name);
    if (rc == 0) {
        rc = dots(name) ? -EEXIST : dir->mount != i->mount ? -EXDEV : dir->ops->link ? dir->ops->link(dir, name, i) : -EACCES;
        inode_put(dir);
        kfree(name);
    }
    inode_put(i);
    return rc;
}

long sys_rename(uptr_t from, uptr_t to)
{
    struct inode *a, *b;
    char *name, *new_name;
    long rc = lookup_parent(from, &a, &name);
    if (rc)
        return rc;
    rc = lookup_parent(to, &b, &new_name);
    if (rc == 0) {
        rc = dots(name) || dots(new_name) ? -EINVAL : a->mount != b->mount ? -EXDEV :
             a->ops->rename ? a->ops->rename(a, name, b, new_name) : -EACCES;
        inode_put(b);
        kfree(new_name);
    }
    inode_put(a);
    kfree(name);
    return rc;
}

long sys_readlink(uptr_t path, uptr_t buf, size_t len)
{
    struct inode *i;
    long rc = lookup(path, 0, &i);
    if (rc)
        return rc;
    char *text = kmalloc(PATH_MAX);
    rc = !text ? -ENOMEM : S_ISLNK(i->mode) ? i->ops->readlink(i, text, PATH_MAX - 1) : -EINVAL;
    if (rc > 0) {
        rc = MIN((size_t)rc, len);
        if (copy_to_user(buf, text, rc))
            rc = -EFAULT;
    }
    kfree(text);
    inode_put(i);
    return rc;
}

/* ---- Attributes ---- */

static long changed(struct inode *i)
{
    i->ctime = wall_ns();
    if (i->ops->changed)
        i->ops->changed(i);
    return 0;
}

static long set_mode(struct inode *i, int mode)
{
    if (i->mount && i->mount->read_only)
        return -EROFS;
    i->mode = (i->mode & S_IFMT) | (mode & 07777);
    return changed(i);
}

long sys_chmod(uptr_t path, int mode)
{
    struct inode *i;
    long rc = lookup(path, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    rc = set_mode(i, mode);
    inode_put(i);
    return rc;
}

long sys_fchmod(int fd, int mode)
{
    struct file *f = fd_file(fd);
    return !f ? -EBADF : f->inode ? set_mode(f->inode, mode) : -EINVAL;
}

long sys_chown(uptr_t path, int uid, int gid)
{
    struct inode *i;
    long rc = lookup(path, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    rc = i->mount && i->mount->read_only ? -EROFS : 0;
    if (rc == 0) {
        i->uid = uid == -1 ? i->uid : (uint32_t)uid;
        i->gid = gid == -1 ? i->gid : (uint32_t)gid;
        changed(i);
    }
    inode_put(i);
    return rc;
}

static long resize(struct inode *i, long size)
{
    if (S_ISDIR(i->mode))
        return -EISDIR;
    if (size < 0 || !S_ISREG(i->mode) || !i->ops->truncate)
        return -EINVAL;
    return inode_truncate(i, size);
}

long sys_truncate(uptr_t path, long size)
{
    struct inode *i;
    long rc = lookup(path, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    rc = resize(i, size);
    inode_put(i);
    return rc;
}

long sys_ftruncate(int fd, long size)
{
    struct file *f = fd_file(fd);
    if (!f)
        return -EBADF;
    return f->inode && (f->flags & O_ACCMODE) != O_RDONLY ? resize(f->inode, size) : -EINVAL;
}

long sys_utimens(uptr_t path, uptr_t times)
{
    struct inode *i;
    struct timespec t[2];
    uint64_t now = wall_ns();
    if (times && copy_from_user(t, times, sizeof(t)))
        return -EFAULT;
    long rc = lookup(path, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    i->atime = times ? t[0].tv_sec * NSEC_PER_SEC + t[0].tv_nsec : now;
    i->mtime = times ? t[1].tv_sec * NSEC_PER_SEC + t[1].tv_nsec : now;
    rc = i->mount && i->mount->read_only ? -EROFS : changed(i);
    inode_put(i);
    return rc;
}

long sys_umask(int mask)
{
    int old = current->umask;
    current->umask = mask & 0777;
    return old;
}

/* ---- Where we are ---- */

static long go_to(struct inode *i)
{
    if (!S_ISDIR(i->mode))
        return -ENOTDIR;
    inode_get(i);
    inode_put(current->cwd);
    current->cwd = i;
    return 0;
}

long sys_chdir(uptr_t path)
{
    struct inode *i;
    long rc = lookup(path, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    rc = go_to(i);
    inode_put(i);
    return rc;
}

long sys_fchdir(int fd)
{
    struct file *f = fd_file(fd);
    return !f ? -EBADF : f->inode ? go_to(f->inode) : -ENOTDIR;
}

long sys_getcwd(uptr_t buf, size_t len)
{
    char *path = kmalloc(PATH_MAX);
    long rc = path ? path_of(current->cwd, path, PATH_MAX) : -ENOMEM;
    if (rc == 0) {
        rc = strlen(path) + 1;
        if ((size_t)rc > len)
            rc = -ERANGE;
        else if (copy_to_user(buf, path, rc))
            rc = -EFAULT;
    }
    kfree(path);
    return rc;
}

/* ---- Mounts ---- */

long sys_mount(uptr_t usource, uptr_t utarget, uptr_t utype, unsigned long flags, uptr_t data)
{
    char type[16] = "", source[32] = "none";
    long rc;
    char *target = get_path(utarget, &rc);
    if (!target)
        return rc;
    rc = utype ? copy_string_from_user(type, utype, sizeof(type)) : 0;
    if (rc >= 0 && usource)
        rc = copy_string_from_user(source, usource, sizeof(source));
    if (rc >= 0)
        rc = fs_mount(source, target, type, flags);
    kfree(target);
    return rc;
}

long sys_umount(uptr_t utarget, int flags)
{
    long rc;
    char *target = get_path(utarget, &rc);
    if (target)
        rc = fs_umount(target);
    kfree(target);
    return rc;
}

long sys_statfs(uptr_t path, uptr_t out)
{
    struct inode *i;
    long rc = lookup(path, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    struct mount *m = i->mount;
    inode_put(i);
    struct statfs s = { .f_type = 0x6e766673, .f_bsize = PAGE_SIZE, .f_blocks = pages_total(), .f_bfree = pages_free_count(),
                        .f_bavail = pages_free_count(), .f_namelen = NAME_MAX };
    if (m && m->type->statfs)
        m->type->statfs(m, &s);
    return copy_to_user(out, &s, sizeof(s));
}
