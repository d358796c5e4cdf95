/* SPDX-License-Identifier: MIT */
/* dice.h: the decisions of a fuzz target, drawn from libFuzzer's bytes.
 *
 * The worlds of tests/host take their decisions by dice. A target gives them these dice: then coverage, and not chance, decides
 * which sequences are kept and grown. When the bytes are used up, every draw is 0 and `dice_left` is 0: the target ends. */
#ifndef TESTS_FUZZ_DICE_H
#define TESTS_FUZZ_DICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern const uint8_t *dice_at;
extern size_t dice_left;

/* Once a target; its seeds are noise, long enough that something happens. */
#define DICE_OF_THIS_TARGET                                             \
    const uint8_t *dice_at;                                             \
    size_t dice_left;                                                   \
    size_t fuzz_seed(unsigned n, uint8_t *data, size_t room);           \
    size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)            \
    {                                                                   \
        uint64_t x = n + 1;                                             \
        size_t size = n < 8 ? 200u << n % 4 : 0;                        \
        for (size_t i = 0; i < size && i < room; i++)                   \
            data[i] = (uint8_t)((x = x * 6364136223846793005u + 1442695040888963407u) >> 40); \
        return size;                                                    \
    }                                                                   \
    int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)

static inline void dice_begin(const uint8_t *bytes, size_t n)
{
    dice_at = bytes;
    dice_left = n;
}

/* n bytes as they are; zeros when there are no more. */
static inline void dice_bytes(void *to, size_t n)
{
    size_t have = n < dice_left ? n : dice_left;
    memset(to, 0, n);
    if (have)
        memcpy(to, dice_at, have);
    dice_at += have;
    dice_left -= have;
}

static inline uint8_t  dice8(void)  { uint8_t v;  dice_bytes(&v, 1); return v; }
static inline uint16_t dice16(void) { uint16_t v; dice_bytes(&v, 2); return v; }
static inline uint32_t dice32(void) { uint32_t v; dice_bytes(&v, 4); return v; }
static inline uint64_t dice64(void) { uint64_t v; dice_bytes(&v, 8); return v; }

/* 0 .. sides - 1, of as few bytes as can tell: short inputs are easier to vary. 0 for 0. */
static inline uint32_t dice(uint32_t sides)
{
    if (sides <= 1)
        return 0;
    return (sides <= 256 ? dice8() : sides <= 65536 ? dice16() : dice32()) % sides;
}

#endif
