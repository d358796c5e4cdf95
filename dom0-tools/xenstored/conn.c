/* SPDX-License-Identifier: MIT */
/* conn.c: connections: requests out of a ring, answers into it, and nobody can hurt another.
 *
 * A domain can write its page at any time. We keep our own counters (C1), read the domain's once, and take no message that
 * does not make sense; such a connection is served no more. A domain that does not read its answers is not asked
 * for further requests until it has, and what it has not heard of is bounded; so each costs at most quota.out_bytes.
 * One message of each connection in turn.                                                                         */
#include "dom0-tools/xenstored/xenstored.h"

#include <stdlib.h>
#include <string.h>

#define RING XENSTORE_RING_SIZE
#define LOOK_MOST 4096

struct store store;

/* ---- rows of bytes ---------------------------------------------------------------------------------- */

void bytes_add(struct bytes *b, const void *data, size_t n)
{
    if (b->from && b->to + n > b->room) {
        memmove(b->data, b->data + b->from, bytes_left(b));
        b->to -= b->from;
        b->from = 0;
    }
    if (b->to + n > b->room) {
        b->room = (b->to + n) * 2;
        b->data = memory_more(b->data, b->room);
    }
    if (n)
        memcpy(b->data + b->to, data, n);
    b->to += n;
}

void bytes_drop(struct bytes *b, size_t n)
{
    b->from += n;
    if (b->from < b->to)
        return;
    b->from = b->to = 0;
    if (b->room > 8192)
        bytes_free(b);
}

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){ 0 };
}

/* ---- coming and going ---------------------------------------------------------------------------------- */

void store_open(const struct outside *out)
{
    static const char *const names[] = { "@introduceDomain", "@releaseDomain" };

    memset(&store, 0, sizeof(store));
    memset(tree_held, 0, sizeof(tree_held));
    store.out = out;
    store.last_ready = &store.ready;
    journal_forget();
    store.root = tree_new();
    node_count(store.root, 1);
    store.special = tree_new();
    for (unsigned i = 0; i < 2; i++)
        tree_own(&store.special, names[i], ROOT_DOMID);
}

void store_close(void)
{
    while (store.conns)
        conn_remove(store.conns);
    tree_put(store.root);
    tree_put(store.special);
    store.root = store.special = NULL;
}

void conn_attach(struct conn *c)
{
    c->page = store.out->map(c->domid, c->mfn);
    if (!c->page)
        return;
    c->port = store.out->bind(c->domid, c->remote_port);
    if (c->port >= 0) {
        c->page->server_features = XENSTORE_SERVER_FEATURE_ERROR;
        return;
    }
    store.out->unmap(c->domid, c->page);
    c->page = NULL;
}

static void detach(struct conn *c)
{
    if (c->port >= 0)
        store.out->unbind(c->port);
    if (c->page)
        store.out->unmap(c->domid, c->page);
    c->port = -1;
    c->page = NULL;
}

struct conn *conn_add(uint16_t domid, uint64_t mfn, uint32_t remote_port)
{
    struct conn *c = memory(sizeof(*c));

    *c = (struct conn){ .next = store.conns, .domid = domid, .target = DOMIDS, .mfn = mfn, .remote_port = remote_port, .port = -1 };
    store.conns = c;
    store.conn_of[domid] = c;
    if (store.replaying)
        return c;
    conn_attach(c);
    if (c->page) {
        c->in_pos = c->page->req_cons;
        c->out_pos = c->ring_pos = c->page->rsp_prod;
        conn_heard(c);
    }
    return c;
}

void conn_renew(struct conn *c)
{
    conn_reset(c);
    bytes_free(&c->in);
    bytes_free(&c->fresh);
    bytes_free(&c->queue);
    c->broken = c->ended = false;
    c->in_pos = c->out_pos = c->ring_pos = 0;
    if (store.replaying || !c->page)
        return;
    c->page->req_prod = c->page->rsp_cons = 0;
    c->page->error = XENSTORE_ERROR_NONE;
    conn_touch(c);
}

void conn_reset(struct conn *c)
{
    watches_remove(c);
    transs_end(c);
}

static void leave_turn(struct conn *c)
{
    struct conn **at = &store.ready;

    if (!c->ready)
        return;
    while (*at != c)
        at = &(*at)->next_ready;
    *at = c->next_ready;
    if (store.last_ready == &c->next_ready)
        store.last_ready = at;
    c->ready = false;
}

