/* SPDX-License-Identifier: MIT */
/* balloon_pressure.c: how short of memory a domain is, in one number. */
#include "pv-drivers/balloon.h"

static uint64_t clamp(uint64_t n, uint64_t lo, uint64_t hi) { return n < lo ? lo : n > hi ? hi : n; }

/* Little that is available counts up to 60, reading back from swap up to 30, waiting for memory some. */
unsigned balloon_pressure(const struct balloon_state *before, const struct balloon_state *now, uint64_t ms)
{
    uint64_t low = now->current / 16, plenty = now->current / 4, seconds = ms / 1000 ? ms / 1000 : 1;
    uint64_t have = clamp(now->available, low, plenty);
    uint64_t want = plenty > low ? 60 * (plenty - have) / (plenty - low) : 0;
    uint64_t reads = (now->swap_in - before->swap_in) / seconds, waits = (now->stalls - before->stalls) / seconds;
    return (unsigned)clamp(want + clamp(reads / 10, 0, 30) + clamp(waits, 0, 10), 0, 100);
}
