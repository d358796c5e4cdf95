/* SPDX-License-Identifier: MIT */
/* hvc_glue.c: a domain's further consoles as terminals: /dev/hvc1 and up (the first console is /dev/console). */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/tty.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/io/console.h"
#include "pv-drivers/consolefront.h"
#include "pv-drivers/store.h"

#define MOST 16u

struct hvc {
    struct pv_console ring;
    struct tty        tty;
    bool              gone;
    char              name[8];
};

static struct hvc *hvcs[MOST];

static size_t room(struct tty *t)
{
    struct hvc *h = t->private;
    const struct xencons_interface *page = h->ring.page;
    uint32_t used = h->gone ? 0 : page->out_prod - page->out_cons;
    return used <= sizeof(page->out) ? sizeof(page->out) - used : 0;
}

static void output(struct tty *t, const char *text, size_t n)
{
    struct hvc *h = t->private;
    if (!h->gone)
        pv_console_write(&h->ring, text, n);
}

static void changed(void *arg)
{
    struct hvc *h = arg;
    char got[64];
    size_t n;
    while ((n = pv_console_read(&h->ring, got, sizeof(got))))
        tty_input(&h->tty, got, n);
    wake_all(&h->tty.writers);
}

/* The terminal stays, hung up, for whoever has it open. */
static void removed(void *arg)
{
    struct hvc *h = arg;
    h->gone = true;
    tty_hangup(&h->tty);
}

static int hvc_open(struct file *f)
{
    struct hvc *h = f->private;
    if (h->gone)
        return -ENXIO;
    f->private = &h->tty;
    tty_adopt(&h->tty, f);
    return 0;
}

static long hvc_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return tty_read(f->private, f, buf, n); }
static long hvc_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return tty_write(f->private, f, buf, n); }
static long hvc_ioctl(struct file *f, unsigned long cmd, uptr_t arg) { return tty_ioctl(f->private, f, cmd, arg); }
static short hvc_poll(struct file *f, struct poll_table *t) { return tty_poll(f->private, t); }

static void *added(unsigned id, const struct pv_console *ring)
{
    static const struct file_ops ops = { .open = hvc_open, .read = hvc_read, .write = hvc_write, .ioctl = hvc_ioctl,
                                         .poll = hvc_poll, .no_seek = true };
    bool again = id < MOST && hvcs[id];
    struct hvc *h = again ? hvcs[id] : id < MOST ? kmalloc(sizeof(*h)) : 0;
    if (!h)
        return 0;
    h->ring = *ring;
    h->gone = false;
    if (again) {
        h->tty.hung_up = false;
        return h;
    }
    tty_init(&h->tty);
    h->tty.output = output;
    h->tty.room = room;
    h->tty.private = h;
    ksnprintf(h->name, sizeof(h->name), "hvc%u", id);
    hvcs[id] = h;
    dev_register(h->name, 0, &ops, h);
    return h;
}

void hvc_boot(void)
{
    static const struct consolefront_user user = { added, changed, removed };
    if (store_ready() && !pv_is_dom0())
        consolefront_start(&user);
}
