/* SPDX-License-Identifier: MIT */
/* tree.c: see tree.h.                                                        */
#include "dom0-tools/libenso/tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

#define TRIES 50

static void note(struct tree *t, int rc, const char *path)
{
    if (rc >= 0 || t->rc)
        return;
    t->rc = rc;
    text_copy(t->path, sizeof(t->path), path);
}

void tree_dir(struct tree *t, const char *perms, const char *path)
{
    if (!t->rc)
        note(t, xs_mkdir(t->x, t->tx, path), path);
    if (!t->rc)
        note(t, xs_set_perms(t->x, t->tx, path, perms), path);
}

void tree_put(struct tree *t, const char *dir, const char *node, const char *fmt, ...)
{
    char path[XS_PATH], value[XS_PATH];
    va_list ap;

    if (t->rc)
        return;
    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    note(t, xs_write(t->x, t->tx, path, value), path);
}

void tree_remove(struct tree *t, const char *path)
{
    int rc = t->rc ? 0 : xs_rm(t->x, t->tx, path);

    note(t, rc == -ENOENT ? 0 : rc, path);
}

int tree_get(struct tree *t, const char *dir, const char *node, char *buf, size_t size)
{
    char path[XS_PATH];
    int n = -1;

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    if (!t->rc)
        n = xs_read(t->x, t->tx, path, buf, size);
    if (n < 0)
        buf[0] = '\0';
    return n < 0 ? 0 : n;
}

int tree_list(struct tree *t, const char *dir, char *buf, size_t size)
{
    int n = t->rc ? 0 : xs_list(t->x, t->tx, dir, buf, size);

    return n < 0 ? 0 : n;
}

void tree_refuse(struct tree *t, const char *fmt, ...)
{
    va_list ap;

    if (t->rc)
        return;
    t->rc = -EPERM;
    t->refused = true;
    if (!t->why)
        return;
    va_start(ap, fmt);
    vsnprintf(t->why->text, sizeof(t->why->text), fmt, ap);
    va_end(ap);
}

static int failed(const struct tree *t, struct complaint *why)
{
    if (t->refused)
        return -1;
    if (t->rc == -ENOSPC || t->rc == -E2BIG)
        return complain(why, "xenstore is full for this domain at %s: too many or too long entries (SPEC.md 11.4 names the quotas)",
                        t->path);
    return complain(why, "writing %s to xenstore failed: %s", t->path, strerror(-t->rc));
}

int tree_do(struct xs *x, void (*write)(struct tree *t, void *arg), void *arg, struct complaint *why)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct tree t = { .x = x, .why = why };
        int rc;

        t.rc = xs_begin(x, &t.tx);
        if (t.rc) {
            text_copy(t.path, sizeof(t.path), "a transaction");
            return failed(&t, why);
        }
        write(&t, arg);
        rc = xs_end(x, t.tx, !t.rc);
        if (t.rc && t.rc != -EAGAIN)
            return failed(&t, why);
        if (!t.rc && !rc)
            return 0;
        if (rc && rc != -EAGAIN) {
            t.rc = rc;
            text_copy(t.path, sizeof(t.path), "a transaction");
            return failed(&t, why);
        }
        os_sleep_ms(i < 10 ? i : 10);
    }
    return complain(why, "xenstore is so busy that no change gets through; try again");
}

struct xs *tree_open(struct complaint *why)
{
    struct xs *x = xs_open();

    if (!x && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
        complain(why, "there is no xenstore here (/dev/xen/xenbus): disks, network cards and the balloon need it; is xenstored running?");
    else if (!x)
        complain(why, "xenstore does not answer: %s; is xenstored running?", strerror(errno));
    return x;
}
