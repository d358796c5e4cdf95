/* SPDX-License-Identifier: MIT */
/* core_ports.c: claims: event channels are made, joined, asked about and closed as SPEC 6.2 says; a refusal changes nothing; a port
 * that the guest could not be told of is closed again; each change holds the locks it must, in their order, and lets go of them;
 * no reference to a domain stays behind. If this fails, a guest loses events, or reaches another domain's ports.                 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hypercall-abi/errno.h"
#include "hypercall-abi/evtchn.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/heap.h"
#include "tests/host/faults.h"

_Thread_local struct vcpu *host_current;
_Thread_local struct pcpu *host_pcpu;
struct domain *domains_by_id[MAX_DOMAINS];
struct domain *dom0;
static struct domain doms[3];                          /* 0 is dom0; 1 has two vCPUs */
static struct vcpu vcpus[3][2];
static struct shared_info shared[3];
static unsigned kicks[3][2], ring_events, pirqs_bound, buckets_left, buckets;
static int pirq_answer;
static bool preempt;
static void (*after_unlock)(void);
static uint64_t again[3];

/* ---- what lies below ---- */

static struct domain *held[2];
static unsigned nr_held;

static struct domain *domain_of(struct spinlock *l)
{
    for (unsigned i = 0; i < 3; i++)
        if (l == &doms[i].evtchn_lock)
            return &doms[i];
    fail_msg("a lock that is none");
    return NULL;
}

void spin_lock(struct spinlock *l) { assert_int_equal(nr_held, 0); held[nr_held++] = domain_of(l); }

void spin_lock_second(struct spinlock *l)
{
    assert_int_equal(nr_held, 1);
    assert_true(held[0]->id < domain_of(l)->id);
    held[nr_held++] = domain_of(l);
}

void spin_unlock(struct spinlock *l)
{
    unsigned i = nr_held && held[0] == domain_of(l) ? 0 : 1;

    assert_true(nr_held > i && held[i] == domain_of(l));
    held[i] = held[1];
    nr_held--;
    if (!nr_held && after_unlock) {
        void (*fn)(void) = after_unlock;
        after_unlock = NULL;
        fn();
    }
}

struct domain *domain_get(domid_t id)
{
    struct domain *d = id < MAX_DOMAINS ? domains_by_id[id] : NULL;

    if (d)
        d->refs++;
    return d;
}

void domain_put(struct domain *d) { assert_true(d->refs-- > 0); }
void bug(const char *file, int line, const char *what) { fail_msg("BUG %s:%d: %s", file, line, what); __builtin_trap(); }

struct domain *domain_get_for(struct vcpu *v, domid_t id, long *rc)
{
    bool self = id == DOMID_SELF || id == v->domain->id;

    *rc = self || v->domain->privileged ? -XEN_ESRCH : -XEN_EPERM;
    return *rc == -XEN_ESRCH ? domain_get(self ? v->domain->id : id) : NULL;
}
void *kalloc(size_t n)
{
    if (!buckets_left)
        return NULL;
    buckets_left--;
    buckets++;
    return calloc(1, n);
}

void kfree(void *p)
{
    buckets -= !!p;
    free(p);
}
bool preempt_needed(void) { assert_int_equal(nr_held, 0); return preempt; }
void vcpu_kick(struct vcpu *v) { kicks[v->domain->id][v->id]++; }
void vcpu_pause_clear(struct vcpu *v, uint32_t reason) { v->pause &= ~reason; }
void guestcons_ring_event(struct domain *d) { assert_int_equal(nr_held, 0); ring_events++; }
void log_at(enum log_level level, const char *fmt, ...) { }

int physdev_bind_pirq(struct domain *d, uint32_t pirq, uint32_t port)
{
    assert_true(nr_held == 1 && held[0] == d);
    if (!pirq_answer)
        pirqs_bound++;
    return pirq_answer;
}

void physdev_unbind_pirq(struct domain *d, uint32_t pirq)
{
    assert_true(nr_held == 1 && held[0] == d && pirq == 11);
    pirqs_bound--;
}

long hypercall_continue(struct vcpu *v, unsigned nr, unsigned nargs, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    assert_int_equal(nr, __HYPERVISOR_event_channel_op);
    assert_int_equal(nargs, 2);
    again[0]++;
    again[1] = a0;
    again[2] = a1;
    return -XEN_ERESTART;
}

