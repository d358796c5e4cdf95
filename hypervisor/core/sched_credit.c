/* SPDX-License-Identifier: MIT */
/* sched_credit.c: the default scheduler: shares by weight, limits by cap, no pCPU idle while work waits.  [read 41]
 *
 * Each vCPU pays for the time that it runs, dearer or cheaper by its domain's weight (credit.h), and the one on the
 * queue that has paid least runs next; so two spinning domains share a pCPU as their weights, to within one slice.
 * A vCPU that slept comes back with a little credit, never much: that is the boost by which dom0's prompt answers
 * although others spin, and why sleeping often gains a guest nothing in the long run. A cap is a purse that fills
 * slowly; with an empty one a vCPU is parked, off the queue, until a timer brings it back. Queues are a pCPU's own. An
 * idle pCPU takes from the others', and ten times a second a busy one takes where its own load is the lighter.       */
#include "hypervisor/core/credit.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/x86/tsc.h"

#define PULL_INTERVAL 100000000UL

struct credit_vcpu {
    struct vcpu *v;
    uint64_t used;                       /* virtual time, on the scale of pCPU home's queue */
    uint32_t home;
    uint64_t total;                      /* the same since birth, for comparison between queues */
    uint64_t runs_since;
    bool active;                         /* counted in its domain's active */
    bool parked, yielded;
    bool capped;                         /* the purse is in use */
    struct credit_purse purse;
    struct timer unpark;
};

struct credit_dom {
    uint32_t active;                     /* runnable vCPUs; atomic */
};

struct credit_pcpu {
    struct list_node queue;              /* ascending used */
    uint32_t waiting;                    /* its length; others read it unlocked */
    uint64_t floor;                      /* the least used among queued and running; never falls */
};

/* When a vCPU was last taken from a busy pCPU by a busy one: one at a time, so that each move can show its effect. Atomic. */
static uint64_t pulled_at;

#define CV(v) ((struct credit_vcpu *)(v)->sched)
#define CD(d) ((struct credit_dom *)(d)->sched)
#define CP(p) ((struct credit_pcpu *)(p)->sched)

static uint32_t active_of(const struct vcpu *v)
{
    return atomic_read(&CD(v->domain)->active);
}

/* ---- births and deaths ------------------------------------------------------------------------- */

static int init_pcpu(struct pcpu *p)
{
    struct credit_pcpu *cp = kalloc(sizeof(*cp));

    if (!cp)
        return -XEN_ENOMEM;
    list_init(&cp->queue);
    p->sched = cp;
    return 0;
}

static int init_domain(struct domain *d)
{
    d->sched = kalloc(sizeof(struct credit_dom));
    d->weight = CREDIT_WEIGHT;
    d->cap = 0;
    return d->sched ? 0 : -XEN_ENOMEM;
}

static void free_domain(struct domain *d)
{
    kfree(d->sched);
    d->sched = NULL;
}

/* Timer: the purse of a parked vCPU is half full again. */
static void unpark(void *arg)
{
    struct credit_vcpu *c = arg;

    WRITE_ONCE(c->parked, false);
    sched_place(c->v);
}

static int init_vcpu(struct vcpu *v)
{
    struct credit_vcpu *c;

    if (timer_reserve(1))
        return -XEN_ENOMEM;
    c = kalloc(sizeof(*c));
    if (!c) {
        timer_unreserve(1);
        return -XEN_ENOMEM;
    }
    c->v = v;
    c->home = v->processor;
    c->used = CP(pcpus[v->processor])->floor;
    timer_init(&c->unpark, unpark, c);
    v->sched = c;
    return 0;
}

static void free_vcpu(struct vcpu *v)
{
    if (!v->sched)
        return;
    timer_stop(&CV(v)->unpark);
    timer_unreserve(1);
    kfree(v->sched);
    v->sched = NULL;
}

/* ---- the queue --------------------------------------------------------------------------------- */

static struct credit_vcpu *queue_head(struct credit_pcpu *cp)
{
    return list_empty(&cp->queue) ? NULL : CV(container_of(cp->queue.next, struct vcpu, run_link));
}

