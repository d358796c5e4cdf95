/* SPDX-License-Identifier: MIT */
/* timepage.h: the time without a system call.
 *
 * Every process finds this page, read-only, at TIME_PAGE. Its first 32 bytes are a scale from the TSC to nanoseconds, in
 * the layout of Xen's vcpu_time_info, because under PV the hypervisor itself writes them, a new stamp whenever the vCPU
 * comes to another pCPU. To read: take version (odd: being written, again), the TSC, and the rest; look at version again.
 * A clock so read may step back by a little where two pCPUs' TSCs differ: clamp it. version 0 means: no page, ask by call. */
#ifndef NOVICE_UAPI_TIMEPAGE_H
#define NOVICE_UAPI_TIMEPAGE_H

#include <stdint.h>

#define TIME_PAGE 0x3ffff000ul

struct time_page {
    uint32_t version, pad0;
    uint64_t tsc_stamp;       /* the TSC when ...                                                    */
    uint64_t stamp_ns;        /* ... the platform's clock read this                                  */
    uint32_t mul;             /* ns = stamp_ns + (((tsc - tsc_stamp) << shift) * mul >> 32)           */
    int8_t   shift;           /* negative: to the right                                              */
    uint8_t  flags, pad1[2];
    uint64_t boot_ns;         /* CLOCK_MONOTONIC = ns - boot_ns                                      */
    uint64_t wall_ns;         /* CLOCK_REALTIME = CLOCK_MONOTONIC + wall_ns                          */
};

#endif
