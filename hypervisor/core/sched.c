/* SPDX-License-Identifier: MIT */
/* sched.c: who may run, and where.                                                             [read 39]
 *
 * Two questions are kept apart. Whether a vCPU may run is one word, v->pause: a bit a reason, 0 is runnable, changed
 * atomically by anybody. Which of the runnable ones runs is the scheduler's (sched_credit.c and its neighbours), asked
 * through struct scheduler with the run queue's lock held. This file joins the two: it wakes, places, moves and
 * switches. A vCPU that was just switched from stays untouchable (on_pcpu) until its state is saved; whoever wakes it
 * meanwhile leaves the placing to sched_switch_done. SPEC 8.                                                       */
#include "hypervisor/core/sched.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/time.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/tsc.h"

struct pcpu *pcpus[MAX_PCPUS];
uint32_t nr_pcpus;

static struct {
    const struct scheduler *ops;         /* set at boot, before the first vCPU */
    void (*switch_op)(struct vcpu *from, struct vcpu *to) __attribute__((noreturn));
    uint64_t online;                     /* atomic masks of pCPUs */
    uint64_t idle;
} sched = { .ops = &sched_credit };

static const struct scheduler *const schedulers[] = { &sched_credit, &sched_rr, &sched_null };

int sched_select(const char *name)
{
    for (unsigned i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++) {
        if (!strcmp(name, schedulers[i]->name)) {
            sched.ops = schedulers[i];
            return 0;
        }
    }
    log_err("sched=%s: there is no such scheduler (credit, rr, null); credit it is", name);
    return -XEN_ENOENT;
}

const struct scheduler *sched_current(void)
{
    return sched.ops;
}

void sched_set_switch_op(void (*fn)(struct vcpu *from, struct vcpu *to) __attribute__((noreturn)))
{
    sched.switch_op = fn;
}

uint64_t sched_online_mask(void)
{
    return atomic_read(&sched.online);
}

/* ---- births ------------------------------------------------------------------------------------ */

/* The slice's timer is set when there is none that fires in time, and left alone otherwise: vCPUs that wake each other come and go
 * a thousand times while it runs. So it may fire for a slice that is over long since, or go on to the end of a later one. */
static void slice_watch(struct pcpu *p)
{
    if (p->slice_end && (!timer_active(&p->sched_timer) || p->sched_timer.expires > p->slice_end))
        timer_set(&p->sched_timer, p, p->slice_end);
}

static void slice_over(void *arg)
{
    struct pcpu *p = this_pcpu();

    if (p->slice_end && now_ns() >= p->slice_end)
        pcpu_kick(p, WORK_SCHED);
    else
        slice_watch(p);
}

static struct vcpu *make_idle(struct pcpu *p)
{
    struct vcpu *v = kalloc(sizeof(*v));

    if (!v)
        return NULL;
    v->domain = idle_domain;
    v->id = p->id;
    v->is_idle = true;
    v->processor = p->id;
    v->affinity = 1UL << p->id;
    v->on_pcpu = 1;
    v->runstate.state = RUNSTATE_running;
    v->runstate.state_entry_time = now_ns();
    list_init(&v->run_link);
    return v;
}

int sched_init_pcpu(struct pcpu *p)
{
    int rc;

    if (!idle_domain && (rc = domain_make_idle()))
        return rc;
    spin_init(&p->sched_lock, LOCK_sched);
    timer_init(&p->sched_timer, slice_over, NULL);
    if ((rc = timer_reserve(1)))
        return rc;
    p->idle = p->sched_curr = make_idle(p);
    if (!p->idle)
        return -XEN_ENOMEM;
    if (p->id == 0)
        atomic_or(&sched.online, 1UL);
    return sched.ops->init_pcpu(p);
}

int sched_init_vcpu(struct vcpu *v)
{
    list_init(&v->run_link);
    v->affinity = v->soft_affinity = ~0UL;
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = now_ns();
    v->processor = __builtin_ctzl(sched_online_mask());
    return sched.ops->init_vcpu ? sched.ops->init_vcpu(v) : 0;
}

void sched_free_vcpu(struct vcpu *v)
{
    if (sched.ops->free_vcpu)
        sched.ops->free_vcpu(v);
}

int sched_init_domain(struct domain *d)
{
    return sched.ops->init_domain ? sched.ops->init_domain(d) : 0;
}

void sched_free_domain(struct domain *d)
{
    if (sched.ops->free_domain)
        sched.ops->free_domain(d);
}

