/* SPDX-License-Identifier: MIT */
/* atomic.h: names for the few atomic operations; all sequentially consistent. */
#ifndef ENSO_ATOMIC_H
#define ENSO_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define atomic_read(p)        __atomic_load_n(p, __ATOMIC_RELAXED)
#define atomic_load(p)        __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define atomic_store(p, v)    __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_or(p, v)       __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)     /* the old value */
#define atomic_and(p, v)      __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST)
#define atomic_add(p, v)      __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define atomic_sub(p, v)      __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST)
#define atomic_xchg(p, v)     __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
/* True when *p was *expected and is now v; else *expected holds what was found. */
#define atomic_cmpxchg(p, expected, v) \
    __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* One read that the compiler may neither split nor repeat: for memory that a guest may rewrite. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()        __asm__ volatile("" ::: "memory")

/* Bit operations on shared guest memory: locked. Bit 0 is the lowest bit of the first byte. */
static inline bool test_and_set_bit(volatile uint64_t *words, unsigned bit)
{
    uint64_t m = 1UL << (bit & 63);
    return atomic_or(&words[bit >> 6], m) & m;
}
static inline bool test_and_clear_bit(volatile uint64_t *words, unsigned bit)
{
    uint64_t m = 1UL << (bit & 63);
    return atomic_and(&words[bit >> 6], ~m) & m;
}
static inline bool test_bit(const volatile uint64_t *words, unsigned bit)
{
    return words[bit >> 6] >> (bit & 63) & 1;
}

#endif
