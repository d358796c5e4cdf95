/* SPDX-License-Identifier: MIT */
/* unpack_gzip.c: gzip through zlib's inflate.                                */
#include "dom0-tools/builder/unpack.h"

#include <stdlib.h>
#include <zlib.h>

static void *gzip_begin(void)
{
    z_stream *z = calloc(1, sizeof(*z));

    if (z && inflateInit2(z, 16 + MAX_WBITS) != Z_OK) {
        free(z);
        z = NULL;
    }
    return z;
}

static enum unpack_result gzip_run(void *state, struct unpack_io *io)
{
    z_stream *z = state;
    int rc;

    z->next_in = (Bytef *)(uintptr_t)io->in;
    z->avail_in = (uInt)io->in_left;
    z->next_out = io->out;
    z->avail_out = (uInt)io->out_left;
    rc = inflate(z, Z_NO_FLUSH);
    io->in = z->next_in;
    io->in_left = z->avail_in;
    io->out = z->next_out;
    io->out_left = z->avail_out;
    if (rc == Z_STREAM_END)
        return UNPACK_END;
    if (rc == Z_MEM_ERROR)
        return UNPACK_NO_MEMORY;
    return rc == Z_OK || rc == Z_BUF_ERROR ? UNPACK_MORE : UNPACK_BAD;
}

static void gzip_end(void *state)
{
    inflateEnd(state);
    free(state);
}

const struct unpacker unpack_gzip = { "gzip", { 0x1f, 0x8b, 0x08 }, 3, gzip_begin, gzip_run, gzip_end };
