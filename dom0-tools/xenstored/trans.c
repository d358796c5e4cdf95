/* SPDX-License-Identifier: MIT */
/* trans.c: changes as requests make them: one by one, or many at once.
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
    bool           dead;               /* cut off, or open when an earlier xenstored ended: EAGAIN at its end */
    struct node   *base, *root;        /* as it began; as it is to become                               */
    struct seen   *seen;
    struct change *changes, **last;
    unsigned       nr_changes, nr_seen;
    uint32_t       created;            /* nodes, and what they and longer values will take at least      */
    size_t         grown;
    size_t         bytes;
};

#define FAVOUR_AFTER 3                 /* lost transactions, each */
#define SOON_MS      2000              /* so long after the one before */
#define FAVOUR_MS    100
#define PAUSE_MS     300               /* between favours, whoever has them: nobody can make others wait for long */
#define OLD_MOST     (4u << 20)        /* old versions may take as much as the store and this */

uint32_t trans_id(const struct trans *t) { return t->id; }
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
    struct trans *t = memory(sizeof(*t));

    *t = (struct trans){ .next = c->trans, .id = id, .last = &t->changes };
    c->trans = t;
    c->nr_trans++;
    return t;
}

struct trans *trans_dead(struct conn *c, uint32_t id)
{
    struct trans *t = trans_add(c, id);

    t->dead = true;
    c->last_trans = id;
    return t;
}

/* One that has lost again and again may go on undisturbed (XSA-206). dom0's too: a guest must not hold up the toolstack. */
static void favour(struct conn *c, uint32_t id)
{
    uint64_t now = store.out->now_ms();

    if (store.favoured && now >= store.favour_until)
        store.favoured = NULL;
    if (c->lost < FAVOUR_AFTER || now - c->lost_at > SOON_MS || store.favoured || now < store.favour_next)
        return;
    c->lost = 0;
    store.favoured = c;
    store.favoured_trans = id;
    store.favour_until = now + FAVOUR_MS;
    store.favour_next = now + FAVOUR_MS + PAUSE_MS;
}

struct trans *trans_start(struct conn *c)
{
    struct trans *t;

    do
        c->last_trans = c->last_trans == 0x7fffffff ? 1 : c->last_trans + 1;
    while (trans_find(c, c->last_trans));
    t = trans_add(c, c->last_trans);
    t->base = t->root = store.root;
    store.root->refs += 2;
    favour(c, t->id);
    journal_trans(c, t->id, true);
    return t;
}

/* What it has noted, and its snapshot. */
static void let_go(struct conn *c, struct trans *t)
{
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
    t->base = t->root = NULL;
    t->last = &t->changes;
    t->bytes = 0;
}

static void trans_free(struct conn *c, struct trans *t)
{
    struct trans **at = &c->trans;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    c->nr_trans--;
    if (store.favoured == c && store.favoured_trans == t->id)
        store.favoured = NULL;
    let_go(c, t);
    free(t);
}

void transs_end(struct conn *c)
{
    while (c->trans)
        trans_free(c, c->trans);
}

static void each(const struct conn *c, const struct trans *t, void (*fn)(const struct conn *c, uint32_t id))
{
    if (!t)
        return;
    each(c, t->next, fn);
    fn(c, t->id);
}

void transs_each(const struct conn *c, void (*fn)(const struct conn *c, uint32_t id)) { each(c, c->trans, fn); }

/* ---- how much memory old versions take ------------------------------------------------------------------ */

static bool add_size(void *arg, const char *path, struct node *n)
{
    (void)path;
    *(size_t *)arg += node_size(n);
    return true;
}

static unsigned living(const struct conn *c, struct trans **oldest)
{
    unsigned n = 0;

    for (struct trans *t = c->trans; t; t = t->next)
        if (!t->dead) {
            *oldest = t;
            n++;
        }
    return n;
}

