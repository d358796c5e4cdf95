/* SPDX-License-Identifier: MIT */
/* dev.c: the table of character devices, and the simplest of them. */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"

struct device {
    struct list            link;
    const char            *name;
    uint32_t               rdev;
    const struct file_ops *ops;
    void                  *private;
};

static struct list devices = LIST_INIT(devices);
static unsigned last_misc;

int dev_register(const char *name, uint32_t rdev, const struct file_ops *ops, void *private)
{
    char path[64];
    struct device *d = kmalloc(sizeof(*d));
    if (!d)
        return -ENOMEM;
    *d = (struct device){ .name = name, .rdev = rdev ? rdev : MAKEDEV(DEV_MISC, ++last_misc), .ops = ops, .private = private };
    ksnprintf(path, sizeof(path), "/dev/%s", name);
    int rc = fs_make(path, S_IFCHR | 0666, d->rdev);
    if (rc) {
        kfree(d);
        return rc;
    }
    list_append(&devices, &d->link);
    return 0;
}

static struct device *find(uint32_t rdev)
{
    list_for (d, &devices, struct device, link)
        if (d->rdev == rdev)
            return d;
    return 0;
}

static void remove_node(const char *name)
{
    char path[64], last[NAME_MAX + 1];
    struct inode *dir;
    ksnprintf(path, sizeof(path), "/dev/%s", name);
    if (path_parent(path, &dir, last))
        return;
    dir->ops->unlink(dir, last);
    inode_put(dir);
}

void dev_unregister(uint32_t rdev)
{
    struct device *d = find(rdev);
    if (!d)
        return;
    remove_node(d->name);
    list_remove(&d->link);
    kfree(d);
}

static int device_open(struct file *f)
{
    struct device *d = find(f->inode->rdev);
    if (!d)
        return -ENXIO;
    f->ops = d->ops;
    f->private = d->private;
    return d->ops->open ? d->ops->open(f) : 0;
}

const struct file_ops device_file_ops = { .open = device_open };

/* ---- null, zero, random, kmsg ---- */

static long null_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return 0; }
static long null_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos) { return n; }
static const struct file_ops null_ops = { .read = null_read, .write = null_write };

static long zero_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    n = MIN(n, 1ul << 30);
    for (size_t done = 0; done < n; done += MIN(n - done, 64 * PAGE_SIZE)) {
        if (clear_user(buf + done, MIN(n - done, 64 * PAGE_SIZE)))
            return -EFAULT;
        breathe();
        if (signal_waiting(current))
            return done + MIN(n - done, 64 * PAGE_SIZE);
    }
    return n;
}

static const struct file_ops zero_ops = { .read = zero_read, .write = null_write };

/* Not for keys: a generator stirred by the clock (xorshift64*). */
static uint64_t random_word(void)
{
    static uint64_t state;
    state ^= plat_clock_ns() | 1;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dul;
}

static long random_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    n = MIN(n, 1ul << 20);
    for (size_t done = 0; done < n; done += 8) {
        uint64_t word = random_word();
        if (copy_to_user(buf + done, &word, MIN(n - done, 8ul)))
            return -EFAULT;
    }
    return n;
}

static const struct file_ops random_ops = { .read = random_read, .write = null_write };

/* Programs' lines into the kernel's ring. */
static long kmsg_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char line[200];
    size_t piece = MIN(n, sizeof(line) - 1);
    if (copy_from_user(line, buf, piece))
        return -EFAULT;
    line[piece] = 0;
    kprintf("%s%s", line, piece && line[piece - 1] == '\n' ? "" : "\n");
    return n;
}

static const struct file_ops kmsg_ops = { .write = kmsg_write };

void dev_boot(void)
{
    dev_register("null", MAKEDEV(DEV_MEM, 3), &null_ops, 0);
    dev_register("zero", MAKEDEV(DEV_MEM, 5), &zero_ops, 0);
    dev_register("random", MAKEDEV(DEV_MEM, 8), &random_ops, 0);
    dev_register("urandom", MAKEDEV(DEV_MEM, 9), &random_ops, 0);
    dev_register("kmsg", MAKEDEV(DEV_MEM, 11), &kmsg_ops, 0);
}
