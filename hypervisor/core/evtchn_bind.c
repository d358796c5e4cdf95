/* SPDX-License-Identifier: MIT */
/* evtchn_bind.c: ports are made, joined and closed.                                            [read 49]
 *
 * A port is free, waits for a domain to bind to it, or is one end of a channel, a virtual or physical interrupt, or a
 * tap among a domain's own vCPUs. Changing both ends of a channel takes both domains' locks, the lower number first.
 * Each function returns the new port, or 0, or -errno with nothing changed. SPEC 6.                                 */
#include "hypercall-abi/errno.h"
#include "hypercall-abi/evtchn.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/evtchn_2l.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/mm/heap.h"

int evtchn_init(struct domain *d)
{
    d->evtchn_bucket[0] = kalloc(EVTCHN_BUCKET * sizeof(struct evtchn));
    return d->evtchn_bucket[0] ? 0 : -XEN_ENOMEM;
}

void evtchn_free(struct domain *d)
{
    for (unsigned i = 0; i < NR_PORTS / EVTCHN_BUCKET; i++)
        kfree(d->evtchn_bucket[i]);
}

static void lock_pair(struct domain *a, struct domain *b)
{
    struct domain *first = a->id < b->id ? a : b;

    spin_lock(&first->evtchn_lock);
    if (a != b)
        spin_lock_second(first == a ? &b->evtchn_lock : &a->evtchn_lock);
}

static void unlock_pair(struct domain *a, struct domain *b)
{
    spin_unlock(&a->evtchn_lock);
    if (a != b)
        spin_unlock(&b->evtchn_lock);
}

static int new_bucket(struct domain *d, unsigned i)
{
    struct evtchn *bucket = kalloc(EVTCHN_BUCKET * sizeof(*bucket));

    if (!bucket)
        return -XEN_ENOMEM;
    /* Senders look without the lock: they see all of it or nothing (XSA-340). */
    __atomic_store_n(&d->evtchn_bucket[i], bucket, __ATOMIC_RELEASE);
    return 0;
}

/* A free port; its lock is held. Port 0 is never given out: it means "none". */
static int free_port(struct domain *d)
{
    if (d->dying)
        return -XEN_ESRCH;
    for (unsigned i = 0; i < NR_PORTS / EVTCHN_BUCKET; i++) {
        if (!d->evtchn_bucket[i] && new_bucket(d, i))
            return -XEN_ENOMEM;
        for (unsigned j = i ? 0 : 1; j < EVTCHN_BUCKET; j++) {
            if (d->evtchn_bucket[i][j].state == EVTCHN_FREE)
                return i * EVTCHN_BUCKET + j;
        }
    }
    return -XEN_ENOSPC;
}

/* Takes a free port into use. */
static int take_port(struct domain *d, struct evtchn how)
{
    int port = free_port(d);

    if (port > 0)
        *evtchn_at(d, port) = how;
    return port;
}

static void drop_port(struct domain *d, uint32_t port)
{
    *evtchn_at(d, port) = (struct evtchn){ .state = EVTCHN_FREE };
    ev2l_clear_pending(d->shared, port);
}

int evtchn_alloc_unbound(struct domain *d, domid_t remote)
{
    int port;

    spin_lock(&d->evtchn_lock);
    port = take_port(d, (struct evtchn){ .state = EVTCHN_UNBOUND, .remote_dom = remote });
    spin_unlock(&d->evtchn_lock);
    return port;
}

/* ---- binding ----------------------------------------------------------------------------------- */

static int join(struct domain *d, struct domain *peer, uint32_t remote_port)
{
    struct evtchn *theirs = evtchn_at(peer, remote_port);
    int port;

    if (!theirs || theirs->state != EVTCHN_UNBOUND || theirs->remote_dom != d->id)
        return -XEN_EINVAL;
    port = take_port(d, (struct evtchn){ .state = EVTCHN_INTERDOMAIN, .remote_dom = peer->id, .remote_port = remote_port });
    if (port < 0)
        return port;
    theirs->state = EVTCHN_INTERDOMAIN;
    theirs->remote_port = port;
    /* What was sent to the other end before somebody was there must not be lost. */
    evtchn_set_pending(d, port, evtchn_at(d, port));
    return port;
}

int evtchn_bind_interdomain(struct domain *d, domid_t remote_dom, uint32_t remote_port)
{
    struct domain *peer = domain_get(remote_dom == DOMID_SELF ? d->id : remote_dom);
    int port;

    if (!peer)
        return -XEN_ESRCH;
    lock_pair(d, peer);
    port = join(d, peer, remote_port);
    unlock_pair(d, peer);
    domain_put(peer);
    return port;
}

/* One a machine, dom0's; the others one a vCPU. */
static bool virq_is_global(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu)
{
    struct vcpu *v;
    int port;

    if (virq >= NR_VIRQS || (virq_is_global(virq) && vcpu))
        return -XEN_EINVAL;
    v = vcpu < MAX_VCPUS ? d->vcpu[vcpu] : NULL;
    if (!v)
        return -XEN_ENOENT;
    spin_lock(&d->evtchn_lock);
    port = v->virq_port[virq] ? -XEN_EEXIST
                              : take_port(d, (struct evtchn){ .state = EVTCHN_VIRQ, .notify_vcpu = vcpu, .virq_pirq = virq });
    if (port > 0)
        v->virq_port[virq] = port;
    spin_unlock(&d->evtchn_lock);
    return port;
}

