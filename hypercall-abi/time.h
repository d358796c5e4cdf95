/* SPDX-License-Identifier: MIT */
/* time.h: reading the time without a hypercall.
 *
 * The hypervisor leaves a TSC reading, the system time at it and a scale in each vCPU's vcpu_time_info;
 * the guest adds what the TSC has gained since. One odd-even version count guards against reading while
 * it is being written. The same few lines serve the kernel and, where the page is mapped for it, user
 * programs; and the hypervisor uses the scale the same way. SPEC 9.1.                                  */
#ifndef ENSO_ABI_TIME_H
#define ENSO_ABI_TIME_H

#include "abi.h"

/* Nanoseconds that delta ticks are: delta * 2^shift * mul / 2^32, in 128 bits so that nothing is lost. */
static inline uint64_t pvclock_scale(uint64_t delta, uint32_t mul, int8_t shift)
{
    delta = shift < 0 ? delta >> -shift : delta << shift;
    return (uint64_t)(((unsigned __int128)delta * mul) >> 32);
}

/* The system time now, given how to read the TSC. Retries while the hypervisor is writing. */
static inline uint64_t pvclock_read(const volatile struct vcpu_time_info *t, uint64_t (*read_tsc)(void))
{
    uint32_t version;
    uint64_t now, tsc;

    do {
        version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
        tsc = read_tsc();
        /* A TSC a little behind the stamp, read on another pCPU, must not become a huge difference. */
        now = t->system_time;
        if (tsc > t->tsc_timestamp)
            now += pvclock_scale(tsc - t->tsc_timestamp, t->tsc_to_system_mul, t->tsc_shift);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) || version != t->version);
    return now;
}

#endif
