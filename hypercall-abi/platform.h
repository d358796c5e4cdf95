/* SPDX-License-Identifier: MIT */
/* platform.h: the control domain's word on the wall clock; the rest of Xen's platform operations are not
 * here. SPEC 14.4.                                                                                      */
#ifndef ENSO_ABI_PLATFORM_H
#define ENSO_ABI_PLATFORM_H

#include "abi.h"

#define XENPF_INTERFACE_VERSION 0x03000001

#define XENPF_settime32 17
#define XENPF_settime64 62

struct xenpf_settime32 {
    uint32_t secs;
    uint32_t nsecs;
    uint64_t system_time; /* at which that was the time */
};

struct xenpf_settime64 {
    uint64_t secs;
    uint32_t nsecs;
    uint32_t mbz;
    uint64_t system_time;
};

struct xen_platform_op {
    uint32_t cmd;
    uint32_t interface_version; /* XENPF_INTERFACE_VERSION */
    union {
        struct xenpf_settime32 settime32;
        struct xenpf_settime64 settime64;
        uint8_t pad[128];
    } u;
};

#endif
