/* SPDX-License-Identifier: MIT */
/* shared.h: memory that the other side changes whenever it likes.
 *
 * A source compiled with -fsanitize-coverage=trace-loads tells of each load before it is done. Where it is of memory said to be
 * shared, the dice decide whether what stands there changes first: so whoever reads a thing twice may find two things. */
#ifndef TESTS_FUZZ_SHARED_H
#define TESTS_FUZZ_SHARED_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tests/fuzz/dice.h"

static struct { uintptr_t at; size_t n; } shared[8];
static bool shared_changes;

static inline void shared_is(unsigned which, const void *at, size_t n)
{
    shared[which].at = (uintptr_t)at;
    shared[which].n = n;
}

static inline void shared_load(const void *p, size_t n)
{
    if (!shared_changes || !dice_left)
        return;
    for (unsigned i = 0; i < 8; i++)
        if ((uintptr_t)p - shared[i].at < shared[i].n) {
            uint8_t k = dice8();
            if (k >= 0xe0)
                dice_bytes((void *)(uintptr_t)p, n);
            else if (k >= 0xc0)
                *(uint8_t *)(uintptr_t)p ^= dice8();
            return;
        }
}

#define LOADS(n, type) void __sanitizer_cov_load##n(const type *p); void __sanitizer_cov_load##n(const type *p) { shared_load(p, n); }
LOADS(1, uint8_t)
LOADS(2, uint16_t)
LOADS(4, uint32_t)
LOADS(8, uint64_t)
LOADS(16, __uint128_t)

#endif
