/* SPDX-License-Identifier: MIT */
/* unpack_lz4.c: lz4's legacy frame, the one that Linux kernels use: a magic
 * word, then blocks, each a 32-bit length and that many packed bytes, which
 * unpack to at most 8 MiB. Blocks are gathered, unpacked whole, handed on.   */
#include "dom0-tools/builder/unpack.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_OUT  (8u << 20)
#define BLOCK_IN   LZ4_COMPRESSBOUND(BLOCK_OUT)

struct lz4_state {
    uint8_t  head[4];
    unsigned head_got;
    int      past_magic;
    uint32_t in_want, in_got;
    uint32_t out_at, out_end;
    uint8_t  in[BLOCK_IN], out[BLOCK_OUT];
};

static void *lz4_begin(void)
{
    struct lz4_state *s = malloc(sizeof(*s));

    if (s)
        memset(s, 0, offsetof(struct lz4_state, in));
    return s;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A length word is complete: the magic first, later a block's size. */
static enum unpack_result lz4_word(struct lz4_state *s)
{
    uint32_t word = s->head[0] | s->head[1] << 8 | s->head[2] << 16 | (uint32_t)s->head[3] << 24;

    s->head_got = 0;
    if (!s->past_magic) {
        s->past_magic = 1;
        return UNPACK_MORE;
    }
    /* What follows the last block in a kernel is no block: its own size. */
    if (word == 0 || word > BLOCK_IN)
        return UNPACK_END;
    s->in_want = word;
    s->in_got = 0;
    return UNPACK_MORE;
}

static enum unpack_result lz4_block(struct lz4_state *s)
{
    int n = LZ4_decompress_safe((const char *)s->in, (char *)s->out, (int)s->in_want, BLOCK_OUT);

    if (n < 0)
        return UNPACK_BAD;
    s->in_want = 0;
    s->out_at = 0;
    s->out_end = (uint32_t)n;
    return UNPACK_MORE;
}

static enum unpack_result lz4_run(void *state, struct unpack_io *io)
{
    struct lz4_state *s = state;
    enum unpack_result rc = UNPACK_MORE;

    while (rc == UNPACK_MORE) {
        size_t n = smaller(s->out_end - s->out_at, io->out_left);

        memcpy(io->out, s->out + s->out_at, n);
        io->out += n;
        io->out_left -= n;
        s->out_at += (uint32_t)n;
        if (s->out_at < s->out_end || !io->in_left)
            break;
        if (!s->in_want) {
            s->head[s->head_got++] = *io->in++;
            io->in_left--;
            if (s->head_got == 4)
                rc = lz4_word(s);
            continue;
        }
        n = smaller(s->in_want - s->in_got, io->in_left);
        memcpy(s->in + s->in_got, io->in, n);
        io->in += n;
        io->in_left -= n;
        s->in_got += (uint32_t)n;
        if (s->in_got == s->in_want)
            rc = lz4_block(s);
    }
    return rc;
}

const struct unpacker unpack_lz4 = { "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, lz4_begin, lz4_run, free };
