/* SPDX-License-Identifier: MIT */
/* copy.h: the only way to a guest's memory: by virtual address, in the address space that is loaded now, checked to lie outside the
 * hypervisor, under the exception table and with SMAP opened for just the copy.                                                     */
#ifndef ENSO_COPY_H
#define ENSO_COPY_H

#include "hypercall-abi/errno.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/insn.h"

/* [a, a+n) is canonical and touches nothing of the hypervisor's. */
static inline bool gva_range_ok(gva_t a, uint64_t n)
{
    uint64_t end = a.raw + n;
    return end >= a.raw && ((end <= 0x0000800000000000UL) || (a.raw >= HV_END));
}

/* The same for n bytes that are reached one by one, each under the exception table: which of them are canonical the CPU tells
 * at each, and one that wraps is the guest's again. Only the hypervisor's own range is left to ask about. */
static inline bool gva_off_hypervisor(gva_t a, uint64_t n)
{
    return a.raw - HV_START + (n - 1) >= HV_END - HV_START + (n - 1);
}

/* One word to a place of the guest's, access being open; where it cannot be written, on to the label `fault`, access still open. */
#define GUEST_PUT(place, value)                                                                     \
    __asm__ goto("1: movq %0, %1\n" EXTABLE("1b", "%l[fault]") :: "er"((uint64_t)(value)), "m"(place) : "memory" : fault)

/* The copies themselves: what could not be copied, in bytes; access is open, ranges are checked. */
static inline uint64_t copy_words(void *dst, const void *src, uint64_t words)
{
    __asm__ volatile("1: rep movsq\n2:\n" EXTABLE("1b", "2b") : "+c"(words), "+D"(dst), "+S"(src) :: "memory");
    return words * 8;
}
static inline uint64_t copy_bytes(void *dst, const void *src, uint64_t n)
{
    uint64_t words = n / 8, rest = n % 8;

    __asm__ volatile("1: rep movsq\n   mov %[rest], %%rcx\n2: rep movsb\n3:\n"
                     ".pushsection .text.fixup,\"ax\"\n4: lea (%[rest], %%rcx, 8), %%rcx\n jmp 3b\n.popsection\n"
                     EXTABLE("1b", "4b") EXTABLE("2b", "3b")
                     : "+c"(words), "+D"(dst), "+S"(src) : [rest] "r"(rest) : "memory");
    return words;
}
static inline uint64_t copy_any(void *dst, const void *src, size_t n)
{
    uint64_t left;

    stac();
    left = __builtin_constant_p(n) && n % 8 == 0 ? copy_words(dst, src, n / 8) : copy_bytes(dst, src, n);
    clac();
    return left;
}

/* 0, or -EFAULT: nothing is known of dst then. The caller copies each value once. */
static inline int copy_from_guest(void *dst, gva_t src, size_t n)
{
    if (!gva_range_ok(src, n))
        return -XEN_EFAULT;
    return copy_any(dst, (const void *)src.raw, n) ? -XEN_EFAULT : 0;
}
static inline int copy_to_guest(gva_t dst, const void *src, size_t n)
{
    if (!gva_range_ok(dst, n))
        return -XEN_EFAULT;
    return copy_any((void *)dst.raw, src, n) ? -XEN_EFAULT : 0;
}
/* As copy_from_guest of n (a multiple of 8), but the value is how many bytes could not be copied. */
static inline uint64_t copy_from_guest_part(void *dst, gva_t src, size_t n)
{
    uint64_t left;

    if (!gva_range_ok(src, n))
        return n;
    stac();
    left = copy_words(dst, (const void *)src.raw, n / 8);
    clac();
    return left;
}
int clear_guest(gva_t dst, size_t n);

/* Small fixed sizes, inline and fast; same errors. */
static inline int copy_from_guest_8(uint64_t *dst, gva_t src)
{
    uint64_t value = 0;
    int rc = -XEN_EFAULT;

    if (!gva_range_ok(src, 8))
        return rc;
    stac();
    __asm__ volatile("1: mov (%2), %1\n   xor %0, %0\n2:\n" EXTABLE("1b", "2b") : "+r"(rc), "+r"(value) : "r"(src.raw) : "memory");
    clac();
    *dst = value;
    return rc;
}
/* Two neighbouring words; what is in them on -EFAULT does not matter. */
static inline int copy_from_guest_16(uint64_t *first, uint64_t *second, gva_t src)
{
    uint64_t a = 0, b = 0;
    int rc = -XEN_EFAULT;

    if (!gva_range_ok(src, 16))
        return rc;
    stac();
    __asm__ volatile("1: mov (%3), %1\n2: mov 8(%3), %2\n   xor %0, %0\n3:\n" EXTABLE("1b", "3b") EXTABLE("2b", "3b")
                     : "+r"(rc), "+&r"(a), "+r"(b) : "r"(src.raw) : "memory");
    clac();
    *first = a;
    *second = b;
    return rc;
}
static inline int copy_from_guest_4(uint32_t *dst, gva_t src)
{
    uint32_t value = 0;
    int rc = -XEN_EFAULT;

    if (!gva_range_ok(src, 4))
        return rc;
    stac();
    __asm__ volatile("1: mov (%2), %1\n   xor %0, %0\n2:\n" EXTABLE("1b", "2b") : "+r"(rc), "+r"(value) : "r"(src.raw) : "memory");
    clac();
    *dst = value;
    return rc;
}
static inline int copy_to_guest_8(gva_t dst, uint64_t v)
{
    int rc = -XEN_EFAULT;

    if (!gva_range_ok(dst, 8))
        return rc;
    stac();
    __asm__ volatile("1: mov %1, (%2)\n   xor %0, %0\n2:\n" EXTABLE("1b", "2b") : "+r"(rc) : "r"(v), "r"(dst.raw) : "memory");
    clac();
    return rc;
}
/* Element i of an array of elements of `size` at base. */
static inline gva_t gva_index(gva_t base, uint64_t i, size_t size) { return gva(base.raw + i * size); }

#endif
