/* SPDX-License-Identifier: MIT */
/* unpack.h: decompressors behind one shape.
 *
 * The libraries are the well-kept public ones (zlib, liblzma, libzstd, lz4),
 * fetched as Debian source packages; each has one small file here.           */
#ifndef ENSO_UNPACK_H
#define ENSO_UNPACK_H

#include <stddef.h>
#include <stdint.h>

struct unpack_io {
    const uint8_t *in;
    size_t in_left;
    uint8_t *out;
    size_t out_left;
};

enum unpack_result { UNPACK_MORE, UNPACK_END, UNPACK_BAD, UNPACK_NO_MEMORY };

struct unpacker {
    const char *name;
    uint8_t     magic[6];
    unsigned    magic_len;
    void       *(*begin)(void);                                  /* NULL: no memory */
    enum unpack_result (*run)(void *state, struct unpack_io *io); /* eats and fills as far as it can */
    void        (*end)(void *state);
};

extern const struct unpacker unpack_gzip, unpack_xz, unpack_zstd, unpack_lz4;

/* The unpacker whose magic these bytes start with, or NULL. */
const struct unpacker *unpack_find(const uint8_t *head, size_t n);

#endif