static bool cut_one(void)
{
    struct conn *whose = NULL;
    struct trans *victim = NULL, *t = NULL;
    unsigned most = 0;

    for (struct conn *c = store.conns; c; c = c->next) {
        unsigned n = conn_trusted(c) ? 0 : living(c, &t);

        if (n > most) {
            most = n;
            whose = c;
            victim = t;
        }
    }
    if (!victim)
        return false;
    let_go(whose, victim);
    victim->dead = true;
    return true;
}

void transs_limit(void)
{
    static size_t look_at;             /* the store's own size is found by a walk: seldom */
    size_t now = 0;

    if (tree_bytes < OLD_MOST || tree_bytes < look_at)
        return;
    tree_walk(store.root, "/", add_size, &now);
    while (tree_bytes > 2 * now + OLD_MOST && cut_one())
        ;
    look_at = (tree_bytes > 2 * now + OLD_MOST ? tree_bytes : 2 * now) + OLD_MOST;
}

/* ---- what it looks at --------------------------------------------------------------------------------- */

/* Notes, copies of nodes and their new values: as much again as the note is said to take. */
static bool afford(struct conn *c, struct trans *t, size_t n)
{
    if (!conn_trusted(c) && c->trans_bytes + n > quota.trans_bytes)
        return false;
    t->bytes += n;
    c->trans_bytes += n;
    return true;
}

/* What was noted just before need not be again: so nodes made side by side share the note of what is above them. */
static bool saw(struct conn *c, struct trans *t, const char *path, size_t len, bool children)
{
    struct seen *s = t->seen;

    for (unsigned i = 0; s && i < 4; i++, s = s->next)
        if (s->children == children && !strncmp(s->path, path, len) && !s->path[len])
            return true;
    if (!afford(c, t, sizeof(*s) + len + 1))
        return false;
    s = memory(sizeof(*s) + len + 1);
    s->children = children;
    memcpy(s->path, path, len);
    s->path[len] = '\0';
    s->next = t->seen;
    t->seen = s;
    t->nr_seen++;
    return true;
}

bool trans_saw(struct conn *c, struct trans *t, const char *path, bool children)
{
    size_t above, missing;

    if (!t || t->dead)
        return true;
    if (!t->seen || strcmp(t->seen->path, path))
        if (!tree_find(t->root, path)) {
            tree_above(t->root, path, &above, &missing);
            if (!saw(c, t, above ? path : "/", above ? above : 1, false) || !saw(c, t, path, missing, false))
                return false;
        }
    return saw(c, t, path, strlen(path), children);
}

static bool same(const struct seen *s, const struct node *then, const struct node *now)
{
    if (!then || !now)
        return then == now;
    return then == now || (s->children ? then->cgen == now->cgen : then->gen == now->gen);
}

static void lost_to(struct conn *c, uint16_t writer)
{
    uint64_t now = store.out->now_ms();

    if (writer == c->domid || writer == ROOT_DOMID)      /* dom0 never waits: a favour would be of no use */
        return;
    c->lost = now - c->lost_at > SOON_MS ? 1 : c->lost + 1;
    c->lost_at = now;
}

/* Has another changed what it looked at? */
static bool conflict(struct conn *c, const struct trans *t)
{
    for (struct seen *s = t->seen; s; s = s->next) {
        struct node *now = tree_find(store.root, s->path), *above = now ? now : tree_above(store.root, s->path, NULL, NULL);

        if (same(s, tree_find(t->base, s->path), now))
            continue;
        lost_to(c, above ? above->writer : ROOT_DOMID);
        return true;
    }
    return false;
}

/* ---- what it changes ----------------------------------------------------------------------------------- */

static void note(struct trans *t, enum change_kind kind, const char *path, const void *data, size_t len, size_t size)
{
    size_t n = strlen(path) + 1;
    struct change *ch = memory(sizeof(*ch) + n);

    ch->data = memory(size);
    if (size)
        memcpy(ch->data, data, size);
    memcpy(ch->path, path, n);
    ch->kind = kind;
    ch->len = len;
    ch->next = NULL;
    *t->last = ch;
    t->last = &ch->next;
    t->nr_changes++;
}

