/* SPDX-License-Identifier: MIT */
/* unpack_xz.c: xz through liblzma; what Debian's kernels are packed with.    */
#include "dom0-tools/builder/unpack.h"

#include <lzma.h>
#include <stdlib.h>

/* A kernel's dictionary is at most 32 MiB; a hostile file may ask for more. */
#define XZ_MEMORY (80ull << 20)

static void *xz_begin(void)
{
    lzma_stream *x = malloc(sizeof(*x));

    if (!x)
        return NULL;
    *x = (lzma_stream)LZMA_STREAM_INIT;
    if (lzma_stream_decoder(x, XZ_MEMORY, 0) != LZMA_OK) {
        free(x);
        x = NULL;
    }
    return x;
}

static enum unpack_result xz_run(void *state, struct unpack_io *io)
{
    lzma_stream *x = state;
    lzma_ret rc;

    x->next_in = io->in;
    x->avail_in = io->in_left;
    x->next_out = io->out;
    x->avail_out = io->out_left;
    rc = lzma_code(x, LZMA_RUN);
    io->in = x->next_in;
    io->in_left = x->avail_in;
    io->out = x->next_out;
    io->out_left = x->avail_out;
    if (rc == LZMA_STREAM_END)
        return UNPACK_END;
    if (rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR)
        return UNPACK_NO_MEMORY;
    return rc == LZMA_OK || rc == LZMA_BUF_ERROR ? UNPACK_MORE : UNPACK_BAD;
}

static void xz_end(void *state)
{
    lzma_end(state);
    free(state);
}

const struct unpacker unpack_xz = { "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, xz_begin, xz_run, xz_end };
