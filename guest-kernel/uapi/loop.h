/* SPDX-License-Identifier: MIT */
/* loop.h: image files as block devices (/dev/loop-control). */
#ifndef NOVICE_UAPI_LOOP_H
#define NOVICE_UAPI_LOOP_H

#include <stdint.h>

enum loop_format { LOOP_AUTO, LOOP_RAW, LOOP_QCOW2 };

/* ioctl on /dev/loop-control. `why` gets a sentence when the result is an error. */
#define LOOP_ATTACH 0x4c01      /* in: path, format, read_only; out: name, size */
#define LOOP_DETACH 0x4c02      /* in: name ("loop0"); -EBUSY while in use      */
#define LOOP_KEEP   0x4c03      /* in: name; a tied one stays from now on       */
struct loop_request {
    char     path[256];
    uint32_t format, read_only;
    char     name[24];          /* "loop0": the device is /dev/loop0, there when the call returns */
    uint64_t size;              /* bytes */
    char     why[160];
    uint32_t tied, zero;        /* it goes when the file that this call is made on is closed, and nobody else may detach it */
};

#endif
