/* SPDX-License-Identifier: MIT */
/* extable.c: finds the way out for an instruction that was allowed to fault.                            [read 6]
 *
 * A few dozen entries, looked at only after a fault: a linear search is the whole of it. */
#include "hypervisor/x86/extable.h"

struct extable_entry { uint64_t from, to; };
extern const struct extable_entry __extable_start[], __extable_end[];

uint64_t extable_find(uint64_t rip)
{
    for (const struct extable_entry *e = __extable_start; e < __extable_end; e++)
        if (e->from == rip)
            return e->to;
    return 0;
}
