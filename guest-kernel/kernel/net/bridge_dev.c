/* SPDX-License-Identifier: MIT */
/* bridge_dev.c: /dev/bridge, through which brctl speaks: a write is a command, a read the list of bridges; "showmacs br0" chooses
 * for this open file what the next reads give. */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/netdev.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/usercopy.h"

#define LIST_SIZE (64 * 1024)

static int control_open(struct file *f)
{
    f->private = kmalloc(sizeof(((struct netdev *)0)->name));
    return f->private ? 0 : -ENOMEM;
}

static void control_close(struct file *f) { kfree(f->private); }

static long control_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    const char *bridge = f->private;
    char *text = kmalloc(LIST_SIZE);
    if (!text)
        return -ENOMEM;
    long len = bridge_list(*bridge ? bridge : 0, text, LIST_SIZE);
    if (len >= 0) {
        size_t from = MIN(*pos, (uint64_t)len);
        n = MIN(n, (size_t)len - from);
        if (copy_to_user(buf, text + from, n))
            len = -EFAULT;
        else {
            *pos += n;
            len = (long)n;
        }
    }
    kfree(text);
    return len;
}

static long control_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    static const char showmacs[] = "showmacs ";
    char line[80];
    if (n >= sizeof(line))
        return -EINVAL;
    if (copy_from_user(line, buf, n))
        return -EFAULT;
    line[n] = 0;
    if (!strncmp(line, showmacs, sizeof(showmacs) - 1)) {
        strlcpy(f->private, line + sizeof(showmacs) - 1, sizeof(((struct netdev *)0)->name));
        *pos = 0;
        return (long)n;
    }
    long rc = bridge_command(line);
    return rc < 0 ? rc : (long)n;
}

static const struct file_ops control_ops = { .open = control_open, .close = control_close, .read = control_read, .write = control_write };

void bridge_boot(void)
{
    if (dev_register("bridge", 0, &control_ops, 0))
        kprintf("bridge: no /dev/bridge\n");
}
