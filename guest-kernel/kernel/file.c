/* SPDX-License-Identifier: MIT */
/* file.c: open files and descriptors, and what regular files and directories do when open. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/uapi/termios.h"

struct file *file_alloc(const struct file_ops *ops, unsigned flags)
{
    struct file *f = kmalloc(sizeof(*f));
    if (f)
        *f = (struct file){ .refs = 1, .ops = ops, .flags = flags };
    return f;
}

void file_get(struct file *f) { f->refs++; }

void file_put(struct file *f)
{
    BUG_ON(f->refs == 0);
    if (--f->refs)
        return;
    if (f->ops && f->ops->close)
        f->ops->close(f);
    if (f->inode)
        inode_put(f->inode);
    kfree(f);
}

short file_poll(struct file *f, struct poll_table *t)
{
    return f->ops->poll ? f->ops->poll(f, t) : POLLIN | POLLOUT;
}

/* ---- Descriptors ---- */

struct file *fd_file(int fd)
{
    struct fd_table *t = &current->fds;
    return fd >= 0 && (unsigned)fd < t->size ? t->file[fd] : 0;
}

static int table_grow(struct fd_table *t, unsigned need)
{
    unsigned size = MAX(t->size, (unsigned)FD_START);
    if (need > FD_LIMIT)
        return -EMFILE;
    while (size < need)
        size *= 2;
    if (size == t->size)
        return 0;
    struct file **bigger = kmalloc(size * sizeof(*bigger));
    if (!bigger)
        return -ENOMEM;
    if (t->file)
        memcpy(bigger, t->file, t->size * sizeof(*bigger));
    kfree(t->file);
    t->file = bigger;
    t->size = size;
    return 0;
}

static void set_cloexec(struct fd_table *t, unsigned fd, bool on)
{
    if (on)
        t->cloexec[fd / 64] |= 1ul << fd % 64;
    else
        t->cloexec[fd / 64] &= ~(1ul << fd % 64);
}

static bool get_cloexec(const struct fd_table *t, unsigned fd) { return t->cloexec[fd / 64] >> fd % 64 & 1; }

int fd_install(struct file *f, int from, bool cloexec)
{
    struct fd_table *t = &current->fds;
    unsigned fd = from;
    if (from < 0 || from >= FD_LIMIT)
        return -EINVAL;
    while (fd < t->size && t->file[fd])
        fd++;
    int rc = table_grow(t, fd + 1);
    if (rc)
        return rc;
    t->file[fd] = f;
    set_cloexec(t, fd, cloexec);
    return fd;
}

int fd_close(int fd)
{
    struct file *f = fd_file(fd);
    if (!f)
        return -EBADF;
    current->fds.file[fd] = 0;
    file_put(f);
    return 0;
}

int fd_table_copy(struct fd_table *to, const struct fd_table *from)
{
    *to = *from;
    to->file = kmalloc(from->size * sizeof(*to->file));
    if (!to->file) {
        to->size = 0;
        return from->size ? -ENOMEM : 0;
    }
    memcpy(to->file, from->file, from->size * sizeof(*to->file));
    for (unsigned i = 0; i < to->size; i++)
        if (to->file[i])
            file_get(to->file[i]);
    return 0;
}

void fd_table_close(struct fd_table *t, bool only_cloexec)
{
    for (unsigned i = 0; i < t->size; i++) {
        struct file *f = t->file[i];
        if (!f || (only_cloexec && !get_cloexec(t, i)))
            continue;
        t->file[i] = 0;
        file_put(f);
    }
    if (!only_cloexec) {
        kfree(t->file);
        t->file = 0;
        t->size = 0;
    }
}

/* ---- Directories ---- */

static long directory_getdents(struct file *f, uptr_t buf, size_t n)
{
    struct dirent *d = kmalloc(sizeof(*d));
    size_t done = 0;
    int rc = d ? 0 : -ENOMEM;
    while (rc == 0) {
        uint64_t cookie = f->pos;
        uint64_t ino;
        rc = f->inode->ops->entry(f->inode, &cookie, d->d_name, &ino, &d->d_type);
        if (rc)
            break;
        size_t size = ROUND_UP(offsetof(struct dirent, d_name) + strlen(d->d_name) + 1, 8);
        if (size > n - done) {
            rc = done ? 0 : -EINVAL;
            break;
        }
        d->d_ino = ino;
        d->d_off = cookie;
        d->d_reclen = size;
        rc = copy_to_user(buf + done, d, size);
        if (rc == 0) {
            f->pos = cookie;
            done += size;
        }
    }
    kfree(d);
    return rc == 0 || rc == -ENOENT ? (long)done : done ? (long)done : rc;
}

static long directory_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return -EISDIR; }

const struct file_ops directory_file_ops = { .read = directory_read, .getdents = directory_getdents };

