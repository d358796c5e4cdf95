/* SPDX-License-Identifier: MIT */
/* tree.c: the store's nodes.
 *
 * A tree is a root pointer. A snapshot is one more reference on the root, and costs nothing; whoever then changes a node
 * copies it and those above it, and shares all others (N1). Children are sorted, so a path is found by binary
 * searches, whatever the number of domains.                                                                      */
#include "dom0-tools/xenstored/xenstored.h"

#include <stdlib.h>
#include <string.h>

struct holding tree_held[DOMIDS];
size_t tree_bytes;

/* ---- memory and counts --------------------------------------------------------------------------- */

void *memory(size_t n) { return memory_more(NULL, n); }

void *memory_more(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p)
        store.out->no_memory();
    return p;
}

static void *copy_of(const void *data, size_t n)
{
    void *p = memory(n);

    if (n)
        memcpy(p, data, n);
    return p;
}

size_t node_size(const struct node *n)
{
    return sizeof(*n) + strlen(n->name) + 1 + n->len + n->perms * sizeof(n->perm[0]) + sizeof(n);
}

void node_count(const struct node *n, int sign)
{
    for (unsigned i = 1; i < n->perms; i++)
        if (n->perm[i].domid < DOMIDS)
            tree_held[n->perm[i].domid].named += (uint32_t)sign;
    if (n->perm[0].domid >= DOMIDS)
        return;
    tree_held[n->perm[0].domid].owned += (uint32_t)sign;
    tree_held[n->perm[0].domid].bytes += sign > 0 ? node_size(n) : -node_size(n);
}

void tree_count(struct node *root, int sign)
{
    node_count(root, sign);
    for (unsigned i = 0; i < root->children; i++)
        tree_count(root->child[i], sign);
}

static void node_free(struct node *n)
{
    for (unsigned i = 0; i < n->children; i++)
        tree_put(n->child[i]);
    tree_bytes -= node_size(n);
    free(n->name);
    free(n->value);
    free(n->perm);
    free(n->child);
    free(n);
}

void tree_put(struct node *n)
{
    if (n && --n->refs == 0)
        node_free(n);
}

static struct node *node_new(const char *name, size_t len, const struct perm *perm, unsigned perms)
{
    struct node *n = memory(sizeof(*n));

    *n = (struct node){ .refs = 1, .name = memory(len + 1), .value = memory(0), .perms = perms };
    n->gen = n->cgen = ++store.gen;
    n->perm = copy_of(perm, perms * sizeof(*perm));
    memcpy(n->name, name, len);
    n->name[len] = '\0';
    tree_bytes += node_size(n);
    return n;
}

struct node *tree_new(void)
{
    struct perm dom0 = { ROOT_DOMID, 0 };

    return node_new("", 0, &dom0, 1);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Where a child of that name is, or would be. */
static bool child_at(const struct node *n, const char *name, size_t len, unsigned *at)
{
    unsigned low = 0, high = n->children;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        const char *have = n->child[mid]->name;
        int cmp = strncmp(have, name, len);

        if (cmp == 0 && have[len])
            cmp = 1;
        if (cmp == 0) {
            *at = mid;
            return true;
        }
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *at = low;
    return false;
}

/* The next component of a path; NULL after the last. A special name is one component. */
static const char *component(const char **path, size_t *len)
{
    const char *s = *path;

    while (*s == '/')
        s++;
    if (!*s)
        return NULL;
    *len = strcspn(s, "/");
    *path = s + *len;
    return s;
}

struct node *tree_step(struct node *n, const char **path)
{
    size_t len;
    unsigned at;
    const char *name = component(path, &len);

    return name && child_at(n, name, len, &at) ? n->child[at] : NULL;
}

struct node *tree_find(struct node *root, const char *path)
{
    while (root && *path && strcmp(path, "/"))
        root = tree_step(root, &path);
    return root;
}

struct node *tree_above(struct node *root, const char *path, size_t *len, size_t *missing)
{
    struct node *above = NULL;
    const char *at = path, *behind = path;

    while (root && *at && strcmp(at, "/")) {
        above = root;
        behind = at;
        root = tree_step(root, &at);
    }
    if (len)
        *len = (size_t)(behind - path);
    if (missing)
        *missing = (size_t)(at - path);
    return above;
}

unsigned tree_missing(struct node *root, const char *path)
{
    const char *name;
    size_t len;
    unsigned at, n = 0;

    while ((name = component(&path, &len))) {
        if (root && child_at(root, name, len, &at))
            root = root->child[at];
        else
            root = NULL;
        n += !root;
    }
    return n;
}

/* ---- changing ---------------------------------------------------------------------------------- */

static void make_room(struct node *n)
{
    if (n->children < n->room)
        return;
    n->room = n->room ? n->room * 2 : 4;
    n->child = memory_more(n->child, n->room * sizeof(*n->child));
}

/* N1: makes *slot a node of this tree alone. */
static struct node *own(struct node **slot)
{
    struct node *old = *slot, *n;

