/* SPDX-License-Identifier: MIT */
/* tree.c: the store's nodes.
 *
 * A tree is a root pointer. A snapshot is one more reference on the root, and costs nothing; whoever then changes a node
 * copies it and those above it, and shares all others (N1). Children are sorted, so a path is found by binary
 * searches, whatever the number of domains.                                                                      */
#include "dom0-tools/xenstored/xenstored.h"

#include <stdlib.h>
#include <string.h>

uint32_t tree_owned[DOMIDS];

static void count(const struct node *n, int sign)
{
    uint16_t owner = n->perm[0].domid;

    if (owner < DOMIDS)
        tree_owned[owner] += (uint32_t)sign;
}

void tree_count(struct node *root, int sign)
{
    count(root, sign);
    for (unsigned i = 0; i < root->children; i++)
        tree_count(root->child[i], sign);
}

static void node_free(struct node *n)
{
    for (unsigned i = 0; i < n->children; i++)
        tree_put(n->child[i]);
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

static void *copy_of(const void *data, size_t n)
{
    void *p = malloc(n ? n : 1);

    if (p && n)
        memcpy(p, data, n);
    return p;
}

static struct node *node_new(const char *name, size_t len, const struct perm *perm, unsigned perms)
{
    struct node *n = calloc(1, sizeof(*n));

    if (!n)
        return NULL;
    n->refs = 1;
    n->gen = n->cgen = ++store.gen;
    n->name = calloc(1, len + 1);
    n->value = calloc(1, 1);
    n->perm = copy_of(perm, perms * sizeof(*perm));
    n->perms = perms;
    if (!n->name || !n->value || !n->perm) {
        node_free(n);
        return NULL;
    }
    memcpy(n->name, name, len);
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

struct node *tree_find(struct node *root, const char *path)
{
    const char *name;
    size_t len;
    unsigned at;

    while ((name = component(&path, &len))) {
        if (!child_at(root, name, len, &at))
            return NULL;
        root = root->child[at];
    }
    return root;
}

struct node *tree_above(struct node *root, const char *path)
{
    const char *name;
    struct node *above = NULL;
    size_t len;
    unsigned at;

    while ((name = component(&path, &len))) {
        above = root;
        if (!child_at(root, name, len, &at))
            break;
        root = root->child[at];
    }
    return above;
}

/* ---- changing ---------------------------------------------------------------------------------- */

static bool make_room(struct node *n)
{
    unsigned room = n->room ? n->room * 2 : 4;
    struct node **child;

    if (n->children < n->room)
        return true;
    child = realloc(n->child, room * sizeof(*child));
    if (!child)
        return false;
    n->child = child;
    n->room = room;
    return true;
}

/* N1: makes *slot a node of this tree alone. */
static struct node *own(struct node **slot)
{
    struct node *old = *slot, *n;

    if (old->refs == 1)
        return old;
    n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    *n = *old;
    n->refs = 1;
    n->name = copy_of(old->name, strlen(old->name) + 1);
    n->value = copy_of(old->value, old->len);
    n->perm = copy_of(old->perm, old->perms * sizeof(*old->perm));
    n->child = copy_of(old->child, old->children * sizeof(*old->child));
    n->room = old->children;
    for (unsigned i = 0; n->child && i < n->children; i++)
        n->child[i]->refs++;
    if (!n->child)
        n->children = 0;
    if (!n->name || !n->value || !n->perm || !n->child) {
        node_free(n);
        return NULL;
    }
    tree_put(old);
    *slot = n;
    return n;
}

static struct node *child_new(struct node *n, unsigned at, const char *name, size_t len, uint16_t owner)
{
    struct node *c;

    if (!make_room(n))
        return NULL;
    c = node_new(name, len, n->perm, n->perms);
    if (!c)
        return NULL;
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

    while (n && (name = component(&path, &len)))
        n = child_at(n, name, len, &at) ? own(&n->child[at]) : child_new(n, at, name, len, owner);
    return n;
}

bool tree_remove(struct node **root, const char *path)
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
    if (!n || !child_at(n, last + 1, strlen(last + 1), &at))
        return false;
    tree_put(n->child[at]);
    memmove(n->child + at, n->child + at + 1, (--n->children - at) * sizeof(*n->child));
    n->cgen = ++store.gen;
    return true;
}

bool node_set_value(struct node *n, const void *value, size_t len, uint16_t writer)
{
    char *copy = copy_of(value, len);

    if (!copy)
        return false;
    free(n->value);
    n->value = copy;
    n->len = len;
    n->writer = writer;
    n->gen = ++store.gen;
    return true;
}

bool node_set_perms(struct node *n, const struct perm *perm, unsigned perms, uint16_t writer)
{
    struct perm *copy = copy_of(perm, perms * sizeof(*perm));

    if (!copy)
        return false;
    free(n->perm);
    n->perm = copy;
    n->perms = perms;
    n->writer = writer;
    n->gen = ++store.gen;
    return true;
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

void tree_walk(struct node *n, const char *path, tree_fn *fn, void *arg)
{
    char below[PATH_MOST + 1];
    size_t len = strcmp(path, "/") ? strlen(path) : 0;

    fn(arg, path, n);
    for (unsigned i = 0; i < n->children; i++) {
        size_t more = strlen(n->child[i]->name);

        if (len + 1 + more > PATH_MOST)
            continue;
        memcpy(below, path, len);
        below[len] = '/';
        memcpy(below + len + 1, n->child[i]->name, more + 1);
        tree_walk(n->child[i], below, fn, arg);
    }
}
