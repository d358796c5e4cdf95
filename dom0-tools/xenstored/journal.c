/* SPDX-License-Identifier: MIT */
/* journal.c: what has been done, written down before anybody is told.
 *
 * A record holds all that one request did: nodes as they now are, watches, connections, and for each connection that was
 * touched how far its rings have come and which of its answers did not fit. It is appended by one write, so it is
 * there whole or not at all, and only then do the rings' counters move. A xenstored that is killed at any instruction
 * has thus either not begun a request, and its successor does it, or has done it, and its successor moves the
 * counters. Transactions are not kept: those open end in EAGAIN.
 *
 * Record: length (4 bytes), then operations: a letter and its fields, little endian; strings with their length.   */
#include "dom0-tools/xenstored/xenstored.h"

#include <stdlib.h>
#include <string.h>

static struct bytes pending;

void journal_forget(void) { bytes_free(&pending); }

static void add(const void *data, size_t n)
{
    if (!bytes_left(&pending))
        bytes_add(&pending, "\0\0\0\0", 4);
    bytes_add(&pending, data, n);
}

static void add_op(char op) { add(&op, 1); }
static void add_u32(uint32_t v) { add(&v, sizeof(v)); }
static void add_u64(uint64_t v) { add(&v, sizeof(v)); }

static void add_blob(const void *data, size_t n)
{
    add_u32((uint32_t)n);
    add(data, n);
}

static void add_text(const char *s) { add_blob(s, strlen(s)); }

/* ---- writing ------------------------------------------------------------------------------------- */

void journal_node(const char *path, const struct node *n, bool special)
{
    if (store.replaying)
        return;
    add_op(special ? 'S' : 'N');
    add_text(path);
    add_blob(n->value, n->len);
    add_blob(n->perm, n->perms * sizeof(*n->perm));
}

void journal_remove(const char *path)
{
    if (store.replaying)
        return;
    add_op('R');
    add_text(path);
}

void journal_watch(const struct watch *w, bool added)
{
    if (store.replaying)
        return;
    add_op(added ? 'W' : 'U');
    add_u32(w->conn->domid);
    add_u32(w->skip);
    add_text(w->path);
    add_text(w->token);
}

void journal_reset(const struct conn *c)
{
    if (store.replaying)
        return;
    add_op('X');
    add_u32(c->domid);
}

void journal_conn(const struct conn *c)
{
    if (store.replaying)
        return;
    add_op('I');
    add_u32(c->domid);
    add_u64(c->mfn);
    add_u32(c->remote_port);
    add_u32(c->target);
}

void journal_conn_gone(const struct conn *c)
{
    if (store.replaying)
        return;
    add_op('D');
    add_u32(c->domid);
}

void journal_trans(const struct conn *c, uint32_t id, bool open)
{
    if (store.replaying)
        return;
    add_op(open ? 'T' : 'E');
    add_u32(c->domid);
    add_u32(id);
}

void journal_output(const struct conn *c, const struct bytes *queued)
{
    if (store.replaying)
        return;
    add_op('C');
    add_u32(c->domid);
    add_u32(c->in_pos);
    add_u32((uint32_t)bytes_left(&c->in));
    add_u32(c->out_pos);
    add_u32(c->ring_pos);
    add_blob(queued ? queued->data + queued->from : "", queued ? bytes_left(queued) : 0);
}

void journal_input(const struct conn *c, const void *data, size_t n)
{
    if (store.replaying)
        return;
    add_op('B');
    add_u32(c->domid);
    add_blob(data, n);
}

static bool commit_to(bool (*append)(const void *data, size_t n))
{
    uint32_t n = (uint32_t)bytes_left(&pending);
    bool ok;

    if (!n)
        return true;
    memcpy(pending.data + pending.from, &n, sizeof(n));
    ok = append(pending.data + pending.from, n);
    bytes_drop(&pending, n);
    return ok;
}

bool journal_commit(void) { return commit_to(store.out->append); }

/* ---- the whole state ------------------------------------------------------------------------------- */

struct writer { bool (*append)(const void *data, size_t n); bool ok, special; };

static void spill(struct writer *w)
{
    if (bytes_left(&pending) > 4096)
        w->ok = commit_to(w->append) && w->ok;
}

static void write_node(void *arg, const char *path, struct node *n)
{
    struct writer *w = arg;

    if (w->special && !strcmp(path, "/"))
        return;
    journal_node(w->special ? path + 1 : path, n, w->special);
    spill(w);
}

/* In the order in which they were added: the list has the last first. */
static void write_watches(struct watch *watch, struct writer *w)
{
    if (!watch)
        return;
    write_watches(watch->next_of_conn, w);
    journal_watch(watch, true);
    spill(w);
}

