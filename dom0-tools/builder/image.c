/* SPDX-License-Identifier: MIT */
/* image.c: bytes out of files, unpacked on the way (image.h).                */
#include "dom0-tools/builder/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0-tools/builder/bzimage.h"
#include "dom0-tools/builder/unpack.h"
#include "dom0-tools/libenso/text.h"

#define IMAGE_BUF (64u << 10)

/* A few KiB of zeros can be packed as many GiB, and headers can send the reader to their end and back again: what no honest kernel
 * needs is not done, or a guest's disk would keep a processor of dom0's for hours. */
#define UNPACK_MOST (1ull << 30)
#define UNPACK_WORK (4ull << 30)

static int about(struct image *im, struct complaint *why)
{
    return complain_about(why, im->path);
}

int image_open(struct image *im, const char *path, struct complaint *why)
{
    struct stat st;

    memset(im, 0, sizeof(*im));
    text_copy(im->path, sizeof(im->path), path);
    im->kind = "file";
    im->fd = open(path, O_RDONLY);
    if (im->fd < 0)
        return complain(why, "%s: cannot open it: %s", path, strerror(errno));
    if (fstat(im->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        image_close(im);
        return complain(why, "%s: not a regular file", path);
    }
    im->file_size = im->len = (uint64_t)st.st_size;
    return 0;
}

/* Bytes of the file itself, never past the part we look at. */
static int read_packed(struct image *im, uint64_t off, void *buf, size_t n, struct complaint *why)
{
    uint8_t *to = buf;

    if (off > im->len || n > im->len - off) {
        complain(why, "the file is truncated: bytes %llu to %llu are wanted, it has %llu", (unsigned long long)off,
                 (unsigned long long)(off + n), (unsigned long long)im->len);
        return about(im, why);
    }
    if (lseek(im->fd, (off_t)(im->from + off), SEEK_SET) < 0) {
        complain(why, "cannot seek: %s", strerror(errno));
        return about(im, why);
    }
    while (n) {
        ssize_t got = read(im->fd, to, n);

        if (got <= 0) {
            complain(why, "cannot read: %s", got < 0 ? strerror(errno) : "it ended early");
            return about(im, why);
        }
        to += got;
        n -= (size_t)got;
    }
    return 0;
}

/* ---- the stream ------------------------------------------------------------------ */

static int stream_start(struct image *im, struct complaint *why)
{
    if (im->state)
        im->how->end(im->state);
    im->state = im->how->begin();
    if (!im->buf)
        im->buf = malloc(IMAGE_BUF);
    im->out = im->in = 0;
    im->buf_at = im->buf_end = 0;
    im->ended = 0;
    if (im->state && im->buf)
        return 0;
    complain(why, "not enough memory in dom0 to unpack it (%s)", im->how->name);
    return about(im, why);
}

static int stream_fill(struct image *im, struct complaint *why)
{
    size_t n = im->len - im->in < IMAGE_BUF ? (size_t)(im->len - im->in) : IMAGE_BUF;

    if (n && read_packed(im, im->in, im->buf, n, why))
        return -1;
    im->in += n;
    im->buf_at = 0;
    im->buf_end = n;
    return 0;
}

/* The next n unpacked bytes into buf. */
static int stream_take(struct image *im, void *buf, size_t n, struct complaint *why)
{
    struct unpack_io io = { .out = buf, .out_left = n };

    while (io.out_left) {
        enum unpack_result rc = UNPACK_END;
        size_t had = io.out_left;

        if (!im->ended) {
            if (im->buf_at == im->buf_end && stream_fill(im, why))
                return -1;
            io.in = im->buf + im->buf_at;
            io.in_left = im->buf_end - im->buf_at;
            rc = im->how->run(im->state, &io);
            im->buf_at = im->buf_end - io.in_left;
            im->ended = rc == UNPACK_END;
        }
        if (rc == UNPACK_BAD)
            complain(why, "the %s data in it is corrupt", im->how->name);
        else if (rc == UNPACK_NO_MEMORY)
            complain(why, "not enough memory in dom0 to unpack it (%s)", im->how->name);
        else if ((im->ended && io.out_left) || (io.out_left == had && im->buf_at == im->buf_end && im->in == im->len))
            complain(why, "truncated: it unpacks to %llu bytes, and more are wanted",
                     (unsigned long long)(im->out + n - io.out_left));
        else
            continue;
        return about(im, why);
    }
    im->out += n;
    return 0;
}

static int stream_skip(struct image *im, uint64_t to, struct complaint *why)
{
    static uint8_t waste[16384];

    while (im->out < to) {
        uint64_t n = to - im->out;

        if (stream_take(im, waste, n < sizeof(waste) ? (size_t)n : sizeof(waste), why))
            return -1;
    }
    return 0;
}

static int check_work(struct image *im, uint64_t off, size_t n, struct complaint *why)
{
    if (off > UNPACK_MOST || n > UNPACK_MOST - off) {
        complain(why, "its headers name byte %llu of what it unpacks to; a kernel may have %llu MiB", (unsigned long long)off, UNPACK_MOST >> 20);
        return about(im, why);
    }
    im->work += off + n - (off < im->out ? 0 : im->out);
    if (im->work <= UNPACK_WORK)
        return 0;
    complain(why, "its headers send the reader back and forth in what it unpacks to; more than %llu MiB are not unpacked", UNPACK_WORK >> 20);
    return about(im, why);
}

int image_read(struct image *im, uint64_t off, void *buf, size_t n, struct complaint *why)
{
    if (!im->how)
        return read_packed(im, off, buf, n, why);
    if (check_work(im, off, n, why))
        return -1;
    if ((!im->state || off < im->out) && stream_start(im, why))
        return -1;
    if (stream_skip(im, off, why))
        return -1;
    return stream_take(im, buf, n, why);
}

void image_close(struct image *im)
{
    if (im->how && im->state)
        im->how->end(im->state);
    free(im->buf);
    if (im->fd >= 0)
        close(im->fd);
    im->fd = -1;
    im->state = NULL;
    im->buf = NULL;
}

/* ---- kernels ---------------------------------------------------------------------- */

static int not_a_kernel(struct image *im, const char *what, struct complaint *why)
{
    complain(why, "%s; expected an ELF64 kernel with Xen notes, or a Linux bzImage", what);
    about(im, why);
    image_close(im);
    return -1;
}

int image_open_kernel(struct image *im, const char *path, struct complaint *why)
{
    uint8_t head[BZIMAGE_HEAD];
    size_t n;
    bool linux_image;

    if (image_open(im, path, why))
        return -1;
    n = im->len < sizeof(head) ? (size_t)im->len : sizeof(head);
    if (n < 16)
        return not_a_kernel(im, "the file is too short to be a kernel", why);
    if (read_packed(im, 0, head, n, why)) {
        image_close(im);
        return -1;
    }
    linux_image = bzimage_is(head, n);
    if (linux_image) {
        uint64_t from, len;

        if (bzimage_payload(head, n, im->file_size, &from, &len, why)) {
            about(im, why);
            image_close(im);
            return -1;
        }
        im->from = from;
        im->len = len;
        if (read_packed(im, 0, head, 16, why)) {
            image_close(im);
            return -1;
        }
    }
    im->kind = linux_image ? "bzImage" : "ELF";
    if (memcmp(head, "\177ELF", 4) == 0)
        return 0;
    im->how = unpack_find(head, 16);
    if (!im->how)
        return not_a_kernel(im, linux_image ? "a bzImage packed in a way that is not known here (gzip, xz, zstd, lz4 are)"
                                            : "neither an ELF nor a bzImage nor compressed", why);
    return 0;
}
