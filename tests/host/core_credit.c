/* SPDX-License-Identifier: MIT */
/* core_credit.c: claims: under sched_credit.c weights 256 and 512 share a pCPU 1:2 within 5 %, a cap of 25 holds within 2 points,
 * no pCPU idles while somebody waits, a sleeper that wakes runs at once, affinity is kept, and equal spinners get equal shares of
 * several pCPUs (SPEC 8.1). The scheduler itself is compiled here; what surrounds it is a simulated machine with a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hypervisor/core/credit.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/x86/tsc.h"

/* ---- the machine ------------------------------------------------------------------------------- */

#define MS 1000000UL
#define STEP 100000UL

struct pcpu *pcpus[MAX_PCPUS];
uint32_t nr_pcpus;
static uint64_t clock_ns, idle_mask, kicked, slice_end[MAX_PCPUS], idled_while_waiting;
static struct timer *armed[64];
static struct vcpu *all[64];
static unsigned nr_all;

uint64_t now_ns(void) { return clock_ns; }
void *kalloc(size_t n) { return calloc(1, n); }
void kfree(void *p) { free(p); }
void log_at(enum log_level l, const char *fmt, ...) { }
void spin_lock(struct spinlock *l) { }
void spin_unlock(struct spinlock *l) { }
bool spin_trylock(struct spinlock *l) { return true; }
int timer_reserve(unsigned n) { return 0; }
void timer_unreserve(unsigned n) { }
void timer_init(struct timer *t, void (*fn)(void *arg), void *arg) { *t = (struct timer){ .fn = fn, .arg = arg }; }
void timer_stop(struct timer *t) { for (unsigned i = 0; i < 64; i++) if (armed[i] == t) armed[i] = NULL; }
void timer_set(struct timer *t, struct pcpu *p, uint64_t expires)
{
    unsigned i;
    timer_stop(t);
    for (i = 0; armed[i]; i++)
        ;
    t->expires = expires;
    armed[i] = t;
}
uint64_t sched_online_mask(void) { return (1UL << nr_pcpus) - 1; }
uint64_t sched_idle_mask(void) { return idle_mask; }
void sched_tickle_idle(const struct vcpu *v)
{
    uint64_t able = idle_mask & v->affinity & ~(1UL << v->processor);
    if (able)
        kicked |= able & -able;
}
void sched_place(struct vcpu *v)
{
    if (v->pause || v->on_pcpu || list_linked(&v->run_link))
        return;
    v->processor = sched_credit.choose_pcpu(v);
    sched_credit.wake(v, clock_ns);
    struct pcpu *p = pcpus[v->processor];
    if (p->sched_curr->is_idle || sched_credit.preempts(v, p->sched_curr, clock_ns))
        kicked |= 1UL << p->id;
    else
        sched_tickle_idle(v);
    if (!slice_end[p->id])
        slice_end[p->id] = clock_ns + sched_credit.slice_ns;
}

static void run_scheduler(struct pcpu *p)
{
    struct vcpu *prev = p->sched_curr;
    bool requeue = !prev->is_idle && !prev->pause && (prev->affinity >> p->id & 1);
    struct sched_decision d;

    kicked &= ~(1UL << p->id);
    d = sched_credit.pick(p, prev, requeue, clock_ns);
    slice_end[p->id] = d.slice_ns ? clock_ns + d.slice_ns : 0;
    if (d.next == prev)
        return;
    assert_true(d.next->is_idle || (d.next->affinity >> p->id & 1));
    assert_true(d.next->is_idle || !d.next->on_pcpu);
    p->sched_curr = d.next;
    idle_mask = d.next->is_idle ? idle_mask | 1UL << p->id : idle_mask & ~(1UL << p->id);
    if (d.next->is_idle)
        kicked |= 1UL << p->id;                    /* the idle loop looks once more */
    d.next->on_pcpu = 1;
    prev->on_pcpu = 0;
    if (!prev->is_idle)
        sched_place(prev);
}