static void write_conn(struct conn *c, struct writer *w)
{
    struct bytes queued = c->queue;

    journal_conn(c);
    for (uint32_t id = 1; id <= c->last_trans && c->trans; id++)
        if (trans_find(c, id))
            journal_trans(c, id, true);
    if (bytes_left(&c->in))
        journal_input(c, c->in.data + c->in.from, bytes_left(&c->in));
    journal_output(c, &queued);
    write_watches(c->watches, w);
    spill(w);
}

bool journal_write_all(bool (*append)(const void *data, size_t n))
{
    struct writer w = { append, true, true };

    tree_walk(store.special, "/", write_node, &w);
    w.special = false;
    tree_walk(store.root, "/", write_node, &w);
    for (struct conn *c = store.conns; c; c = c->next)
        write_conn(c, &w);
    return commit_to(append) && w.ok;
}

/* ---- reading --------------------------------------------------------------------------------------- */

struct reader { const char *at, *end; bool bad; char text[2][PATH_MOST + XENSTORE_PAYLOAD_MAX + 1]; };

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
    const char *path = take_text(r, 0);
    size_t len, size;
    const char *value = take_blob(r, &len), *perms = take_blob(r, &size);
    struct perm perm[64];
    struct node *n;

    if (r->bad || !size || size > sizeof(perm) || size % sizeof(perm[0])) {
        r->bad = true;
        return;
    }
    memcpy(perm, perms, size);
    n = tree_own(root, path, ROOT_DOMID);
    if (!n || !node_set_value(n, value, len, perm[0].domid) ||
        !node_set_perms(n, perm, (unsigned)(size / sizeof(perm[0])), perm[0].domid))
        r->bad = true;
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
    uint32_t domid = take_u32(r), port, target;
    uint64_t mfn = take_u64(r);
    struct conn *c = domid < DOMIDS ? store.conn_of[domid] : NULL;

    port = take_u32(r);
    target = take_u32(r);
    if (r->bad || domid >= DOMIDS)
        return;
    if (!c)
        c = conn_add((uint16_t)domid, mfn, port);
    else if (c->mfn == mfn && c->remote_port == port && c->target == target)
        conn_reset(c);                       /* introduced again */
    if (c)
        c->target = (uint16_t)target;
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
    case 'R': tree_remove(&store.root, take_text(r, 0)); break;
    case 'W': read_watch(r, true); break;
    case 'U': read_watch(r, false); break;
    case 'X': if ((c = take_conn(r))) conn_reset(c); break;
    case 'I': read_conn(r); break;
    case 'D': if ((c = take_conn(r))) conn_remove(c); break;
    case 'T': read_trans(r, true); break;
    case 'E': read_trans(r, false); break;
    case 'C': read_output(r); break;
    case 'B': read_input(r); break;
    default:  r->bad = true;
    }
}

/* The rings as they must now be: what was recorded counts, and what went out after the record. */
static void resume(struct conn *c)
{
    uint32_t seen, unsent;

    conn_attach(c);
    if (!c->page)
        return;
    seen = c->page->rsp_prod;
    if ((int32_t)(seen - c->ring_pos) > 0 && (int32_t)(c->out_pos - seen) >= 0)
        c->ring_pos = seen;
    unsent = c->out_pos - c->ring_pos;
    if (unsent > bytes_left(&c->queue)) {
        c->broken = true;                    /* the domain has written where only we do */
        return;
    }
    bytes_drop(&c->queue, bytes_left(&c->queue) - unsent);
    __atomic_store_n(&c->page->rsp_prod, c->ring_pos, __ATOMIC_RELEASE);
    __atomic_store_n(&c->page->req_cons, c->in_pos, __ATOMIC_RELEASE);
    store.out->notify(c->port);
}

bool journal_replay(const void *data, size_t n)
{
    static struct reader r;
    const char *at = data, *end = at + n;
    uint32_t size;

    r.bad = false;
    store.replaying = true;
    while (!r.bad && (size_t)(end - at) > sizeof(size)) {
        memcpy(&size, at, sizeof(size));
        if (size <= sizeof(size) || size > (size_t)(end - at))
            break;                           /* half a record: the request was not done */
        r.at = at + sizeof(size);
        r.end = at += size;
        while (!r.bad && r.at < r.end)
            read_op(&r);
    }
    store.replaying = false;
    memset(tree_owned, 0, sizeof(tree_owned));
    tree_count(store.root, 1);
    for (struct conn *c = store.conns; c; c = c->next)
        resume(c);
    return !r.bad;
}
