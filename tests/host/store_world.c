/* SPDX-License-Identifier: MIT */
/* store_world.c: see store_world.h. */
#include "tests/host/store_world.h"

/* ---- the world around the daemon -------------------------------------------------------------------- */

struct xenstore_domain_interface page[PAGES];
struct bytes journal;
uint64_t clock_ms;
jmp_buf killed;
long kill_in = -1;

static void maybe_die(void)
{
    if (kill_in >= 0 && kill_in-- == 0)
        longjmp(killed, 1);
}

static struct xenstore_domain_interface *map(uint16_t domid, uint64_t mfn)
{
    (void)mfn;
    return domid < PAGES ? &page[domid] : NULL;
}

static void unmap(uint16_t domid, struct xenstore_domain_interface *p) { (void)domid; (void)p; }
static int bind_port(uint16_t domid, uint32_t port) { (void)port; return domid; }
static void unbind_port(int port) { (void)port; }
static void notify(int port) { (void)port; maybe_die(); }
static uint64_t now_ms(void) { return clock_ms; }
static void no_memory(void) { abort(); }

static bool append(const void *data, size_t n)
{
    maybe_die();
    bytes_add(&journal, data, n);
    maybe_die();
    return true;
}

static const struct outside outside = { map, unmap, bind_port, unbind_port, notify, now_ms, append, no_memory };

void start(void)
{
    memset(page, 0, sizeof(page));
    bytes_free(&journal);
    store_open(&outside);
    struct conn *c = conn_add(0, 0, 1);
    journal_conn(c);
    conn_touch(c);
    conns_publish();
}

void finish(void)
{
    store_close();
    bytes_free(&journal);
}

void start_again(void)
{
    store_open(&outside);
}

int set_up(void **state) { (void)state; kill_in = -1; clock_ms = 1000; start(); return 0; }
int tear_down(void **state) { (void)state; finish(); return 0; }

void event_of(int dom)
{
    if (store.conn_of[dom])
        conn_heard(store.conn_of[dom]);
}

void serve_all(void)
{
    while (conns_serve())
        ;
}

/* ---- a client ------------------------------------------------------------------------------------------- */

void put(int dom, const void *data, size_t n)
{
    struct xenstore_domain_interface *p = &page[dom];
    const char *from = data;

    while (n) {
        if (p->req_prod - p->req_cons == XENSTORE_RING_SIZE) {
            uint32_t before = p->req_cons;
            event_of(dom);
            conns_serve();
            if (p->req_cons == before)
                fail_msg("the ring is full and nobody reads it");
        }
        p->req[MASK_XENSTORE_IDX(p->req_prod++)] = *from++;
        n--;
    }
    event_of(dom);
}

size_t get(int dom, void *data, size_t n)
{
    struct xenstore_domain_interface *p = &page[dom];
    size_t done = 0;

    for (; done < n; done++) {
        for (int i = 0; i < 20 && p->rsp_cons == p->rsp_prod; i++)
            conns_serve();
        if (p->rsp_cons == p->rsp_prod)
            break;
        bool full = p->rsp_prod - p->rsp_cons == XENSTORE_RING_SIZE;
        ((char *)data)[done] = p->rsp[MASK_XENSTORE_IDX(p->rsp_cons++)];
        if (full)                                           /* as Linux does: no event else */
            event_of(dom);
    }
    return done;
}

bool next(int dom, struct answer *a)
{
    struct xsd_sockmsg head;

    if (get(dom, &head, sizeof(head)) != sizeof(head))
        return false;
    assert_true(head.len <= XENSTORE_PAYLOAD_MAX);
    a->type = head.type;
    a->id = head.req_id;
    a->len = head.len;
    assert_int_equal(get(dom, a->text, head.len), head.len);
    a->text[head.len] = '\0';
    return true;
}

void send(int dom, uint32_t type, uint32_t tx, const void *text, size_t n, uint32_t id)
{
    struct xsd_sockmsg head = { type, id, tx, (uint32_t)n };

    put(dom, &head, sizeof(head));
    put(dom, text, n);
}

struct answer last;
char events[EVENTS];

/* Sends a request and waits for its answer; watch events on the way are noted. */
const char *ask(int dom, uint32_t type, uint32_t tx, const void *text, size_t n)
{
    static uint32_t id;

    send(dom, type, tx, text, n, ++id);
    for (;;) {
        if (!next(dom, &last))
            return "nothing";
        if (last.type == XS_WATCH_EVENT) {
            size_t at = strlen(events);
            snprintf(events + at, sizeof(events) - at, "%s %s;", last.text, last.text + strlen(last.text) + 1);
            continue;
        }
        assert_int_equal(last.id, id);
        if (last.type != XS_ERROR)
            assert_int_equal(last.type, type);
        return last.text;
    }
}

const char *hear(int dom)
{
    struct answer a;

    while (next(dom, &a)) {
        assert_int_equal(a.type, XS_WATCH_EVENT);
        size_t at = strlen(events);
        snprintf(events + at, sizeof(events) - at, "%s %s;", a.text, a.text + strlen(a.text) + 1);
    }
    static char heard[sizeof(events)];
    strcpy(heard, events);
    events[0] = '\0';
    return heard;
}

const char *write_node(int dom, uint32_t tx, const char *path, const char *value)
{
    char text[4096];
    size_t n = strlen(path) + 1, v = strlen(value);

    memcpy(text, path, n);
    memcpy(text + n, value, v);
    return ask(dom, XS_WRITE, tx, text, n + v);
}

const char *read_node(int dom, uint32_t tx, const char *path)
{
    return ask(dom, XS_READ, tx, path, strlen(path) + 1);
}

void introduce(int dom)
{
    char text[64], path[64], perm[128];

    int n = sprintf(text, "%d%c%d%c%d", dom, 0, 100 + dom, 0, 1) + 1;
    IS("OK", ask(0, XS_INTRODUCE, 0, text, (size_t)n));
    sprintf(path, "/local/domain/%d", dom);
    IS("OK", ask(0, XS_MKDIR, 0, path, strlen(path) + 1));
    n = sprintf(perm, "%s%cn%d", path, 0, dom) + 1;
    IS("OK", ask(0, XS_SET_PERMS, 0, perm, (size_t)n));
}

uint32_t begin(int dom)
{
    const char *id = ASK(dom, XS_TRANSACTION_START, 0, "");
    return (uint32_t)atoi(id);
}

/* ---- killed and taken up --------------------------------------------------------------------------------- */

void restart(enum replayed how)
{
    struct bytes kept = journal;

    journal = (struct bytes){ 0 };
    store.replaying = true;                                  /* closing must not write */
    store_close();
    journal = kept;
    store_open(&outside);
    assert_int_equal(journal_replay(journal.data + journal.from, bytes_left(&journal)), how);
}

static bool append_copy(const void *data, size_t n) { return append(data, n); }

void rewrite(void)
{
    bytes_free(&journal);
    assert_true(journal_write_all(append_copy));
}