/* ---- the world ---- */

static unsigned used(unsigned dom)
{
    unsigned n = 0;

    for (uint32_t p = 0; p < NR_PORTS; p++)
        n += evtchn_at(&doms[dom], p) && evtchn_at(&doms[dom], p)->state != EVTCHN_FREE;
    return n;
}

static int begin(void **state)
{
    memset(doms, 0, sizeof(doms));
    memset(vcpus, 0, sizeof(vcpus));
    memset(shared, 0, sizeof(shared));
    memset(kicks, 0, sizeof(kicks));
    buckets_left = 1000;
    pirq_answer = 0;
    preempt = false;
    for (unsigned i = 0; i < 3; i++) {
        doms[i].id = i;
        doms[i].max_vcpus = MAX_VCPUS;
        doms[i].shared = &shared[i];
        for (unsigned k = 0; k < (i == 1 ? 2 : 1); k++) {
            doms[i].vcpu[k] = &vcpus[i][k];
            vcpus[i][k] = (struct vcpu){ .domain = &doms[i], .id = k, .info = &shared[i].vcpu_info[k] };
        }
        domains_by_id[i] = &doms[i];
        assert_int_equal(evtchn_init(&doms[i]), 0);
    }
    dom0 = &doms[0];
    dom0->privileged = true;
    return 0;
}

static int end(void **state)
{
    assert_int_equal(nr_held, 0);
    assert_null(after_unlock);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(doms[i].refs, 0);
        preempt = false;
        assert_int_equal(evtchn_destroy(&doms[i]), 0);
        assert_int_equal(used(i), 0);
        evtchn_free(&doms[i]);
    }
    assert_int_equal(pirqs_bound + buckets, 0);
    return 0;
}

static long op(unsigned dom, uint64_t cmd, const void *arg) { return hc_event_channel_op(&vcpus[dom][0], cmd, gva((uint64_t)arg)); }

static long alloc(unsigned caller, domid_t dom, domid_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound a = { dom, remote, 77 };
    long rc = op(caller, EVTCHNOP_alloc_unbound, &a);

    *port = a.port;
    return rc;
}

static long bind(unsigned caller, domid_t remote, uint32_t remote_port, uint32_t *port)
{
    struct evtchn_bind_interdomain b = { remote, remote_port, 77 };
    long rc = op(caller, EVTCHNOP_bind_interdomain, &b);

    *port = b.local_port;
    return rc;
}

static struct evtchn_status status_of(unsigned dom, uint32_t port)
{
    struct evtchn_status s = { .dom = DOMID_SELF, .port = port, .status = 99, .vcpu = 99, .u.interdomain = { 99, 99 } };

    assert_int_equal(op(dom, EVTCHNOP_status, &s), 0);
    return s;
}

/* An argument that can be read, and not written. */
static const void *unwritable(const void *arg, size_t n)
{
    faults_fill(arg, n);
    return read_only_page;
}

static bool pending(unsigned dom, uint32_t port) { return shared[dom].evtchn_pending[port / 64] >> port % 64 & 1; }
static void mask(unsigned dom, uint32_t port) { shared[dom].evtchn_mask[port / 64] |= 1UL << port % 64; }

/* ---- claims ---- */

