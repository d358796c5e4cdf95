/* SPDX-License-Identifier: MIT */
/* attack_channels.c: claim (SPEC 6; bug classes D): two domains make, join, use, move, close and reset event channels to each other and to
 * themselves in any order, on any ports; both, dom0 and the hypervisor go on, whichever of the two dies when. With peer=. */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/sched.h"
#include "tests/hostile/hostile.h"

static long ev(unsigned cmd, void *arg) { return hypercall_event_channel_op(cmd, gva(arg)); }

/* Few ports, so that the two meet; the edges of the range; no port at all (XSA-221, 317). */
static uint32_t some_port(void)
{
    static const uint32_t edge[] = { 0, 63, 64, 4095, 4096, 4097, 0x7fffffff, 0x80000000, ~0U };
    return rnd() % 16 ? 1 + rnd() % 24 : edge[rnd() % 9];
}

static domid_t somebody(domid_t peer)
{
    switch (rnd() % 8) {
    case 0: return DOMID_SELF;
    case 1: return rnd();
    case 2: return 0;
    default: return peer;
    }
}

static void poll_some(void)
{
    static evtchn_port_t port[130];
    struct sched_poll p = { .nr_ports = rnd() % 16 ? rnd() % 4 : rnd() % 200, .timeout = 1 };

    for (unsigned i = 0; i < 130; i++)
        port[i] = some_port();
    p.ports = rnd() % 16 ? gva(port) : rnd();
    hypercall_sched_op(SCHEDOP_poll, gva(&p));
}

static void one(domid_t peer)
{
    struct evtchn_alloc_unbound a = { .dom = rnd() % 8 ? DOMID_SELF : somebody(peer), .remote_dom = somebody(peer) };
    struct evtchn_bind_interdomain b = { .remote_dom = somebody(peer), .remote_port = some_port() };
    struct evtchn_bind_virq virq = { .virq = rnd() % 32 ? rnd() % 26 : rnd(), .vcpu = rnd() % 8 ? 0 : rnd() };
    struct evtchn_bind_ipi ipi = { .vcpu = rnd() % 8 ? 0 : rnd() };
    struct evtchn_bind_vcpu to = { some_port(), rnd() % 8 ? 0 : rnd() };
    struct evtchn_status s = { .dom = rnd() % 4 ? DOMID_SELF : somebody(peer), .port = some_port() };
    struct evtchn_bind_pirq q = { rnd() % 300, rnd(), 0 };
    struct evtchn_reset r = { .dom = DOMID_SELF };
    uint32_t port = some_port();

    switch (rnd() % 16) {
    case 0: case 1: ev(EVTCHNOP_alloc_unbound, &a); break;
    case 2: case 3: case 4: ev(EVTCHNOP_bind_interdomain, &b); break;
    case 5: case 6: case 7: ev(EVTCHNOP_send, &port); break;
    case 8: case 9: ev(EVTCHNOP_close, &port); break;
    case 10: ev(EVTCHNOP_bind_virq, &virq); break;
    case 11: ev(EVTCHNOP_bind_ipi, &ipi); break;
    case 12: ev(EVTCHNOP_bind_vcpu, &to); break;
    case 13: ev(EVTCHNOP_unmask, &port); break;
    case 14:
        ev(EVTCHNOP_status, &s);
        if (ev(EVTCHNOP_bind_pirq, &q) == 0)
            BROKE_OUT("interrupt %u of the machine is ours", (uint64_t)q.pirq);
        break;
    default:
        if (rnd() % 8 == 0)
            ev(EVTCHNOP_reset, &r);
        else
            poll_some();
    }
}

void attack_channels(void)
{
    domid_t peer = option("peer", 0);
    uint64_t count = option("count", 100000), joined = 0;

    for (uint64_t n = 0; n < count; n++) {
        one(peer);
        if (n % 512 == 0) {
            struct evtchn_status s = { .dom = DOMID_SELF };
            for (s.port = 1; s.port < 25; s.port++)
                joined += !ev(EVTCHNOP_status, &s) && s.status == EVTCHNSTAT_interdomain && s.u.interdomain.dom == peer;
            rest();
        }
    }
    say("%u channels to d%u seen", joined, (uint64_t)peer);
    if (!joined)
        TEST_ERROR("no channel ever came to be");
}
