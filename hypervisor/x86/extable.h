/* SPDX-License-Identifier: MIT */
/* extable.h: instructions that may fault on a guest's value, and where to go if they do.
 *
 * EXTABLE(from, to) inside inline assembly puts a pair of addresses into section .extable; a fault at
 * `from` in ring 0 continues at `to` (guest/trap.c asks extable_find). Anything else that faults in
 * ring 0 is a bug of ours.                                                                          */
#ifndef ENSO_EXTABLE_H
#define ENSO_EXTABLE_H

#ifdef __ASSEMBLER__
.macro EXTABLE from, to
    .pushsection .extable, "a"
    .balign 8
    .quad \from, \to
    .popsection
.endm
#else
#include <stdint.h>
#define EXTABLE(from, to) \
    ".pushsection .extable,\"a\"\n.balign 8\n.quad " from ", " to "\n.popsection\n"
/* 0: no entry. */
uint64_t extable_find(uint64_t rip);
#endif

#endif
