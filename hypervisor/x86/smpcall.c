/* SPDX-License-Identifier: MIT */
/* smpcall.c: having something done on other pCPUs, and waiting for it.                                  [read 16]
 *
 * The hypervisor runs with interrupts off, so two pCPUs that wait for each other would wait for ever; therefore
 * every busy wait (spin_relax) serves what others ask of this pCPU. Flushes have a path of their own: a ticket a
 * pCPU, no lock, all targets at once.                                                                         */
#include "hypervisor/x86/smpcall.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/irq.h"

#define EPOCH_LAP (1U << 30)     /* nobody may fall behind by more: stamps are compared as signed differences */

uint32_t tlb_epoch_now = 1;

uint32_t tlb_epoch_advance(void)
{
    uint32_t next = atomic_add(&tlb_epoch_now, 1U) + 1;

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

/* Mailboxes: free, claimed by a sender, filled, being answered. The sender frees its own again. */
enum { BOX_FREE, BOX_CLAIMED, BOX_FILLED, BOX_SERVED };

static void serve_call(struct pcpu *p)
{
    uint32_t filled = BOX_FILLED;

    if (p->call.busy != BOX_FILLED || !atomic_cmpxchg(&p->call.busy, &filled, BOX_SERVED))
        return;                        /* fn may itself wait and come by here again */
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
    this_pcpu()->calls++;
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

/* Senders claim boxes in order of pCPU ids, and serve their own meanwhile: no circle can form. */
static void box_post(struct pcpu *p, void (*fn)(void *arg), void *arg)
{
    uint32_t is_free = BOX_FREE;

    while (!atomic_cmpxchg(&p->call.busy, &is_free, BOX_CLAIMED)) {
        is_free = BOX_FREE;
        spin_relax();
    }
    p->call.fn = fn;
    p->call.arg = arg;
    p->call.done = 0;
    atomic_store(&p->call.busy, (uint32_t)BOX_FILLED);
    apic_send(p->apic_id, VEC_CALL);
}

static void box_wait(struct pcpu *p)
{
    while (!atomic_load(&p->call.done))
        spin_relax();
    atomic_store(&p->call.busy, (uint32_t)BOX_FREE);
}

void smp_call(uint64_t mask, void (*fn)(void *arg), void *arg)
{
    struct pcpu *self = this_pcpu();
    uint64_t others;

    mask &= cpus_online();
    others = mask & ~(1UL << self->id);
    for (uint64_t m = others; m; m &= m - 1)
        box_post(pcpus[__builtin_ctzl(m)], fn, arg);
    if (mask >> self->id & 1)
        fn(arg);
    for (uint64_t m = others; m; m &= m - 1)
        box_wait(pcpus[__builtin_ctzl(m)]);
}

void smp_flush_tlb(uint64_t mask)
{
    uint32_t ticket[MAX_PCPUS];
    struct pcpu *self = this_pcpu();

    if (tlb_epoch_advance() % EPOCH_LAP == 0)
        mask = ~0UL;
    mask &= cpus_online();
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
