/* SPDX-License-Identifier: MIT */
/* hv_mm.c: the claim of tests/host/mm_property.c, its sequences chosen by coverage: three domains' page-table, descriptor, memory and
 * grant calls, interrupted and continued anywhere, their deaths and births; the frame audit and the TLB model after each step. */
#define main property_main
int property_main(int argc, char **argv);
#include "tests/host/mm_property.c"
#undef main
#include "hypervisor/mm/heap.c"
#include "hypervisor/mm/kalloc.c"
#include "tests/fuzz/dice.h"

DICE_OF_THIS_TARGET;

/* Past the end of the input too somebody is preempted only now and then: else nothing gets on. */
static uint32_t draw(void)
{
    static uint32_t after;

    return dice_left ? dice16() : after++;
}

/* The machine as it was after boot: every input starts from it, so that an input that fails fails again. */
static struct { __typeof__(heap) h; __typeof__(pool) k; struct frame frames[END]; uint8_t memory[END * PAGE_SIZE]; } first;

static void start(void)
{
    static bool booted;

    if (!booted) {
        host_boot(FIRST, END);
        first.h = heap;
        first.k = pool;
        memcpy(first.frames, host_frames, sizeof(first.frames));
        memcpy(first.memory, host_memory, sizeof(first.memory));
        booted = true;
    }
    heap = first.h;
    pool = first.k;
    memcpy(host_frames, first.frames, sizeof(first.frames));
    memcpy(host_memory, first.memory, sizeof(first.memory));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint64_t free_at_first;

    start();
    host_random_op = draw;
    dice_begin(bytes, n);
    free_at_first = heap_free_frames();
    for (unsigned i = 0; i < DOMAINS; i++)
        born(i);
    for (step_number = 0; dice_left && step_number < 200; step_number++) {
        one_step(0);
        check_counts();
        if (rnd(32) == 31)
            one_death();
    }
    host_preempt_one_in = 0;
    everybody_dies(free_at_first);
    return 0;
}
