/* SPDX-License-Identifier: MIT */
/* ring.h: rings of bytes, which the console and the store use in both directions.
 *
 * Producer and consumer counters run freely and wrap at 2^32; a byte's place is the counter modulo the ring's size, a
 * power of two. The other end can write the whole page at any time, so each counter is read once, and what does not fit
 * the ring is not believed: no bytes, no room. (Rings of requests and responses: hypercall-abi/io/ring.h.)      */
#ifndef PV_DRIVERS_RING_H
#define PV_DRIVERS_RING_H

#include <stddef.h>
#include <stdint.h>

struct byte_ring {
    char              *bytes;
    uint32_t           size;              /* a power of two */
    volatile uint32_t *prod, *cons;       /* in the shared page */
};

/* Bytes that the producing end can put in now; 0 too when the counters make no sense. */
static inline size_t byte_ring_room(const struct byte_ring *r)
{
    uint32_t used = *r->prod - __atomic_load_n(r->cons, __ATOMIC_ACQUIRE);
    return used <= r->size ? r->size - used : 0;
}

/* Copies up to n bytes in and publishes them; returns how many. For the producing end. */
static inline size_t byte_ring_put(const struct byte_ring *r, const char *from, size_t n)
{
    uint32_t prod = *r->prod;
    uint32_t used = prod - __atomic_load_n(r->cons, __ATOMIC_ACQUIRE);
    size_t done = 0;
    while (used <= r->size && done < n && used + done < r->size) {
        r->bytes[(prod + done) & (r->size - 1)] = from[done];
        done++;
    }
    __atomic_store_n(r->prod, prod + (uint32_t)done, __ATOMIC_RELEASE);
    return done;
}

/* Copies up to n bytes out and gives their room back; returns how many. For the consuming end. */
static inline size_t byte_ring_get(const struct byte_ring *r, char *to, size_t n)
{
    uint32_t cons = *r->cons;
    uint32_t used = __atomic_load_n(r->prod, __ATOMIC_ACQUIRE) - cons;
    size_t done = 0;
    while (used <= r->size && done < n && done < used) {
        to[done] = r->bytes[(cons + done) & (r->size - 1)];
        done++;
    }
    __atomic_store_n(r->cons, cons + (uint32_t)done, __ATOMIC_RELEASE);
    return done;
}

#endif
