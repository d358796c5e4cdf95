/* SPDX-License-Identifier: MIT */
/* events.c: what native/ has the I/O APIC for: event channels.
 *
 * A port is a bit in the shared page. Sending sets it, sets the bit of its word in the vCPU's selector, and makes the
 * upcall pending; we undo the three in the opposite order, so that nothing is lost between. Delivery to us is held off by
 * evtchn_upcall_mask: set on each entry by the hypervisor, cleared by the iret hypercall.                       */
#include "guest-kernel/pv/cpu.h"

#define PORTS_A_PAGE (PAGE_SIZE / sizeof(struct event))
#define EVENT_PAGES  (EVTCHN_2L_NR_CHANNELS / PORTS_A_PAGE)

struct event { event_fn fn; void *arg; uint64_t count, unused; };   /* a power of two, so that pages hold a whole number */
static struct event first[PORTS_A_PAGE];            /* there before page_alloc is */
static struct event *pages[EVENT_PAGES] = { first };

static struct event *event_of(evtchn_port_t port, bool create)
{
    if (port >= EVTCHN_2L_NR_CHANNELS)
        return 0;
    struct event **page = &pages[port / PORTS_A_PAGE];
    if (!*page && create)
        *page = page_alloc();
    return *page ? *page + port % PORTS_A_PAGE : 0;
}

static bool bit_set(volatile uint64_t *words, unsigned n)
{
    return __atomic_fetch_or(&words[n / 64], 1ul << n % 64, __ATOMIC_SEQ_CST) >> n % 64 & 1;
}

static bool bit_clear(volatile uint64_t *words, unsigned n)
{
    return __atomic_fetch_and(&words[n / 64], ~(1ul << n % 64), __ATOMIC_SEQ_CST) >> n % 64 & 1;
}

int event_handle(evtchn_port_t port, event_fn fn, void *arg)
{
    struct event *e = event_of(port, true);
    if (!e)
        return -ENOMEM;
    *e = (struct event){ .fn = fn, .arg = arg };
    event_unmask(port);
    return 0;
}

void *event_arg(evtchn_port_t port)
{
    struct event *e = event_of(port, false);
    return e ? e->arg : 0;
}

void event_forget(evtchn_port_t port)
{
    struct event *e = event_of(port, false);
    if (!e)
        return;
    event_mask(port);
    bit_clear(pv_shared.evtchn_pending, port);
    *e = (struct event){ 0 };
}

int event_bind_virq(unsigned virq, event_fn fn, void *arg)
{
    struct evtchn_bind_virq bind = { .virq = virq, .vcpu = 0 };
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&bind));
    if (rc == 0)
        rc = event_handle(bind.port, fn, arg);
    return rc < 0 ? (int)rc : (int)bind.port;
}

void event_mask(evtchn_port_t port) { bit_set(pv_shared.evtchn_mask, port); }

void event_clear(evtchn_port_t port) { bit_clear(pv_shared.evtchn_pending, port); }

/* What the hypervisor does for a sender; by hand, for this vCPU, the only one. */
void event_raise(evtchn_port_t port)
{
    bit_set(pv_shared.evtchn_pending, port);
    if (pv_shared.evtchn_mask[port / 64] >> port % 64 & 1)
        return;
    bit_set(&pv_vcpu()->evtchn_pending_sel, port / 64);
    pv_vcpu()->evtchn_upcall_pending = 1;
}

/* An event that came while the port was masked told nobody. */
void event_unmask(evtchn_port_t port)
{
    if (bit_clear(pv_shared.evtchn_mask, port) && pv_shared.evtchn_pending[port / 64] >> port % 64 & 1)
        event_raise(port);
}

void event_send(evtchn_port_t port)
{
    struct evtchn_send send = { port };
    hypercall_event_channel_op(EVTCHNOP_send, gva(&send));
}

static void deliver_word(unsigned word)
{
    uint64_t bits = pv_shared.evtchn_pending[word] & ~pv_shared.evtchn_mask[word];
    for (; bits; bits &= bits - 1) {
        evtchn_port_t port = word * 64 + __builtin_ctzl(bits);
        struct event *e = event_of(port, false);
        bit_clear(pv_shared.evtchn_pending, port);
        if (e && e->fn) {
            e->count++;
            e->fn(port, e->arg);
        } else {
            event_mask(port);                       /* nobody's: let it not come again */
        }
    }
}

/* One round: a timer set into the past, or a storm of events, must not keep us from the way out, where the kernel may
 * have a switch to make. What came meanwhile comes again as soon as events are unmasked. */
void events_deliver(void)
{
    volatile struct vcpu_info *v = pv_vcpu();
    v->evtchn_upcall_pending = 0;
    uint64_t words = __atomic_exchange_n(&v->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for (; words; words &= words - 1)
        deliver_word(__builtin_ctzl(words));
}

/* Who is at the other end, as the hypervisor says it; false: a device, which irq.c lists, or nobody. */
static bool other_end(evtchn_port_t port, char *buf, size_t size)
{
    struct evtchn_status s = { .dom = DOMID_SELF, .port = port };
    if (hypercall_event_channel_op(EVTCHNOP_status, gva(&s)) || s.status == EVTCHNSTAT_pirq || s.status == EVTCHNSTAT_closed)
        return false;
    if (s.status == EVTCHNSTAT_virq)
        ksnprintf(buf, size, "virq %u", s.u.virq);
    else if (s.status == EVTCHNSTAT_interdomain)
        ksnprintf(buf, size, "d%u's channel %u", s.u.interdomain.dom, s.u.interdomain.port);
    else
        ksnprintf(buf, size, "%s", s.status == EVTCHNSTAT_ipi ? "itself" : "nobody yet");
    return true;
}

size_t events_list(char *buf, size_t size)
{
    char other[40];
    size_t n = 0;
    for (evtchn_port_t port = 0; port < EVTCHN_2L_NR_CHANNELS && n + 80 < size; port++) {
        struct event *e = event_of(port, false);
        if (e && e->fn && other_end(port, other, sizeof(other)))
            n += ksnprintf(buf + n, size - n, "%lu\tevent\tevent channel %u\t%s\t%s\n", e->count, port,
                           pv_shared.evtchn_mask[port / 64] >> port % 64 & 1 ? "masked" : "open", other);
    }
    return n;
}

void events_boot(void)
{
    for (unsigned i = 0; i < EVTCHN_2L_NR_CHANNELS / 64; i++)
        pv_shared.evtchn_mask[i] = ~0ul;
}
