/* SPDX-License-Identifier: MIT */
/* pipe.c: a page of bytes between two ends; with a name, a FIFO. A write of up to a page is not mixed with others. */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/uapi/termios.h"

#define PIPE_SIZE PAGE_SIZE

struct pipe {
    unsigned          readers, writers;             /* open ends */
    unsigned          head, tail;                   /* bytes ever written, read */
    unsigned          opens;                        /* FIFO: every open counts one, so that a short-lived peer is noticed */
    struct wait_queue can_read, can_write;
    char             *data;
};

static unsigned filled(const struct pipe *p) { return p->head - p->tail; }

static struct pipe *pipe_create(void)
{
    struct pipe *p = pages_low() ? 0 : kmalloc(sizeof(*p));
    if (!p)
        return 0;
    p->data = page_alloc_raw();
    if (!p->data) {
        kfree(p);
        return 0;
    }
    wait_init(&p->can_read);
    wait_init(&p->can_write);
    return p;
}

static void pipe_free(struct pipe *p)
{
    page_free(p->data);
    kfree(p);
}

/* Copies n bytes between the ring and the user, in one or two pieces. */
static int ring_copy(struct pipe *p, unsigned at, uptr_t buf, size_t n, bool in)
{
    unsigned start = at % PIPE_SIZE;
    size_t first = MIN(n, PIPE_SIZE - start);
    int rc = in ? copy_from_user(p->data + start, buf, first) : copy_to_user(buf, p->data + start, first);
    if (rc == 0 && n > first)
        rc = in ? copy_from_user(p->data, buf + first, n - first) : copy_to_user(buf + first, p->data, n - first);
    return rc;
}

static long pipe_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct pipe *p = f->private;
    if (n == 0)
        return 0;
    if (filled(p) == 0 && p->writers && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    int rc = wait_event(&p->can_read, filled(p) || !p->writers);
    if (rc)
        return rc;
    n = MIN(n, (size_t)filled(p));
    if (n == 0)
        return 0;
    if (ring_copy(p, p->tail, buf, n, false))
        return -EFAULT;
    p->tail += n;
    wake_all(&p->can_write);
    return n;
}

static long pipe_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct pipe *p = f->private;
    size_t done = 0;
    while (done < n) {
        size_t whole = n <= PIPE_SIZE ? n : 1;      /* room to wait for */
        if (p->readers && PIPE_SIZE - filled(p) < whole && (f->flags & O_NONBLOCK))
            return done ? (long)done : -EAGAIN;
        int rc = wait_event(&p->can_write, !p->readers || PIPE_SIZE - filled(p) >= whole);
        if (!p->readers) {
            signal_send(current, SIGPIPE);
            return done ? (long)done : -EPIPE;
        }
        if (rc)
            return done ? (long)done : rc;
        size_t piece = MIN(n - done, PIPE_SIZE - filled(p));
        if (ring_copy(p, p->head, buf + done, piece, true))
            return done ? (long)done : -EFAULT;
        p->head += piece;
        done += piece;
        wake_all(&p->can_read);
    }
    return done;
}

static bool reads(const struct file *f) { return (f->flags & O_ACCMODE) != O_WRONLY; }
static bool writes(const struct file *f) { return (f->flags & O_ACCMODE) != O_RDONLY; }

static short pipe_poll(struct file *f, struct poll_table *t)
{
    struct pipe *p = f->private;
    short ready = 0;
    if (reads(f)) {
        poll_wait(t, &p->can_read);
        ready |= (filled(p) ? POLLIN : 0) | (p->writers ? 0 : POLLHUP);
    }
    if (writes(f)) {
        poll_wait(t, &p->can_write);
        ready |= (filled(p) < PIPE_SIZE ? POLLOUT : 0) | (p->readers ? 0 : POLLERR);
    }
    return ready;
}

static long pipe_ioctl(struct file *f, unsigned long cmd, uptr_t arg)
{
    int n = filled(f->private);
    return cmd == FIONREAD ? copy_to_user(arg, &n, sizeof(n)) : -ENOTTY;
}

static void pipe_close(struct file *f)
{
    struct pipe *p = f->private;
    p->readers -= reads(f);
    p->writers -= writes(f);
    wake_all(&p->can_read);
    wake_all(&p->can_write);
    if (p->readers || p->writers)
        return;
    if (f->inode)
        f->inode->pipe = 0;
    pipe_free(p);
}

static const struct file_ops pipe_ops = {
    .read = pipe_read, .write = pipe_write, .poll = pipe_poll, .ioctl = pipe_ioctl, .close = pipe_close, .no_seek = true,
};

/* A FIFO's open waits for the other end, unless O_NONBLOCK: then a reader goes ahead and a writer gets -ENXIO. */
static int fifo_open(struct file *f)
{
    struct pipe *p = f->inode->pipe;
    int rc = 0;
    if (!p && !(p = f->inode->pipe = pipe_create()))
        return -ENOMEM;
    bool nonblock = f->flags & O_NONBLOCK;
    if (nonblock && !reads(f) && !p->readers)
        rc = -ENXIO;
    f->private = p;
    p->readers += reads(f);
    p->writers += writes(f);
    unsigned opens = ++p->opens;
    wake_all(&p->can_read);
    wake_all(&p->can_write);
    if (!nonblock && reads(f) && !writes(f))
        rc = wait_event(&p->can_read, p->writers || p->opens != opens);
    else if (!nonblock && writes(f) && !reads(f))
        rc = wait_event(&p->can_write, p->readers || p->opens != opens);
    if (rc)
        pipe_close(f);
    return rc;
}

const struct file_ops fifo_file_ops = {
    .open = fifo_open, .read = pipe_read, .write = pipe_write, .poll = pipe_poll, .ioctl = pipe_ioctl, .close = pipe_close,
    .no_seek = true,
};

long sys_pipe(uptr_t ufds, int flags)
{
    if (flags & ~(O_NONBLOCK | O_CLOEXEC))
        return -EINVAL;
    struct pipe *p = pipe_create();
    struct file *r = file_alloc(&pipe_ops, O_RDONLY | (flags & O_NONBLOCK));
    struct file *w = file_alloc(&pipe_ops, O_WRONLY | (flags & O_NONBLOCK));
    if (!p || !r || !w) {
        kfree(r);
        kfree(w);
        if (p)
            pipe_free(p);
        return -ENOMEM;
    }
    p->readers = p->writers = 1;
    r->private = w->private = p;
    int fds[2] = { fd_install(r, 0, flags & O_CLOEXEC), -1 };
    if (fds[0] >= 0)
        fds[1] = fd_install(w, 0, flags & O_CLOEXEC);
    long rc = fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : copy_to_user(ufds, fds, sizeof(fds));
    if (rc == 0)
        return 0;
    if (fds[0] >= 0)
        fd_close(fds[0]);
    else
        file_put(r);
    if (fds[1] >= 0)
        fd_close(fds[1]);
    else
        file_put(w);
    return rc;
}
