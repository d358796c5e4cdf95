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