/* ---- changes as requests make them -------------------------------------------------------------------- */

static bool is_full(const struct conn *c, uint32_t nodes, size_t bytes)
{
    const struct holding *h = &tree_held[c->domid];

    return !conn_trusted(c) && ((nodes && h->owned + nodes > quota.nodes) || (bytes && h->bytes + bytes > quota.node_bytes));
}

static bool too_many(const struct conn *c, const struct trans *t)
{
    return t && !conn_trusted(c) && t->nr_changes + t->nr_seen >= quota.changes;
}

/* By how much a value makes its node larger, or all that must be made for it. */
static size_t growth(struct node *root, const char *path, size_t len, unsigned levels)
{
    struct node *n = levels ? NULL : tree_find(root, path);

    if (n)
        return len > n->len ? len - n->len : 0;
    return levels * (sizeof(*n) + sizeof(n)) + strlen(path) + len;
}

int store_put(struct conn *c, struct trans *t, const char *path, const void *value, size_t len, bool keep)
{
    unsigned levels = tree_missing(trans_root(t), path);
    size_t more = keep && !levels ? 0 : growth(trans_root(t), path, len, levels);

    if (too_many(c, t) || is_full(c, levels + (t ? t->created : 0) * (levels != 0), more ? more + (t ? t->grown : 0) : 0))
        return ENOSPC;
    if (t && !t->dead && !afford(c, t, levels * sizeof(struct node) + 256 + strlen(path) + 2 * len))
        return ENOSPC;
    if (!t) {
        change_put(c, path, value, len, keep);
        return 0;
    }
    if (t->dead || (keep && !levels))
        return 0;
    t->created += levels;
    t->grown += more;
    if (!keep)
        node_set_value(tree_own(&t->root, path, c->domid), value, len, c->domid);
    else
        tree_own(&t->root, path, c->domid);
    note(t, keep ? KEEP : PUT, path, value, len, len);
    return 0;
}

int store_remove(struct conn *c, struct trans *t, const char *path)
{
    if (!t)
        return change_remove(path, c->domid);
    if (t->dead)
        return 0;
    if (too_many(c, t) || !afford(c, t, 256 + strlen(path)))
        return ENOSPC;
    tree_remove(&t->root, path, c->domid);
    note(t, REMOVE, path, NULL, 0, 0);
    return 0;
}

int store_set_perms(struct conn *c, struct trans *t, const char *path, const struct perm *perm, unsigned perms)
{
    if (!t || path[0] == '@') {
        change_perms(path, perm, perms, c->domid);
        return 0;
    }
    if (t->dead)
        return 0;
    if (too_many(c, t) || !afford(c, t, 256 + strlen(path) + perms * sizeof(*perm)))
        return ENOSPC;
    node_set_perms(tree_own(&t->root, path, ROOT_DOMID), perm, perms, c->domid);
    note(t, PERMS, path, perm, perms, perms * sizeof(*perm));
    return 0;
}

static void redo(struct conn *c, const struct change *ch)
{
    switch (ch->kind) {
    case PUT:    change_put(c, ch->path, ch->data, ch->len, false); break;
    case KEEP:   change_put(c, ch->path, NULL, 0, true); break;
    case REMOVE: change_remove(ch->path, c->domid); break;
    case PERMS:  change_perms(ch->path, ch->data, (unsigned)ch->len, c->domid); break;
    }
}

int trans_end(struct conn *c, struct trans *t, bool commit)
{
    int rc = 0;

    if (commit && (t->dead || (t->base != store.root && conflict(c, t))))
        rc = EAGAIN;
    else if (commit && is_full(c, t->created, t->grown))
        rc = ENOSPC;
    for (struct change *ch = t->changes; ch && commit && !rc; ch = ch->next)
        redo(c, ch);
    journal_trans(c, t->id, false);
    trans_free(c, t);
    return rc;
}