static void one_step(void)
{
    bool idle = false, waits = false;

    clock_ns += STEP;
    for (unsigned i = 0; i < nr_pcpus; i++)
        pcpus[i]->sched_curr->runstate.time[0] += STEP;     /* running: RUNSTATE_running is 0 */
    for (unsigned i = 0; i < 64; i++) {
        struct timer *t = armed[i];
        if (t && t->expires <= clock_ns) {
            armed[i] = NULL;
            t->fn(t->arg);
        }
    }
    for (unsigned i = 0; i < nr_pcpus; i++)
        if (slice_end[i] && slice_end[i] <= clock_ns)
            kicked |= 1UL << i;
    for (int guard = 0; kicked && guard < 100; guard++)
        run_scheduler(pcpus[__builtin_ctzl(kicked)]);
    for (unsigned i = 0; i < nr_pcpus; i++)
        idle |= pcpus[i]->sched_curr->is_idle;
    for (unsigned i = 0; i < nr_all; i++)
        waits |= list_linked(&all[i]->run_link) && all[i]->affinity == ~0UL;
    idled_while_waiting += idle && waits;
}

static void run_for(uint64_t ns)
{
    for (uint64_t end = clock_ns + ns; clock_ns < end; )
        one_step();
}

static void machine(unsigned n)
{
    memset(armed, 0, sizeof(armed));
    nr_pcpus = n;
    nr_all = 0;
    idle_mask = (1UL << n) - 1;
    kicked = idled_while_waiting = 0;
    for (unsigned i = 0; i < n; i++) {
        pcpus[i] = calloc(1, sizeof(struct pcpu));
        pcpus[i]->id = i;
        pcpus[i]->idle = pcpus[i]->sched_curr = calloc(1, sizeof(struct vcpu));
        pcpus[i]->idle->is_idle = true;
        pcpus[i]->idle->processor = i;
        slice_end[i] = 0;
        assert_int_equal(sched_credit.init_pcpu(pcpus[i]), 0);
    }
}

static struct domain *domain(uint32_t weight, uint32_t cap)
{
    struct domain *d = calloc(1, sizeof(*d));
    assert_int_equal(sched_credit.init_domain(d), 0);
    assert_int_equal(sched_credit.adjust(d, &weight, &cap, true), 0);
    return d;
}

static struct vcpu *spinner(struct domain *d, uint64_t affinity)
{
    struct vcpu *v = calloc(1, sizeof(*v));
    v->domain = d;
    v->affinity = affinity;
    list_init(&v->run_link);
    assert_int_equal(sched_credit.init_vcpu(v), 0);
    all[nr_all++] = v;
    sched_place(v);
    return v;
}

static void block(struct vcpu *v)
{
    v->pause = PAUSE_BLOCKED;
    if (v->on_pcpu)
        kicked |= 1UL << v->processor;
    else
        sched_credit.sleep(v);
}

static void wake(struct vcpu *v)
{
    v->pause = 0;
    sched_place(v);
}

static void near(uint64_t got, uint64_t want, unsigned percent)
{
    uint64_t off = got > want ? got - want : want - got;
    if (off * 100 > want * percent)
        fail_msg("%lu ms, wanted %lu within %u %%", got / MS, want / MS, percent);
}

/* ---- the claims -------------------------------------------------------------------------------- */

static void test_weights(void **state)
{
    machine(1);
    struct vcpu *a = spinner(domain(256, 0), ~0UL), *b = spinner(domain(512, 0), ~0UL);
    run_for(10000 * MS);
    near(b->runstate.time[0], 2 * a->runstate.time[0], 5);
    near(a->runstate.time[0] + b->runstate.time[0], 10000 * MS, 1);
}

/* While another pCPU runs something else: shares on one do not depend on the other. */
static void test_weights_pinned(void **state)
{
    machine(2);
    spinner(domain(256, 0), 1);
    struct vcpu *a = spinner(domain(256, 0), 2), *b = spinner(domain(512, 0), 2);
    run_for(10000 * MS);
    near(b->runstate.time[0], 2 * a->runstate.time[0], 5);
}

/* One that ran alone for long owes nothing for it. */
static void test_late_comer(void **state)
{
    machine(1);
    struct vcpu *a = spinner(domain(256, 0), ~0UL);
    run_for(5000 * MS);
    uint64_t before = a->runstate.time[0];
    spinner(domain(256, 0), ~0UL);
    run_for(1000 * MS);
    near(a->runstate.time[0] - before, 500 * MS, 5);
}