/* ---- waking and pausing ------------------------------------------------------------------------ */

struct pcpu *sched_lock_of(const struct vcpu *v)
{
    for (;;) {
        uint32_t id = READ_ONCE(v->processor);
        spin_lock(&pcpus[id]->sched_lock);
        if (v->processor == id)
            return pcpus[id];
        spin_unlock(&pcpus[id]->sched_lock);
    }
}

/* Not now running, not queued, state saved. The lock is held. */
static bool placeable(const struct vcpu *v)
{
    return vcpu_runnable(v) && !v->on_pcpu && !list_linked(&v->run_link);
}

/* v to pCPU `to`: with the lock of p held on entry, of the result on return. */
static struct pcpu *move_to(struct vcpu *v, struct pcpu *p, uint32_t to)
{
    v->processor = to;
    spin_unlock(&p->sched_lock);
    return sched_lock_of(v);
}

uint64_t sched_idle_mask(void)
{
    return atomic_read(&sched.idle);
}

static struct pcpu *idle_one_for(const struct vcpu *v)
{
    uint64_t able = atomic_read(&sched.idle) & v->affinity & ~(1UL << v->processor);

    return able ? pcpus[__builtin_ctzl(able)] : 0;
}

void sched_tickle_idle(const struct vcpu *v)
{
    struct pcpu *p = idle_one_for(v);

    if (p)
        pcpu_kick(p, WORK_SCHED);
}

/* Queues v; who should look: its pCPU if v should run there at once, else an idle one that may take it, else nobody. The first to
 * wait makes the slice of the running one begin. */
static struct pcpu *enqueue(struct vcpu *v, struct pcpu *p, uint64_t now)
{
    if (v->runstate.state != RUNSTATE_runnable)
        runstate_change(v, RUNSTATE_runnable, now);
    sched.ops->wake(v, now);
    if (p->sched_curr->is_idle || sched.ops->preempts(v, p->sched_curr, now))
        return p;
    if (!p->slice_end && sched.ops->slice_ns) {
        if (p != this_pcpu())
            return p;
        p->slice_end = now + sched.ops->slice_ns;
        slice_watch(p);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);   /* queued, then looked who idles; who falls idle does it the other way round */
    return idle_one_for(v);
}

/* A runnable vCPU that is nowhere gets a queue. Harmless when it has one already. The kick comes after the lock: the
 * first thing that a pCPU out of its sleep wants is that very lock. */
void sched_place(struct vcpu *v)
{
    uint32_t want = sched.ops->choose_pcpu(v);
    struct pcpu *p = sched_lock_of(v), *look = 0;

    if (placeable(v) && p->id != want)
        p = move_to(v, p, want);
    if (placeable(v))
        look = enqueue(v, p, now_ns());
    spin_unlock(&p->sched_lock);
    if (look)
        pcpu_kick(look, WORK_SCHED);
}

static int resting_state(const struct vcpu *v)
{
    return READ_ONCE(v->pause) & (PAUSE_DOWN | PAUSE_DOMAIN | PAUSE_HYPER) ? RUNSTATE_offline : RUNSTATE_blocked;
}

void vcpu_pause_set(struct vcpu *v, uint32_t reason)
{
    struct pcpu *p;

    if (atomic_or(&v->pause, reason))
        return;                          /* it rested before; only why changes */
    p = sched_lock_of(v);
    if (!vcpu_runnable(v)) {
        if (p->sched_curr == v) {
            pcpu_kick(p, WORK_SCHED);
        } else {
            sched.ops->sleep(v);
            runstate_change(v, resting_state(v), now_ns());
        }
    }
    spin_unlock(&p->sched_lock);
}

void vcpu_pause_self(uint32_t reason)
{
    struct cpu_info *info = cpu_info();

    atomic_or(&info->curr->pause, reason);
    atomic_or(&info->work, WORK_SCHED);
}

void vcpu_pause_clear(struct vcpu *v, uint32_t reason)
{
    uint32_t old = atomic_and(&v->pause, ~reason);

    if ((old & reason) && !(old & ~reason))
        sched_place(v);
}

void vcpu_pause_sync(struct vcpu *v, uint32_t reason)
{
    vcpu_pause_set(v, reason);
    while (v->on_pcpu && v != current)
        spin_relax();
    root_evict(v);
}

