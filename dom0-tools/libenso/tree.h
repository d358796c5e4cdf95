/* SPDX-License-Identifier: MIT */
/* tree.h: writing many nodes of xenstore as one deed.
 *
 * A tree is a transaction in the making: puts after the first failure do
 * nothing, so a writer checks once, at the end. tree_do() runs a writer until
 * its transaction is committed, again whenever somebody else was faster.     */
#ifndef ENSO_TREE_H
#define ENSO_TREE_H

#include "dom0-tools/libenso/complaint.h"
#include "dom0-tools/libenso/xs.h"

struct tree {
    struct xs *x;
    uint32_t   tx;
    int        rc;                       /* the first failure, -errno             */
    char       path[XS_PATH];            /* where                                 */
    struct complaint *why;               /* the sentence of tree_refuse           */
    bool       refused;
};

/* A directory with permissions of its own ("n0 r3"); what is written below inherits them. */
void tree_dir(struct tree *t, const char *perms, const char *path);
void tree_put(struct tree *t, const char *dir, const char *node, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void tree_remove(struct tree *t, const char *path);
/* The value of dir/node, "" if there is none; its length. */
int  tree_get(struct tree *t, const char *dir, const char *node, char *buf, size_t size);
/* The names below dir, as xs_list; 0 if there is no such directory. */
int  tree_list(struct tree *t, const char *dir, char *buf, size_t size);

/* The writer itself will not: its sentence is what tree_do gives. */
void tree_refuse(struct tree *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* -1 with a sentence if it cannot be done. */
int tree_do(struct xs *x, void (*write)(struct tree *t, void *arg), void *arg, struct complaint *why);

/* Opens xenstore or says what is missing. */
struct xs *tree_open(struct complaint *why);

#endif