void conn_remove(struct conn *c)
{
    struct conn **at = &store.conns;

    leave_turn(c);

    conn_reset(c);
    journal_conn_gone(c);
    detach(c);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    for (at = &store.touched; *at; at = &(*at)->next_touched)
        if (*at == c) {
            *at = c->next_touched;
            break;
        }
    store.conn_of[c->domid] = NULL;
    bytes_free(&c->in);
    bytes_free(&c->fresh);
    bytes_free(&c->queue);
    free(c);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

void conn_touch(struct conn *c)
{
    if (c->touched)
        return;
    c->touched = true;
    c->next_touched = store.touched;
    store.touched = c;
}

static bool contains(const struct bytes *b, const char *what, size_t n)
{
    const char *at = b->data + b->from;

    while (at + sizeof(struct xsd_sockmsg) <= b->data + b->to) {
        struct xsd_sockmsg head;

        memcpy(&head, at, sizeof(head));
        if (head.type == XS_WATCH_EVENT && head.len == n && !memcmp(at + sizeof(head), what, n))
            return true;
        at += sizeof(head) + head.len;
    }
    return false;
}

/* An event that waits in `fresh` already need not be told twice (as far as looking is cheap); one too many is not told at all. */
static bool event_wanted(const struct conn *c, const char *payload, size_t n)
{
    if (!conn_trusted(c) && bytes_left(&c->queue) + bytes_left(&c->fresh) > quota.out_bytes)
        return false;
    return bytes_left(&c->fresh) > LOOK_MOST || !contains(&c->fresh, payload, n);
}

void conn_send(struct conn *c, const struct xsd_sockmsg *head, const void *a, size_t na, const void *b, size_t nb)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg h = *head;

    if (!c->page || c->broken || na + nb > sizeof(payload))
        return;
    if (na)
        memcpy(payload, a, na);
    if (nb)
        memcpy(payload + na, b, nb);
    h.len = (uint32_t)(na + nb);
    if (h.type == XS_WATCH_EVENT && !event_wanted(c, payload, h.len))
        return;
    bytes_add(&c->fresh, &h, sizeof(h));
    bytes_add(&c->fresh, payload, h.len);
    conn_touch(c);
}

/* Room for answers; none if the domain's counter makes no sense. */
static size_t room_out(const struct conn *c)
{
    uint32_t used = c->ring_pos - __atomic_load_n(&c->page->rsp_cons, __ATOMIC_ACQUIRE);

    return used <= RING ? RING - used : 0;
}

static void copy_out(struct conn *c, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile char *)c->page->rsp)[MASK_XENSTORE_IDX(c->ring_pos + i)] = from[i];
    c->ring_pos += (uint32_t)n;
}

static void publish(struct conn *c)
{
    bool news = c->page->rsp_prod != c->ring_pos || c->page->req_cons != c->in_pos;

    __atomic_store_n(&c->page->rsp_prod, c->ring_pos, __ATOMIC_RELEASE);
    __atomic_store_n(&c->page->req_cons, c->in_pos, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);     /* who is told by our counters sends no event: look again after this */
    if (news)
        store.out->notify(c->port);
}

/* What waits goes into the ring as far as there is room. It is in the journal already. */
static bool pump(struct conn *c)
{
    size_t n = c->page ? room_out(c) : 0;

    if (n > bytes_left(&c->queue))
        n = bytes_left(&c->queue);
    if (!n)
        return false;
    copy_out(c, c->queue.data + c->queue.from, n);
    bytes_drop(&c->queue, n);
    publish(c);
    return true;
}

/* C2: into the ring unseen, or into the queue and the journal; then the journal; then seen. */
static void settle(struct conn *c)
{
    size_t n = bytes_left(&c->fresh);

    if (!c->page)
        return;
    c->out_pos += (uint32_t)n;
    if (!bytes_left(&c->queue) && n <= room_out(c)) {
        copy_out(c, c->fresh.data + c->fresh.from, n);
        journal_output(c, NULL);
    } else {
        journal_output(c, &c->fresh);
        bytes_add(&c->queue, c->fresh.data + c->fresh.from, n);
        conn_heard(c);                           /* the ring must be full, or the domain sends no event when it has read */
    }
    bytes_drop(&c->fresh, n);
}

