/* SPDX-License-Identifier: MIT */
/* sched_rr.c: round robin, on one page: the scheduler to start from.                           [read 42]
 *
 * A queue a pCPU, first come first served, ten milliseconds each. No weights, no caps, no moving between pCPUs once a
 * vCPU is placed, but that an idle pCPU is chosen when one wakes. Every function here is called with the pCPU's queue
 * locked (choose_pcpu and yield excepted); sched.h says what each owes. Copy this file to begin one of your own.     */
#include "hypercall-abi/errno.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/mm/heap.h"

#define SLICE 10000000UL

#define QUEUE(p) ((struct list_node *)(p)->sched)

static int init_pcpu(struct pcpu *p)
{
    struct list_node *queue = kalloc(sizeof(*queue));

    if (!queue)
        return -XEN_ENOMEM;
    list_init(queue);
    p->sched = queue;
    return 0;
}

static uint32_t choose_pcpu(struct vcpu *v)
{
    uint64_t able = v->affinity & sched_online_mask(), idle = able & sched_idle_mask();

    if ((idle ? idle : able) >> v->processor & 1)
        return v->processor;
    return __builtin_ctzl(idle ? idle : able);
}

static void wake(struct vcpu *v, uint64_t now)
{
    list_push_tail(QUEUE(pcpus[v->processor]), &v->run_link);
}

static void sleep(struct vcpu *v)
{
    if (list_linked(&v->run_link))
        list_remove(&v->run_link);
}

static bool yield(struct vcpu *v)
{
    struct list_node *queue = QUEUE(pcpus[v->processor]);
    return READ_ONCE(queue->next) != queue;
}

/* Nobody is preempted before his slice is over. (It begins when somebody begins to wait.) */
static bool preempts(struct vcpu *woken, struct vcpu *running, uint64_t now)
{
    return false;
}

static struct sched_decision pick(struct pcpu *p, struct vcpu *prev, bool requeue, uint64_t now)
{
    struct list_node *queue = QUEUE(p);
    struct vcpu *next = p->idle;

    if (requeue)
        list_push_tail(queue, &prev->run_link);
    if (!list_empty(queue)) {
        next = container_of(queue->next, struct vcpu, run_link);
        list_remove(&next->run_link);
    }
    return (struct sched_decision){ next, list_empty(queue) ? 0 : SLICE };
}

const struct scheduler sched_rr = {
    .name = "rr", .abi_id = ENSO_SCHEDULER_RR, .slice_ns = SLICE, .init_pcpu = init_pcpu, .choose_pcpu = choose_pcpu,
    .wake = wake, .sleep = sleep, .yield = yield, .preempts = preempts, .pick = pick,
};
