/* SPDX-License-Identifier: MIT */
/* watch.c: who wants to hear of which path, and may.
 *
 * Watches are found by the hash of their path, so a change costs one look-up for each level above it, however many
 * watches there are. Whoever may not read a node hears of it only if the node above, whose list names it, is theirs
 * to read (XSA-115).                                                                                              */
#include "dom0-tools/xenstored/xenstored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u

static struct watch *bucket[BUCKETS];

#define HASH_BEGIN 2166136261u

static uint32_t hash_step(uint32_t h, char c) { return (h ^ (uint8_t)c) * 16777619u; }

static uint32_t hash_of(const char *s)
{
    uint32_t h = HASH_BEGIN;

    while (*s)
        h = hash_step(h, *s++);
    return h;
}

static struct watch *find(struct conn *c, const char *path, const char *token)
{
    uint32_t h = hash_of(path);

    for (struct watch *w = bucket[h % BUCKETS]; w; w = w->next_of_hash)
        if (w->conn == c && w->hash == h && !strcmp(w->path, path) && !strcmp(w->token, token))
            return w;
    return NULL;
}

int watch_add(struct conn *c, const char *path, unsigned skip, const char *token)
{
    size_t n = strlen(path) + 1;
    struct watch *w;

    if (find(c, path, token))
        return EEXIST;
    w = memory(sizeof(*w) + n + strlen(token) + 1);
    memcpy(w->path, path, n);
    w->token = w->path + n;
    strcpy(w->token, token);
    w->conn = c;
    w->skip = skip;
    w->hash = hash_of(path);
    w->next_of_conn = c->watches;
    c->watches = w;
    w->next_of_hash = bucket[w->hash % BUCKETS];
    bucket[w->hash % BUCKETS] = w;
    c->nr_watches++;
    c->watch_bytes += n + strlen(token);
    journal_watch(w, true);
    return 0;
}

static void unlink_watch(struct watch *w)
{
    struct watch **at = &bucket[w->hash % BUCKETS];

    while (*at != w)
        at = &(*at)->next_of_hash;
    *at = w->next_of_hash;
    at = &w->conn->watches;
    while (*at != w)
        at = &(*at)->next_of_conn;
    *at = w->next_of_conn;
    w->conn->nr_watches--;
    w->conn->watch_bytes -= strlen(w->path) + 1 + strlen(w->token);
    free(w);
}

int watch_remove(struct conn *c, const char *path, const char *token)
{
    struct watch *w = find(c, path, token);

    if (!w)
        return ENOENT;
    journal_watch(w, false);
    unlink_watch(w);
    return 0;
}

void watches_remove(struct conn *c)
{
    while (c->watches)
        unlink_watch(c->watches);
}

/* ---- telling --------------------------------------------------------------------------------------- */

void watch_tell(struct watch *w, const char *path)
{
    struct xsd_sockmsg head = { .type = XS_WATCH_EVENT };
    size_t np, nt = strlen(w->token) + 1;

    path += strlen(path) >= w->skip ? w->skip : 0;
    np = strlen(path) + 1;
    if (np + nt <= XENSTORE_PAYLOAD_MAX)
        conn_send(w->conn, &head, path, np, w->token, nt);
}

static bool may_hear(const struct conn *c, const struct node *node, const struct node *was, const struct node *above)
{
    return conn_trusted(c) || (node && (node_rights(node, c->domid, c->target) & PERM_READ)) ||
           (was && (node_rights(was, c->domid, c->target) & PERM_READ)) ||
           (above && (node_rights(above, c->domid, c->target) & PERM_READ));
}

/* h: the hash of watched's first n characters. */
static void fire_at(const char *watched, size_t n, uint32_t h, const char *path, const struct node *node, const struct node *was,
                    const struct node *above)
{
    for (struct watch *w = bucket[h % BUCKETS]; w; w = w->next_of_hash)
        if (w->hash == h && !strncmp(w->path, watched, n) && !w->path[n] && may_hear(w->conn, node, was, above))
            watch_tell(w, path);
}

void watch_fire(const char *path, const struct node *node, const struct node *was, const struct node *above, bool exact)
{
    uint32_t h = HASH_BEGIN;
    size_t n = 0;

    if (store.replaying)
        return;
    for (; path[n]; n++) {
        if (!exact && n && (path[n] == '/' || n == 1))
            fire_at(path, n, h, path, node, was, above);      /* the root; each level above */
        h = hash_step(h, path[n]);
    }
    fire_at(path, n, h, path, node, was, above);
}

void watch_fire_special(const char *name)
{
    struct node *n = store.replaying ? NULL : tree_find(store.special, name);

    if (n)
        fire_at(name, strlen(name), hash_of(name), name, n, NULL, NULL);
}