/* ---- Calls on descriptors ---- */

long sys_close(int fd) { return fd_close(fd); }

static bool buffer_ok(uptr_t buf, size_t n) { return buf <= USER_END && n <= USER_END - buf; }

static long do_read(int fd, uptr_t buf, size_t n, uint64_t *pos)
{
    struct file *f = fd_file(fd);
    if (!f || (f->flags & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    if (pos && f->ops->no_seek)
        return -ESPIPE;
    if (!f->ops->read)
        return -EINVAL;
    if (!buffer_ok(buf, n))
        return -EFAULT;
    return f->ops->read(f, buf, n, pos ? pos : &f->pos);
}

static long do_write(int fd, uptr_t buf, size_t n, uint64_t *pos)
{
    struct file *f = fd_file(fd);
    if (!f || (f->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (pos && f->ops->no_seek)
        return -ESPIPE;
    if (!f->ops->write)
        return -EINVAL;
    if (!buffer_ok(buf, n))
        return -EFAULT;
    return f->ops->write(f, buf, n, pos ? pos : &f->pos);
}

long sys_read(int fd, uptr_t buf, size_t len) { return do_read(fd, buf, len, 0); }
long sys_write(int fd, uptr_t buf, size_t len) { return do_write(fd, buf, len, 0); }

long sys_pread(int fd, uptr_t buf, size_t len, long offset)
{
    uint64_t pos = offset;
    return offset < 0 ? -EINVAL : do_read(fd, buf, len, &pos);
}

long sys_pwrite(int fd, uptr_t buf, size_t len, long offset)
{
    uint64_t pos = offset;
    return offset < 0 ? -EINVAL : do_write(fd, buf, len, &pos);
}

long sys_lseek(int fd, long offset, int whence)
{
    struct file *f = fd_file(fd);
    if (!f)
        return -EBADF;
    if (f->ops->no_seek || !f->inode || S_ISFIFO(f->inode->mode))
        return -ESPIPE;
    if (whence < SEEK_SET || whence > SEEK_END)
        return -EINVAL;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)f->pos : (int64_t)f->inode->size;
    int64_t to;
    if (__builtin_add_overflow(base, offset, &to))
        return -EOVERFLOW;
    if (to < 0)
        return -EINVAL;
    f->pos = to;
    return to;
}

long sys_dup(int fd)
{
    struct file *f = fd_file(fd);
    if (!f)
        return -EBADF;
    int rc = fd_install(f, 0, false);
    if (rc >= 0)
        file_get(f);
    return rc;
}

long sys_dup2(int fd, int to)
{
    struct file *f = fd_file(fd);
    if (!f || to < 0 || to >= FD_LIMIT)
        return -EBADF;
    if (fd == to)
        return to;
    int rc = table_grow(&current->fds, to + 1);
    if (rc)
        return rc;
    file_get(f);
    if (current->fds.file[to])
        fd_close(to);
    current->fds.file[to] = f;
    set_cloexec(&current->fds, to, false);
    return to;
}

long sys_fcntl(int fd, int cmd, long arg)
{
    struct file *f = fd_file(fd);
    if (!f)
        return -EBADF;
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
        int rc = fd_install(f, arg < 0 || arg > FD_LIMIT ? -1 : (int)arg, cmd == F_DUPFD_CLOEXEC);
        if (rc >= 0)
            file_get(f);
        return rc;
    }
    case F_GETFD:
        return get_cloexec(&current->fds, fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
        set_cloexec(&current->fds, fd, arg & FD_CLOEXEC);
        return 0;
    case F_GETFL:
        return f->flags & (O_ACCMODE | O_APPEND | O_NONBLOCK);
    case F_SETFL:
        f->flags = (f->flags & ~(O_APPEND | O_NONBLOCK)) | (arg & (O_APPEND | O_NONBLOCK));
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_ioctl(int fd, unsigned long cmd, uptr_t arg)
{
    struct file *f = fd_file(fd);
    int on;
    if (!f)
        return -EBADF;
    if (cmd == FIONBIO) {
        if (copy_from_user(&on, arg, sizeof(on)))
            return -EFAULT;
        f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
        return 0;
    }
    return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

long sys_getdents(int fd, uptr_t buf, size_t len)
{
    struct file *f = fd_file(fd);
    if (!f)
        return -EBADF;
    return f->ops->getdents ? f->ops->getdents(f, buf, len) : -ENOTDIR;
}

static long do_fsync(int fd, bool data_only)
{
    struct file *f = fd_file(fd);
    return !f ? -EBADF : f->inode ? inode_fsync(f->inode, data_only) : -EINVAL;
}

long sys_fsync(int fd) { return do_fsync(fd, false); }
long sys_fdatasync(int fd) { return do_fsync(fd, true); }
long sys_sync(void) { return cache_sync_all(); }
