/* SPDX-License-Identifier: MIT */
/* console.c: the terminals that are always there: /dev/console, which is the platform's, and /dev/tty, one's own. */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/tty.h"

struct tty console_tty;

static void console_output(struct tty *t, const char *text, size_t n) { plat_console_write(text, n); }

void console_input(const char *text, size_t n) { tty_input(&console_tty, text, n); }

static int console_open(struct file *f)
{
    f->private = &console_tty;
    tty_adopt(&console_tty, f);
    return 0;
}

static int own_open(struct file *f)
{
    f->private = current->tty;
    return f->private ? 0 : -ENXIO;
}

static long dev_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return tty_read(f->private, f, buf, n); }
static long dev_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return tty_write(f->private, f, buf, n); }
static long dev_ioctl(struct file *f, unsigned long cmd, uptr_t arg) { return tty_ioctl(f->private, f, cmd, arg); }
static short dev_poll(struct file *f, struct poll_table *t) { return tty_poll(f->private, t); }

static const struct file_ops console_ops = {
    .open = console_open, .read = dev_read, .write = dev_write, .ioctl = dev_ioctl, .poll = dev_poll, .no_seek = true,
};
static const struct file_ops own_ops = {
    .open = own_open, .read = dev_read, .write = dev_write, .ioctl = dev_ioctl, .poll = dev_poll, .no_seek = true,
};

void tty_boot(void)
{
    tty_init(&console_tty);
    console_tty.output = console_output;
    dev_register("console", MAKEDEV(DEV_TTY, 1), &console_ops, 0);
    dev_register("tty", MAKEDEV(DEV_TTY, 0), &own_ops, 0);
    plat_console_start();
}
