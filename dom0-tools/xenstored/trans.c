/* SPDX-License-Identifier: MIT */
/* trans.c: changes, one by one or many at once.
 *
 * A transaction works on a snapshot of its own. It notes what it looked at and what it changed; at its end, if nobody
 * has changed what it looked at, its changes are done again on the store as it now is; else the answer is EAGAIN. So others
 * see all or nothing of it, and two that touch different nodes do not disturb each other. A domain whose transactions keep
 * losing to others' changes gets a moment in which other domains wait (XSA-206): see conn.c.                       */
#include "dom0-tools/xenstored/xenstored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum change_kind { PUT, KEEP, REMOVE, PERMS };

struct change {
    struct change   *next;
    enum change_kind kind;
    size_t           len;              /* of value, or number of permissions */
    void            *data;
    char             path[];
};

struct seen {
    struct seen *next;
    bool         children;
    char         path[];
};

struct trans {
    struct trans  *next;
    uint32_t       id;
    bool           dead;               /* it was open when an earlier xenstored ended: EAGAIN at its end */
    struct node   *base, *root;        /* as it began; as it is to become                               */
    struct seen   *seen;
    struct change *changes, **last;
    unsigned       nr_changes, nr_seen;
    uint32_t       created;
    size_t         bytes;
};

#define FAVOUR_AFTER 3                 /* lost transactions in a row */
#define FAVOUR_MS    100

uint32_t trans_id(const struct trans *t) { return t->id; }
bool trans_is_dead(const struct trans *t) { return t->dead; }
struct node *trans_root(struct trans *t) { return t && !t->dead ? t->root : store.root; }

struct trans *trans_find(struct conn *c, uint32_t id)
{
    struct trans *t = c->trans;

    while (t && t->id != id)
        t = t->next;
    return t;
}

static struct trans *trans_add(struct conn *c, uint32_t id)
{
    struct trans *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->id = id;
    t->last = &t->changes;
    t->next = c->trans;
    c->trans = t;
    c->nr_trans++;
    return t;
}

struct trans *trans_dead(struct conn *c, uint32_t id)
{
    struct trans *t = trans_add(c, id);

    if (t)
        t->dead = true;
    if (id > c->last_trans)
        c->last_trans = id;
    return t;
}

struct trans *trans_start(struct conn *c)
{
    struct trans *t;
    uint64_t now = store.out->now_ms();

    do
        c->last_trans = c->last_trans == 0x7fffffff ? 1 : c->last_trans + 1;
    while (trans_find(c, c->last_trans));
    t = trans_add(c, c->last_trans);
    if (!t)
        return NULL;
    t->base = t->root = store.root;
    store.root->refs += 2;
    if (c->lost >= FAVOUR_AFTER && !conn_trusted(c) && now >= c->favour_next) {
        store.favoured = c;
        c->favour_until = now + FAVOUR_MS;
        c->favour_next = now + 10 * FAVOUR_MS;
    }
    journal_trans(c, t->id, true);
    return t;
}

static void trans_free(struct conn *c, struct trans *t)
{
    struct trans **at = &c->trans;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    c->nr_trans--;
    c->trans_bytes -= t->bytes;
    while (t->seen) {
        struct seen *s = t->seen;
        t->seen = s->next;
        free(s);
    }
    while (t->changes) {
        struct change *ch = t->changes;
        t->changes = ch->next;
        free(ch->data);
        free(ch);
    }
    tree_put(t->base);
    tree_put(t->root);
    free(t);
}

void transs_end(struct conn *c)
{
    while (c->trans)
        trans_free(c, c->trans);
    if (store.favoured == c)
        store.favoured = NULL;
}

/* Notes, copies of nodes and their new values: as much again as the note is said to take. */
static bool afford(struct conn *c, struct trans *t, size_t n)
{
    if (!conn_trusted(c) && c->trans_bytes + n > quota.trans_bytes)
        return false;
    t->bytes += n;
    c->trans_bytes += n;
    return true;
}

bool trans_saw(struct conn *c, struct trans *t, const char *path, bool children)
{
    size_t n = strlen(path) + 1;
    struct seen *s;

    if (!t || t->dead)
        return true;
    if (t->seen && t->seen->children == children && !strcmp(t->seen->path, path))
        return true;
    s = afford(c, t, sizeof(*s) + n) ? malloc(sizeof(*s) + n) : NULL;
    if (!s)
        return false;
    s->children = children;
    memcpy(s->path, path, n);
    s->next = t->seen;
    t->seen = s;
    t->nr_seen++;
    return true;
}

static bool same(const struct seen *s, const struct node *then, const struct node *now)
{
    if (!then || !now)
        return then == now;
    return then == now || (s->children ? then->cgen == now->cgen : then->gen == now->gen);
}

