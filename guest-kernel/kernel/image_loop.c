/* SPDX-License-Identifier: MIT */
/* image_loop.c: a disk image as a block device, /dev/loopN.
 *
 * Requests wait in a list; a few threads for each image take them from there, since reading a file may sleep. As many requests are in flight as
 * there are threads. /dev/loop-control attaches and detaches; /proc/loops tells what is there.
 *
 * Who makes a device for somebody else may die before it is handed over, and then nobody knows of it. So a device can be
 * tied to the open /dev/loop-control by which it was made: if that is closed before LOOP_KEEP, the device goes with it.  */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/image.h"
#include "guest-kernel/kernel/image_file.h"
#include "guest-kernel/kernel/image_loop.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/usercopy.h"

#define WORKERS   4
#define LOOPS     64
#define LOOP_SEGS 256
#define TELL_AGAIN (60 * 1000000000ull)

struct loop {
    struct list       link;
    struct blkdev     d;
    struct image     *image;
    struct list       requests;
    struct worker     { struct loop *loop; struct wait_queue work; bool idle; } worker[WORKERS];
    struct wait_queue ended;
    unsigned          workers;
    bool              ending, registered;
    uint64_t          told;                          /* when it was last said that its file system is full */
    bool              orphan;                        /* goes when the last who has it open closes it */
    struct file      *tie;                           /* goes when this is closed */
    char              path[LOOP_NAME];
};

static struct list loops = LIST_INIT(loops);

/* ---- Requests ---- */

/* Segments that meet in our address space are one piece for the file. */
static int transfer(struct image *i, struct blk_request *r)
{
    uint64_t pos = r->sector << BLK_SECTOR_SHIFT;
    int rc = 0;
    for (unsigned k = 0; k < r->nsegs && rc == 0;) {
        char *va = r->segs[k].va;
        size_t n = r->segs[k++].len;
        while (k < r->nsegs && (char *)r->segs[k].va == va + n)
            n += r->segs[k++].len;
        rc = r->op == BLK_READ ? image_read(i, va, n, pos) : image_write(i, va, n, pos);
        pos += n;
    }
    return rc;
}

/* The guest behind it learns no more than that its write failed; who can help is here. Once a minute is enough. */
static void tell_full(struct loop *l)
{
    uint64_t now = plat_clock_ns();
    if (l->told && now - l->told < TELL_AGAIN)
        return;
    l->told = now;
    kprintf("%s: %s: no space is left on its file system, so writes to this disk fail; `df` tells which\n", l->d.name, l->path);
}

static int serve(struct loop *l, struct blk_request *r)
{
    int rc;
    switch (r->op) {
    case BLK_READ:
    case BLK_WRITE:
        rc = transfer(l->image, r);
        if (rc == -ENOSPC)
            tell_full(l);
        return rc;
    case BLK_FLUSH:
        return l->image->read_only ? 0 : l->image->ops->flush(l->image);
    default:
        return l->image->ops->discard(l->image, r->count << BLK_SECTOR_SHIFT, r->sector << BLK_SECTOR_SHIFT);
    }
}

static struct blk_request *next_request(struct worker *w)
{
    struct loop *l = w->loop;
    while (!l->ending && list_empty(&l->requests)) {
        w->idle = true;
        sleep_on(&w->work, FOREVER, false);
        w->idle = false;
    }
    if (list_empty(&l->requests))
        return 0;
    struct blk_request *r = container_of(l->requests.next, struct blk_request, link);
    list_remove(&r->link);
    return r;
}

static void serve_all(void *arg)
{
    struct worker *w = arg;
    struct loop *l = w->loop;
    struct blk_request *r;
    while ((r = next_request(w))) {
        r->status = serve(l, r);
        r->done(r);
        breathe();
    }
    l->workers--;
    wake_all(&l->ended);
    proc_exit(0);
}

/* Wakes one that sleeps: if none does, one will look before it sleeps. */
static void submit(struct blkdev *d, struct blk_request *r)
{
    struct loop *l = d->private;
    list_append(&l->requests, &r->link);
    for (unsigned n = 0; n < WORKERS; n++)
        if (l->worker[n].idle) {
            l->worker[n].idle = false;
            wake_all(&l->worker[n].work);
            return;
        }
}

static int dismantle(struct loop *l);

static void release(struct blkdev *d)
{
    struct loop *l = d->private;
    l->registered = false;
    if (l->orphan)
        dismantle(l);
}

/* ---- Attaching and detaching ---- */

static struct loop *find(const char *name)
{
    list_for (l, &loops, struct loop, link)
        if (strcmp(l->d.name, name) == 0)
            return l;
    return 0;
}

static int choose_name(char *name, size_t size)
{
    for (unsigned n = 0; n < LOOPS; n++) {
        ksnprintf(name, size, "loop%u", n);
        if (!find(name))
            return 0;
    }
    return -EMFILE;
}

static void start_workers(struct loop *l)
{
    for (unsigned n = 0; n < WORKERS; n++) {
        l->worker[n].loop = l;
        wait_init(&l->worker[n].work);
        if (kthread_create(l->d.name, serve_all, &l->worker[n]))
            l->workers++;
    }
}

/* Nobody uses it any more: threads end, the file is closed. */
static int dismantle(struct loop *l)
{
    l->ending = true;
    for (unsigned n = 0; n < WORKERS; n++)
        if (l->worker[n].loop)
            wake_all(&l->worker[n].work);
    wait_event_always(&l->ended, l->workers == 0);
    int rc = image_close(l->image);
    list_remove(&l->link);
    kfree(l);
    return rc;
}

