/* SPDX-License-Identifier: MIT */
/* poll.c: waiting for any of several files. Each is asked what is ready, and joins the caller to the queues that would
 * wake it; if nothing is, the caller sleeps on all of them at once and asks again.                              */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"

#define POLL_MAX FD_LIMIT

struct poll_table {
    unsigned       used, size;
    struct waiter *waiter;
};

void poll_wait(struct poll_table *t, struct wait_queue *q)
{
    if (t && t->used < t->size)
        wait_join(q, &t->waiter[t->used++]);
}

static int ask(struct pollfd *p, unsigned n, struct poll_table *t)
{
    int ready = 0;
    for (unsigned i = 0; i < n; i++) {
        struct file *f = fd_file(p[i].fd);
        p[i].revents = 0;
        if (p[i].fd >= 0)
            p[i].revents = f ? file_poll(f, t) & (p[i].events | POLLERR | POLLHUP) : POLLNVAL;
        ready += p[i].revents != 0;
    }
    return ready;
}

static int poll_until(struct pollfd *p, unsigned n, uint64_t deadline)
{
    struct poll_table t = { .size = 2 * n + 1 };
    int ready = ask(p, n, 0), rc = 0;
    if (ready || deadline == 0)
        return ready;
    t.waiter = kmalloc(t.size * sizeof(*t.waiter));
    if (!t.waiter)
        return -ENOMEM;
    while (rc == 0 && (t.used = 0, ready = ask(p, n, &t)) == 0) {
        rc = sleep_until(deadline, true);
        for (unsigned i = 0; i < t.used; i++)
            wait_leave(&t.waiter[i]);
        t.used = 0;
    }
    for (unsigned i = 0; i < t.used; i++)
        wait_leave(&t.waiter[i]);
    kfree(t.waiter);
    if (ready == 0 && rc == -ETIMEDOUT)
        return ask(p, n, 0);
    return ready ? ready : rc;
}

long sys_poll(uptr_t ufds, unsigned n, int timeout_ms)
{
    if (n > POLL_MAX)
        return -EINVAL;
    struct pollfd *p = kmalloc(MAX(n, 1u) * sizeof(*p));
    if (!p)
        return -ENOMEM;
    long rc = copy_from_user(p, ufds, n * sizeof(*p));
    if (rc == 0)
        rc = poll_until(p, n, timeout_ms < 0 ? FOREVER : timeout_ms ? plat_clock_ns() + timeout_ms * NSEC_PER_MS : 0);
    if (rc >= 0 && copy_to_user(ufds, p, n * sizeof(*p)))
        rc = -EFAULT;
    kfree(p);
    return rc;
}

/* ---- select, in terms of poll ---- */

#define SELECT_MAX 256
struct sets { uint64_t in[3][SELECT_MAX / 64], out[3][SELECT_MAX / 64]; };

static bool has(const uint64_t *set, unsigned fd) { return set[fd / 64] >> fd % 64 & 1; }

static unsigned to_pollfds(const struct sets *s, unsigned count, struct pollfd *p)
{
    unsigned n = 0;
    for (unsigned fd = 0; fd < count; fd++) {
        short events = (has(s->in[0], fd) ? POLLIN : 0) | (has(s->in[1], fd) ? POLLOUT : 0) | (has(s->in[2], fd) ? POLLPRI : 0);
        if (events)
            p[n++] = (struct pollfd){ fd, events, 0 };
    }
    return n;
}

static int from_pollfds(struct sets *s, const struct pollfd *p, unsigned n)
{
    int bits = 0;
    for (unsigned i = 0; i < n; i++) {
        short r = p[i].revents;
        const short mask[3] = { POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI };
        const short want[3] = { POLLIN, POLLOUT, POLLPRI };
        if (r & POLLNVAL)
            return -EBADF;
        for (unsigned k = 0; k < 3; k++) {
            if (!(p[i].events & want[k]) || !(r & mask[k]))
                continue;
            s->out[k][p[i].fd / 64] |= 1ul << p[i].fd % 64;
            bits++;
        }
    }
    return bits;
}

static long run_select(struct sets *s, struct pollfd *p, unsigned count, const uptr_t set[3], uptr_t utimeval)
{
    size_t bytes = ROUND_UP(count, 64u) / 8;
    uint64_t deadline = FOREVER;
    struct timeval tv;
    for (unsigned k = 0; k < 3; k++)
        if (set[k] && copy_from_user(s->in[k], set[k], bytes))
            return -EFAULT;
    if (utimeval) {
        if (copy_from_user(&tv, utimeval, sizeof(tv)))
            return -EFAULT;
        if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_sec > (1l << 33))
            return -EINVAL;
        uint64_t ns = tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * 1000;
        deadline = ns ? plat_clock_ns() + ns : 0;
    }
    unsigned n = to_pollfds(s, count, p);
    for (unsigned i = 0; i < n; i++)
        if (!fd_file(p[i].fd))
            return -EBADF;
    long rc = poll_until(p, n, deadline);
    if (rc >= 0)
        rc = from_pollfds(s, p, n);
    for (unsigned k = 0; k < 3 && rc >= 0; k++)
        if (set[k] && copy_to_user(set[k], s->out[k], bytes))
            rc = -EFAULT;
    return rc;
}

long sys_select(int count, uptr_t rd, uptr_t wr, uptr_t ex, uptr_t utimeval)
{
    const uptr_t set[3] = { rd, wr, ex };
    if (count < 0 || count > SELECT_MAX)
        return -EINVAL;
    struct sets *s = kmalloc(sizeof(*s));
    struct pollfd *p = kmalloc(SELECT_MAX * sizeof(*p));
    long rc = s && p ? run_select(s, p, count, set, utimeval) : -ENOMEM;
    kfree(s);
    kfree(p);
    return rc;
}
