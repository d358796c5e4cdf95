/* SPDX-License-Identifier: MIT */
/* disk.c: see disk.h.                                                        */
#include "dom0-tools/libenso/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0-tools/libenso/loop.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

#define QCOW2_HEAD 4096u

/* ---- qcow2 headers -------------------------------------------------------------------- */

static uint64_t big(const uint8_t *at, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v = v << 8 | at[i];
    return v;
}

static bool is_qcow2(const uint8_t *head, size_t n)
{
    return n >= 4 && memcmp(head, "QFI\373", 4) == 0;
}

int disk_qcow2(const uint8_t *head, size_t n, uint64_t file_size, char *backing, size_t size, struct complaint *why)
{
    uint64_t from, len, l1, l1_len;

    backing[0] = '\0';
    if (!is_qcow2(head, n))
        return complain(why, "it is not a qcow2 image; if it is raw, say format=raw");
    if (n < 72)
        return complain(why, "the qcow2 image is cut short: its header alone is 72 bytes, the file has %zu", n);
    if (big(head + 4, 4) != 2 && big(head + 4, 4) != 3)
        return complain(why, "qcow2 version %llu is not known here; `qemu-img convert -O qcow2` makes one of version 3",
                        (unsigned long long)big(head + 4, 4));
    if (big(head + 32, 4) != 0)
        return complain(why, "an encrypted qcow2 image cannot be used; `qemu-img convert` makes one that is not");
    l1_len = big(head + 36, 4) * 8;
    l1 = big(head + 40, 8);
    if (l1 > file_size || l1_len > file_size - l1)
        return complain(why, "the qcow2 image is cut short: its table should end at byte %llu, the file has %llu",
                        (unsigned long long)(l1 + l1_len), (unsigned long long)file_size);
    from = big(head + 8, 8);
    len = big(head + 16, 4);
    if (!from)
        return 0;
    if (len >= size || len > 1023 || from > n || len > n - from || memchr(head + from, 0, (size_t)len))
        return complain(why, "the qcow2 image names its backing file in a way that makes no sense; is it damaged? (`qemu-img check`)");
    memcpy(backing, head + from, (size_t)len);
    backing[len] = '\0';
    return 0;
}

/* A backing file's name is meant from where its overlay lies. */
static void beside(const char *overlay, const char *name, char *buf, size_t size)
{
    const char *slash = strrchr(overlay, '/');

    if (name[0] == '/' || !slash)
        snprintf(buf, size, "%s", name);
    else
        snprintf(buf, size, "%.*s/%s", (int)(slash - overlay), overlay, name);
}

/* ---- looking ------------------------------------------------------------------------------ */

static int cannot_open(const char *path, bool backing, struct complaint *why)
{
    int e = errno;

    if (e != ENOENT)
        return complain(why, "%s: cannot open it: %s", path, strerror(e));
    if (strncmp(path, "/dev/", 5) == 0)
        return complain(why, "%s: there is no such device; `ls /dev` shows those there are", path);
    if (backing)
        return complain(why, "%s: no such file, and the image is an overlay of it; put it there again", path);
    return complain(why, "%s: no such file; make it (`truncate -s 64M` for a raw image, qemu-img for qcow2) or mend `disk`", path);
}

static int note_use(struct disk *d, const struct stat *st)
{
    d->use[d->uses].dev = S_ISBLK(st->st_mode) ? st->st_rdev : st->st_dev;
    d->use[d->uses].ino = S_ISBLK(st->st_mode) ? 0 : st->st_ino;
    d->uses++;
    return 0;
}

/* One file or device of the chain: its head, and what it is. */
static int look_one(const char *path, bool backing, struct disk *d, uint8_t *head, size_t *n, struct stat *st,
                    struct complaint *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);      /* a FIFO is not waited for */
    ssize_t got;
    bool disk;

    if (fd < 0)
        return cannot_open(path, backing, why);
    disk = fstat(fd, st) == 0 && (S_ISBLK(st->st_mode) || S_ISREG(st->st_mode));
    got = disk ? read(fd, head, QCOW2_HEAD) : 0;
    close(fd);
    if (got < 0)
        return complain(why, "%s: cannot read it: %s", path, strerror(errno));
    if (!disk)
        return complain(why, "%s: neither a file nor a block device, so it is no disk", path);
    *n = (size_t)got;
    if (d->uses == DISK_CHAIN)
        return complain(why, "%s: more than %d images one upon the other; `qemu-img rebase` shortens the chain", path, DISK_CHAIN);
    return note_use(d, st);
}

/* An image that is not to be written says so by its mode, or its file system does. */
static int look_whether_writable(const char *path, const struct stat *st, struct complaint *why)
{
    int fd;

    if (!(st->st_mode & 0222))
        return complain(why, "%s: it is marked read-only (mode %03o); `chmod u+w` it, or say access=ro", path, (unsigned)st->st_mode & 0777);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return complain(why, "%s: cannot be written: %s; say access=ro to read it only", path, strerror(errno));
    close(fd);
    return 0;
}

