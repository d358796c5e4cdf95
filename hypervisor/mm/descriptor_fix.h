/* SPDX-License-Identifier: MIT */
/* descriptor_fix.h: may a guest have this descriptor, and what must be changed in it? Pure, for the host tests. */
#ifndef ENSO_DESCRIPTOR_FIX_H
#define ENSO_DESCRIPTOR_FIX_H

#include <stdbool.h>
#include <stdint.h>

#define DESC_ACCESSED (1UL << 40)
#define DESC_TYPE     (15UL << 40)
#define DESC_SEGMENT  (1UL << 44)          /* code or data, not a system descriptor or gate */
#define DESC_DPL      (3UL << 45)
#define DESC_PRESENT  (1UL << 47)

/* Checks one descriptor and fixes it in place (DPL raised to 3, accessed bit set). False: refused (gates, system). A segment
 * that is not present only faults, and type 0 of the system ones is no descriptor to the CPU: both pass as they are. */
static inline bool descriptor_fix(uint64_t *desc)
{
    if (!(*desc & DESC_PRESENT))
        return true;
    if (!(*desc & DESC_SEGMENT))
        return !(*desc & DESC_TYPE);
    if ((*desc & (DESC_DPL | DESC_ACCESSED)) != (DESC_DPL | DESC_ACCESSED))
        *desc |= DESC_DPL | DESC_ACCESSED;
    return true;
}

#endif
