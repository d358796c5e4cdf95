/* SPDX-License-Identifier: MIT */
/* pty.c: terminals whose other side is a program.
 *
 * Opening /dev/ptmx makes a pair: the opener holds the master, and /dev/pts/N appears. What is written to the master is
 * typed on the slave's terminal; what programs write to the slave lies in a ring until the master reads it. The pair
 * lives until both sides are closed: a master left alone reads -EIO, a slave left alone is hung up.               */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/tty.h"

#define RING PAGE_SIZE

struct pty {
    struct list       link;
    struct tty        tty;
    struct wait_queue master_readers;
    unsigned          number, slaves;
    bool              master, slave_seen;
    unsigned          head, tail;                   /* bytes ever written by the slave, read by the master */
    char             *data;
    char              name[12];
};

static struct list ptys = LIST_INIT(ptys);
static const struct file_ops slave_ops, master_ops;

static void pty_output(struct tty *t, const char *text, size_t n)
{
    struct pty *p = t->private;
    for (size_t i = 0; i < n; i++)
        p->data[p->head++ % RING] = text[i];
    wake_all(&p->master_readers);
}

static size_t pty_room(struct tty *t)
{
    struct pty *p = t->private;
    return p->master ? RING - (p->head - p->tail) : ~0ul;
}

/* With the master gone nobody reads: output falls into the void. */
static void void_output(struct tty *t, const char *text, size_t n) { }

static void pty_check(struct pty *p)
{
    if (p->master || p->slaves)
        return;
    list_for (q, &all_procs, struct proc, all)
        if (q->tty == &p->tty)
            q->tty = 0;
    list_remove(&p->link);
    page_free(p->data);
    kfree(p);
}

static bool number_used(unsigned n)
{
    list_for (p, &ptys, struct pty, link)
        if (p->number == n)
            return true;
    return false;
}

static struct pty *pty_create(void)
{
    struct pty *p = pages_low() ? 0 : kmalloc(sizeof(*p));
    if (!p)
        return 0;
    p->data = page_alloc_raw();
    while (number_used(p->number))
        p->number++;
    ksnprintf(p->name, sizeof(p->name), "pts/%u", p->number);
    if (!p->data || dev_register(p->name, MAKEDEV(DEV_PTS, p->number), &slave_ops, p)) {
        if (p->data)
            page_free(p->data);
        kfree(p);
        return 0;
    }
    tty_init(&p->tty);
    wait_init(&p->master_readers);
    p->tty.output = pty_output;
    p->tty.room = pty_room;
    p->tty.private = p;
    p->master = true;
    list_append(&ptys, &p->link);
    return p;
}

/* ---- The master ---- */

static int master_open(struct file *f)
{
    f->private = pty_create();
    return f->private ? 0 : -ENOMEM;
}

static void master_close(struct file *f)
{
    struct pty *p = f->private;
    p->master = false;
    p->tty.output = void_output;
    dev_unregister(MAKEDEV(DEV_PTS, p->number));
    tty_hangup(&p->tty);
    pty_check(p);
}

static bool abandoned(const struct pty *p) { return p->slave_seen && p->slaves == 0; }

static long master_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct pty *p = f->private;
    size_t done = 0;
    if (p->head == p->tail && !abandoned(p) && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    int rc = wait_event(&p->master_readers, p->head != p->tail || abandoned(p));
    if (rc)
        return rc;
    if (p->head == p->tail)
        return -EIO;
    while (done < n && p->head != p->tail) {
        unsigned start = p->tail % RING;
        size_t piece = MIN(MIN(n - done, p->head - p->tail), RING - start);
        if (copy_to_user(buf + done, p->data + start, piece))
            return done ? (long)done : -EFAULT;
        p->tail += piece;
        done += piece;
    }
    wake_all(&p->tty.writers);
    return done;
}

static long master_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct pty *p = f->private;
    char chunk[128];
    for (size_t done = 0; done < n;) {
        size_t piece = MIN(n - done, sizeof(chunk));
        if (copy_from_user(chunk, buf + done, piece))
            return done ? (long)done : -EFAULT;
        tty_input(&p->tty, chunk, piece);
        done += piece;
    }
    return n;
}

static long master_ioctl(struct file *f, unsigned long cmd, uptr_t arg)
{
    struct pty *p = f->private;
    int n = p->number, waiting = p->head - p->tail;
    switch (cmd) {
    case TIOCGPTN:
        return copy_to_user(arg, &n, sizeof(n));
    case TIOCSPTLCK:
        return 0;
    case FIONREAD:
        return copy_to_user(arg, &waiting, sizeof(waiting));
    case TIOCSCTTY:
    case TIOCNOTTY:
        return -ENOTTY;
    default:
        return tty_ioctl(&p->tty, f, cmd, arg);
    }
}

static short master_poll(struct file *f, struct poll_table *t)
{
    struct pty *p = f->private;
    poll_wait(t, &p->master_readers);
    return POLLOUT | (p->head != p->tail ? POLLIN : 0) | (abandoned(p) ? POLLHUP : 0);
}

static const struct file_ops master_ops = {
    .open = master_open, .close = master_close, .read = master_read, .write = master_write, .ioctl = master_ioctl,
    .poll = master_poll, .no_seek = true,
};

/* ---- The slave ---- */

static int slave_open(struct file *f)
{
    struct pty *p = f->private;
    p->slaves++;
    p->slave_seen = true;
    tty_adopt(&p->tty, f);
    return 0;
}

static void slave_close(struct file *f)
{
    struct pty *p = f->private;
    p->slaves--;
    wake_all(&p->master_readers);
    pty_check(p);
}

static struct tty *slave_tty(struct file *f) { return &((struct pty *)f->private)->tty; }
static long slave_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return tty_read(slave_tty(f), f, buf, n); }
static long slave_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return tty_write(slave_tty(f), f, buf, n); }
static long slave_ioctl(struct file *f, unsigned long cmd, uptr_t arg) { return tty_ioctl(slave_tty(f), f, cmd, arg); }
static short slave_poll(struct file *f, struct poll_table *t) { return tty_poll(slave_tty(f), t); }

static const struct file_ops slave_ops = {
    .open = slave_open, .close = slave_close, .read = slave_read, .write = slave_write, .ioctl = slave_ioctl,
    .poll = slave_poll, .no_seek = true,
};

void pty_boot(void) { dev_register("ptmx", MAKEDEV(DEV_TTY, 2), &master_ops, 0); }

const char *tty_name(const struct tty *t)
{
    list_for (p, &ptys, struct pty, link)
        if (&p->tty == t)
            return p->name;
    return "?";
}