void vcpu_kick(struct vcpu *v)
{
    if (READ_ONCE(v->pause) & (PAUSE_BLOCKED | PAUSE_POLL)) {
        if (v->domain->poll_mask)
            atomic_and(&v->domain->poll_mask, ~(1UL << v->id));
        vcpu_pause_clear(v, PAUSE_BLOCKED | PAUSE_POLL);
    } else if (v->on_pcpu && v != current) {
        /* Out of guest mode and through the exit path, which looks for events. */
        pcpu_kick(pcpus[READ_ONCE(v->processor)], WORK_VCPU);
    }
}

void vcpu_yield(struct vcpu *v)
{
    if (sched.ops->yield(v))
        pcpu_kick(this_pcpu(), WORK_SCHED);
}

int vcpu_set_affinity(struct vcpu *v, uint64_t hard)
{
    struct pcpu *p;
    bool moved;

    if (!(hard & sched_online_mask()))
        return -XEN_EINVAL;
    p = sched_lock_of(v);
    v->affinity = hard;
    moved = !(hard >> v->processor & 1);
    if (moved && p->sched_curr == v)
        pcpu_kick(p, WORK_SCHED);        /* sched_switch_done places it anew */
    else if (moved)
        sched.ops->sleep(v);
    spin_unlock(&p->sched_lock);
    if (moved)
        sched_place(v);
    return 0;
}

/* ---- switching --------------------------------------------------------------------------------- */

static void account_switch(struct pcpu *p, struct vcpu *prev, struct vcpu *next, uint64_t now)
{
    bool waits = prev->is_idle || vcpu_runnable(prev);

    runstate_change(prev, waits ? RUNSTATE_runnable : resting_state(prev), now);
    runstate_change(next, RUNSTATE_running, now);
    next->on_pcpu = 1;
    p->sched_curr = next;
    if (next->is_idle)
        atomic_or(&sched.idle, 1UL << p->id);
    else if (prev->is_idle)
        atomic_and(&sched.idle, ~(1UL << p->id));
}

void sched_run(void)
{
    struct cpu_info *info = cpu_info();
    struct pcpu *p = info->pcpu;
    struct vcpu *prev = info->curr;
    uint64_t now = now_ns();
    struct sched_decision d;

    atomic_and(&info->work, ~WORK_SCHED);
    spin_lock(&p->sched_lock);
    bool requeue = !prev->is_idle && vcpu_runnable(prev) && (prev->affinity >> p->id & 1);
    d = sched.ops->pick(p, prev, requeue, now);
    p->slice_end = d.slice_ns ? now + d.slice_ns : 0;
    if (d.next != prev)
        account_switch(p, prev, d.next, now);
    spin_unlock(&p->sched_lock);

    slice_watch(p);
    if (d.next != prev)
        sched.switch_op(prev, d.next);
}

void sched_switch_done(struct vcpu *from)
{
    struct pcpu *p, *look = 0;
    bool waits;

    if (from->is_idle)
        return;
    p = this_pcpu();                           /* from stays on its queue while it is on_pcpu */
    spin_lock(&p->sched_lock);
    from->on_pcpu = 0;
    waits = vcpu_runnable(from);
    if (waits && list_linked(&from->run_link)) {
        look = idle_one_for(from);
        waits = false;
    }
    spin_unlock(&p->sched_lock);
    if (look)
        pcpu_kick(look, WORK_SCHED);
    if (waits)
        sched_place(from);                     /* woken meanwhile, or no longer welcome on this pCPU */
}

/* ---- idle and in between ----------------------------------------------------------------------- */

static void dump_pcpu(struct pcpu *p)
{
    log_info("cpu%u: runs d%uv%u, %u timers, %lu interrupts", p->id, p->sched_curr->domain->id, p->sched_curr->id,
             timer_count(p), p->irq_count);
    if (sched.ops->dump)
        sched.ops->dump(p);
}

void sched_dump(void)
{
    log_info("scheduler %s, idle pCPUs %lx of %lx", sched.ops->name, sched.idle, sched.online);
    for (uint32_t i = 0; i < nr_pcpus; i++) {
        spin_lock(&pcpus[i]->sched_lock);
        dump_pcpu(pcpus[i]);
        spin_unlock(&pcpus[i]->sched_lock);
    }
}

/* Was something queued elsewhere just before this pCPU was marked idle, by somebody who did not see that? */
bool sched_look_again(void)
{
    return !sched.ops->anybody_waits || sched.ops->anybody_waits();
}

/* idle_loop.c: p may be given vCPUs from now on, and has none. */
void sched_pcpu_idles(struct pcpu *p)
{
    atomic_or(&sched.online, 1UL << p->id);
    atomic_or(&sched.idle, 1UL << p->id);
}
