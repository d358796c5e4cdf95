/* SPDX-License-Identifier: MIT */
/* guestcons.c: what guests print.                                                               [read 62]
 *
 * Bytes come by console_io, or from the console ring of a domain whose ring nobody has bound: the hypervisor drains it,
 * since Linux waits busily on a full one (pitfalls B6). They are kept until a line is whole and printed with the
 * domain's name in front; the domain that has the input is printed as it writes, so that its prompt shows. A guest that
 * floods is slowed by leaving its bytes in the ring, or, on console_io, by dropping them and saying so. SPEC 4.6, 11.1. */
#include "hypervisor/core/guestcons.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/io/console.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/tsc.h"

#define LINE_MAX     240
#define PREFIX_MAX   64
#define BURST_BYTES  131072              /* what a guest may print at once,               */
#define BYTES_PER_MS 32                  /* and then                                      */
#define RETRY_NS     50000000UL          /* looking again at a ring that was left waiting */
#define CHUNK        256

struct guestcons {                       /* under the domain's lock */
    char     line[LINE_MAX];
    unsigned len;
    bool     mid_line;                   /* streamed: the prefix is out, the line is not over */
    struct console_guard guard;          /* dom0 */
    uint64_t credit_at, credit;          /* bytes it may print */
    uint64_t dropped;
    struct timer retry;
};

static void retry_ring(void *arg)
{
    guestcons_ring_event(arg);
}

/* d's state, made on first use; NULL: no memory. The lock is held. */
static struct guestcons *state_of(struct domain *d)
{
    struct guestcons *g = d->console_state;

    if (!g && !d->dying) {
        g = kalloc(sizeof(*g));
        if (!g)
            return NULL;
        g->credit = BURST_BYTES;
        g->credit_at = now_ns();
        timer_init(&g->retry, retry_ring, d);
        d->console_state = g;
    }
    return g;
}

static unsigned put_prefix(const struct domain *d, char *out)
{
    return hv_snprintf(out, PREFIX_MAX, "(d%u %s) ", d->id, d->name);
}

static void print_line(struct domain *d, struct guestcons *g)
{
    char out[PREFIX_MAX + LINE_MAX + 2];
    unsigned n = put_prefix(d, out);

    memcpy(out + n, g->line, g->len);
    n += g->len;
    out[n++] = '\n';
    console_write_line(out, n);
    g->len = 0;
}

static void put_whole_lines(struct domain *d, struct guestcons *g, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n')
            print_line(d, g);
        else if (bytes[i] != '\r' && bytes[i])
            g->len += guestcons_escape(g->line + g->len, bytes[i]);
        if (g->len > LINE_MAX - 4)
            print_line(d, g);
    }
}

/* Byte for byte, the prefix at each line's start. Backspace is let through as far as the line reaches. */
static void put_streaming(struct domain *d, struct guestcons *g, const char *bytes, size_t n)
{
    char out[PREFIX_MAX + 8];

    for (size_t i = 0; i < n; i++) {
        unsigned len = 0;
        if (bytes[i] == '\r' || !bytes[i])
            continue;
        if (!g->mid_line || console_at_line_start()) {
            len = put_prefix(d, out);
            g->len = 0;
        }
        g->mid_line = bytes[i] != '\n';
        if (bytes[i] == '\n')
            out[len++] = '\n';
        else if (bytes[i] == '\b' && g->len)
            out[len++] = '\b', g->len--;
        else
            len += guestcons_escape(out + len, bytes[i]), g->len++;
        if (len > 4)
            console_write_line(out, len);
        else
            console_write(out, len);
    }
    if (!g->mid_line)
        g->len = 0;
}

static void put_dom0(struct guestcons *g, const char *bytes, size_t n)
{
    char out[CHUNK + 16];

    if (console_at_line_start())
        g->guard.mid_line = false;
    while (n) {
        size_t part = n < CHUNK ? n : CHUNK;
        console_show(out, guestcons_guard(&g->guard, out, bytes, part));
        bytes += part;
        n -= part;
    }
}

/* The lock is held. */
static void put(struct domain *d, struct guestcons *g, const char *bytes, size_t n)
{
    bool streams = guestcons_has_input(d);

    if (streams && d == dom0) {
        put_dom0(g, bytes, n);
    } else if (streams) {
        if (g->len && !g->mid_line)
            print_line(d, g);
        put_streaming(d, g, bytes, n);
    } else {
        if (g->mid_line)
            g->len = 0;                  /* what was streamed stands there already */
        g->mid_line = false;
        put_whole_lines(d, g, bytes, n);
    }
}

