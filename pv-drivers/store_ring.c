/* SPDX-License-Identifier: MIT */
/* store_ring.c: xenstore messages through a page of two byte rings.
 *
 * Requests of several threads may be under way at once: one thread at a time writes its message, then sleeps until the
 * answer with its number has come. Whatever comes is taken in by the event's handler, which knows whose it is from the
 * header, so that a payload goes straight to the one who waits; watch events are queued for a thread of their own, as who hears
 * of a change wants to ask about it. xenstored may be away at any time: then requests wait in the ring. SPEC 11.4.   */
#include "pv-drivers/store_wire.h"

#include "hypercall-abi/errno.h"
#include "hypercall-abi/io/xs_wire.h"
#include "pv-drivers/os.h"
#include "pv-drivers/ring.h"
#include "pv-drivers/store.h"

#define RETRY_MS 20

struct pending {                      /* a request under way, on its thread's stack */
    struct pending *next;
    uint32_t        id, type;
    char           *buf;
    size_t          size, len;        /* room, and the answer's whole length         */
    bool            done;
};

struct event {
    struct event *next;
    size_t        len;
    char          text[];             /* path and token, each ended by a zero        */
};

static struct {
    struct xenstore_domain_interface *page;
    uint32_t            port, last_id;
    bool                writing;      /* somebody's message is half in the ring      */
    bool                broken;       /* what came made no sense: nothing more is believed */
    struct os_event    *change;       /* room, an answer, or `writing` has ended     */
    struct pending     *pending;
    /* The message that is coming in. */
    struct xsd_sockmsg  head;
    size_t              got;          /* bytes of it, header included                */
    bool                ready;        /* its header is whole, and it is known whose it is */
    struct pending     *whose;        /* payload goes there                          */
    struct event       *event;        /* or there; neither: dropped                  */
    struct os_timer     retry;
    /* Watch events that have come. */
    struct event       *first, **last;
    struct os_event    *heard;
} ring;

static struct byte_ring requests(void)
{
    return (struct byte_ring){ ring.page->req, XENSTORE_RING_SIZE, &ring.page->req_prod, &ring.page->req_cons };
}

static struct byte_ring answers(void)
{
    return (struct byte_ring){ ring.page->rsp, XENSTORE_RING_SIZE, &ring.page->rsp_prod, &ring.page->rsp_cons };
}

/* ---- what comes in (in the event's handler) ---- */

static struct pending *pending_find(uint32_t id)
{
    struct pending *p = ring.pending;
    while (p && p->id != id)
        p = p->next;
    return p;
}

/* Decides where the payload goes. False: no memory now. */
static bool head_complete(void)
{
    ring.whose = 0;
    ring.event = 0;
    if (ring.head.type != XS_WATCH_EVENT) {
        ring.whose = pending_find(ring.head.req_id);
        return true;
    }
    ring.event = os_alloc(sizeof(struct event) + ring.head.len + 2);
    return ring.event;
}

static void message_complete(void)
{
    struct pending *p = ring.whose;
    struct event *e = ring.event;
    if (p) {
        p->type = ring.head.type;
        p->len = ring.head.len;
        p->done = true;
        os_event_wake(ring.change);
    }
    if (e) {
        e->len = ring.head.len;
        *ring.last = e;
        ring.last = &e->next;
        os_event_wake(ring.heard);
    }
    ring.got = 0;
    ring.ready = false;
}

/* Whatever comes next cannot be told apart from the middle of something: all who wait are told so, and all who come. */
static bool give_up(const char *what)
{
    if (!ring.broken)
        os_log("xenstore: %s; the store is not used any more\n", what);
    ring.broken = true;
    os_event_wake(ring.change);
    return false;
}

/* Takes up to n bytes of payload, from `at` on, to where they belong. */
static size_t take_payload(struct byte_ring *in, size_t at, size_t n)
{
    char scrap[64];
    char *to = scrap;
    size_t room = sizeof(scrap);
    if (ring.event) {
        to = ring.event->text + at;
        room = n;
    } else if (ring.whose && at < ring.whose->size) {
        to = ring.whose->buf + at;
        room = ring.whose->size - at;
    }
    return byte_ring_get(in, to, n < room ? n : room);
}

