/* SPDX-License-Identifier: MIT */
/* sched_null.c: no decisions: one vCPU a pCPU, for good.                                        [read 43]
 *
 * For machines whose vCPUs fit their pCPUs: nothing is queued, nothing preempted, no slice ever ends. A vCPU gets the
 * first pCPU without one when it is made; one too many gets none, never runs, and the console says so. When a seat
 * becomes free, one of those without takes it.                                                                    */
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"

/* pcpu->sched: the vCPU that sits there; changed by compare-exchange. vcpu->sched: its own address when it has a seat.
 * The pCPU of the seat, or -1. */
static int sit(struct vcpu *v)
{
    for (uint64_t m = v->affinity & sched_online_mask(); m; m &= m - 1) {
        struct pcpu *p = pcpus[__builtin_ctzl(m)];
        void *nobody = NULL;
        if (atomic_cmpxchg(&p->sched, &nobody, (void *)v)) {
            v->sched = v;
            return p->id;
        }
    }
    return -1;
}

static int init_pcpu(struct pcpu *p)
{
    return 0;
}

static int init_vcpu(struct vcpu *v)
{
    int seat = sit(v);

    if (seat >= 0)
        v->processor = seat;
    else
        log_warn("sched=null: no pCPU is left for d%uv%u: it waits until one is", v->domain->id, v->id);
    return 0;
}

static int seat_those_without(struct domain *d, void *arg)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] && !d->vcpu[i]->sched && vcpu_runnable(d->vcpu[i]))
            sched_place(d->vcpu[i]);
    }
    return 0;
}

static void free_vcpu(struct vcpu *v)
{
    bool sat = v->sched != NULL;

    if (sat)
        atomic_store(&pcpus[v->processor]->sched, NULL);
    v->sched = NULL;
    if (sat)
        domain_for_each(seat_those_without, NULL);
}

static uint32_t choose_pcpu(struct vcpu *v)
{
    int seat = v->sched ? -1 : sit(v);
    return seat >= 0 ? (uint32_t)seat : v->processor;
}

static void wake(struct vcpu *v, uint64_t now)
{
}

static void sleep(struct vcpu *v)
{
}

static bool yield(struct vcpu *v)
{
    return false;
}

static bool preempts(struct vcpu *woken, struct vcpu *running, uint64_t now)
{
    return false;
}

static struct sched_decision pick(struct pcpu *p, struct vcpu *prev, bool requeue, uint64_t now)
{
    struct vcpu *v = p->sched;
    return (struct sched_decision){ v && vcpu_runnable(v) && (v == prev || !v->on_pcpu) ? v : p->idle, 0 };
}

const struct scheduler sched_null = {
    .name = "null", .abi_id = XEN_SCHEDULER_NULL, .init_pcpu = init_pcpu, .init_vcpu = init_vcpu, .free_vcpu = free_vcpu,
    .choose_pcpu = choose_pcpu, .wake = wake, .sleep = sleep, .yield = yield, .preempts = preempts, .pick = pick,
};