/* Has another changed what it looked at? */
static bool conflict(struct conn *c, const struct trans *t)
{
    for (struct seen *s = t->seen; s; s = s->next) {
        struct node *now = tree_find(store.root, s->path);

        if (same(s, tree_find(t->base, s->path), now))
            continue;
        if (!now || now->writer != c->domid)
            c->lost++;
        return true;
    }
    return false;
}

/* ---- changes, in whichever tree --------------------------------------------------------------------- */

static bool noted(struct trans *t, enum change_kind kind, const char *path, const void *data, size_t len, size_t size)
{
    size_t n = strlen(path) + 1;
    struct change *ch = malloc(sizeof(*ch) + n);

    if (!ch)
        return false;
    ch->data = malloc(size ? size : 1);
    if (!ch->data) {
        free(ch);
        return false;
    }
    if (size)
        memcpy(ch->data, data, size);
    memcpy(ch->path, path, n);
    ch->kind = kind;
    ch->len = len;
    ch->next = NULL;
    *t->last = ch;
    t->last = &ch->next;
    t->nr_changes++;
    return true;
}

static unsigned missing_levels(struct node *root, const char *path)
{
    unsigned n = 0;
    char part[PATH_MOST + 1];

    strcpy(part, path);
    while (part[1] && !tree_find(root, part)) {
        char *slash = strrchr(part, '/');
        n++;
        if (slash == part)
            break;
        *slash = '\0';
    }
    return n;
}

/* The nodes of the store that are new are counted and journalled, each with what it is. */
static void note_new(const char *path, unsigned levels)
{
    char part[PATH_MOST + 1];

    strcpy(part, path);
    for (unsigned i = 0; i < levels; i++) {
        struct node *n = tree_find(store.root, part);
        uint16_t owner = n->perm[0].domid;

        if (owner < DOMIDS)
            tree_owned[owner]++;
        if (i)
            journal_node(part, n, false);
        if (strrchr(part, '/') == part)
            break;
        *strrchr(part, '/') = '\0';
    }
}

static int put_now(struct conn *c, const char *path, const void *value, size_t len, bool keep)
{
    unsigned levels = missing_levels(store.root, path);
    struct node *n;

    if (keep && !levels)
        return 0;
    n = tree_own(&store.root, path, c->domid);
    if (!n || (!keep && !node_set_value(n, value, len, c->domid)))
        return ENOMEM;
    if (levels)
        note_new(path, levels);
    journal_node(path, n, false);
    watch_fire(path, n, NULL, tree_above(store.root, path), false);
    return 0;
}

static void fire_removed(void *arg, const char *path, struct node *n)
{
    watch_fire(path, NULL, n, NULL, strcmp(arg, path) != 0);
}

static int remove_now(const char *path)
{
    struct node *n = tree_find(store.root, path);
    char copy[PATH_MOST + 1];

    if (!n)
        return ENOENT;
    strcpy(copy, path);
    n->refs++;
    if (!tree_remove(&store.root, path)) {
        tree_put(n);
        return ENOMEM;
    }
    tree_count(n, -1);
    journal_remove(path);
    watch_fire(path, NULL, n, tree_above(store.root, path), false);
    for (unsigned i = 0; i < n->children; i++) {
        size_t len = strlen(path);
        if (len + 1 + strlen(n->child[i]->name) > PATH_MOST)
            continue;
        copy[len] = '/';
        strcpy(copy + len + 1, n->child[i]->name);
        tree_walk(n->child[i], copy, fire_removed, "");
    }
    tree_put(n);
    return 0;
}

static int perms_now(struct conn *c, const char *path, const struct perm *perm, unsigned perms)
{
    bool special = path[0] == '@';
    struct node *n = tree_own(special ? &store.special : &store.root, path, ROOT_DOMID), was;
    struct perm old[1];

    if (!n)
        return ENOMEM;
    old[0] = n->perm[0];
    was = *n;
    was.perm = old;
    was.perms = 1;
    if (!node_set_perms(n, perm, perms, c ? c->domid : ROOT_DOMID))
        return ENOMEM;
    if (!special && old[0].domid < DOMIDS)
        tree_owned[old[0].domid]--;
    if (!special && perm[0].domid < DOMIDS)
        tree_owned[perm[0].domid]++;
    journal_node(path, n, special);
    if (!special)
        watch_fire(path, n, &was, tree_above(store.root, path), false);
    return 0;
}

/* ---- changes as requests make them -------------------------------------------------------------------- */

static bool too_many(const struct conn *c, const struct trans *t, unsigned more)
{
    if (conn_trusted(c))
        return false;
    if (t && t->nr_changes + t->nr_seen >= quota.changes)
        return true;
    return more && tree_owned[c->domid] + (t ? t->created : 0) + more > quota.nodes;
}

