/* SPDX-License-Identifier: MIT */
/* replay.c: a journal taken up: journal.c's records, done again, and then the rings as they must be. */
#include "dom0-tools/xenstored/xenstored.h"

#include <stdlib.h>
#include <string.h>

#define HEAD JOURNAL_HEAD

struct reader {
    const char *at, *end;
    bool        bad;
    char        text[2][PATH_MOST + XENSTORE_PAYLOAD_MAX + 1], path[PATH_MOST + 1];
};

static void take(struct reader *r, void *to, size_t n)
{
    if ((size_t)(r->end - r->at) < n) {
        r->bad = true;
        memset(to, 0, n);
        return;
    }
    memcpy(to, r->at, n);
    r->at += n;
}

static uint32_t take_u32(struct reader *r)
{
    uint32_t v;

    take(r, &v, sizeof(v));
    return v;
}

static uint64_t take_u64(struct reader *r)
{
    uint64_t v;

    take(r, &v, sizeof(v));
    return v;
}

static const char *take_blob(struct reader *r, size_t *n)
{
    const char *at;

    *n = take_u32(r);
    at = r->at;
    if ((size_t)(r->end - at) < *n) {
        r->bad = true;
        *n = 0;
    }
    r->at += *n;
    return at;
}

static const char *take_text(struct reader *r, unsigned slot)
{
    size_t n;
    const char *s = take_blob(r, &n);

    if (n >= sizeof(r->text[slot])) {
        r->bad = true;
        n = 0;
    }
    memcpy(r->text[slot], s, n);
    r->text[slot][n] = '\0';
    return r->text[slot];
}

static const char *take_path(struct reader *r)
{
    size_t same = take_u32(r), n;
    const char *rest = take_blob(r, &n);

    if (same > strlen(r->path) || same + n > PATH_MOST) {
        r->bad = true;
        return "/";
    }
    memcpy(r->path + same, rest, n);
    r->path[same + n] = '\0';
    return r->path;
}

static struct conn *take_conn(struct reader *r)
{
    uint32_t domid = take_u32(r);
    struct conn *c = domid < DOMIDS ? store.conn_of[domid] : NULL;

    if (!c)
        r->bad = true;
    return c;
}

static void read_node(struct reader *r, struct node **root)
{
    const char *path = take_path(r);
    size_t len, size;
    const char *value = take_blob(r, &len), *perms = take_blob(r, &size);
    struct perm perm[PERMS_MOST];
    struct node *n;

    if (r->bad || !size || size > sizeof(perm) || size % sizeof(perm[0])) {
        r->bad = true;
        return;
    }
    memcpy(perm, perms, size);
    n = tree_own(root, path, ROOT_DOMID);
    node_set_value(n, value, len, perm[0].domid);
    node_set_perms(n, perm, (unsigned)(size / sizeof(perm[0])), perm[0].domid);
}

static void read_watch(struct reader *r, bool added)
{
    struct conn *c = take_conn(r);
    unsigned skip = take_u32(r);
    const char *path = take_text(r, 0), *token = take_text(r, 1);

    if (r->bad)
        return;
    if (added)
        watch_add(c, path, skip, token);
    else
        watch_remove(c, path, token);
}

static void read_conn(struct reader *r)
{
    uint32_t domid = take_u32(r), port;
    uint64_t mfn = take_u64(r);

    port = take_u32(r);
    if (domid >= DOMIDS)
        r->bad = true;
    if (r->bad)
        return;
    if (store.conn_of[domid])
        conn_renew(store.conn_of[domid]);    /* introduced again */
    else
        conn_add((uint16_t)domid, mfn, port);
}

static void read_target(struct reader *r)
{
    struct conn *c = take_conn(r);
    uint32_t target = take_u32(r);

    if (!r->bad)
        c->target = (uint16_t)target;
}

static void read_quotas(struct reader *r)
{
    size_t n;
    const char *values = take_blob(r, &n);

    if (n == sizeof(quota))
        memcpy(&quota, values, n);
    else
        r->bad = true;
}

static void read_trans(struct reader *r, bool open)
{
    struct conn *c = take_conn(r);
    uint32_t id = take_u32(r);
    struct trans *t = c ? trans_find(c, id) : NULL;

    if (open && c && !t)
        trans_dead(c, id);
    else if (!open && t)
        trans_end(c, t, false);
}

