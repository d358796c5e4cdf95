/* SPDX-License-Identifier: MIT */
/* guest_stubs.h: how a guest kernel calls the hypervisor, one inline function a hypercall.
 *
 * hypercall_mmu_update(reqs, count, done, domid) and its siblings are derived from hypercalls.def. Each
 * calls its 32-byte slot of the page `hypercall_page`, which the kernel provides (page-aligned, executable,
 * announced by the ELF note XEN_ELFNOTE_HYPERCALL_PAGE) and the hypervisor fills: which instruction enters
 * it is thus the hypervisor's business alone. SPEC 4.1.
 *
 * Pointers are passed as uint64_t: hypercall_sched_op(SCHEDOP_block, 0), (gva_t)(uintptr_t)&arg elsewhere;
 * gva() does that cast. The result is a long, negative for an error from errno.def.
 *
 * Arguments ride in rdi, rsi, rdx, r10, r8; the result in rax. rcx and r11 are lost to the syscall
 * instruction; argument registers may come back changed, as a long call that was interrupted is re-issued
 * with what remains to be done. Memory is clobbered, since most calls read or write it.                */
#ifndef ENSO_ABI_GUEST_STUBS_H
#define ENSO_ABI_GUEST_STUBS_H

#include <stdint.h>
#include "hypercall.h"

typedef uint64_t gva_t;

static inline gva_t gva(const volatile void *p)
{
    return (gva_t)(uintptr_t)p;
}

extern char hypercall_page[];

#define HYPERCALL_ENTER "call hypercall_page + %c[slot]"

/* iret, the one call without arguments, does not return and reads the stack pointer: entry code jumps to
 * hypercall_page + __HYPERVISOR_iret * HYPERCALL_SLOT_BYTES with its frame on the stack (SPEC 7.4).      */
#define H0(nr, name, who, doc, spec)
#define H1(nr, name, who, t0, a0, doc, spec)                                                          \
    static inline long hypercall_##name(t0 a0)                                                        \
    {                                                                                                 \
        long ret;                                                                                     \
        __asm__ volatile(HYPERCALL_ENTER                                                              \
                         : "=a"(ret), "+D"(a0)                                                        \
                         : [slot] "i"(nr * HYPERCALL_SLOT_BYTES)                                      \
                         : "rsi", "rdx", "r10", "r8", "rcx", "r11", "memory");                        \
        return ret;                                                                                   \
    }
#define H2(nr, name, who, t0, a0, t1, a1, doc, spec)                                                  \
    static inline long hypercall_##name(t0 a0, t1 a1)                                                 \
    {                                                                                                 \
        long ret;                                                                                     \
        __asm__ volatile(HYPERCALL_ENTER                                                              \
                         : "=a"(ret), "+D"(a0), "+S"(a1)                                              \
                         : [slot] "i"(nr * HYPERCALL_SLOT_BYTES)                                      \
                         : "rdx", "r10", "r8", "rcx", "r11", "memory");                               \
        return ret;                                                                                   \
    }
#define H3(nr, name, who, t0, a0, t1, a1, t2, a2, doc, spec)                                          \
    static inline long hypercall_##name(t0 a0, t1 a1, t2 a2)                                          \
    {                                                                                                 \
        long ret;                                                                                     \
        __asm__ volatile(HYPERCALL_ENTER                                                              \
                         : "=a"(ret), "+D"(a0), "+S"(a1), "+d"(a2)                                    \
                         : [slot] "i"(nr * HYPERCALL_SLOT_BYTES)                                      \
                         : "r10", "r8", "rcx", "r11", "memory");                                      \
        return ret;                                                                                   \
    }
#define H4(nr, name, who, t0, a0, t1, a1, t2, a2, t3, a3, doc, spec)                                  \
    static inline long hypercall_##name(t0 a0, t1 a1, t2 a2, t3 a3)                                   \
    {                                                                                                 \
        register uint64_t r10_ __asm__("r10") = a3;                                                   \
        long ret;                                                                                     \
        __asm__ volatile(HYPERCALL_ENTER                                                              \
                         : "=a"(ret), "+D"(a0), "+S"(a1), "+d"(a2), "+r"(r10_)                        \
                         : [slot] "i"(nr * HYPERCALL_SLOT_BYTES)                                      \
                         : "r8", "rcx", "r11", "memory");                                             \
        return ret;                                                                                   \
    }
#define H5(nr, name, who, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, doc, spec)                          \
    static inline long hypercall_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4)                            \
    {                                                                                                 \
        register uint64_t r10_ __asm__("r10") = a3;                                                   \
        register uint64_t r8_ __asm__("r8") = a4;                                                     \
        long ret;                                                                                     \
        __asm__ volatile(HYPERCALL_ENTER                                                              \
                         : "=a"(ret), "+D"(a0), "+S"(a1), "+d"(a2), "+r"(r10_), "+r"(r8_)             \
                         : [slot] "i"(nr * HYPERCALL_SLOT_BYTES)                                      \
                         : "rcx", "r11", "memory");                                                   \
        return ret;                                                                                   \
    }
#include "hypercalls.def"

#endif
