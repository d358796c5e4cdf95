/* SPDX-License-Identifier: MIT */
/* copy.h: the only way to a guest's memory: by virtual address, in the address space that is loaded now, checked to lie outside the
 * hypervisor, under the exception table and with SMAP opened for just the copy.                                                     */
#ifndef ENSO_COPY_H
#define ENSO_COPY_H

#include "hypervisor/model.h"

/* [a, a+n) is canonical and touches nothing of the hypervisor's. */
static inline bool gva_range_ok(gva_t a, uint64_t n)
{
    uint64_t end = a.raw + n;
    return end >= a.raw && ((end <= 0x0000800000000000UL) || (a.raw >= HV_END));
}
/* 0, or -EFAULT: nothing is known of dst then. The caller copies each value once. */
int copy_from_guest(void *dst, gva_t src, size_t n);
int copy_to_guest(gva_t dst, const void *src, size_t n);
int clear_guest(gva_t dst, size_t n);
/* Small fixed sizes, inline and fast; same errors. */
int copy_from_guest_8(uint64_t *dst, gva_t src);
int copy_to_guest_8(gva_t dst, uint64_t v);
/* Compare-exchange on guest memory of 1, 2, 4 or 8 aligned bytes: 0 with *seen, or -EFAULT. */
int cmpxchg_guest(gva_t p, unsigned size, uint64_t expected, uint64_t new_value, uint64_t *seen);
/* Element i of an array of elements of `size` at base. */
static inline gva_t gva_index(gva_t base, uint64_t i, size_t size) { return gva(base.raw + i * size); }

#endif