static void allocation(void **state)
{
    struct evtchn_alloc_unbound a = { DOMID_SELF, 2, 0 };
    uint32_t port;

    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(alloc(1, DOMID_SELF, i == 2 ? DOMID_SELF : 2, &port), 0);
        assert_int_equal(port, i);
        assert_int_equal(evtchn_at(&doms[1], port)->state, EVTCHN_UNBOUND);
        assert_int_equal(evtchn_at(&doms[1], port)->remote_dom, i == 2 ? 1 : 2);
    }
    assert_int_equal(alloc(1, 1, 2, &port), 0);         /* itself by its number */
    assert_int_equal(alloc(1, 2, 2, &port), -XEN_EPERM);
    assert_int_equal(alloc(1, 77, 2, &port), -XEN_EPERM);
    assert_int_equal(alloc(0, 77, 2, &port), -XEN_ESRCH);
    assert_int_equal(alloc(0, 2, DOMID_SELF, &port), 0);   /* the caller, not the port's owner */
    assert_int_equal(port, 1);
    assert_int_equal(evtchn_at(&doms[2], 1)->remote_dom, 0);
    assert_int_equal(op(1, EVTCHNOP_alloc_unbound, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(used(1), 4);
    assert_int_equal(op(1, EVTCHNOP_alloc_unbound, unwritable(&a, sizeof(a))), -XEN_EFAULT);
    assert_int_equal(used(1), 4);
    assert_int_equal(evtchn_at(&doms[1], 5)->state, EVTCHN_FREE);
    doms[1].dying = DOMAIN_DYING;
    assert_int_equal(alloc(0, 1, 2, &port), -XEN_ESRCH);
    assert_int_equal(port, 77);
    doms[1].dying = 0;
    assert_int_equal(op(1, EVTCHNOP_init_control, NULL), -XEN_ENOSYS);
    assert_int_equal(op(1, EVTCHNOP_expand_array, NULL), -XEN_ENOSYS);
    assert_int_equal(op(1, EVTCHNOP_set_priority, NULL), -XEN_ENOSYS);
    assert_int_equal(op(1, 99, NULL), -XEN_ENOSYS);
}

static void every_port(void **state)
{
    uint32_t port;

    for (uint32_t i = 1; i < NR_PORTS; i++) {
        assert_int_equal(alloc(1, DOMID_SELF, 2, &port), 0);
        assert_int_equal(port, i);                      /* 0 is nobody's; the first of each later bucket is somebody's */
    }
    assert_int_equal(alloc(1, DOMID_SELF, 2, &port), -XEN_ENOSPC);
    assert_int_equal(used(1), NR_PORTS - 1);
    assert_int_equal(evtchn_close(&doms[1], 4000), 0);
    assert_int_equal(alloc(1, DOMID_SELF, 2, &port), 0);
    assert_int_equal(port, 4000);
    buckets_left = 0;
    for (uint32_t i = 1; i < EVTCHN_BUCKET; i++)
        assert_int_equal(alloc(2, DOMID_SELF, 1, &port), 0);
    assert_int_equal(alloc(2, DOMID_SELF, 1, &port), -XEN_ENOMEM);
    assert_int_equal(used(2), EVTCHN_BUCKET - 1);
    assert_int_equal(op(2, EVTCHNOP_close, &(struct evtchn_close){ 200 }), -XEN_EINVAL);   /* in a bucket that is not there */
    assert_int_equal(op(2, EVTCHNOP_unmask, &(struct evtchn_unmask){ 200 }), -XEN_EINVAL);
    assert_int_equal(op(2, EVTCHNOP_close, &(struct evtchn_close){ NR_PORTS }), -XEN_EINVAL);
    assert_int_equal(op(2, EVTCHNOP_close, &(struct evtchn_close){ ~0U }), -XEN_EINVAL);
    struct domain fresh = { .id = 9 };
    assert_int_equal(evtchn_init(&fresh), -XEN_ENOMEM);
}

static void channels(void **state)
{
    struct evtchn_bind_interdomain b;
    uint32_t a, p, q;

    assert_int_equal(alloc(2, DOMID_SELF, 1, &a), 0);
    assert_int_equal(bind(0, 2, a, &p), -XEN_EINVAL);   /* for d1, not for him */
    assert_int_equal(bind(1, 2, a + 1, &p), -XEN_EINVAL);
    assert_int_equal(bind(1, 2, NR_PORTS, &p), -XEN_EINVAL);
    assert_int_equal(bind(1, 2, 500, &p), -XEN_EINVAL);
    assert_int_equal(bind(1, 3, a, &p), -XEN_ESRCH);
    assert_int_equal(op(1, EVTCHNOP_bind_interdomain, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(used(1), 0);
    b = (struct evtchn_bind_interdomain){ 2, a, 0 };
    assert_int_equal(op(1, EVTCHNOP_bind_interdomain, unwritable(&b, sizeof(b))), -XEN_EFAULT);
    assert_int_equal(used(1), 0);
    assert_int_equal(evtchn_at(&doms[2], a)->state, EVTCHN_UNBOUND);
    shared[1].evtchn_pending[0] = 0;
    assert_int_equal(bind(1, 2, a, &p), 0);
    assert_int_equal(p, 1);
    assert_true(pending(1, p) && kicks[1][0] == 1);     /* it may have been sent to before */
    assert_int_equal(bind(1, 2, a, &q), -XEN_EINVAL);   /* once */
    struct evtchn_status s = status_of(1, p);
    assert_true(s.status == EVTCHNSTAT_interdomain && s.u.interdomain.dom == 2 && s.u.interdomain.port == a);
    s = status_of(2, a);
    assert_true(s.status == EVTCHNSTAT_interdomain && s.u.interdomain.dom == 1 && s.u.interdomain.port == p);
    assert_int_equal(op(1, EVTCHNOP_send, &p), 0);
    assert_true(pending(2, a) && kicks[2][0] == 1);
    /* the end that stays waits to be bound again, by the same domain only */
    assert_int_equal(op(1, EVTCHNOP_close, &p), 0);
    assert_false(pending(1, p));
    assert_int_equal(evtchn_at(&doms[1], p)->state, EVTCHN_FREE);
    s = status_of(2, a);
    assert_true(s.status == EVTCHNSTAT_unbound && s.u.unbound.dom == 1);
    assert_int_equal(evtchn_at(&doms[2], a)->remote_port, 0);
    assert_int_equal(bind(0, 2, a, &q), -XEN_EINVAL);
    assert_int_equal(bind(1, 2, a, &p), 0);
    /* from the higher number to the lower, and with oneself */
    assert_int_equal(op(2, EVTCHNOP_close, &a), 0);
    assert_int_equal(evtchn_at(&doms[1], p)->state, EVTCHN_UNBOUND);
    assert_int_equal(bind(2, 1, p, &a), 0);
    assert_int_equal(alloc(1, DOMID_SELF, DOMID_SELF, &q), 0);
    assert_int_equal(bind(1, DOMID_SELF, q, &a), 0);
    assert_int_equal(op(1, EVTCHNOP_send, &a), 0);
    assert_true(pending(1, q));
    assert_int_equal(op(1, EVTCHNOP_close, &q), 0);
    assert_int_equal(evtchn_at(&doms[1], a)->state, EVTCHN_UNBOUND);
    /* no room at one's own end: the other stays as it was */
    doms[2].dying = DOMAIN_DYING;
    assert_int_equal(bind(2, 1, a, &q), -XEN_EINVAL);   /* nor is it his */
    assert_int_equal(op(1, EVTCHNOP_close, &a), 0);
    assert_int_equal(alloc(1, DOMID_SELF, 2, &a), 0);
    assert_int_equal(bind(2, 1, a, &q), -XEN_ESRCH);
    assert_int_equal(evtchn_at(&doms[1], a)->state, EVTCHN_UNBOUND);
    doms[2].dying = 0;
}

static uint32_t race_port;
static void peer_closes(void) { assert_int_equal(evtchn_close(&doms[2], race_port), 0); }

/* Between looking and locking both, the peer closes its end: ours is then unbound, and still closed. */
static void both_close(void **state)
{
    uint32_t p;

    assert_int_equal(alloc(2, DOMID_SELF, 1, &race_port), 0);
    assert_int_equal(bind(1, 2, race_port, &p), 0);
    after_unlock = peer_closes;
    assert_int_equal(op(1, EVTCHNOP_close, &p), 0);
    assert_int_equal(used(1) + used(2), 0);
}

static void virqs(void **state)
{
    struct evtchn_bind_virq b = { NR_VIRQS, 0, 0 };
    uint32_t timer, global;

    assert_int_equal(op(1, EVTCHNOP_bind_virq, &b), -XEN_EINVAL);
    b = (struct evtchn_bind_virq){ VIRQ_DOM_EXC, 1, 0 };
    assert_int_equal(op(1, EVTCHNOP_bind_virq, &b), -XEN_EINVAL);     /* one a machine: on vCPU 0 */
    static const uint32_t absent[] = { 2, MAX_VCPUS, ~0U };
    for (unsigned i = 0; i < 3; i++) {
        b = (struct evtchn_bind_virq){ VIRQ_TIMER, absent[i], 0 };
        assert_int_equal(op(1, EVTCHNOP_bind_virq, &b), -XEN_ENOENT);
        assert_int_equal(op(1, EVTCHNOP_bind_ipi, &(struct evtchn_bind_ipi){ absent[i], 0 }), -XEN_ENOENT);
    }
    assert_int_equal(op(1, EVTCHNOP_bind_virq, (void *)HV_START), -XEN_EFAULT);
    static const uint32_t own[] = { VIRQ_TIMER, VIRQ_DEBUG, VIRQ_XENOPROF, VIRQ_XENPMU };
    for (unsigned i = 0; i < 4; i++) {
        b = (struct evtchn_bind_virq){ own[i], 1, 0 };
        assert_int_equal(op(1, EVTCHNOP_bind_virq, &b), 0);
        assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ b.port, 0 }), -XEN_EINVAL);
    }
    b = (struct evtchn_bind_virq){ VIRQ_TIMER, 1, 0 };
    assert_int_equal(op(1, EVTCHNOP_bind_virq, &b), -XEN_EEXIST);
    timer = vcpus[1][1].virq_port[VIRQ_TIMER];
    assert_int_equal(timer, 1);
    assert_int_equal(status_of(1, timer).status, EVTCHNSTAT_virq);
    assert_int_equal(status_of(1, timer).vcpu, 1);
    assert_int_equal(status_of(1, vcpus[1][1].virq_port[VIRQ_DEBUG]).u.virq, VIRQ_DEBUG);
    b = (struct evtchn_bind_virq){ VIRQ_TIMER, 0, 0 };
    assert_int_equal(op(1, EVTCHNOP_bind_virq, &b), 0);
    assert_true(evtchn_virq_vcpu(&vcpus[1][1], VIRQ_TIMER));
    assert_true(pending(1, timer) && kicks[1][1] == 1 && kicks[1][0] == 0);
    assert_int_equal(op(1, EVTCHNOP_close, &timer), 0);
    assert_int_equal(vcpus[1][1].virq_port[VIRQ_TIMER], 0);
    assert_int_equal(vcpus[1][0].virq_port[VIRQ_TIMER], b.port);     /* the other vCPU's stays */
    assert_false(evtchn_virq_vcpu(&vcpus[1][1], VIRQ_TIMER));
    b = (struct evtchn_bind_virq){ VIRQ_DOM_EXC, 0, 0 };
    assert_int_equal(op(1, EVTCHNOP_bind_virq, &b), 0);
    global = b.port;
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ global, 1 }), 0);
    assert_int_equal(status_of(1, global).vcpu, 1);
    b = (struct evtchn_bind_virq){ VIRQ_CONSOLE, 0, 0 };
    assert_int_equal(op(1, EVTCHNOP_bind_virq, unwritable(&b, sizeof(b))), -XEN_EFAULT);
    assert_int_equal(vcpus[1][0].virq_port[VIRQ_CONSOLE], 0);
    doms[1].dying = DOMAIN_DYING;
    assert_int_equal(op(1, EVTCHNOP_bind_virq, &b), -XEN_ESRCH);
    assert_int_equal(vcpus[1][0].virq_port[VIRQ_CONSOLE], 0);
    doms[1].dying = 0;
}

