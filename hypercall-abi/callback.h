/* SPDX-License-Identifier: MIT */
/* callback.h: entry points of a guest kernel other than its trap table. SPEC 7.3.                      */
#ifndef ENSO_ABI_CALLBACK_H
#define ENSO_ABI_CALLBACK_H

#include "abi.h"

#define CALLBACKOP_register   0
#define CALLBACKOP_unregister 1

#define CALLBACKTYPE_event               0
#define CALLBACKTYPE_failsafe            1
#define CALLBACKTYPE_syscall             2
#define CALLBACKTYPE_sysenter_deprecated 3
#define CALLBACKTYPE_nmi                 4
#define CALLBACKTYPE_sysenter            5
#define CALLBACKTYPE_syscall32           7

#define CALLBACKF_mask_events (1U << 0) /* mask events when it is entered */

struct callback_register {
    uint16_t type;  /* CALLBACKTYPE_* */
    uint16_t flags; /* CALLBACKF_* */
    xen_callback_t address;
};

struct callback_unregister {
    uint16_t type;
    uint16_t _unused;
};

#endif