static void enqueue(struct pcpu *p, struct credit_vcpu *c)
{
    struct credit_pcpu *cp = CP(p);
    struct list_node *at = &cp->queue;

    list_for_each(n, &cp->queue) {
        if (CV(container_of(n, struct vcpu, run_link))->used > c->used) {
            at = n;
            break;
        }
    }
    list_insert_before(at, &c->v->run_link);
    cp->waiting++;
}

static void dequeue(struct pcpu *p, struct vcpu *v)
{
    list_remove(&v->run_link);
    CP(p)->waiting--;
}

static void raise_floor(struct credit_pcpu *cp, uint64_t running_used)
{
    struct credit_vcpu *head = queue_head(cp);
    uint64_t least = head && head->used < running_used ? head->used : running_used;

    if (least > cp->floor)
        cp->floor = least;
}

/* What the running v has used, this very run included. */
static uint64_t used_now(const struct vcpu *v, uint64_t now)
{
    const struct credit_vcpu *c = CV(v);
    return c->used + credit_cost(now > c->runs_since ? now - c->runs_since : 0, v->domain->weight, active_of(v));
}

/* c's account in terms of p's queue; one that slept loses what it has saved beyond CREDIT_LAG. */
static void rebase(struct pcpu *p, struct credit_vcpu *c)
{
    c->used = credit_rebase(c->used, CP(pcpus[c->home])->floor, CP(p)->floor);
    c->home = p->id;
}

static void set_active(struct credit_vcpu *c, bool active)
{
    if (c->active == active)
        return;
    c->active = active;
    if (active)
        atomic_add(&CD(c->v->domain)->active, 1);
    else
        atomic_sub(&CD(c->v->domain)->active, 1);
}

/* ---- waking ------------------------------------------------------------------------------------ */

/* An idle pCPU, its own first; else the one where fewest wait. */
static uint32_t choose_pcpu(struct vcpu *v)
{
    uint64_t able = v->affinity & sched_online_mask();
    uint64_t idle = able & sched_idle_mask();
    uint32_t best = v->processor, fewest = ~0U;

    if (idle >> v->processor & 1)
        return v->processor;
    if (idle)
        return __builtin_ctzl(idle);
    if (able >> best & 1)
        fewest = READ_ONCE(CP(pcpus[best])->waiting);
    for (uint64_t m = able; m; m &= m - 1) {
        uint32_t id = __builtin_ctzl(m), n = READ_ONCE(CP(pcpus[id])->waiting);
        if (n < fewest) {
            best = id;
            fewest = n;
        }
    }
    return best;
}

static void wake(struct vcpu *v, uint64_t now)
{
    struct credit_vcpu *c = CV(v);
    struct pcpu *p = pcpus[v->processor];

    set_active(c, true);
    if (c->parked)
        return;
    /* One that ran alone was charged nothing meanwhile: the floor follows it, or it would pay for that time now. */
    if (!p->sched_curr->is_idle)
        raise_floor(CP(p), used_now(p->sched_curr, now));
    rebase(p, c);
    enqueue(p, c);
}

static void sleep(struct vcpu *v)
{
    if (list_linked(&v->run_link))
        dequeue(pcpus[v->processor], v);
    if (!vcpu_runnable(v))
        set_active(CV(v), false);
}

static bool yield(struct vcpu *v)
{
    if (!READ_ONCE(CP(pcpus[v->processor])->waiting))
        return false;
    CV(v)->yielded = true;
    return true;
}

static bool preempts(struct vcpu *woken, struct vcpu *running, uint64_t now)
{
    return CV(woken)->used + CREDIT_GRAIN < used_now(running, now);
}

/* ---- choosing ---------------------------------------------------------------------------------- */

/* prev pays for its time. */
static void charge(struct credit_vcpu *c, uint64_t now)
{
    struct domain *d = c->v->domain;
    uint64_t ran = now > c->runs_since ? now - c->runs_since : 0;
    uint64_t cost = credit_cost(ran, d->weight, active_of(c->v));

    c->used += cost;
    c->total += cost;
    c->runs_since = now;
    if (c->capped)
        c->purse.ns -= (int64_t)ran;
    else
        c->purse = (struct credit_purse){ 0, now };   /* a cap set now begins with an empty purse */
    c->capped = d->cap != 0;
}