static void taps(void **state)
{
    struct evtchn_bind_ipi b = { 1, 0 };

    assert_int_equal(op(1, EVTCHNOP_bind_ipi, &b), 0);
    assert_int_equal(status_of(1, b.port).status, EVTCHNSTAT_ipi);
    assert_int_equal(op(1, EVTCHNOP_send, &b.port), 0);
    assert_true(pending(1, b.port) && kicks[1][1] == 1 && !kicks[1][0]);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ b.port, 0 }), -XEN_EINVAL);
    assert_int_equal(op(1, EVTCHNOP_bind_ipi, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(op(1, EVTCHNOP_bind_ipi, unwritable(&b, sizeof(b))), -XEN_EFAULT);
    assert_int_equal(used(1), 1);
}

static void interrupts(void **state)
{
    struct evtchn_bind_pirq b = { 0x10000, 0, 0 };

    assert_int_equal(op(1, EVTCHNOP_bind_pirq, &b), -XEN_EINVAL);
    b.pirq = 11;
    pirq_answer = -XEN_EEXIST;
    assert_int_equal(op(1, EVTCHNOP_bind_pirq, &b), -XEN_EEXIST);
    assert_int_equal(used(1), 0);
    pirq_answer = 0;
    assert_int_equal(op(1, EVTCHNOP_bind_pirq, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(op(1, EVTCHNOP_bind_pirq, unwritable(&b, sizeof(b))), -XEN_EFAULT);
    assert_int_equal(pirqs_bound, 0);
    assert_int_equal(op(1, EVTCHNOP_bind_pirq, &b), 0);
    assert_int_equal(pirqs_bound, 1);
    assert_true(status_of(1, b.port).status == EVTCHNSTAT_pirq && status_of(1, b.port).u.pirq == 11);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ b.port, 1 }), 0);
    evtchn_raise_pirq(&doms[1], b.port);
    assert_true(pending(1, b.port) && kicks[1][1] == 1);
    assert_int_equal(op(1, EVTCHNOP_close, &b.port), 0);
    assert_int_equal(pirqs_bound, 0);
    b.pirq = 0xffff;
    doms[1].dying = DOMAIN_DYING;
    assert_int_equal(op(1, EVTCHNOP_bind_pirq, &b), -XEN_ESRCH);
    doms[1].dying = 0;
    pirq_answer = -XEN_EPERM;
    assert_int_equal(op(1, EVTCHNOP_bind_pirq, &b), -XEN_EPERM);     /* the last number there is: the device floor decides */
}

