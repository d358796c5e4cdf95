/* SPDX-License-Identifier: MIT */
/* policy.c: what becomes of a domain that has shut down or crashed.
 *
 * on_poweroff, on_reboot and on_crash of its configuration decide. A domain
 * that GRUB made has no configuration here, so it can be destroyed, not built
 * again. One that crashes at once when started is not started for ever.      */
#include "dom0-tools/ensod/ensod.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hypercall-abi/sched.h"

#define ENSO_COMMAND   "/usr/sbin/enso"
#define TOO_SOON       2                /* seconds of life below which a crash does not restart */

/* `enso create` does the work, in a process of its own, so that the other
 * domains' consoles go on meanwhile; the main loop reaps it.                 */
static void spawn_create(const struct guest *g, const struct config *c)
{
    static char text[16384];
    char path[48], line[200], uuid[37];
    uint16_t domid = g->domid;
    int n = config_write(c, text, sizeof(text));

    snprintf(path, sizeof(path), STATE_DIR "/restart-%u.cfg", domid);
    if (n < 0 || os_write_file(path, text, (size_t)n)) {
        say("%s: cannot write %s: %s", c->name, path, strerror(errno));
        return;
    }
    switch (fork()) {
    case -1:
        say("%s: cannot start `enso create`: %s", c->name, strerror(errno));
        break;
    case 0:
        /* What the dead one had, its disks above all, is free first. */
        config_uuid_text(g->handle, uuid);
        snprintf(line, sizeof(line), ENSO_COMMAND " clean-up %u %s; exec " ENSO_COMMAND " create -q -r %s", domid, uuid, path);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        say("%s: cannot run /bin/sh: %s", c->name, strerror(errno));
        _exit(127);
    }
}

static enum config_action decide(const struct guest *g, const struct record *r, bool recorded, unsigned reason)
{
    enum config_action a;

    if (!recorded)
        return ACTION_DESTROY;
    a = reason == SHUTDOWN_poweroff ? r->config.on_poweroff
      : reason == SHUTDOWN_reboot ? r->config.on_reboot : r->config.on_crash;
    if (reason != SHUTDOWN_poweroff && reason != SHUTDOWN_reboot && (a == ACTION_RESTART || a == ACTION_RENAME_RESTART) &&
        os_date() < r->created + TOO_SOON) {
        say("%s: crashed within %d s of its start, so it is not started again", g->name, TOO_SOON);
        a = a == ACTION_RESTART ? ACTION_DESTROY : ACTION_PRESERVE;
    }
    return a;
}

static void destroy(struct guest *g)
{
    int rc = dom_destroy(g->domid);

    if (rc)
        say("%s: destroying it failed: %s", g->name, call_error(rc));
    state_forget(g->domid);
}

/* The dead one keeps its memory under another name, the new one gets the name. */
static void set_aside(struct guest *g, struct record *r)
{
    char fresh[32];

    snprintf(fresh, sizeof(fresh), "%.24s-%u", g->name, g->domid);
    enso_set_name(g->domid, fresh);
    snprintf(r->config.name, sizeof(r->config.name), "%s", fresh);
    state_save(g->domid, r);
}

void policy_ended(struct guest *g, const struct xen_domctl_getdomaininfo *info, int evtchn)
{
    static struct record r;
    unsigned reason = info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
    bool recorded = state_load(info, &r);
    enum config_action a;

    if (g->settled || reason == SHUTDOWN_suspend)
        return;
    g->settled = true;
    a = decide(g, &r, recorded, reason);
    say("%s (domain %u) has ended, reason %u: %s", g->name, g->domid, reason, config_action_name(a));
    console_stop(g, evtchn);
    switch (a) {
    case ACTION_PRESERVE:
        break;
    case ACTION_DESTROY:
        g->cleaned = true;
        destroy(g);
        homes_clean_up(g->domid, g->handle);     /* at once: while the store's page is mapped it cannot go */
        break;
    case ACTION_RESTART:
        g->cleaned = true;
        destroy(g);
        spawn_create(g, &r.config);
        break;
    case ACTION_RENAME_RESTART: {
        static struct config again;

        again = r.config;
        set_aside(g, &r);
        spawn_create(g, &again);
        break;
    }
    }
}