/* How many of n bytes d may print now; dom0 is not limited. */
static size_t allowance(struct domain *d, struct guestcons *g, size_t n)
{
    uint64_t ms = (now_ns() - g->credit_at) / 1000000;

    if (d == dom0)
        return n;
    if (ms) {
        g->credit_at += ms * 1000000;
        g->credit += ms * BYTES_PER_MS;
        if (g->credit > BURST_BYTES)
            g->credit = BURST_BYTES;
    }
    n = n < g->credit ? n : g->credit;
    g->credit -= n;
    return n;
}

static void tell_dropped(struct domain *d, struct guestcons *g)
{
    if (g->dropped)
        log_guest(d->id, LOG_WARN, "d%u %s: %lu bytes of its output were dropped, it prints too much", d->id, d->name, g->dropped);
    g->dropped = 0;
}

void guestcons_write(struct domain *d, const char *bytes, size_t n)
{
    struct guestcons *g;
    size_t may;

    if (d == dom0)
        guestcons_echoed();
    spin_lock(&d->lock);
    g = state_of(d);
    if (g) {
        may = allowance(d, g, n);
        if (may == n)
            tell_dropped(d, g);
        put(d, g, bytes, may);
        g->dropped += n - may;
    }
    spin_unlock(&d->lock);
}

/* ---- rings ------------------------------------------------------------------------------------- */

/* The ring that a builder named, referenced so that its frame stays the domain's. The lock is held. */
static struct xencons_interface *ring_of(struct domain *d)
{
    if (!d->console_ring.raw && d->console_mfn.raw && frame_get_typed(d, gfn(d->console_mfn.raw), FT_WRITABLE, &d->console_ring))
        d->console_ring = mfn(0);
    return d->console_ring.raw ? mfn_to_virt(d->console_ring) : NULL;
}

/* Takes up to CHUNK bytes; the guest's counters are read once and may be anything. */
static size_t take_out(struct xencons_interface *r, struct domain *d, struct guestcons *g, char *buf, bool *limited)
{
    uint32_t cons = READ_ONCE(r->out_cons), prod = READ_ONCE(r->out_prod);
    size_t n = prod - cons, may;

    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (n > sizeof(r->out)) {
        WRITE_ONCE(r->out_cons, prod);
        return 0;
    }
    n = n < CHUNK ? n : CHUNK;
    may = allowance(d, g, n);
    *limited = may < n;
    for (size_t i = 0; i < may; i++)
        buf[i] = READ_ONCE(r->out[MASK_XENCONS_IDX(cons + i, r->out)]);
    atomic_store(&r->out_cons, cons + may);
    return may;
}

void guestcons_ring_event(struct domain *d)
{
    struct xencons_interface *r;
    struct guestcons *g;
    bool limited = false, any = false;
    char buf[CHUNK];
    size_t n = 0;

    spin_lock(&d->lock);
    g = state_of(d);
    r = g && !d->dying ? ring_of(d) : NULL;
    for (unsigned round = 0; r && round < sizeof(r->out) / CHUNK + 1; round++) {
        n = take_out(r, d, g, buf, &limited);
        if (!n)
            break;
        put(d, g, buf, n);
        any = true;
    }
    if (limited)
        timer_set(&g->retry, this_pcpu(), now_ns() + RETRY_NS);
    spin_unlock(&d->lock);
    if (any)
        evtchn_notify(d, d->console_port);
}

void guestcons_ring_type(struct domain *d, char byte)
{
    struct xencons_interface *r;
    struct guestcons *g;
    uint32_t prod;

    spin_lock(&d->lock);
    g = state_of(d);
    r = g && !d->dying ? ring_of(d) : NULL;
    prod = r ? READ_ONCE(r->in_prod) : 0;
    if (r && prod - READ_ONCE(r->in_cons) < sizeof(r->in)) {
        r->in[MASK_XENCONS_IDX(prod, r->in)] = byte;
        atomic_store(&r->in_prod, prod + 1);
    }
    spin_unlock(&d->lock);
    if (r)
        evtchn_notify(d, d->console_port);
}

/* ---- ends -------------------------------------------------------------------------------------- */

void guestcons_flush(struct domain *d)
{
    struct guestcons *g;

    if (!d->dying)
        guestcons_ring_event(d);         /* its last words */
    spin_lock(&d->lock);
    g = d->console_state;
    if (g && g->len && !g->mid_line && d != dom0)
        print_line(d, g);
    if (g)
        tell_dropped(d, g);
    spin_unlock(&d->lock);
}

void guestcons_drop_ring(struct domain *d)
{
    struct guestcons *g;
    mfn_t held = mfn(0);

    spin_lock(&d->lock);
    g = d->console_state;
    if (g) {
        held = d->console_ring;
        d->console_ring = mfn(0);
    }
    d->console_mfn = mfn(0);
    spin_unlock(&d->lock);
    if (held.raw)
        frame_put_typed(held);
}

void guestcons_free(struct domain *d)
{
    struct guestcons *g = d->console_state;

    if (!g)
        return;
    timer_stop(&g->retry);
    d->console_state = NULL;
    kfree(g);
}