int store_put(struct conn *c, struct trans *t, const char *path, const void *value, size_t len, bool keep)
{
    unsigned levels = missing_levels(trans_root(t), path);
    struct node *n;

    if (too_many(c, t, levels) || (t && !t->dead && !afford(c, t, 256 + strlen(path) + 2 * len)))
        return ENOSPC;
    if (!t)
        return put_now(c, path, value, len, keep);
    if (t->dead || (keep && !levels))
        return 0;
    n = tree_own(&t->root, path, c->domid);
    if (!n || (!keep && !node_set_value(n, value, len, c->domid)) || !noted(t, keep ? KEEP : PUT, path, value, len, len))
        return ENOMEM;
    t->created += levels;
    return 0;
}

int store_remove(struct conn *c, struct trans *t, const char *path)
{
    if (too_many(c, t, 0))
        return ENOSPC;
    if (!t)
        return remove_now(path);
    if (t->dead)
        return 0;
    return tree_remove(&t->root, path) && noted(t, REMOVE, path, NULL, 0, 0) ? 0 : ENOMEM;
}

int store_set_perms(struct conn *c, struct trans *t, const char *path, const struct perm *perm, unsigned perms)
{
    struct node *n;

    if (too_many(c, t, 0))
        return ENOSPC;
    if (!t || path[0] == '@')
        return perms_now(c, path, perm, perms);
    if (t->dead)
        return 0;
    n = tree_own(&t->root, path, ROOT_DOMID);
    return n && node_set_perms(n, perm, perms, c->domid) && noted(t, PERMS, path, perm, perms, perms * sizeof(*perm)) ? 0 : ENOMEM;
}

static int redo(struct conn *c, const struct change *ch)
{
    switch (ch->kind) {
    case PUT:    return put_now(c, ch->path, ch->data, ch->len, false);
    case KEEP:   return put_now(c, ch->path, NULL, 0, true);
    case REMOVE: remove_now(ch->path); return 0;
    case PERMS:  return tree_find(store.root, ch->path) ? perms_now(c, ch->path, ch->data, (unsigned)ch->len) : 0;
    }
    return 0;
}

int trans_end(struct conn *c, struct trans *t, bool commit)
{
    int rc = 0;

    if (commit && (t->dead || (t->base != store.root && conflict(c, t))))
        rc = EAGAIN;
    else if (commit && !conn_trusted(c) && tree_owned[c->domid] + t->created > quota.nodes)
        rc = ENOSPC;
    else if (commit)
        c->lost = 0;
    for (struct change *ch = t->changes; ch && commit && !rc; ch = ch->next)
        rc = redo(c, ch);
    journal_trans(c, t->id, false);
    trans_free(c, t);
    if (store.favoured == c)
        store.favoured = NULL;
    return rc;
}

/* ---- a domain's end --------------------------------------------------------------------------------------- */

struct heirs { uint16_t domid; struct { char *path; bool owned; } *found; size_t n, room; };

static void look_for(void *arg, const char *path, struct node *n)
{
    struct heirs *h = arg;
    bool owned = n->perm[0].domid == h->domid, named = owned;

    for (unsigned i = 1; i < n->perms; i++)
        named |= n->perm[i].domid == h->domid;
    if (!named)
        return;
    if (h->n == h->room) {
        void *more = realloc(h->found, (h->room * 2 + 16) * sizeof(*h->found));
        if (!more)
            return;
        h->found = more;
        h->room = h->room * 2 + 16;
    }
    h->found[h->n].owned = owned;
    h->found[h->n].path = strdup(path);
    h->n += h->found[h->n].path != NULL;
}

static void drop_rights(const char *path, uint16_t domid)
{
    struct node *n = tree_find(store.root, path);
    struct perm left[16];
    unsigned k = 0;

    for (unsigned i = 0; n && i < n->perms && k < 16; i++)
        if (i == 0 || n->perm[i].domid != domid)
            left[k++] = n->perm[i];
    if (n)
        perms_now(NULL, path, left, k);
}

/* Its number will be used again: nothing that the new one did not earn may be waiting for it (XSA-322). */
void store_forget_domain(uint16_t domid)
{
    struct heirs h = { .domid = domid };

    tree_walk(store.root, "/", look_for, &h);
    for (size_t i = 0; i < h.n; i++) {
        if (!h.found[i].owned)
            drop_rights(h.found[i].path, domid);
        else if (tree_find(store.root, h.found[i].path) && strcmp(h.found[i].path, "/"))
            remove_now(h.found[i].path);
        free(h.found[i].path);
    }
    free(h.found);
}