static __attribute__((noinline)) bool park_capped(struct pcpu *p, struct credit_vcpu *c, uint32_t cap, uint64_t now)
{
    uint32_t active = active_of(c->v);

    credit_purse_fill(&c->purse, cap, active, now);
    if (c->purse.ns > (int64_t)CREDIT_CRUMB)
        return false;
    c->parked = true;
    timer_set(&c->unpark, p, now + credit_purse_wait(&c->purse, cap, active) + CREDIT_CRUMB);
    return true;
}

/* True: the purse is empty; c stays off the queue until unpark. */
static inline bool park_if_poor(struct pcpu *p, struct credit_vcpu *c, uint64_t now)
{
    uint32_t cap = c->v->domain->cap;

    return cap && park_capped(p, c, cap, now);
}

static void take_from(struct pcpu *q, struct pcpu *p, struct vcpu *v)
{
    dequeue(q, v);
    v->processor = p->id;
    rebase(p, CV(v));
}

/* First one waiting on q that p may run: its state saved, its affinity willing. One that q idles with still loaded is left: q has been
 * woken for it, and would first have to put it down. Both locks are held. */
static struct vcpu *takeable(struct pcpu *q, struct pcpu *p)
{
    list_for_each(n, &CP(q)->queue) {
        struct vcpu *v = container_of(n, struct vcpu, run_link);
        if (!v->on_pcpu && READ_ONCE(q->lazy) != v && (v->affinity >> p->id & 1))
            return v;
    }
    return NULL;
}

static uint64_t weight_of(const struct vcpu *v)
{
    uint32_t active = active_of(v);
    return v->domain->weight * 16UL / (active ? active : 1);
}

static uint64_t load_of(struct pcpu *p, struct vcpu *running)
{
    uint64_t load = running->is_idle ? 0 : weight_of(running);

    list_for_each(n, &CP(p)->queue)
        load += weight_of(container_of(n, struct vcpu, run_link));
    return load;
}

/* Should v, which waits on q, move to a pCPU with that load? Not if that left q the lighter; and whoever had less so far stays and
 * may come to run alone: so equals get equal shares of pCPUs that they do not divide evenly. */
static bool worth_moving(struct pcpu *q, struct vcpu *v, uint64_t load)
{
    return load_of(q, q->sched_curr) >= load + weight_of(v) &&
           (q->sched_curr->is_idle || CV(v)->total >= CV(q->sched_curr)->total);
}

/* One waiting elsewhere, for p to run now: any when p would idle, else one that is worth moving. *missed: a queue could not be
 * looked at. */
static struct vcpu *take_elsewhere(struct pcpu *p, uint64_t load, bool any, bool *missed)
{
    struct vcpu *v = NULL;

    for (uint32_t i = 1; i < nr_pcpus && !v; i++) {
        struct pcpu *q = pcpus[(p->id + i) % nr_pcpus];
        if (!q->sched || !READ_ONCE(CP(q)->waiting))
            continue;
        if (!spin_trylock(&q->sched_lock)) {
            *missed = true;
            continue;
        }
        v = takeable(q, p);
        if (v && !any && !worth_moving(q, v, load))
            v = NULL;
        if (v)
            take_from(q, p, v);
        spin_unlock(&q->sched_lock);
    }
    return v;
}

static bool anybody_waits(void)
{
    for (uint32_t i = 0; i < nr_pcpus; i++) {
        if (pcpus[i]->sched && READ_ONCE(CP(pcpus[i])->waiting))
            return true;
    }
    return false;
}

/* From p's own queue: the first whose purse is not empty. */
static struct vcpu *take_own(struct pcpu *p, uint64_t now)
{
    struct credit_vcpu *c;

    while ((c = queue_head(CP(p)))) {
        dequeue(p, c->v);
        if (!park_if_poor(p, c, now))
            return c->v;
    }
    return NULL;
}

