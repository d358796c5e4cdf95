/* SPDX-License-Identifier: MIT */
/* store.c: as much of a xenstore client as an attacking frontend needs to be let in: one request at a time, spinning.  */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/io/xs_wire.h"
#include "hypercall-abi/sched.h"
#include "tests/hostile/hostile.h"

#define SPINS 200000

struct xenstore_domain_interface *store_page(void) { return mfn_to_va(si->store_mfn); }

void event_send(uint32_t port)
{
    struct evtchn_send s = { port };
    hypercall_event_channel_op(EVTCHNOP_send, gva(&s));
}

void rest(void) { hypercall_sched_op(SCHEDOP_yield, 0); }

static bool put(const void *from, unsigned n)
{
    struct xenstore_domain_interface *p = store_page();

    for (unsigned i = 0, spins = 0; i < n;) {
        if (p->req_prod - __atomic_load_n(&p->req_cons, __ATOMIC_ACQUIRE) >= XENSTORE_RING_SIZE) {
            event_send(si->store_evtchn);
            rest();
            if (++spins > SPINS)
                return false;
            continue;
        }
        p->req[MASK_XENSTORE_IDX(p->req_prod)] = ((const char *)from)[i++];
        __atomic_store_n(&p->req_prod, p->req_prod + 1, __ATOMIC_RELEASE);
    }
    event_send(si->store_evtchn);
    return true;
}

static bool get(void *to, unsigned n)
{
    struct xenstore_domain_interface *p = store_page();

    for (unsigned i = 0, spins = 0; i < n;) {
        if (__atomic_load_n(&p->rsp_prod, __ATOMIC_ACQUIRE) == p->rsp_cons) {
            if (spins % 64 == 0)
                event_send(si->store_evtchn);
            rest();
            if (++spins > SPINS)
                return false;
            continue;
        }
        ((char *)to)[i++] = p->rsp[MASK_XENSTORE_IDX(p->rsp_cons)];
        __atomic_store_n(&p->rsp_cons, p->rsp_cons + 1, __ATOMIC_RELEASE);
    }
    return true;
}

static unsigned length(const char *s)
{
    unsigned n = 0;
    while (s[n])
        n++;
    return n;
}

/* Sends path, a zero and value (none: the path and its zero only); the answer's length in reply, or -1. */
static int request(uint32_t type, const char *path, const char *value, char *reply, unsigned size)
{
    static uint32_t id;
    unsigned n = length(path) + 1, m = value ? length(value) : 0;
    struct xsd_sockmsg h = { .type = type, .req_id = ++id, .len = n + m };

    if (!put(&h, sizeof(h)) || !put(path, n) || (m && !put(value, m)))
        return -1;
    for (;;) {
        if (!get(&h, sizeof(h)))
            return -1;
        unsigned kept = 0;
        for (unsigned i = 0; i < h.len; i++) {
            char c;
            if (!get(&c, 1))
                return -1;
            if (kept + 1 < size)
                reply[kept++] = c;
        }
        reply[kept] = 0;
        if (h.type != XS_WATCH_EVENT)
            return h.type == XS_ERROR ? -1 : (int)kept;
    }
}

bool store_get(const char *path, char *value, unsigned size) { return request(XS_READ, path, NULL, value, size) >= 0; }

bool store_put(const char *path, const char *value)
{
    char reply[32];
    return request(XS_WRITE, path, value, reply, sizeof(reply)) >= 0;
}

/* a, b and the number n (none if negative), one after another. */
char *join(char *to, const char *a, const char *b, int64_t n)
{
    char *p = to, digits[20];
    unsigned k = 0;

    while (*a)
        *p++ = *a++;
    while (*b)
        *p++ = *b++;
    if (n >= 0)
        do
            digits[k++] = '0' + n % 10;
        while (n /= 10);
    while (k)
        *p++ = digits[--k];
    *p = 0;
    return to;
}

bool store_put_number(const char *dir, const char *node, uint64_t value)
{
    char path[200], text[24];
    return store_put(join(path, dir, node, -1), join(text, "", "", (int64_t)value));
}

/* Waits until the state at dir/state is wanted, looking a while. */
bool store_wait_state(const char *dir, char wanted)
{
    char path[200], value[16];

    join(path, dir, "/state", -1);
    for (unsigned i = 0; i < 400; i++) {
        if (store_get(path, value, sizeof(value)) && value[0] == wanted)
            return true;
        for (unsigned k = 0; k < 50; k++)
            rest();
    }
    return false;
}
