/* SPDX-License-Identifier: MIT */
/* journal.c: what has been done, written down before anybody is told.
 *
 * A record holds all that one request did: nodes as they now are, watches, connections, and for each connection that was
 * touched how far its rings have come and which of its answers did not fit. It is appended by one write, so it is
 * there whole or not at all, and only then do the rings' counters move. A xenstored that is killed at any instruction
 * has thus either not begun a request, and its successor does it, or has done it, and its successor moves the
 * counters. Transactions are not kept: those open end in EAGAIN.
 *
 * Record: length and checksum (4 bytes each), then operations: a letter and its fields, little endian; strings with their length. Of a
 * path that begins as the one before it in the record only the rest is written: a chain of nodes takes no square of its depth. */
#include "dom0-tools/xenstored/xenstored.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 2u                     /* another daemon's journal fails by its checksums */
#define HEAD    JOURNAL_HEAD

static struct { struct bytes bytes; size_t path_len; char path[PATH_MOST + 1]; } pending;

void journal_forget(void)
{
    bytes_free(&pending.bytes);
    pending.path_len = 0;
}

uint32_t journal_checksum(const char *data, size_t n)
{
    uint32_t sum = 2166136261u + VERSION;

    while (n--)
        sum = (sum ^ (uint8_t)*data++) * 16777619u;
    return sum;
}

static void add(const void *data, size_t n)
{
    if (!bytes_left(&pending.bytes))
        bytes_add(&pending.bytes, "\0\0\0\0\0\0\0", HEAD);
    bytes_add(&pending.bytes, data, n);
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

static void add_path(const char *path, size_t n)
{
    size_t same = 0;

    while (same < n && same < pending.path_len && path[same] == pending.path[same])
        same++;
    add_u32((uint32_t)same);
    add_blob(path + same, n - same);
    memcpy(pending.path, path, n);
    pending.path_len = n;
}

/* ---- writing ------------------------------------------------------------------------------------- */

void journal_node(const char *path, size_t len, const struct node *n, bool special)
{
    if (store.replaying)
        return;
    add_op(special ? 'S' : 'N');
    add_path(path, len);
    add_blob(n->value, n->len);
    add_blob(n->perm, n->perms * sizeof(*n->perm));
}

void journal_remove(const char *path)
{
    if (store.replaying)
        return;
    add_op('R');
    add_path(path, strlen(path));
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
}

void journal_target(const struct conn *c)
{
    if (store.replaying)
        return;
    add_op('G');
    add_u32(c->domid);
    add_u32(c->target);
}

void journal_quotas(void)
{
    if (store.replaying)
        return;
    add_op('Q');
    add_blob(&quota, sizeof(quota));
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
    struct bytes *b = &pending.bytes;
    uint32_t n = (uint32_t)bytes_left(b), sum;
    bool ok;

    if (!n)
        return true;
    sum = journal_checksum(b->data + b->from + HEAD, n - HEAD);
    memcpy(b->data + b->from, &n, sizeof(n));
    memcpy(b->data + b->from + sizeof(n), &sum, sizeof(sum));
    ok = append(b->data + b->from, n);
    bytes_drop(b, n);
    pending.path_len = 0;
    return ok;
}

bool journal_commit(void) { return commit_to(store.out->append); }

/* ---- the whole state ------------------------------------------------------------------------------- */

struct writer { bool (*append)(const void *data, size_t n); bool ok, special; };

static void spill(struct writer *w)
{
    if (bytes_left(&pending.bytes) > 4096)
        w->ok = commit_to(w->append) && w->ok;
}

static bool write_node(void *arg, const char *path, struct node *n)
{
    struct writer *w = arg;

    if (w->special && !strcmp(path, "/"))
        return true;
    path += w->special;
    journal_node(path, strlen(path), n, w->special);
    spill(w);
    return w->ok;
}

/* In the order in which they were added: the list has the last first. */
static void write_watches(const struct conn *c, struct writer *w)
{
    unsigned n = c->nr_watches;
    const struct watch **all = memory(n * sizeof(*all));

    for (const struct watch *at = c->watches; at; at = at->next_of_conn)
        all[--n] = at;
    for (; n < c->nr_watches; n++) {
        journal_watch(all[n], true);
        spill(w);
    }
    free(all);
}

static void write_trans(const struct conn *c, uint32_t id) { journal_trans(c, id, true); }

static void write_conn(const struct conn *c, struct writer *w)
{
    struct bytes queued = c->queue;

    journal_conn(c);
    if (c->target < DOMIDS)
        journal_target(c);
    transs_each(c, write_trans);
    if (c->last_trans) {                     /* numbers go on from here */
        journal_trans(c, c->last_trans, true);
        if (!trans_find((struct conn *)c, c->last_trans))
            journal_trans(c, c->last_trans, false);
    }
    if (bytes_left(&c->in))
        journal_input(c, c->in.data + c->in.from, bytes_left(&c->in));
    journal_output(c, &queued);
    write_watches(c, w);
    spill(w);
}

bool journal_write_all(bool (*append)(const void *data, size_t n))
{
    struct writer w = { append, true, true };

    journal_quotas();
    tree_walk(store.special, "/", write_node, &w);
    w.special = false;
    tree_walk(store.root, "/", write_node, &w);
    for (struct conn *c = store.conns; c; c = c->next)
        write_conn(c, &w);
    return commit_to(append) && w.ok;
}
