/* SPDX-License-Identifier: MIT */
/* loop.h: image files as block devices (/dev/loop-control), and a kernel-side load on a block device (BLKBENCH). */
#ifndef NOVICE_UAPI_LOOP_H
#define NOVICE_UAPI_LOOP_H

#include <stdint.h>

enum loop_format { LOOP_AUTO, LOOP_RAW, LOOP_QCOW2 };

/* ioctl on /dev/loop-control. `why` gets a sentence when the result is an error. */
#define LOOP_ATTACH 0x4c01      /* in: path, format, read_only; out: name, size */
#define LOOP_DETACH 0x4c02      /* in: name ("loop0"); -EBUSY while in use      */
struct loop_request {
    char     path[256];
    uint32_t format, read_only;
    char     name[24];          /* "loop0": the device is /dev/loop0, there when the call returns */
    uint64_t size;              /* bytes */
    char     why[160];
};

/* ioctl on an open block device: runs `total` requests of `bytes` each, `depth` at a time, and says how long it took. */
#define BLKBENCH 0x4c10
struct blkbench {
    uint32_t bytes, depth;      /* bytes: a multiple of 512, at most 1 MiB; depth 1..128 */
    uint32_t write, random;
    uint64_t total;             /* requests */
    uint64_t span;              /* bytes of the device's beginning that are used; 0: all */
    uint64_t seed;
    uint64_t nanoseconds;       /* out */
    uint64_t errors;            /* out */
};

#endif