static int make_known(struct loop *l, struct loop_request *q)
{
    static const struct blkdev_ops ops = { .submit = submit, .release = release };
    struct image *i = l->image;
    l->d = (struct blkdev){ .sectors = i->size >> BLK_SECTOR_SHIFT, .logical = BLK_SECTOR, .physical = PAGE_SIZE, .max_segs = LOOP_SEGS,
                            .max_sectors = LOOP_SEGS * (PAGE_SIZE / BLK_SECTOR), .read_only = i->read_only, .flush = true, .discard = true,
                            .needs_va = true, .ops = &ops, .private = l };
    list_init(&l->requests);
    wait_init(&l->ended);
    strlcpy(l->path, q->path, sizeof(l->path));
    int rc = choose_name(l->d.name, sizeof(l->d.name));
    list_append(&loops, &l->link);
    if (rc == 0)
        start_workers(l);
    if (rc == 0)
        rc = l->workers ? blk_register(&l->d) : -ENOMEM;
    l->registered = rc == 0;
    if (rc)
        image_say(q->why, "no loop device could be made: error %d", -rc);
    return rc;
}

static int attach(struct file *by, struct loop_request *q)
{
    struct image_file *f;
    struct image *i;
    int rc = image_file_open(q->path, q->read_only, &f, q->why);
    if (rc == 0)
        rc = image_open(f, (enum loop_format)q->format, q->read_only, &i, q->why);
    if (rc)
        return rc;
    struct loop *l = kmalloc(sizeof(*l));
    if (!l) {
        image_close(i);
        return -ENOMEM;
    }
    l->image = i;
    rc = make_known(l, q);
    if (rc) {
        dismantle(l);
        return rc;
    }
    l->tie = q->tied ? by : 0;
    strlcpy(q->name, l->d.name, sizeof(q->name));
    q->size = i->size;
    return 0;
}

static struct loop *find_whole(struct loop_request *q)
{
    struct loop *l = find(q->name);
    if (l && !l->ending && !l->orphan)
        return l;
    image_say(q->why, "there is no %s", q->name);
    return 0;
}

static int keep(struct file *by, struct loop_request *q)
{
    struct loop *l = find_whole(q);
    if (!l)
        return -ENODEV;
    if (l->tie && l->tie != by)
        return -EPERM;
    l->tie = 0;
    return 0;
}

static int detach(struct file *by, struct loop_request *q)
{
    struct loop *l = find_whole(q);
    if (!l)
        return -ENODEV;
    int rc = l->tie && l->tie != by ? -EBUSY : blk_unregister(&l->d, false);
    if (rc) {
        image_say(q->why, "%s is in use", q->name);
        return rc;
    }
    l->ending = true;
    rc = dismantle(l);
    if (rc)
        image_say(q->why, "not all of %s could be written: error %d", q->path, -rc);
    return rc;
}

/* Its maker is gone. Whom it was made for may use it by now: then it is theirs, and they know it. A helper of the maker's that only has it
 * open reads nothing more, and closes it. */
static void untie(struct loop *l)
{
    l->tie = 0;
    if (blk_unregister(&l->d, false) == 0) {
        l->ending = true;
        dismantle(l);
    } else if (l->d.opens && !l->d.claimed && !l->d.readers) {
        l->orphan = true;
        blk_unregister(&l->d, true);
    }
}

static struct loop *tied_to(struct file *f)
{
    list_for (l, &loops, struct loop, link)
        if (l->tie == f)
            return l;
    return 0;
}

static void control_close(struct file *f)
{
    struct loop *l;
    while ((l = tied_to(f)))                         /* each from the beginning: untying sleeps, and the list changes */
        untie(l);
}

static long control_ioctl(struct file *f, unsigned long cmd, uptr_t arg)
{
    struct loop_request *q;
    if (cmd != LOOP_ATTACH && cmd != LOOP_DETACH && cmd != LOOP_KEEP)
        return -ENOTTY;
    q = kmalloc(sizeof(*q));
    if (!q)
        return -ENOMEM;
    long rc = copy_from_user(q, arg, sizeof(*q)) ? -EFAULT : 0;
    if (rc == 0) {
        q->path[sizeof(q->path) - 1] = q->name[sizeof(q->name) - 1] = q->why[0] = 0;
        rc = cmd == LOOP_ATTACH ? attach(f, q) : cmd == LOOP_DETACH ? detach(f, q) : keep(f, q);
        if (copy_to_user(arg, q, sizeof(*q)))
            rc = -EFAULT;
    }
    kfree(q);
    return rc;
}

size_t loops_list(char *buf, size_t size)
{
    size_t n = 0;
    list_for (l, &loops, struct loop, link)
        if (n + 1 < size)
            n += (size_t)ksnprintf(buf + n, size - n, "%s %s %s %s %lu\n", l->d.name, l->image->ops->name, l->image->read_only ? "ro" : "rw",
                                   l->path, l->image->size);
    return MIN(n, size);
}

void loop_boot(void)
{
    static const struct file_ops ops = { .ioctl = control_ioctl, .close = control_close };
    if (dev_register("loop-control", 0, &ops, 0))
        kprintf("novice: no /dev/loop-control\n");
}