    if (old->refs == 1)
        return old;
    n = memory(sizeof(*n));
    *n = *old;
    n->refs = 1;
    n->name = copy_of(old->name, strlen(old->name) + 1);
    n->value = copy_of(old->value, old->len);
    n->perm = copy_of(old->perm, old->perms * sizeof(*old->perm));
    n->child = copy_of(old->child, old->children * sizeof(*old->child));
    n->room = old->children;
    for (unsigned i = 0; i < n->children; i++)
        n->child[i]->refs++;
    tree_bytes += node_size(n);
    tree_put(old);
    *slot = n;
    return n;
}

static struct node *child_new(struct node *n, unsigned at, const char *name, size_t len, uint16_t owner)
{
    struct node *c = node_new(name, len, n->perm, n->perms);

    make_room(n);
    if (owner != ROOT_DOMID)
        c->perm[0].domid = owner;
    c->writer = n->writer = owner;
    memmove(n->child + at + 1, n->child + at, (n->children - at) * sizeof(*n->child));
    n->child[at] = c;
    n->children++;
    n->cgen = ++store.gen;
    return c;
}

struct node *tree_own(struct node **root, const char *path, uint16_t owner)
{
    struct node *n = own(root);
    const char *name;
    size_t len;
    unsigned at;

    while ((name = component(&path, &len)))
        n = child_at(n, name, len, &at) ? own(&n->child[at]) : child_new(n, at, name, len, owner);
    return n;
}

bool tree_remove(struct node **root, const char *path, uint16_t writer)
{
    char above[PATH_MOST + 1];
    const char *last = strrchr(path, '/');
    struct node *n;
    unsigned at;

    if (!last || !last[1] || !tree_find(*root, path))
        return false;
    memcpy(above, path, (size_t)(last - path));
    above[last - path] = '\0';
    n = tree_own(root, above, ROOT_DOMID);
    if (!child_at(n, last + 1, strlen(last + 1), &at))
        return false;
    tree_put(n->child[at]);
    memmove(n->child + at, n->child + at + 1, (--n->children - at) * sizeof(*n->child));
    n->writer = writer;
    n->cgen = ++store.gen;
    return true;
}

void node_set_value(struct node *n, const void *value, size_t len, uint16_t writer)
{
    char *copy = copy_of(value, len);

    tree_bytes += len - n->len;
    free(n->value);
    n->value = copy;
    n->len = len;
    n->writer = writer;
    n->gen = ++store.gen;
}

void node_set_perms(struct node *n, const struct perm *perm, unsigned perms, uint16_t writer)
{
    struct perm *copy = copy_of(perm, perms * sizeof(*perm));

    tree_bytes += ((size_t)perms - n->perms) * sizeof(*perm);
    free(n->perm);
    n->perm = copy;
    n->perms = perms;
    n->writer = writer;
    n->gen = ++store.gen;
}

/* ---- who may what -------------------------------------------------------------------------------- */

unsigned node_rights(const struct node *n, uint16_t domid, uint16_t target)
{
    if (domid == ROOT_DOMID || n->perm[0].domid == domid || (target < DOMIDS && n->perm[0].domid == target))
        return PERM_READ | PERM_WRITE | PERM_OWNER;
    for (unsigned i = 1; i < n->perms; i++)
        if (n->perm[i].domid == domid || (target < DOMIDS && n->perm[i].domid == target))
            return n->perm[i].mask;
    return n->perm[0].mask;
}

static bool walk(struct node *n, char *path, size_t len, tree_fn *fn, void *arg)
{
    bool on = fn(arg, len ? path : "/", n);

    for (unsigned i = 0; on && i < n->children; i++) {
        size_t more = strlen(n->child[i]->name);

        if (len + 1 + more > PATH_MOST)
            continue;
        path[len] = '/';
        memcpy(path + len + 1, n->child[i]->name, more + 1);
        on = walk(n->child[i], path, len + 1 + more, fn, arg);
        path[len] = '\0';
    }
    return on;
}

bool tree_walk(struct node *n, const char *path, tree_fn *fn, void *arg)
{
    char whole[PATH_MOST + 1];
    size_t len = strcmp(path, "/") ? strlen(path) : 0;

    memcpy(whole, path, len);
    whole[len] = '\0';
    return walk(n, whole, len, fn, arg);
}