static void test_cap(void **state)
{
    machine(1);
    struct vcpu *a = spinner(domain(256, 25), ~0UL);
    run_for(10000 * MS);
    assert_in_range(a->runstate.time[0], 2300 * MS, 2700 * MS);
    struct vcpu *b = spinner(domain(256, 0), ~0UL);
    uint64_t before = a->runstate.time[0];
    run_for(10000 * MS);
    assert_in_range(a->runstate.time[0] - before, 2300 * MS, 2700 * MS);
    near(b->runstate.time[0], 7500 * MS, 4);
}

/* A cap set while the domain has run long without one counts from then on. */
static void test_cap_set_late(void **state)
{
    machine(1);
    struct domain *d = domain(256, 0);
    struct vcpu *a = spinner(d, ~0UL);
    uint32_t weight = 256, cap = 25;
    run_for(3000 * MS);
    sched_credit.adjust(d, &weight, &cap, true);
    kicked |= 1;
    uint64_t before = a->runstate.time[0];
    run_for(10000 * MS);
    assert_in_range(a->runstate.time[0] - before, 2300 * MS, 2700 * MS);
}

static void test_wake_up(void **state)
{
    machine(1);
    struct vcpu *prompt = spinner(domain(256, 0), ~0UL);
    run_for(50 * MS);
    block(prompt);
    for (int i = 0; i < 3; i++)
        spinner(domain(256, 0), ~0UL);
    for (int i = 0; i < 100; i++) {
        run_for(30 * MS + rand() % 20 * MS);
        uint64_t before = prompt->runstate.time[0], at = clock_ns;
        wake(prompt);
        while (prompt->runstate.time[0] == before && clock_ns - at < 50 * MS)
            one_step();
        assert_true(clock_ns - at <= 5 * MS);
        run_for(MS);
        block(prompt);
    }
}

static void test_conserves_work(void **state)
{
    machine(2);
    struct vcpu *v[3];
    for (int i = 0; i < 3; i++)
        v[i] = spinner(domain(256, 0), ~0UL);
    run_for(12000 * MS);
    assert_true(idled_while_waiting <= 2);
    for (int i = 0; i < 3; i++)
        near(v[i]->runstate.time[0], 8000 * MS, 10);
    block(v[0]);
    run_for(1000 * MS);
    assert_true(idled_while_waiting <= 4);
    wake(v[0]);
    run_for(1000 * MS);
    assert_true(idled_while_waiting <= 6);
}

/* A domain's share is the domain's, however many vCPUs it has. */
static void test_share_of_domain(void **state)
{
    machine(1);
    struct domain *two = domain(256, 0);
    struct vcpu *a = spinner(two, ~0UL), *b = spinner(two, ~0UL), *c = spinner(domain(256, 0), ~0UL);
    run_for(10000 * MS);
    near(a->runstate.time[0] + b->runstate.time[0], c->runstate.time[0], 5);
}

static void test_arithmetic(void **state)
{
    struct credit_purse p = { 0, 0 };

    assert_int_equal(credit_cost(1000, 256, 1), 1000);
    assert_int_equal(credit_cost(1000, 512, 1), 500);
    assert_int_equal(credit_cost(1000, 256, 2), 2000);
    assert_int_equal(credit_cost(1000, 0, 0), 256000);         /* nothing divides by 0 */
    assert_int_equal(credit_rebase(0, 1UL << 40, 100 * MS), 100 * MS - CREDIT_LAG);
    assert_int_equal(credit_rebase(1UL << 41, 1UL << 40, 100 * MS), 100 * MS + CREDIT_WINDOW);
    credit_purse_fill(&p, 50, 1, ~0UL / 2);
    assert_int_equal(p.ns, credit_purse_size(50, 1));
    p.ns = 0;
    assert_int_equal(credit_purse_wait(&p, 50, 1), CREDIT_WINDOW / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_weights), cmocka_unit_test(test_weights_pinned),
        cmocka_unit_test(test_late_comer), cmocka_unit_test(test_cap), cmocka_unit_test(test_cap_set_late),
        cmocka_unit_test(test_wake_up), cmocka_unit_test(test_conserves_work), cmocka_unit_test(test_share_of_domain),
    };
    srand(7);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
