/* SPDX-License-Identifier: MIT */
/* blkmeasure.h: an ioctl of block devices, so that a program of one thread can have many requests in flight. */
#ifndef UAPI_BLKMEASURE_H
#define UAPI_BLKMEASURE_H

#include <stdint.h>

#define BLKMEASURE 0x12f0

struct blk_measure {
    uint32_t write, random;       /* else read; else one after another */
    uint32_t bytes;               /* of a request: a multiple of 4096, up to 1 MiB */
    uint32_t depth;               /* requests in flight: 1 to 64, no more than 16 MiB in all */
    uint64_t count;               /* requests to make                  */
    uint64_t span;                /* bytes from the device's start that they may touch */
    uint64_t ns;                  /* out: from the first to the last   */
};

#endif
