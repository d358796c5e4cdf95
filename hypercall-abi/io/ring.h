/* SPDX-License-Identifier: MIT */
/* ring.h: the shared ring of requests and responses that the block and network protocols use.
 *
 * One page: four counters, padding, then a power of two of slots, each a request on its way to the back end
 * or a response on its way home. Counters run freely and wrap at 2^32; the slot is the counter modulo the
 * number of slots. Each side keeps its own progress in private memory and never believes what it reads
 * from the page further than the room that it knows there to be. The layout and the struct names are
 * Xen's; the functions are ours, and take everything they touch as arguments. SPEC 11.2.               */
#ifndef ENSO_ABI_IO_RING_H
#define ENSO_ABI_IO_RING_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t RING_IDX;

/* Declare name_sring (the page), name_sring_entry, and each side's private name_front_ring, name_back_ring. */
#define DEFINE_RING_TYPES(name, request_type, response_type)                                              \
    union name##_sring_entry {                                                                            \
        request_type req;                                                                                 \
        response_type rsp;                                                                                \
    };                                                                                                    \
    struct name##_sring {                                                                                 \
        RING_IDX req_prod, req_event; /* front end: produced; wake me when the producer passes this */    \
        RING_IDX rsp_prod, rsp_event; /* back end, likewise */                                            \
        uint8_t pad_[48];                                                                                 \
        union name##_sring_entry ring[1];                                                                 \
    };                                                                                                    \
    struct name##_front_ring {                                                                            \
        RING_IDX req_prod_pvt;                                                                            \
        RING_IDX rsp_cons;                                                                                \
        uint32_t nr_ents;                                                                                 \
        struct name##_sring *sring;                                                                       \
    };                                                                                                    \
    struct name##_back_ring {                                                                             \
        RING_IDX rsp_prod_pvt;                                                                            \
        RING_IDX req_cons;                                                                                \
        uint32_t nr_ents;                                                                                 \
        struct name##_sring *sring;                                                                       \
    }

/* Slots that fit a shared area: the largest power of two. */
static inline uint32_t ring_slots(size_t area_bytes, size_t header_bytes, size_t slot_bytes)
{
    uint32_t fit = (uint32_t)((area_bytes - header_bytes) / slot_bytes), n = 1;

    while (n <= fit / 2)
        n *= 2;
    return n;
}
#define RING_SLOTS(name, area_bytes)                                                                      \
    ring_slots(area_bytes, offsetof(struct name##_sring, ring), sizeof(union name##_sring_entry))

/* The slot of a counter value. Copy it out before looking at it: the other side can still write it. */
#define RING_SLOT(r, idx) (&(r)->sring->ring[(idx) & ((r)->nr_ents - 1)])
#define RING_COPY_OUT(dst, src)                                                                           \
    do {                                                                                                  \
        __builtin_memcpy((dst), (const void *)(src), sizeof(*(dst)));                                     \
        __asm__ volatile("" ::: "memory"); /* the compiler must not read the slot a second time */        \
    } while (0)

/* Begin: both counters at 0, both sides wanting to hear of the first entry. */
#define RING_INIT_SHARED(s)                                                                               \
    do {                                                                                                  \
        (s)->req_prod = (s)->rsp_prod = 0;                                                                \
        (s)->req_event = (s)->rsp_event = 1;                                                              \
        __builtin_memset((s)->pad_, 0, sizeof((s)->pad_));                                                \
    } while (0)

static inline RING_IDX ring_load(const RING_IDX *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* Publish entries up to new_prod. Returns nonzero if the other side asked to be told of one of them. */
static inline int ring_publish(RING_IDX *prod, const RING_IDX *event, RING_IDX new_prod)
{
    RING_IDX old = *prod;

    __atomic_store_n(prod, new_prod, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the counter is out before we look whether they sleep */
    return (RING_IDX)(new_prod - __atomic_load_n(event, __ATOMIC_RELAXED)) < (RING_IDX)(new_prod - old);
}

/* Before sleeping: ask to be told of the next entry, then look again. Nonzero: do not sleep. */
static inline int ring_arm(const RING_IDX *prod, RING_IDX *event, RING_IDX cons)
{
    __atomic_store_n(event, cons + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(prod, __ATOMIC_ACQUIRE) != cons;
}

/* At work: no need to be told of entries, for all are looked for before the next sleep (ring_arm). */
static inline void ring_disarm(RING_IDX *event, RING_IDX cons)
{
    __atomic_store_n(event, cons, __ATOMIC_RELAXED);
}

/* Entries waiting, or -1 when the other side claims more than there can be and is not to be believed. */
static inline int32_t ring_waiting(const RING_IDX *prod, RING_IDX cons, uint32_t most)
{
    uint32_t n = ring_load(prod) - cons;

    return n <= most ? (int32_t)n : -1;
}

#endif
