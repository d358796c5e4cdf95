/* SPDX-License-Identifier: MIT */
/* guestcons_input.c: where typed bytes go.                                                      [read 63]
 *
 * To dom0, by VIRQ_CONSOLE and console_io; Ctrl-O three times in a row turns them to Enso's debug keys, in debug builds
 * then to each other domain's console ring that dom0 does not keep, and round again. Each byte for dom0 is stamped when its interrupt came, and
 * the time to the first byte that dom0 writes back is kept: how long a prompt takes to answer, measured where it can
 * not be wrong. The interrupt comes to one pCPU, so the input needs a lock only against dom0's reading.              */
#include "hypervisor/core/debugkeys.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/x86/tsc.h"

#define SWITCH_KEY   0x0f                /* Ctrl-O */
#define SWITCH_TIMES 3
#define RING         1024
#define NR_ECHOES    32

#define FOCUS_KEYS  (-1)                 /* else a domain's number */

static struct {
    struct spinlock lock;                /* rank console: ring; never held while printing */
    char ring[RING];
    uint32_t produced, consumed;
    int focus;                           /* domain 0 at first */
    unsigned switch_keys;                /* pressed in a row and held back */
    uint64_t stamp;                      /* TSC of the first byte that dom0 has not answered; 0: none */
    uint64_t echo_ns[NR_ECHOES];
    uint32_t echoes;
} in = { .lock = SPINLOCK_INIT(console) };

bool guestcons_has_input(const struct domain *d)
{
    return READ_ONCE(in.focus) == d->id;
}

/* ---- turning the input ------------------------------------------------------------------------- */

static int after(struct domain *d, void *arg)
{
    int *id = arg;

    /* A console that dom0 keeps is reached by `enso console`: two writers to its ring would trip over each other. */
    if (d->id <= *id || d->dying || !d->console_mfn.raw || evtchn_bound_by_dom0(d, d->console_port))
        return 0;
    *id = d->id;
    return 1;
}

static void turn_input(void)
{
    int next = in.focus;

    if (next == 0) {
        next = FOCUS_KEYS;
    } else {
        next = next == FOCUS_KEYS ? 0 : next;
        if (!DEBUG_BUILD || !domain_for_each(after, &next))
            next = dom0 ? 0 : FOCUS_KEYS;
    }
    WRITE_ONCE(in.focus, next);
    if (next == FOCUS_KEYS)
        log_err("input goes to Enso's debug keys (h for help; Ctrl-O three times: next)");
    else
        log_err("input goes to d%d (Ctrl-O three times: next)", next);
}

/* ---- bytes ------------------------------------------------------------------------------------- */

static void to_dom0(char byte, uint64_t stamp)
{
    spin_lock(&in.lock);
    if (in.produced - in.consumed < RING)
        in.ring[in.produced++ % RING] = byte;
    if (!in.stamp)
        in.stamp = stamp | 1;
    spin_unlock(&in.lock);
    evtchn_virq_dom0(VIRQ_CONSOLE);
}

static void deliver(char byte, uint64_t stamp)
{
    struct domain *d;

    if (in.focus == FOCUS_KEYS || (in.focus == 0 && !dom0)) {
        debugkey_press(byte);
    } else if (in.focus == 0) {
        to_dom0(byte, stamp);
    } else if ((d = domain_get(in.focus))) {
        guestcons_ring_type(d, byte);
        domain_put(d);
    } else {
        turn_input();                    /* it has died */
    }
}

void guestcons_receive(uint8_t byte, uint64_t tsc_stamp)
{
    if (byte == SWITCH_KEY) {
        if (++in.switch_keys == SWITCH_TIMES) {
            in.switch_keys = 0;
            turn_input();
        }
        return;
    }
    for (; in.switch_keys; in.switch_keys--)
        deliver(SWITCH_KEY, tsc_stamp);
    deliver(byte, tsc_stamp);
}

size_t guestcons_read(struct domain *d, char *buf, size_t n)
{
    size_t got = 0;

    if (d != dom0)
        return 0;
    spin_lock(&in.lock);
    while (got < n && in.consumed != in.produced)
        buf[got++] = in.ring[in.consumed++ % RING];
    spin_unlock(&in.lock);
    return got;
}

/* ---- how long the answer took ------------------------------------------------------------------ */

void guestcons_echoed(void)
{
    uint64_t stamp = atomic_xchg(&in.stamp, 0);

    if (!stamp)
        return;
    in.echo_ns[in.echoes % NR_ECHOES] = now_ns() - tsc_to_ns(stamp);
    in.echoes++;
}

unsigned guestcons_echo_times(uint64_t *ns, unsigned max)
{
    unsigned n = in.echoes < NR_ECHOES ? in.echoes : NR_ECHOES;

    n = n < max ? n : max;
    for (unsigned i = 0; i < n; i++)
        ns[i] = in.echo_ns[(in.echoes - 1 - i) % NR_ECHOES];
    return n;
}
