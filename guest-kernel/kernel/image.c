/* SPDX-License-Identifier: MIT */
/* image.c: opening a disk image with all that it is based on, and the simplest format: raw. */
#include "guest-kernel/kernel/image.h"

#define HEAD 512u

/* ---- Raw: the file is the disk ---- */

static int raw_read(struct image *i, void *buf, size_t n, uint64_t pos) { return image_file_read(i->file, buf, n, pos); }
static int raw_write(struct image *i, const void *buf, size_t n, uint64_t pos) { return image_file_write(i->file, buf, n, pos); }
static int raw_flush(struct image *i) { return image_file_sync(i->file); }

static int raw_discard(struct image *i, uint64_t n, uint64_t pos)
{
    image_file_punch(i->file, pos, n);           /* advice: it may do nothing */
    return 0;
}

static void raw_close(struct image *i) { image_free(i); }

static int raw_open(struct image_file *f, struct image **out, char *why)
{
    static const struct image_ops ops = { "raw", raw_read, raw_write, raw_discard, raw_flush, raw_close };
    struct image *i = image_alloc(sizeof(*i));
    if (!i)
        return -IMAGE_ENOMEM;
    i->ops = &ops;
    i->size = image_file_size(f) & ~511ull;
    if (i->size == 0) {
        image_say(why, "%s is shorter than one sector", image_file_name(f));
        image_free(i);
        return -IMAGE_EINVAL;
    }
    *out = i;
    return 0;
}

/* ---- Any ---- */

int image_read(struct image *i, void *buf, size_t n, uint64_t pos)
{
    size_t there = pos >= i->size ? 0 : n < i->size - pos ? n : (size_t)(i->size - pos);
    int rc = there ? i->ops->read(i, buf, there, pos) : 0;
    __builtin_memset((char *)buf + there, 0, n - there);
    return rc;
}

int image_write(struct image *i, const void *buf, size_t n, uint64_t pos)
{
    return i->read_only ? -IMAGE_EROFS : i->ops->write(i, buf, n, pos);
}

int image_close(struct image *i)
{
    int rc = 0;
    while (i) {
        struct image *below = i->backing;
        struct image_file *f = i->file;
        if (!i->read_only)
            rc = i->ops->flush(i);
        i->ops->close(i);
        image_file_close(f);
        i = below;
    }
    return rc;
}

static int open_one(struct image_file *f, enum loop_format format, bool read_only, struct image **out, char *backing,
                    enum loop_format *backing_format, char *why)
{
    uint8_t head[HEAD];
    int rc = image_file_read(f, head, sizeof(head), 0);
    backing[0] = 0;
    if (rc == 0 && format == LOOP_AUTO)
        format = qcow2_magic(head) ? LOOP_QCOW2 : LOOP_RAW;
    if (rc)
        image_say(why, "%s cannot be read: error %d", image_file_name(f), -rc);
    else if (format == LOOP_QCOW2)
        rc = qcow2_open(f, read_only, out, backing, IMAGE_PATH, backing_format, why);
    else
        rc = raw_open(f, out, why);
    if (rc) {
        image_file_close(f);
        return rc;
    }
    (*out)->file = f;
    (*out)->read_only = read_only;
    return 0;
}

/* An image may come from anywhere, and what lies below it is read for its guest: so a base is a neighbour. Null: it may be. */
static const char *base_refused(const char *image, const char *base)
{
    size_t dir = 0;
    for (size_t i = 0; image[i]; i++)
        dir = image[i] == '/' ? i + 1 : dir;
    if (base[0] == '/') {
        for (size_t i = 0; i < dir; i++)
            if (base[i] != image[i])
                return "lies in another folder, where an image must not lead its guest; put it, or a link to it, beside the image";
        if (!dir)
            return "is named from the root; name the image so, too";
        base += dir;
    }
    for (size_t i = 0; base[i]; i++)
        if (base[i] == '.' && base[i + 1] == '.' && (i == 0 || base[i - 1] == '/') && (base[i + 2] == '/' || !base[i + 2]))
            return "is named with .., where an image must not lead its guest; put it, or a link to it, beside the image";
    return 0;
}

static int open_base(struct image_file *above, const char *name, unsigned depth, struct image_file **out, char *why)
{
    const char *no = base_refused(image_file_name(above), name);
    if (depth == IMAGE_DEPTH)
        image_say(why, "%s: images are based on one another more than %u deep, or in a circle", image_file_name(above), IMAGE_DEPTH);
    else if (no)
        image_say(why, "%.60s: the image below it %s", image_file_name(above), no);
    else
        return image_file_beside(above, name, out, why);
    return -IMAGE_EINVAL;
}

int image_open(struct image_file *f, enum loop_format format, bool read_only, struct image **out, char *why)
{
    struct image *top = 0, **at = &top;
    char *backing = image_alloc(IMAGE_PATH);
    int rc = backing ? 0 : -IMAGE_ENOMEM;
    why[0] = 0;
    if (rc)
        image_file_close(f);
    for (unsigned depth = 0; rc == 0; depth++) {
        rc = open_one(f, format, read_only || depth, at, backing, &format, why);
        if (rc || !backing[0])
            break;
        rc = open_base(f, backing, depth + 1, &f, why);
        at = &(*at)->backing;
    }
    image_free(backing);
    if (rc && top) {
        top->read_only = true;                   /* nothing was written: nothing to flush */
        image_close(top);
    }
    if (rc && !why[0])
        image_say(why, "the image cannot be opened: error %d", -rc);
    *out = rc ? 0 : top;
    return rc;
}
