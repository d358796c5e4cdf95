/* SPDX-License-Identifier: MIT */
/* console.h: the console's page: two byte rings with free-running counters. The guest writes out, whoever
 * keeps its console writes in; an event is sent after each change. SPEC 11.1.                           */
#ifndef ENSO_ABI_IO_CONSOLE_H
#define ENSO_ABI_IO_CONSOLE_H

#include <stdint.h>

typedef uint32_t XENCONS_RING_IDX;
#define MASK_XENCONS_IDX(idx, ring) ((idx) & (sizeof(ring) - 1))

struct xencons_interface {
    char in[1024];
    char out[2048];
    XENCONS_RING_IDX in_cons, in_prod;
    XENCONS_RING_IDX out_cons, out_prod;
};

#endif