static void which_vcpu(void **state)
{
    uint32_t port, peer;

    assert_int_equal(alloc(1, DOMID_SELF, 2, &port), 0);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ port, 1 }), 0);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ port, 2 }), -XEN_ENOENT);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ port, MAX_VCPUS }), -XEN_ENOENT);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ port + 1, 1 }), -XEN_EINVAL);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ 500, 1 }), -XEN_EINVAL);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(status_of(1, port).vcpu, 1);
    assert_int_equal(bind(2, 1, port, &peer), 0);
    assert_int_equal(op(2, EVTCHNOP_send, &peer), 0);
    assert_true(kicks[1][1] == 1 && !kicks[1][0]);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ port, 0 }), 0);   /* bound, too */
    assert_int_equal(status_of(1, port).vcpu, 0);
    assert_int_equal(op(1, EVTCHNOP_close, &port), 0);
    assert_int_equal(alloc(1, DOMID_SELF, 2, &port), 0);
    assert_int_equal(status_of(1, port).vcpu, 0);      /* nothing of the last use */
}

static void questions(void **state)
{
    struct evtchn_status s = { .dom = 2, .port = 1 };
    uint32_t port;

    assert_int_equal(alloc(2, DOMID_SELF, 1, &port), 0);
    assert_int_equal(op(1, EVTCHNOP_status, &s), -XEN_EPERM);
    assert_int_equal(op(0, EVTCHNOP_status, &s), 0);
    assert_true(s.status == EVTCHNSTAT_unbound && s.u.unbound.dom == 1);
    s.dom = 77;
    assert_int_equal(op(0, EVTCHNOP_status, &s), -XEN_ESRCH);
    s = (struct evtchn_status){ .dom = DOMID_SELF, .port = 500 };
    assert_int_equal(op(2, EVTCHNOP_status, &s), -XEN_EINVAL);
    s.port = 2;
    assert_int_equal(op(2, EVTCHNOP_status, unwritable(&s, sizeof(s))), -XEN_EFAULT);
    assert_int_equal(op(2, EVTCHNOP_status, (void *)HV_START), -XEN_EFAULT);
    s = status_of(2, 2);
    assert_true(s.status == EVTCHNSTAT_closed && s.vcpu == 0 && s.u.interdomain.dom == 0 && s.u.interdomain.port == 0);
    assert_int_equal(evtchn_at(&doms[2], 2)->state, EVTCHN_FREE);
}