static int look_at_raw(const char *path, bool qcow2, const struct stat *st, struct complaint *why)
{
    if (qcow2)
        return complain(why, "%s: it is a qcow2 image, and the configuration says raw; add format=qcow2", path);
    if (S_ISREG(st->st_mode) && st->st_size < 512)
        return complain(why, "%s: too short for a disk: %lld bytes, and a sector has 512; `truncate -s 64M` makes it longer", path,
                        (long long)st->st_size);
    if (S_ISREG(st->st_mode) && st->st_size % 512)
        return complain(why, "%s: %lld bytes are not a whole number of sectors of 512; is it cut short?", path,
                        (long long)st->st_size);
    return 0;
}

static int look_at_chain(const char *path, struct disk *d, uint8_t *head, size_t n, struct stat *st, struct complaint *why)
{
    char here[CONFIG_PATH + 1024], backing[1024], next[CONFIG_PATH + 1024];

    snprintf(here, sizeof(here), "%s", path);
    for (;;) {
        if (disk_qcow2(head, n, (uint64_t)st->st_size, backing, sizeof(backing), why))
            return complain_about(why, here);
        if (!backing[0])
            return 0;
        beside(here, backing, next, sizeof(next));
        if (look_one(next, true, d, head, &n, st, why))
            return -1;
        if (!is_qcow2(head, n))
            return look_at_raw(next, false, st, why);
        memcpy(here, next, sizeof(here));
    }
}

int disk_look(const struct config_disk *c, struct disk *d, struct complaint *why)
{
    static uint8_t head[QCOW2_HEAD];
    struct stat st;
    size_t n;

    memset(d, 0, sizeof(*d));
    d->writable = c->writable;
    if (look_one(c->target, false, d, head, &n, &st, why))
        return -1;
    d->loop = S_ISREG(st.st_mode);
    if (!d->loop) {
        d->rdev = (uint32_t)st.st_rdev;
        if (!text_copy(d->params, sizeof(d->params), c->target))
            return complain(why, "%s: the device's path is too long", c->target);
        if (c->format != DISK_RAW)
            return complain(why, "%s: a block device is always raw; leave format=qcow2 out", c->target);
        return 0;
    }
    if (c->writable && look_whether_writable(c->target, &st, why))
        return -1;
    if (c->format == DISK_RAW)
        return look_at_raw(c->target, is_qcow2(head, n), &st, why);
    return look_at_chain(c->target, d, head, n, &st, why);
}

/* ---- loop devices ------------------------------------------------------------------------------- */

int disk_attach(const struct config_disk *c, struct disk *d, struct complaint *why)
{
    struct stat st;

    if (disk_look(c, d, why))
        return -1;
    if (!d->loop)
        return 0;
    if (loop_attach(c->target, c->format == DISK_QCOW2, c->writable, d->params, sizeof(d->params), why))
        return -1;
    if (stat(d->params, &st) < 0 || !S_ISBLK(st.st_mode)) {
        disk_detach(d);
        return complain(why, "%s: its device %s did not appear", c->target, d->params);
    }
    d->rdev = (uint32_t)st.st_rdev;
    return 0;
}

void disk_keep(const struct disk *d)
{
    if (d->loop)
        loop_keep(d->params);
}

void disk_detach(struct disk *d)
{
    if (d->loop && d->params[0])
        disk_drop_loop(d->params);
    d->params[0] = '\0';
}

int disk_drop_loop(const char *path)
{
    uint64_t until = os_now_ms() + 5000;
    unsigned nap = 1;
    int rc;

    while ((rc = loop_detach(path)) == -EBUSY && os_now_ms() < until) {
        os_sleep_ms(nap);
        nap = nap < 100 ? nap * 2 : 100;
    }
    return rc;
}

/* ---- who uses what ---------------------------------------------------------------------------------- */

void disk_uses_text(const struct disk *d, char *buf, size_t size)
{
    size_t n = 0;

    buf[0] = '\0';
    for (unsigned i = 0; i < d->uses && n < size; i++)
        n += (size_t)snprintf(buf + n, size - n, "%s%c:%llu.%llu", i ? " " : "", i == 0 && d->writable ? 'w' : 'r',
                              (unsigned long long)d->use[i].dev, (unsigned long long)d->use[i].ino);
}

char disk_clash(const struct disk *d, const char *uses)
{
    char how;
    unsigned long long dev, ino;
    int n;

    for (; sscanf(uses, " %c:%llu.%llu%n", &how, &dev, &ino, &n) == 3; uses += n)
        for (unsigned i = 0; i < d->uses; i++)
            if (d->use[i].dev == dev && d->use[i].ino == ino && (how == 'w' || (i == 0 && d->writable)))
                return how;
    return 0;
}
