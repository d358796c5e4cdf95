/* SPDX-License-Identifier: MIT */
/* smpcall.c: having something done on other pCPUs, and waiting for it.
 *
 * The hypervisor runs with interrupts off, so two pCPUs that wait for each other would wait for ever; therefore
 * every busy wait (spin_relax) serves what others ask of this pCPU. Flushes have a path of their own: a ticket a
 * pCPU, no lock, all targets at once.                                                                         */
#include "hypervisor/x86/smpcall.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/irq.h"

static uint32_t epoch = 1;

uint32_t tlb_epoch(void)
{
    return atomic_load(&epoch);
}

uint32_t tlb_epoch_advance(void)
{
    uint32_t next = atomic_add(&epoch, 1U) + 1;

    return next ? next : tlb_epoch_advance();      /* 0 means "never" */
}

/* The epoch is read before the flush: a stamp made after that read is not covered by this flush. */
void flush_tlb_this(void)
{
    uint32_t seen = tlb_epoch();
    uint64_t cr4 = read_cr4();

    if (cr4 & CR4_PGE) {
        write_cr4(cr4 & ~CR4_PGE);
        write_cr4(cr4);
    } else {
        write_cr3(read_cr3());
    }
    WRITE_ONCE(this_pcpu()->flushed_epoch, seen);
}

/* ---- the receiving side ---- */

static void serve_flush(struct pcpu *p)
{
    uint32_t ticket = atomic_load(&p->flush_request);

    if (ticket == p->flush_done)
        return;
    flush_tlb_this();
    atomic_store(&p->flush_done, ticket);
}

static void serve_call(struct pcpu *p)
{
    if (!p->call.busy)
        return;
    p->call.busy = 0;                  /* before fn: it may itself wait, and come by here again */
    p->call.fn(p->call.arg);
    atomic_store(&p->call.done, 1U);
}

static void serve_requests(void)
{
    struct pcpu *p = this_pcpu();

    serve_flush(p);
    serve_call(p);
}

static void call_interrupt(uint32_t vector, void *arg)
{
    apic_eoi();
    serve_requests();
}

/* The work bits are set already; coming in and going out by the exit path is all that is needed. */
static void wake_interrupt(uint32_t vector, void *arg)
{
    apic_eoi();
}

void smpcall_init(void)
{
    irq_set_handler(VEC_CALL, call_interrupt, NULL);
    irq_set_handler(VEC_WAKE, wake_interrupt, NULL);
    spin_set_relax_op(serve_requests);
}

/* ---- the asking side ---- */

static void call_one(struct pcpu *p, void (*fn)(void *arg), void *arg)
{
    spin_lock(&p->call.lock);
    p->call.fn = fn;
    p->call.arg = arg;
    p->call.done = 0;
    atomic_store(&p->call.busy, 1U);
    apic_send(p->apic_id, VEC_CALL);
    while (!atomic_load(&p->call.done))
        spin_relax();
    spin_unlock(&p->call.lock);
}

void smp_call(uint64_t mask, void (*fn)(void *arg), void *arg)
{
    mask &= cpus_online();
    for (uint32_t i = 0; i < nr_pcpus; i++)
        if ((mask >> i & 1) && pcpus[i] != this_pcpu())
            call_one(pcpus[i], fn, arg);
    if (mask >> this_pcpu()->id & 1)
        fn(arg);
}

void smp_flush_tlb(uint64_t mask)
{
    uint32_t ticket[MAX_PCPUS];
    struct pcpu *self = this_pcpu();

    mask &= cpus_online();
    tlb_epoch_advance();
    for (uint64_t m = mask & ~(1UL << self->id); m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctzl(m);
        ticket[i] = atomic_add(&pcpus[i]->flush_request, 1U) + 1;
        apic_send(pcpus[i]->apic_id, VEC_CALL);
    }
    if (mask >> self->id & 1)
        flush_tlb_this();
    for (uint64_t m = mask & ~(1UL << self->id); m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctzl(m);
        while ((int32_t)(atomic_load(&pcpus[i]->flush_done) - ticket[i]) < 0)
            spin_relax();
    }
}

static void invlpg_here(void *va)
{
    invlpg((uint64_t)va);
}

void smp_invlpg(uint64_t mask, uint64_t va)
{
    smp_call(mask, invlpg_here, (void *)va);
}