/* One step; false when there is nothing to do it with. */
static bool take_some(struct byte_ring *in)
{
    const size_t head = sizeof(ring.head);
    if (ring.got < head) {
        size_t n = byte_ring_get(in, (char *)&ring.head + ring.got, head - ring.got);
        ring.got += n;
        if (ring.got < head)
            return n;
        if (ring.head.len > XENSTORE_PAYLOAD_MAX)
            return give_up("a message without end");
    }
    if (!ring.ready && !head_complete())
        return false;
    ring.ready = true;
    size_t at = ring.got - head, n = 0;
    if (at < ring.head.len) {
        n = take_payload(in, at, ring.head.len - at);
        ring.got += n;
    }
    if (ring.got - head < ring.head.len)
        return n;
    message_complete();
    return true;
}

static void take_in(void *arg)
{
    struct byte_ring in = answers();
    uint32_t before = *in.cons;
    if (!ring.broken && *in.prod - before > in.size)
        give_up("counters that make no sense");
    while (!ring.broken && take_some(&in))
        ;
    if (*in.cons != before)
        os_event_send(ring.port);     /* there is room again */
    if (!ring.broken && !ring.ready && ring.got == sizeof(ring.head))
        os_timer_set(&ring.retry, RETRY_MS, take_in, 0);     /* no memory for it: we come again */
    os_event_wake(ring.change);       /* perhaps there is room for requests */
}

/* ---- what goes out ---- */

static bool not_writing(void *arg) { return !ring.writing; }

static bool has_room(void *arg)
{
    struct byte_ring out = requests();
    return ring.broken || byte_ring_room(&out);
}

static bool is_done(void *arg) { return ring.broken || ((struct pending *)arg)->done; }

static void put(const void *data, size_t n)
{
    struct byte_ring out = requests();
    const char *from = data;
    while (n && !ring.broken) {
        size_t done = byte_ring_put(&out, from, n);
        from += done;
        n -= done;
        if (!n)
            break;
        os_event_send(ring.port);
        os_sleep_until(ring.change, has_room, 0, 0);
    }
}

int store_call(uint32_t *type, uint32_t tx, const struct store_part *part, unsigned parts, char *buf, size_t size)
{
    struct pending p = { .buf = buf, .size = size };
    struct xsd_sockmsg head = { .type = *type, .tx_id = tx };
    for (unsigned i = 0; i < parts; i++)
        head.len += (uint32_t)part[i].len;
    if (!ring.page)
        return -XEN_ENODEV;
    if (ring.broken)
        return -XEN_EIO;
    if (head.len > XENSTORE_PAYLOAD_MAX)
        return -XEN_E2BIG;
    do
        os_sleep_until(ring.change, not_writing, 0, 0);
    while (ring.writing);
    ring.writing = true;
    head.req_id = p.id = ++ring.last_id;
    p.next = ring.pending;
    ring.pending = &p;
    put(&head, sizeof(head));
    for (unsigned i = 0; i < parts; i++)
        put(part[i].data, part[i].len);
    os_event_send(ring.port);
    ring.writing = false;
    os_event_wake(ring.change);
    os_sleep_until(ring.change, is_done, &p, 0);
    for (struct pending **at = &ring.pending; *at; at = &(*at)->next)
        if (*at == &p) {
            *at = p.next;
            break;
        }
    if (ring.whose == &p)             /* its payload is on its way, to a stack that is left */
        ring.whose = 0;
    if (!p.done)
        return -XEN_EIO;
    *type = p.type;
    return (int)p.len;
}

/* ---- watch events, in their own thread ---- */

static bool has_heard(void *arg) { return ring.first; }

static void tell(const struct event *e)
{
    size_t path = 0;
    while (path < e->len && e->text[path])
        path++;
    if (path < e->len)                /* zeros lie behind the text: the token ends too */
        store_event(e->text, e->text + path + 1);
}

static void listen(void *arg)
{
    for (;;) {
        os_sleep_until(ring.heard, has_heard, 0, 0);
        struct event *e = ring.first;
        ring.first = e->next;
        if (!ring.first)
            ring.last = &ring.first;
        tell(e);
        os_free(e);
    }
}

int store_init(struct xenstore_domain_interface *page, uint32_t port)
{
    ring.last = &ring.first;
    ring.change = os_event_new();
    ring.heard = os_event_new();
    if (!ring.change || !ring.heard)
        return -XEN_ENOMEM;
    ring.port = port;
    ring.page = page;
    int rc = os_event_handle(port, take_in, 0);
    return rc ? rc : os_thread("xenwatch", listen, 0);
}

bool store_ready(void) { return ring.page; }
