/* SPDX-License-Identifier: MIT */
/* unit.c: the few functions that the ABI headers hold do what SPEC 9.1 and 11.2 say.
 *
 * Claims: pvclock_scale multiplies in 96 bits; pvclock_read takes no figure while the writer is at it, and no
 * huge one from a TSC that lags; ring_publish asks for an event exactly when the other side's mark is passed, also
 * where the counters wrap; ring_waiting refuses a producer that is more than a ring ahead; a slot's counters lie
 * where Xen has them. A failure here is a lost wake-up or a clock that jumps.                            */
#include <stdio.h>
#include <stdlib.h>
#include "hypercall-abi/io/blkif.h"
#include "hypercall-abi/time.h"

static int failures;

static void check(int ok, const char *claim)
{
    if (!ok) {
        printf("check-abi: FAILED: %s\n", claim);
        failures++;
    }
}

static uint64_t fake_tsc;
static uint64_t read_fake_tsc(void)
{
    return fake_tsc;
}

/* A writer that is in the midst when the reader first looks, and done when it looks again. */
static struct vcpu_time_info busy = { .version = 5, .tsc_timestamp = 0, .system_time = 1, .tsc_to_system_mul = 1 };
static uint64_t tsc_while_writing(void)
{
    if (busy.version == 5)
        busy.version = 6;
    else
        busy.system_time = 42;
    return 0;
}

static void test_clock(void)
{
    struct vcpu_time_info t = { .version = 2, .tsc_timestamp = 1000, .system_time = 7000, .tsc_to_system_mul = 1U << 31 };

    check(pvclock_scale(1000, 1U << 31, 0) == 500, "half a nanosecond a tick");
    check(pvclock_scale(1000, 1U << 31, 1) == 1000, "a left shift doubles");
    check(pvclock_scale(1000, 1U << 31, -1) == 250, "a right shift halves");
    check(pvclock_scale(~0UL, ~0U, 0) == 0xfffffffeffffffffUL, "the product is not cut to 64 bits");
    fake_tsc = 3000;
    check(pvclock_read(&t, read_fake_tsc) == 8000, "time since the stamp is added");
    fake_tsc = 999;
    check(pvclock_read(&t, read_fake_tsc) == 7000, "a TSC behind the stamp is the stamp");
    check(pvclock_read(&busy, tsc_while_writing) == 42, "an odd version is read again");
}

/* Brute force over every position around the wrap: told if and only if event lies in (old, new]. */
static void test_publish(void)
{
    for (uint32_t base = (uint32_t)-8; base != 8; base++)
        for (uint32_t n = 0; n < 5; n++)
            for (uint32_t e = 0; e < 8; e++) {
                RING_IDX prod = base, event = base - 1 + e;
                int told = ring_publish(&prod, &event, base + n);
                int should = e >= 2 && e - 1 <= n;
                check(prod == base + n, "the counter is published");
                check(told == should, "an event exactly when the mark is passed");
            }
}

static void test_consume(void)
{
    RING_IDX prod = 4, event = 0;

    check(ring_waiting(&prod, 1, 32) == 3, "entries between consumer and producer");
    check(ring_waiting(&prod, (RING_IDX)-2, 32) == 6, "also over the wrap");
    check(ring_waiting(&prod, 5, 32) == -1, "a producer behind the consumer is not believed");
    prod = 40;
    check(ring_waiting(&prod, 1, 32) == -1, "nor one more than a ring ahead");
    check(ring_arm(&prod, &event, 40) == 0 && event == 41, "arming asks for the next entry");
    check(ring_arm(&prod, &event, 39) == 1, "and sees one that came meanwhile");
}

static void test_layout(void)
{
    struct blkif_sring *s = aligned_alloc(4096, 4096);
    struct blkif_back_ring back = { .nr_ents = RING_SLOTS(blkif, 4096), .sring = s };
    struct blkif_request copy;

    RING_INIT_SHARED(s);
    check(s->req_event == 1 && s->rsp_event == 1, "both sides want to hear of the first entry");
    check(back.nr_ents == 32, "a page of block requests has 32 slots");
    check(RING_SLOT(&back, 33) == &s->ring[1], "slots repeat");
    s->ring[1].req.id = 77;
    RING_COPY_OUT(&copy, &RING_SLOT(&back, 33)->req);
    check(copy.id == 77, "a slot is copied out");
    free(s);
}

int main(void)
{
    test_clock();
    test_publish();
    test_consume();
    test_layout();
    printf("check-abi: ring and clock functions: %d failures\n", failures);
    return failures != 0;
}
