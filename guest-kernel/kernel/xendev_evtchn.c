/* SPDX-License-Identifier: MIT */
/* xendev_evtchn.c: /dev/xen/evtchn, event channels for programs.
 *
 * Numbers, structures and meaning are those of Linux's device of that name. Each open file has ports of its own. An event
 * masks its port and puts it into the file's queue; reading takes ports out, writing a port back unmasks it. A masked
 * port does not come again, so that the queue never holds a port twice and cannot overflow.                     */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/pv/cpu.h"

#define XEN_IOC(letter, number, size) ((unsigned long)((letter) << 8 | (number)) | (unsigned long)(size) << 16)
#define EVTCHN_BIND_VIRQ        XEN_IOC('E', 0, 4)
#define EVTCHN_BIND_INTERDOMAIN XEN_IOC('E', 1, 8)
#define EVTCHN_BIND_UNBOUND     XEN_IOC('E', 2, 4)
#define EVTCHN_UNBIND           XEN_IOC('E', 3, 4)
#define EVTCHN_NOTIFY           XEN_IOC('E', 4, 4)
#define EVTCHN_RESET            XEN_IOC('E', 5, 0)

struct port {
    struct list   all;           /* the file's ports                        */
    struct list   queued;        /* an event came: to be read; else empty   */
    struct user  *user;
    evtchn_port_t number;
};

struct user {                    /* one open file */
    struct list       ports, queue;
    struct wait_queue readers;
};

static struct port *port_find(struct user *u, evtchn_port_t number)
{
    list_for (p, &u->ports, struct port, all)
        if (p->number == number)
            return p;
    return 0;
}

static void event(evtchn_port_t number, void *arg)
{
    struct port *p = arg;
    event_mask(number);
    if (list_empty(&p->queued))
        list_append(&p->user->queue, &p->queued);
    wake_all(&p->user->readers);
}

static void port_close(evtchn_port_t number)
{
    struct evtchn_close c = { number };
    hypercall_event_channel_op(EVTCHNOP_close, gva(&c));
}

static void port_free(struct port *p)
{
    event_forget(p->number);
    port_close(p->number);
    list_remove(&p->all);
    list_remove(&p->queued);
    kfree(p);
}

/* The port number, as the ioctls return it. */
static long port_add(struct user *u, evtchn_port_t number)
{
    struct port *p = kmalloc(sizeof(*p));
    if (!p || event_handle(number, event, p)) {
        port_close(number);
        kfree(p);
        return -ENOMEM;
    }
    p->user = u;
    p->number = number;
    list_init(&p->queued);
    list_append(&u->ports, &p->all);
    return number;
}

static long bind_virq(struct user *u, const uint32_t *arg)
{
    struct evtchn_bind_virq b = { .virq = arg[0], .vcpu = 0 };
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&b));
    return rc ? rc : port_add(u, b.port);
}

static long bind_interdomain(struct user *u, const uint32_t *arg)
{
    struct evtchn_bind_interdomain b = { .remote_dom = arg[0], .remote_port = arg[1] };
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b));
    return rc ? rc : port_add(u, b.local_port);
}

static long bind_unbound(struct user *u, const uint32_t *arg)
{
    struct evtchn_alloc_unbound b = { .dom = DOMID_SELF, .remote_dom = arg[0] };
    long rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&b));
    return rc ? rc : port_add(u, b.port);
}

static long unbind(struct user *u, const uint32_t *arg)
{
    struct port *p = port_find(u, arg[0]);
    if (!p)
        return -ENOTCONN;
    port_free(p);
    return 0;
}

static long notify(struct user *u, const uint32_t *arg)
{
    if (!port_find(u, arg[0]))
        return -ENOTCONN;
    event_send(arg[0]);
    return 0;
}

/* Forgets what is queued; the ports stay bound, and masked until written. */
static void reset(struct user *u)
{
    while (!list_empty(&u->queue))
        list_remove(u->queue.next);
}

static long evtchn_ioctl(struct file *f, unsigned long cmd, uptr_t arg)
{
    struct user *u = f->private;
    uint32_t word[2] = { 0, 0 };
    size_t size = cmd >> 16;

    if (size > sizeof(word))
        return -ENOTTY;
    if (size && copy_from_user(word, arg, size))
        return -EFAULT;
    switch (cmd) {
    case EVTCHN_BIND_VIRQ:        return bind_virq(u, word);
    case EVTCHN_BIND_INTERDOMAIN: return bind_interdomain(u, word);
    case EVTCHN_BIND_UNBOUND:     return bind_unbound(u, word);
    case EVTCHN_UNBIND:           return unbind(u, word);
    case EVTCHN_NOTIFY:           return notify(u, word);
    case EVTCHN_RESET:            reset(u); return 0;
    default:                      return -ENOTTY;
    }
}

static long evtchn_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct user *u = f->private;
    size_t done = 0;
    if (n < sizeof(uint32_t))
        return n ? -EINVAL : 0;
    if (list_empty(&u->queue) && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    if (wait_event(&u->readers, !list_empty(&u->queue)))
        return -EINTR;
    for (; done + sizeof(uint32_t) <= n && !list_empty(&u->queue); done += sizeof(uint32_t)) {
        struct port *p = container_of(u->queue.next, struct port, queued);
        if (copy_to_user(buf + done, &p->number, sizeof(uint32_t)))
            return done ? (long)done : -EFAULT;
        list_remove(&p->queued);
    }
    return done;
}

static long evtchn_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    size_t done = 0;
    for (; done + sizeof(uint32_t) <= n; done += sizeof(uint32_t)) {
        uint32_t number;
        if (copy_from_user(&number, buf + done, sizeof(number)))
            return done ? (long)done : -EFAULT;
        if (port_find(f->private, number))
            event_unmask(number);
    }
    return done;
}

static short evtchn_poll(struct file *f, struct poll_table *t)
{
    struct user *u = f->private;
    poll_wait(t, &u->readers);
    return POLLOUT | (list_empty(&u->queue) ? 0 : POLLIN);
}

static int evtchn_open(struct file *f)
{
    struct user *u = kmalloc(sizeof(*u));
    if (!u)
        return -ENOMEM;
    list_init(&u->ports);
    list_init(&u->queue);
    wait_init(&u->readers);
    f->private = u;
    return 0;
}

static void evtchn_close(struct file *f)
{
    struct user *u = f->private;
    while (!list_empty(&u->ports))
        port_free(container_of(u->ports.next, struct port, all));
    kfree(u);
}

void xendev_evtchn_boot(void)
{
    static const struct file_ops ops = { .open = evtchn_open, .close = evtchn_close, .read = evtchn_read, .write = evtchn_write,
                                         .ioctl = evtchn_ioctl, .poll = evtchn_poll, .no_seek = true };
    if (dev_register("xen/evtchn", 0, &ops, 0))
        kprintf("evtchn: no /dev/xen/evtchn\n");
}