static uint64_t slice_for(struct pcpu *p, struct vcpu *v)
{
    struct credit_vcpu *c = CV(v);
    uint64_t slice = 0;

    if (CP(p)->waiting)
        slice = CREDIT_SLICE;
    else if (nr_pcpus > 1 && anybody_waits())
        slice = CREDIT_SLICE;            /* to look whether to take one over */
    if (v->domain->cap && (!slice || (uint64_t)c->purse.ns < slice))
        slice = c->purse.ns > (int64_t)CREDIT_CRUMB ? (uint64_t)c->purse.ns : CREDIT_CRUMB;
    return slice;
}

/* prev goes on although somebody waits: it has not run long, and is hardly behind. */
static bool keeps_running(struct credit_pcpu *cp, struct credit_vcpu *c)
{
    struct credit_vcpu *head = queue_head(cp);
    return !head || c->used < head->used + CREDIT_GRAIN;
}

static void put_back(struct pcpu *p, struct credit_vcpu *c)
{
    struct credit_vcpu *head = queue_head(CP(p));

    if (c->yielded && head && head->used > c->used)
        c->used = head->used;            /* behind whoever waits first */
    c->yielded = false;
    enqueue(p, c);
}

static struct sched_decision decide(struct pcpu *p, struct vcpu *next, uint64_t now)
{
    struct credit_vcpu *c = CV(next), *head;

    c->runs_since = now;
    raise_floor(CP(p), c->used);
    head = queue_head(CP(p));
    if (head && !head->v->on_pcpu)
        sched_tickle_idle(head->v);
    return (struct sched_decision){ next, slice_for(p, next) };
}

static struct sched_decision pick(struct pcpu *p, struct vcpu *prev, bool requeue, uint64_t now)
{
    struct credit_pcpu *cp = CP(p);
    struct vcpu *next = NULL;
    bool missed = false;

    if (!prev->is_idle) {
        charge(CV(prev), now);
        if (!vcpu_runnable(prev))
            set_active(CV(prev), false);
        else if (requeue && !park_if_poor(p, CV(prev), now)) {
            if (!CV(prev)->yielded && keeps_running(cp, CV(prev)))
                next = prev;
            else
                put_back(p, CV(prev));
            raise_floor(cp, CV(prev)->used);
        }
    }
    if (nr_pcpus > 1 && now - atomic_read(&pulled_at) > PULL_INTERVAL) {
        struct vcpu *pulled = take_elsewhere(p, load_of(p, next ? next : p->idle), false, &missed);
        if (pulled)
            atomic_store(&pulled_at, now);
        if (pulled && next)
            put_back(p, CV(next));
        next = pulled ? pulled : next;
    }
    if (!next)
        next = take_own(p, now);
    while (!next && (next = take_elsewhere(p, 0, true, &missed)) && park_if_poor(p, CV(next), now))
        next = NULL;
    if (!next)
        return (struct sched_decision){ p->idle, missed ? CREDIT_CRUMB : 0 };
    return decide(p, next, now);
}

/* ---- parameters and the debug key -------------------------------------------------------------- */

static int adjust(struct domain *d, uint32_t *weight, uint32_t *cap, bool set)
{
    if (set && (*weight < 1 || *weight > 65535 || *cap > 100 * MAX_VCPUS))
        return -XEN_EINVAL;
    if (set) {
        d->weight = *weight;
        d->cap = *cap;
    }
    *weight = d->weight;
    *cap = d->cap;
    return 0;
}

static void dump(struct pcpu *p)
{
    list_for_each(n, &CP(p)->queue) {
        struct vcpu *v = container_of(n, struct vcpu, run_link);
        log_info("  d%uv%u waits, %ld us ahead of the floor, weight %u cap %u", v->domain->id, v->id,
                 (int64_t)(CV(v)->used - CP(p)->floor) / 1000, v->domain->weight, v->domain->cap);
    }
}

const struct scheduler sched_credit = {
    .name = "credit", .abi_id = XEN_SCHEDULER_CREDIT, .slice_ns = CREDIT_SLICE,
    .init_pcpu = init_pcpu, .init_domain = init_domain, .free_domain = free_domain,
    .init_vcpu = init_vcpu, .free_vcpu = free_vcpu,
    .choose_pcpu = choose_pcpu, .wake = wake, .sleep = sleep, .yield = yield, .preempts = preempts, .pick = pick,
    .adjust = adjust, .dump = dump, .anybody_waits = anybody_waits,
};