static void read_output(struct reader *r)
{
    struct conn *c = take_conn(r);
    uint32_t in_pos = take_u32(r), in_left = take_u32(r), out_pos = take_u32(r), ring_pos = take_u32(r);
    size_t n;
    const char *queued = take_blob(r, &n);

    if (r->bad)
        return;
    c->in_pos = in_pos;
    if (!in_left)
        bytes_drop(&c->in, bytes_left(&c->in));
    c->out_pos = out_pos;
    c->ring_pos = ring_pos;
    if ((uint32_t)(out_pos - ring_pos) == 0)
        bytes_drop(&c->queue, bytes_left(&c->queue));       /* all of it has gone out */
    bytes_add(&c->queue, queued, n);
}

static void read_input(struct reader *r)
{
    struct conn *c = take_conn(r);
    size_t n;
    const char *data = take_blob(r, &n);

    if (!r->bad)
        bytes_add(&c->in, data, n);
}

static void read_op(struct reader *r)
{
    char op;
    struct conn *c;

    take(r, &op, 1);
    switch (op) {
    case 'N': read_node(r, &store.root); break;
    case 'S': read_node(r, &store.special); break;
    case 'R': tree_remove(&store.root, take_path(r), ROOT_DOMID); break;
    case 'W': read_watch(r, true); break;
    case 'U': read_watch(r, false); break;
    case 'X': if ((c = take_conn(r))) conn_reset(c); break;
    case 'I': read_conn(r); break;
    case 'G': read_target(r); break;
    case 'Q': read_quotas(r); break;
    case 'D': if ((c = take_conn(r))) conn_remove(c); break;
    case 'T': read_trans(r, true); break;
    case 'E': read_trans(r, false); break;
    case 'C': read_output(r); break;
    case 'B': read_input(r); break;
    default:  r->bad = true;
    }
}

/* The rings as they must now be: what was recorded counts, and what went out after the record. A ring that is further than its record has
 * lost some (or its domain has written there): then only the ring itself knows, and a message half in or out is lost. */
static bool resume(struct conn *c)
{
    uint32_t seen, unsent;
    bool behind;

    conn_attach(c);
    if (!c->page)
        return true;
    seen = c->page->rsp_prod;
    behind = (int32_t)(c->out_pos - seen) < 0 || (int32_t)(c->page->req_cons - c->in_pos) > 0;
    if (behind) {
        c->in_pos = c->page->req_cons;
        c->out_pos = c->ring_pos = seen;
        bytes_free(&c->in);
        bytes_free(&c->queue);
    }
    if ((int32_t)(seen - c->ring_pos) > 0 && (int32_t)(c->out_pos - seen) >= 0)
        c->ring_pos = seen;
    unsent = c->out_pos - c->ring_pos;
    if (unsent > bytes_left(&c->queue)) {
        c->broken = true;                    /* the domain has written where only we do */
        return true;
    }
    bytes_drop(&c->queue, bytes_left(&c->queue) - unsent);
    __atomic_store_n(&c->page->rsp_prod, c->ring_pos, __ATOMIC_RELEASE);
    __atomic_store_n(&c->page->req_cons, c->in_pos, __ATOMIC_RELEASE);
    store.out->notify(c->port);
    conn_heard(c);
    return !behind || !conn_trusted(c);
}

/* The size of the record at `at` if it is whole, else 0. */
static size_t whole_record(const char *at, const char *end)
{
    uint32_t head[2];

    if ((size_t)(end - at) < HEAD)
        return 0;
    memcpy(head, at, sizeof(head));
    if (head[0] <= HEAD || head[0] > (size_t)(end - at) || journal_checksum(at + HEAD, head[0] - HEAD) != head[1])
        return 0;
    return head[0];
}

enum replayed journal_replay(const void *data, size_t n)
{
    static struct reader r;
    const char *at = data, *end = at + n;
    size_t size;
    bool whole = true;

    r.bad = false;
    store.replaying = true;
    while (!r.bad && (size = whole_record(at, end))) {
        r.at = at + HEAD;
        r.end = at += size;
        r.path[0] = '\0';
        while (!r.bad && r.at < r.end)
            read_op(&r);
    }
    store.replaying = false;
    memset(tree_held, 0, sizeof(tree_held));
    tree_count(store.root, 1);
    if (r.bad || at == data)
        return REPLAYED_NOT;
    for (struct conn *c = store.conns; c; c = c->next)
        whole = resume(c) && whole;
    return at < end || !whole ? REPLAYED_CUT : REPLAYED;
}
