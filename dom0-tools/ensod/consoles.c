/* SPDX-License-Identifier: MIT */
/* consoles.c: a domain's further consoles, as xenstore describes them (SPEC 11.3).
 *
 * `enso create` makes device/console/N and backend/console/ID/N. The guest's frontend
 * writes the grant and the port of its ring there and says Initialised; we look the grant up in the guest's table, map
 * the frame (the hypervisor lets us only if it is that guest's), bind the port and say Connected.
 * Everything a guest writes here is a number that is checked by somebody else: a
 * wrong one costs the guest its console and nobody else anything.              */
#include "dom0-tools/ensod/ensod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/device.h"
#include "dom0-tools/libenso/text.h"

#define BACKENDS "/local/domain/0/backend/console"
#define MOST     64
#define PACE_MS  1000               /* between two attempts at one console: each is a ring, a terminal, 8 KiB */

static struct {
    struct xs *xs;
    unsigned   n;
    struct wanted {
        uint16_t domid, number;
        bool     used;              /* in this list                                 */
        bool     look, connected;
        bool     told;              /* a guest that does it wrong again and again fills no log: it is said once */
        uint64_t not_before;        /* ms: the next attempt                         */
    } list[MOST];
} c;

static void front_path(const struct wanted *w, char *buf, size_t size)
{
    struct device d = { "console", w->domid, w->number };

    device_front(&d, buf, size);
}

static struct wanted *find(uint16_t domid, uint16_t number)
{
    for (unsigned i = 0; i < MOST; i++)
        if (c.list[i].used && c.list[i].domid == domid && c.list[i].number == number)
            return &c.list[i];
    return NULL;
}

int consoles_fd(void)
{
    if (!c.xs) {
        c.xs = xs_open();
        if (c.xs && (xs_watch(c.xs, BACKENDS, "backends") < 0 || xs_watch(c.xs, "@releaseDomain", "ends") < 0)) {
            xs_close(c.xs);
            c.xs = NULL;
        }
    }
    return c.xs ? xs_fd(c.xs) : -1;
}

/* A new backend directory: from now on its frontend's state is watched. */
static void begin(uint16_t domid, uint16_t number)
{
    char path[160], token[24];
    struct wanted *w = c.list;

    while (w < c.list + MOST && w->used)
        w++;
    if (w == c.list + MOST)
        return;
    *w = (struct wanted){ .domid = domid, .number = number, .used = true };
    front_path(w, path, sizeof(path));
    strcat(path, "/state");
    snprintf(token, sizeof(token), "%u/%u", domid, number);
    xs_watch(c.xs, path, token);
}

static void end(struct wanted *w)
{
    char path[160], token[24];

    front_path(w, path, sizeof(path));
    strcat(path, "/state");
    snprintf(token, sizeof(token), "%u/%u", w->domid, w->number);
    xs_unwatch(c.xs, path, token);
    w->used = false;
}

static bool exists(uint16_t domid, uint16_t number)
{
    struct device d = { "console", domid, number };

    return device_exists(c.xs, &d);
}

bool consoles_heard(void)
{
    char path[XS_PATH], token[64];
    unsigned domid, number;
    bool ends = false;

    while (c.xs && xs_event(c.xs, path, token, 0) > 0) {
        struct wanted *w;

        if (strcmp(token, "ends") == 0) {
            ends = true;
        } else if (strcmp(token, "backends") == 0) {
            if (sscanf(path, BACKENDS "/%u/%u", &domid, &number) == 2 && domid < 0x7ff0 && number < 64 &&
                !find((uint16_t)domid, (uint16_t)number) && exists((uint16_t)domid, (uint16_t)number))
                begin((uint16_t)domid, (uint16_t)number);
            for (w = c.list; w < c.list + MOST; w++)
                if (w->used && !exists(w->domid, w->number))
                    end(w);
        } else if (sscanf(token, "%u/%u", &domid, &number) == 2) {
            w = find((uint16_t)domid, (uint16_t)number);
            if (w)
                w->look = true;
        }
    }
    return ends;
}

static bool number_at(struct tree *t, const char *dir, const char *node, uint64_t *value)
{
    char text[24];

    return tree_get(t, dir, node, text, sizeof(text)) && text_number(text, value);
}

int consoles_wait(void)
{
    uint64_t now = os_now_ms();
    int next = -1;

    for (const struct wanted *w = c.list; w < c.list + MOST; w++) {
        int ms = w->not_before > now ? (int)(w->not_before - now) : 0;

        if (w->used && w->look && (next < 0 || ms < next))
            next = ms;
    }
    return next;
}

struct guest *consoles_start(void)
{
    uint64_t now = os_now_ms();

    for (struct wanted *w = c.list; w < c.list + MOST; w++) {
        struct tree t = { .x = c.xs };
        uint64_t state, ref, mfn, port;
        struct guest *g;
        char front[128];

        if (!w->used || !w->look || now < w->not_before)
            continue;
        w->look = false;
        front_path(w, front, sizeof(front));
        if (!number_at(&t, front, "state", &state))
            continue;
        if (state == XenbusStateClosed || state == XenbusStateClosing)
            w->connected = false;
        if (w->connected || (state != XenbusStateInitialised && state != XenbusStateConnected) || !number_at(&t, front, "ring-ref", &ref) ||
            !number_at(&t, front, "port", &port) || ref > UINT32_MAX || port > UINT32_MAX || dom_granted(w->domid, (uint32_t)ref, &mfn))
            continue;
        g = calloc(1, sizeof(*g));
        if (!g)
            return NULL;
        g->domid = w->domid;
        g->number = w->number;
        g->mfn = mfn;
        g->remote_port = (uint32_t)port;
        g->quiet = w->told;
        w->not_before = now + PACE_MS;
        return g;
    }
    return NULL;
}

void consoles_connected(const struct guest *g, bool ok)
{
    struct device d = { "console", g->domid, g->number };
    struct wanted *w = find(g->domid, g->number);
    char path[144];

    if (w) {
        w->connected = ok;
        w->told |= !ok || g->pty.master < 0;
    }
    device_back(&d, path, sizeof(path));
    strcat(path, "/state");
    xs_write(c.xs, 0, path, ok ? "4" : "6");
}
