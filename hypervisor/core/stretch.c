/* SPDX-License-Identifier: MIT */
/* stretch.c: how long the hypervisor keeps a pCPU to itself.                                   [read 40a]
 *
 * Interrupts get in at preemption points only, so the longest way from an entry to such a point, or to the exit, is what a
 * neighbour's timer may be late by. Debug builds take the time of each such stretch and keep the longest of each hypercall with
 * the place at which it ended; under QEMU's -icount, where the TSC counts instructions, the figures repeat
 * (tests/boot/test_preemption.py holds them against the limit of SPEC 4.3). Numbers are of the pCPU itself: no lock.      */
#include "hypervisor/core/stretch.h"
#include "hypercall-abi/hypercall.h"
#include "hypervisor/x86/insn.h"

static struct {
    uint64_t since;                  /* 0: no stretch is under way */
    unsigned what;
    struct { uint64_t ticks; const void *where; } longest[NR_STRETCHES];
} stretches[DEBUG_BUILD ? MAX_PCPUS : 1];

#define H(nr, name, who, doc, spec) [nr] = #name,
#define HX(nr, name, why)
static const char *const names[NR_STRETCHES] = {
#include "hypercall-abi/hypercalls.def"
    [STRETCH_TRAP] = "(a trap)", [STRETCH_WORK] = "(work at exit)",
};

/* In a multicall the entry is to blame for what comes next, but the stretch goes on. */
void stretch_start(unsigned what)
{
    uint32_t me = this_pcpu()->id;

    stretches[me].what = what;
    if (!current->in_multicall)
        stretches[me].since = rdtsc();
}

static void note(uint32_t me, const void *where)
{
    uint64_t ticks = rdtsc() - stretches[me].since;
    unsigned what = stretches[me].what;

    if (stretches[me].since && ticks > stretches[me].longest[what].ticks) {
        stretches[me].longest[what].ticks = ticks;
        stretches[me].longest[what].where = where;
    }
}

void stretch_mark(const void *where)
{
    uint32_t me = this_pcpu()->id;

    note(me, where);
    if (stretches[me].since)
        stretches[me].since = rdtsc();
}

void stretch_stop(const void *where)
{
    uint32_t me = this_pcpu()->id;

    if (current->in_multicall)
        return;
    note(me, where);
    stretches[me].since = 0;
}

void stretch_dump(void)
{
    for (uint32_t i = 0; i < nr_pcpus; i++)
        log_err("p%u interrupts %lu NMIs %lu", i, pcpus[i]->irq_count, pcpus[i]->nmi_count);
    if (!DEBUG_BUILD)
        log_err("stretches without a preemption point are measured in debug builds only");
    for (unsigned what = 0; DEBUG_BUILD && what < NR_STRETCHES; what++) {
        uint32_t worst = 0;
        for (uint32_t i = 1; i < nr_pcpus; i++)
            if (stretches[i].longest[what].ticks > stretches[worst].longest[what].ticks)
                worst = i;
        if (stretches[worst].longest[what].ticks)
            log_err("stretch %s %lu ticks, to 0x%lx", names[what] ? names[what] : "?", stretches[worst].longest[what].ticks,
                    (uint64_t)stretches[worst].longest[what].where);
    }
}
