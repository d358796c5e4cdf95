/* SPDX-License-Identifier: MIT */
/* change.c: the store changed: each change is made, counted for its owner, journalled, and told to those who watch. Whether it may be is
 * decided before (request.c, trans.c). And all changes that a domain's end brings.                                  */
#include "dom0-tools/xenstored/xenstored.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The nodes of the store on the way to path that are new, `levels` of them, are counted and journalled, each with what it is. */
static void note_new(const char *path, unsigned levels)
{
    const char *at = path;
    struct node *n = store.root, *next;
    unsigned old = 0;

    for (const char *s = path; *s; s++)
        old += *s == '/';
    old -= levels;
    while ((next = tree_step(n, &at))) {
        n = next;
        if (old) {
            old--;
            continue;
        }
        node_count(n, 1);
        if (*at)
            journal_node(path, (size_t)(at - path), n, false);
    }
}

void change_put(struct conn *c, const char *path, const void *value, size_t len, bool keep)
{
    unsigned levels = tree_missing(store.root, path);
    struct node *n;

    if (keep && !levels)
        return;
    n = tree_own(&store.root, path, c->domid);
    if (levels)
        note_new(path, levels);
    if (!keep) {
        node_count(n, -1);
        node_set_value(n, value, len, c->domid);
        node_count(n, 1);
    }
    journal_node(path, strlen(path), n, false);
    watch_fire(path, n, NULL, tree_above(store.root, path, NULL, NULL), false);
}

static bool fire_removed(void *arg, const char *path, struct node *n)
{
    if (strcmp(arg, path))
        watch_fire(path, NULL, n, NULL, true);
    return true;
}

int change_remove(const char *path, uint16_t writer)
{
    struct node *n = tree_find(store.root, path);

    if (!n)
        return ENOENT;
    n->refs++;
    tree_remove(&store.root, path, writer);
    tree_count(n, -1);
    journal_remove(path);
    watch_fire(path, NULL, n, tree_above(store.root, path, NULL, NULL), false);
    tree_walk(n, path, fire_removed, (void *)path);
    tree_put(n);
    return 0;
}

/* Whoever may read it before or after hears of it. */
void change_perms(const char *path, const struct perm *perm, unsigned perms, uint16_t writer)
{
    bool special = path[0] == '@';
    struct node *n = tree_own(special ? &store.special : &store.root, path, ROOT_DOMID), was = *n;
    struct perm old[PERMS_MOST];

    memcpy(old, n->perm, n->perms * sizeof(*old));
    was.perm = old;
    if (!special)
        node_count(n, -1);
    node_set_perms(n, perm, perms, writer);
    if (!special)
        node_count(n, 1);
    journal_node(path, strlen(path), n, special);
    if (!special)
        watch_fire(path, n, &was, tree_above(store.root, path, NULL, NULL), false);
}

/* ---- a domain's end --------------------------------------------------------------------------------------- */

struct heirs { uint16_t domid; char **path; size_t n, room; uint32_t left; };

static bool holds(uint16_t domid) { return tree_held[domid].owned || tree_held[domid].named; }

static bool names(const struct node *n, uint16_t domid, unsigned from)
{
    for (unsigned i = from; i < n->perms; i++)
        if (n->perm[i].domid == domid)
            return true;
    return false;
}

static bool look_for(void *arg, const char *path, struct node *n)
{
    struct heirs *h = arg;

    if (!names(n, h->domid, 0))
        return true;
    for (unsigned i = 0; i < n->perms; i++)
        h->left -= n->perm[i].domid == h->domid;
    if (h->n == h->room) {
        h->room = h->room * 2 + 16;
        h->path = memory_more(h->path, h->room * sizeof(*h->path));
    }
    h->path[h->n] = memory(strlen(path) + 1);
    strcpy(h->path[h->n++], path);
    return h->left;
}

static void drop_rights(const char *path, struct node *n, uint16_t domid)
{
    struct perm left[PERMS_MOST];
    unsigned k = 0;

    for (unsigned i = 0; i < n->perms; i++)
        if (i == 0 || n->perm[i].domid != domid)
            left[k++] = n->perm[i];
    change_perms(path, left, k, ROOT_DOMID);
}

/* All of the domain's in this part of the tree. */
static void forget_below(const char *path, uint16_t domid)
{
    struct heirs h = { .domid = domid, .left = tree_held[domid].owned + tree_held[domid].named };
    struct node *n = holds(domid) ? tree_find(store.root, path) : NULL;

    if (n)
        tree_walk(n, path, look_for, &h);
    for (size_t i = 0; i < h.n; i++) {
        n = tree_find(store.root, h.path[i]);
        if (n && n->perm[0].domid == domid && strcmp(h.path[i], "/"))
            change_remove(h.path[i], ROOT_DOMID);
        else if (n && names(n, domid, 1))
            drop_rights(h.path[i], n, domid);
        free(h.path[i]);
    }
    free(h.path);
}

static void forget_special(uint16_t domid)
{
    for (unsigned i = 0; i < store.special->children; i++) {
        struct node *n = store.special->child[i];

        if (names(n, domid, 1))
            drop_rights(n->name, n, domid);
    }
}

/* Where the domain's own part says that its /vm is; "/" if it does not. */
static void vm_of(uint16_t domid, char vm[256])
{
    char path[64];
    struct node *n;

    sprintf(path, "/local/domain/%u/vm", domid);
    n = tree_find(store.root, path);
    strcpy(vm, "/");
    if (!n || !n->len || n->len >= 256 || n->value[0] != '/' || n->value[n->len - 1] == '/' || memchr(n->value, '\0', n->len))
        return;
    memcpy(vm, n->value, n->len);
    vm[n->len] = '\0';
    if (strstr(vm, "//"))
        strcpy(vm, "/");
}

/* Its number will be used again: nothing that the new one did not earn may be waiting for it (XSA-322). First where it is likely to have
 * something; elsewhere only while the counts say that there is more, so that this costs by what the domain had, not by what there is. */
void store_forget_domain(uint16_t domid)
{
    static const char back[] = "/local/domain/0/backend";
    char path[PATH_MOST + 1], vm[256];
    struct node *n;

    vm_of(domid, vm);
    forget_special(domid);
    for (struct conn *c = store.conns; c; c = c->next)
        if (c->target == domid) {
            c->target = DOMIDS;
            journal_target(c);
        }
    sprintf(path, "/local/domain/%u", domid);
    forget_below(path, domid);
    n = tree_find(store.root, back);
    for (unsigned i = 0; n && i < n->children; i++) {
        if (sizeof(back) + strlen(n->child[i]->name) + 8 > sizeof(path))
            continue;
        sprintf(path, "%s/%s/%u", back, n->child[i]->name, domid);
        forget_below(path, domid);
        n = tree_find(store.root, back);
    }
    forget_below(vm, domid);
    forget_below("/", domid);
}
