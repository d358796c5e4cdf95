/* SPDX-License-Identifier: MIT */
/* hidden.h: included before every C file (sources.mk): all that is declared lies in this one image, so the compiler reaches it
 * relative to rip and needs no table of addresses. */
#pragma GCC visibility push(hidden)