static void unmasking(void **state)
{
    uint32_t port;

    assert_int_equal(alloc(1, DOMID_SELF, 2, &port), 0);
    assert_int_equal(op(1, EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ port, 1 }), 0);
    mask(1, port);
    evtchn_notify(&doms[1], port);
    assert_true(pending(1, port) && !kicks[1][1]);
    assert_int_equal(op(1, EVTCHNOP_unmask, &port), 0);
    assert_true(kicks[1][1] == 1 && vcpus[1][1].info->evtchn_upcall_pending && !shared[1].evtchn_mask[0]);
    vcpus[1][1].info->evtchn_upcall_pending = 0;
    assert_int_equal(op(1, EVTCHNOP_unmask, &port), 0);            /* it was unmasked: nothing happens */
    assert_int_equal(kicks[1][1], 1);
    assert_int_equal(op(1, EVTCHNOP_unmask, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(op(1, EVTCHNOP_close, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(op(1, EVTCHNOP_send, (void *)HV_START), -XEN_EFAULT);
    doms[1].vcpu[1] = NULL;                                        /* of a domain that is still being built */
    mask(1, port);
    assert_int_equal(op(1, EVTCHNOP_unmask, &port), 0);
}

static void resets(void **state)
{
    struct evtchn_reset r = { DOMID_SELF };
    uint32_t port, peer, last;

    for (unsigned i = 0; i < 2 * EVTCHN_BUCKET; i++)
        assert_int_equal(alloc(1, DOMID_SELF, 2, &last), 0);
    assert_int_equal(bind(2, 1, last, &peer), 0);
    preempt = true;
    for (unsigned n = 2 * EVTCHN_BUCKET; n > 0; n--) {             /* one at a time, and still it gets on */
        again[0] = 0;
        assert_int_equal(used(1), n);
        assert_int_equal(op(1, EVTCHNOP_reset, &r), -XEN_ERESTART);
        assert_true(again[0] == 1 && again[1] == EVTCHNOP_reset && again[2] == (uint64_t)&r);
    }
    assert_int_equal(op(1, EVTCHNOP_reset, &r), 0);
    assert_int_equal(evtchn_at(&doms[2], peer)->state, EVTCHN_UNBOUND);
    assert_int_equal(op(1, EVTCHNOP_reset, (void *)HV_START), -XEN_EFAULT);
    r.dom = 2;
    assert_int_equal(op(1, EVTCHNOP_reset, &r), -XEN_EPERM);
    preempt = false;
    assert_int_equal(alloc(2, DOMID_SELF, 1, &port), 0);
    doms[2].dying = DOMAIN_DYING;
    assert_int_equal(op(0, EVTCHNOP_reset, &r), -XEN_EINVAL);      /* teardown is at it */
    doms[2].dying = 0;
    assert_int_equal(used(2), 2);
    assert_int_equal(op(0, EVTCHNOP_reset, &r), 0);
    assert_int_equal(used(2), 0);
    assert_int_equal(op(1, EVTCHNOP_close, &port), -XEN_EINVAL);   /* what is free is not closed */
}

/* The console's ring of a domain whose port nobody bound: the hypervisor looks. */
static void sends(void **state)
{
    uint32_t port, other;

    assert_int_equal(alloc(1, DOMID_SELF, 0, &port), 0);
    assert_int_equal(alloc(1, DOMID_SELF, 0, &other), 0);
    doms[1].console_port = port;
    ring_events = 0;
    assert_int_equal(op(1, EVTCHNOP_send, &other), 0);
    assert_int_equal(ring_events, 0);
    assert_int_equal(op(1, EVTCHNOP_send, &port), 0);
    assert_int_equal(ring_events, 1);
    other = 99;
    assert_int_equal(op(1, EVTCHNOP_send, &other), -XEN_EINVAL);
    other = 500;
    assert_int_equal(op(1, EVTCHNOP_send, &other), -XEN_EINVAL);
    assert_false(evtchn_bound_by_dom0(&doms[1], port));
    assert_int_equal(bind(0, 1, port, &other), 0);
    assert_true(evtchn_bound_by_dom0(&doms[1], port) && evtchn_valid(&doms[1], port) && !evtchn_valid(&doms[1], 99));
    assert_int_equal(op(1, EVTCHNOP_send, &port), 0);
    assert_int_equal(ring_events, 1);
    doms[0].poll_mask = 1;                                         /* who polls is woken, masked or not */
    vcpus[0][0].pause = PAUSE_POLL;
    vcpus[0][0].poll_port = other + 1;
    mask(0, other);
    shared[0].evtchn_pending[0] = 0;
    assert_int_equal(op(1, EVTCHNOP_send, &port), 0);
    assert_int_equal(vcpus[0][0].pause, PAUSE_POLL);
    vcpus[0][0].poll_port = other;
    assert_int_equal(op(1, EVTCHNOP_send, &port), 0);
    assert_true(!vcpus[0][0].pause && !doms[0].poll_mask);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(allocation), TEST(every_port), TEST(channels), TEST(both_close), TEST(virqs), TEST(taps),
                                        TEST(interrupts), TEST(which_vcpu), TEST(questions), TEST(unmasking), TEST(resets), TEST(sends) };
    return cmocka_run_group_tests_name("ports", tests, NULL, NULL);
}
