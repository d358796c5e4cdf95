/* SPDX-License-Identifier: MIT */
/* copy.c: the rarer ways to a guest's memory; copy.h has the hot ones inline.                 [read 23]
 *
 * A guest may unmap its buffer while we use it, so each access stands in the exception table, and a fault
 * ends the copy instead of the machine. The address is checked against the hypervisor's own range at each
 * use, element by element, never once for a whole array (XSA-29, XSA-212).                               */
#include "hypervisor/mm/copy.h"

int clear_guest(gva_t dst, size_t n)
{
    uint64_t left = n, words = n / 8, at = dst.raw;

    if (!gva_range_ok(dst, n))
        return -XEN_EFAULT;
    stac();
    __asm__ volatile("1: rep stosq\n   mov %[rest], %%rcx\n2: rep stosb\n   xor %[left], %[left]\n3:\n"
                     EXTABLE("1b", "3b") EXTABLE("2b", "3b")
                     : "+c"(words), "+D"(at), [left] "+r"(left) : "a"(0UL), [rest] "r"(n % 8) : "memory");
    clac();
    return left ? -XEN_EFAULT : 0;
}

/* One compare-exchange of the operand size that `suffix` and `r` (the register's modifier) name. */
#define CMPXCHG(suffix, r)                                                                              \
    __asm__ volatile("1: lock cmpxchg" suffix " %" r "[new], (%[p])\n   xor %[rc], %[rc]\n2:\n" EXTABLE("1b", "2b") \
                     : "+a"(expected), [rc] "+r"(rc) : [new] "r"(new_value), [p] "r"(p.raw) : "memory")

int cmpxchg_guest(gva_t p, unsigned size, uint64_t expected, uint64_t new_value, uint64_t *seen)
{
    int rc = -XEN_EFAULT;

    if (!gva_range_ok(p, size) || (p.raw & (size - 1)))
        return rc;
    stac();
    switch (size) {
    case 1: CMPXCHG("b", "b"); expected &= 0xff; break;
    case 2: CMPXCHG("w", "w"); expected &= 0xffff; break;
    case 4: CMPXCHG("l", "k"); expected &= 0xffffffff; break;
    case 8: CMPXCHG("q", ""); break;
    }
    clac();
    *seen = expected;
    return rc;
}