int evtchn_bind_ipi(struct domain *d, uint32_t vcpu)
{
    int port;

    if (vcpu >= MAX_VCPUS || !d->vcpu[vcpu])
        return -XEN_ENOENT;
    spin_lock(&d->evtchn_lock);
    port = take_port(d, (struct evtchn){ .state = EVTCHN_IPI, .notify_vcpu = vcpu });
    spin_unlock(&d->evtchn_lock);
    return port;
}

int evtchn_bind_pirq(struct domain *d, uint32_t pirq)
{
    int port, rc;

    if (pirq > 0xffff)
        return -XEN_EINVAL;
    spin_lock(&d->evtchn_lock);
    port = take_port(d, (struct evtchn){ .state = EVTCHN_PIRQ, .virq_pirq = pirq });
    if (port > 0) {
        rc = physdev_bind_pirq(d, pirq, port);
        if (rc) {
            drop_port(d, port);
            port = rc;
        }
    }
    spin_unlock(&d->evtchn_lock);
    return port;
}

int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
    struct evtchn *e = evtchn_at(d, port);
    int rc = -XEN_EINVAL;

    if (vcpu >= MAX_VCPUS || !d->vcpu[vcpu])
        return -XEN_ENOENT;
    if (!e)
        return rc;
    spin_lock(&d->evtchn_lock);
    if (e->state == EVTCHN_UNBOUND || e->state == EVTCHN_INTERDOMAIN || e->state == EVTCHN_PIRQ ||
        (e->state == EVTCHN_VIRQ && virq_is_global(e->virq_pirq))) {
        e->notify_vcpu = vcpu;
        rc = 0;
    }
    spin_unlock(&d->evtchn_lock);
    return rc;
}

/* ---- closing ----------------------------------------------------------------------------------- */

static void forget_virq(struct domain *d, uint32_t port, uint32_t virq)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] && d->vcpu[i]->virq_port[virq] == port)
            d->vcpu[i]->virq_port[virq] = 0;
    }
}

/* Any port but a bound end; the lock is held. */
static int close_single(struct domain *d, uint32_t port, struct evtchn *e)
{
    switch (e->state) {
    case EVTCHN_VIRQ:
        forget_virq(d, port, e->virq_pirq);
        break;
    case EVTCHN_PIRQ:
        physdev_unbind_pirq(d, e->virq_pirq);
        break;
    case EVTCHN_UNBOUND:
    case EVTCHN_IPI:
        break;
    default:
        return -XEN_EINVAL;
    }
    drop_port(d, port);
    return 0;
}

/* The peer's end waits to be bound again, by us. Both locks are held. */
static void close_channel(struct domain *d, uint32_t port, struct evtchn *e, struct domain *peer)
{
    struct evtchn *theirs = evtchn_at(peer, e->remote_port);

    theirs->state = EVTCHN_UNBOUND;      /* its remote_dom is d still */
    theirs->remote_port = 0;
    drop_port(d, port);
}

/* A bound end: the peer is kept alive by a reference while its lock is taken in order, and all is looked at again. */
static int close_bound(struct domain *d, uint32_t port, struct evtchn *e, struct domain *peer)
{
    bool still;

    lock_pair(d, peer);
    still = e->state == EVTCHN_INTERDOMAIN && e->remote_dom == peer->id;
    if (still)
        close_channel(d, port, e, peer);
    unlock_pair(d, peer);
    domain_put(peer);
    return still ? 0 : -XEN_EAGAIN;
}

int evtchn_close(struct domain *d, uint32_t port)
{
    struct evtchn *e = evtchn_at(d, port);
    int rc;

    if (!e)
        return -XEN_EINVAL;
    do {
        struct domain *peer = NULL;

        spin_lock(&d->evtchn_lock);
        if (e->state == EVTCHN_INTERDOMAIN) {
            peer = domains_by_id[e->remote_dom];
            atomic_add(&peer->refs, 1);
            rc = 0;
        } else {
            rc = close_single(d, port, e);
        }
        spin_unlock(&d->evtchn_lock);
        if (peer)
            rc = close_bound(d, port, e, peer);
    } while (rc == -XEN_EAGAIN);
    return rc;
}

int evtchn_destroy(struct domain *d)
{
    /* Whoever looked whether d is dying just before it was has its port by now. */
    spin_lock(&d->evtchn_lock);
    spin_unlock(&d->evtchn_lock);
    for (uint32_t port = 1; port < NR_PORTS; port++) {
        struct evtchn *e = evtchn_at(d, port);
        if (!e) {
            port |= EVTCHN_BUCKET - 1;
            continue;
        }
        if (e->state == EVTCHN_FREE)
            continue;
        evtchn_close(d, port);
        if (preempt_needed())
            return -XEN_ERESTART;
    }
    return 0;
}
