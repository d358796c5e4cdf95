/* SPDX-License-Identifier: MIT */
/* unpack_zstd.c: zstd through libzstd's streaming decoder.                   */
#include "dom0-tools/builder/unpack.h"

#include <zstd.h>
#include <zstd_errors.h>

static void *zstd_begin(void)
{
    ZSTD_DStream *z = ZSTD_createDStream();

    /* Kernels are packed with windows up to 128 MiB (`zstd -22`). */
    if (z)
        ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 27);
    return z;
}

static enum unpack_result zstd_run(void *state, struct unpack_io *io)
{
    ZSTD_inBuffer in = { io->in, io->in_left, 0 };
    ZSTD_outBuffer out = { io->out, io->out_left, 0 };
    size_t rc = ZSTD_decompressStream(state, &out, &in);

    io->in += in.pos;
    io->in_left -= in.pos;
    io->out += out.pos;
    io->out_left -= out.pos;
    if (ZSTD_isError(rc))
        return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation ||
               ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge ? UNPACK_NO_MEMORY : UNPACK_BAD;
    return rc == 0 ? UNPACK_END : UNPACK_MORE;
}

static void zstd_end(void *state)
{
    ZSTD_freeDStream(state);
}

const struct unpacker unpack_zstd = { "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, zstd_begin, zstd_run, zstd_end };
