/* SPDX-License-Identifier: MIT */
/* homes.c: ensod's part in the domains' homes in xenstore.
 *
 * Domains that GRUB made get a home when they are first seen; every home goes
 * when its domain has. Going takes a while (backends are waited for), so it is a
 * process of its own, `enso clean-up`. All of it does nothing where there is no xenstore. */
#include "dom0-tools/ensod/ensod.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/home.h"

#define ENSO_COMMAND "/usr/sbin/enso"

void homes_clean_up(uint16_t domid, const uint8_t uuid[16])
{
    char number[8], text[37];

    snprintf(number, sizeof(number), "%u", domid);
    config_uuid_text(uuid, text);
    if (fork() == 0) {
        execl(ENSO_COMMAND, "enso", "clean-up", number, text, (char *)NULL);
        _exit(127);
    }
}

/* ---- domains from GRUB -------------------------------------------------------------------- */

static void describe(const struct guest *g, const struct xen_domctl_getdomaininfo *info, struct config *c)
{
    config_init(c);
    snprintf(c->name, sizeof(c->name), "%s", g->name);
    c->memory = info->tot_pages >> 8;
    c->maxmem = info->max_pages >> 8 < 1 << 20 ? info->max_pages >> 8 : c->memory;
    if (c->maxmem < c->memory)
        c->maxmem = c->memory;
    c->vcpus = info->max_vcpu_id + 1;
}

static void put(struct tree *t, void *arg)
{
    home_put(t, arg);
}

static void welcome(struct xs *x, const struct guest *g, const struct xen_domctl_getdomaininfo *info, struct home *h)
{
    static struct config c;
    struct complaint why;

    describe(g, info, &c);
    h->config = &c;
    h->domid = g->domid;
    memcpy(h->uuid, g->handle, 16);
    if (tree_do(x, put, h, &why) || home_introduce(x, h, &why))
        say("%s: %s", g->name, why.text);
    else
        say("%s has a home in xenstore now", g->name);
}

void homes_greet(const struct guest *g, const struct xen_domctl_getdomaininfo *info, uint64_t console_mfn, uint32_t console_port)
{
    static struct record ignored;
    struct home h = { .console_mfn = console_mfn, .console_port = console_port };
    uint8_t uuid[16];
    struct xs *x;

    /* What `enso create` made has its home from there. */
    if (state_load(info, &ignored) || enso_get_store(g->domid, &h.store_mfn, &h.store_port) || !h.store_mfn)
        return;
    x = xs_open();
    if (!x)
        return;
    if (!home_uuid(x, g->domid, uuid) || memcmp(uuid, g->handle, 16) != 0)
        welcome(x, g, info, &h);
    xs_close(x);
}

/* ---- homes whose domains ended while nobody looked ----------------------------------------------- */

void homes_check(void)
{
    static char names[4096];
    struct xs *x = xs_open();
    int n = x ? xs_list(x, 0, "/local/domain", names, sizeof(names)) : 0;

    for (char *at = names; n > 0; n--, at += strlen(at) + 1) {
        struct xen_domctl_getdomaininfo info;
        unsigned long domid = strtoul(at, NULL, 10);
        uint8_t uuid[16];

        if (domid == 0 || domid >= 0x7ff0 || !home_uuid(x, (uint16_t)domid, uuid))
            continue;
        if (dom_info((uint16_t)domid, &info) || info.flags & XEN_DOMINF_dying || memcmp(info.handle, uuid, 16) != 0)
            homes_clean_up((uint16_t)domid, uuid);
    }
    if (x)
        xs_close(x);
}