void conns_publish(void)
{
    for (struct conn *c = store.touched; c; c = c->next_touched)
        settle(c);
    journal_commit();
    while (store.touched) {
        struct conn *c = store.touched;

        store.touched = c->next_touched;
        c->touched = false;
        if (c->page)
            publish(c);
    }
}

/* ---- requests --------------------------------------------------------------------------------------------- */

static void copy_in(const struct conn *c, uint32_t from, char *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = ((const volatile char *)c->page->req)[MASK_XENSTORE_IDX(from + i)];
}

static void serve_message(struct conn *c, const char *message)
{
    static char text[XENSTORE_PAYLOAD_MAX + 1];
    struct request q = { .conn = c, .text = text };

    memcpy(&q.head, message, sizeof(q.head));
    memcpy(text, message + sizeof(q.head), q.head.len);
    text[q.head.len] = '\0';
    conn_touch(c);
    request_serve(&q);
    conns_publish();
    transs_limit();
}

enum served { NOTHING, WAITS, MORE };

/* The ring's bytes go to c->in: of a message that is larger than the ring, or that is still being written. Linux sends an event
 * for its rest only if it sees that the beginning was taken. */
static enum served take_part(struct conn *c, size_t n)
{
    char part[RING];

    if (!n)
        return NOTHING;
    copy_in(c, c->in_pos, part, n);
    bytes_add(&c->in, part, n);
    c->in_pos += (uint32_t)n;
    journal_input(c, part, n);
    conn_touch(c);
    conns_publish();
    return MORE;
}

static enum served give_up(struct conn *c, uint32_t why)
{
    c->broken = true;
    c->page->error = why;
    return NOTHING;
}

/* Is it not this one's turn: does another try its transaction again undisturbed? */
static bool must_wait(struct conn *c)
{
    if (store.favoured && store.out->now_ms() >= store.favour_until)
        store.favoured = NULL;
    return store.favoured && store.favoured != c && !conn_trusted(c);
}

/* At most one message of c. */
static enum served serve(struct conn *c)
{
    char message[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg head;
    size_t have, in, whole;

    if (!c->page || c->broken)
        return NOTHING;
    while (pump(c))
        ;
    if (bytes_left(&c->queue) > (conn_trusted(c) ? 1u << 20 : RING))
        return NOTHING;                          /* its event will come when it has read */
    have = __atomic_load_n(&c->page->req_prod, __ATOMIC_ACQUIRE) - c->in_pos;
    if (have > RING)
        return give_up(c, XENSTORE_ERROR_RINGIDX);
    if (have && must_wait(c))
        return WAITS;
    in = bytes_left(&c->in);
    if (in + have < sizeof(head))
        return take_part(c, have);
    if (in)
        memcpy(message, c->in.data + c->in.from, in);
    if (in < sizeof(head))
        copy_in(c, c->in_pos, message + in, sizeof(head) - in);
    memcpy(&head, message, sizeof(head));
    if (head.len > XENSTORE_PAYLOAD_MAX)
        return give_up(c, XENSTORE_ERROR_PROTO);
    whole = sizeof(head) + head.len;
    if (in + have < whole)
        return take_part(c, have);
    copy_in(c, c->in_pos, message + in, whole - in);
    memcpy(message, &head, sizeof(head));        /* looked at once: the ring may have changed since */
    bytes_drop(&c->in, in);
    c->in_pos += (uint32_t)(whole - in);
    serve_message(c, message);
    return MORE;
}

void conn_heard(struct conn *c)
{
    if (c->ready)
        return;
    c->ready = true;
    c->next_ready = NULL;
    *store.last_ready = c;
    store.last_ready = &c->next_ready;
}

/* Whoever is in the queue at the start of the round: a request may remove any of them, and those behind come again. */
bool conns_serve(void)
{
    unsigned n = 0;
    bool more = false;

    for (struct conn *c = store.ready; c; c = c->next_ready)
        n++;
    while (n-- && store.ready) {
        struct conn *c = store.ready;
        uint16_t domid = c->domid;
        enum served what;

        leave_turn(c);
        what = serve(c);
        if (what == NOTHING || store.conn_of[domid] != c)
            continue;
        conn_heard(c);
        more = more || what == MORE;
    }
    for (struct conn *c = store.ready; c && !more; c = c->next_ready)
        more = bytes_left(&c->queue) != 0;       /* given something by another's request */
    return more;
}
