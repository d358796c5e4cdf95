/* SPDX-License-Identifier: MIT */
/* image.h: a kernel or ramdisk as a row of bytes, whatever it is packed in.
 *
 * A plain file is read where one asks. A compressed one is a stream: reading
 * forward unpacks on the way, reading back starts again from the beginning,
 * and nothing unpacked is kept, so an image of 60 MiB needs no 60 MiB here.  */
#ifndef ENSO_IMAGE_H
#define ENSO_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "dom0-tools/libenso/complaint.h"

struct unpacker;

struct image {
    char     path[256];
    int      fd;
    uint64_t file_size;
    uint64_t from, len;           /* the packed or plain part of the file       */
    const struct unpacker *how;   /* NULL: plain                                */
    void    *state;
    uint64_t out;                 /* how many unpacked bytes have been handed on */
    uint64_t in;                  /* how many packed bytes have been read        */
    uint64_t work;                /* bytes unpacked in all, those read again too */
    uint8_t *buf;                 /* IMAGE_BUF packed bytes                      */
    size_t   buf_at, buf_end;
    int      ended;
    const char *kind;             /* "ELF", "bzImage (xz)": for people           */
};

/* Opens a file as it is. */
int image_open(struct image *im, const char *path, struct complaint *why);

/* Opens a kernel: finds the ELF in a bzImage, or in a compressed file. */
int image_open_kernel(struct image *im, const char *path, struct complaint *why);

/* Exactly n bytes at off, or -1 with a sentence (truncated, corrupt, ...). */
int image_read(struct image *im, uint64_t off, void *buf, size_t n, struct complaint *why);

void image_close(struct image *im);

#endif
