/* SPDX-License-Identifier: MIT */
/* assemble.c: see assemble.h.                                                */
#include "dom0-tools/enso/assemble.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/enso/bootdisk.h"
#include "dom0-tools/libenso/device.h"
#include "dom0-tools/libenso/os.h"

/* ---- before ------------------------------------------------------------------------------ */

/* A disk of this configuration that already rests on the same file or device. */
static int look_for_twin(const struct parts *p, const struct config_disk *c, struct complaint *why)
{
    struct disk d;
    char uses[300];

    if (disk_look(c, &d, why))
        return -1;
    for (unsigned i = 0; i < p->attached; i++) {
        disk_uses_text(&p->disk[i], uses, sizeof(uses));
        if (disk_clash(&d, uses))
            return complain(why, "%s: %s of this domain uses it already, and one of them writes", c->target, p->config->disk[i].vdev);
    }
    return 0;
}

static int attach_disks(struct parts *p, struct complaint *why)
{
    char vdev[24];

    for (; p->attached < p->config->disks; p->attached++) {
        const struct config_disk *c = &p->config->disk[p->attached];

        if (look_for_twin(p, c, why) || device_attach_disk(p->xs, c, &p->disk[p->attached], why)) {
            snprintf(vdev, sizeof(vdev), "disk %s", c->vdev);
            return complain_about(why, vdev);
        }
    }
    return 0;
}

static int look_at_cards(struct parts *p, struct complaint *why)
{
    char front[40];

    for (unsigned i = 0; i < p->config->vifs; i++) {
        config_vif_address(&p->config->vif[i]);
        if (device_look_vif(p->xs, &p->config->vif[i], why)) {
            snprintf(front, sizeof(front), "vif %u (bridge %s)", i, p->config->vif[i].bridge);
            return complain_about(why, front);
        }
    }
    return 0;
}

int parts_prepare(struct parts *p, struct complaint *why)
{
    struct config *c = p->config;

    p->xs = tree_open(why);
    if (!p->xs && (c->disks || c->vifs || c->consoles > 1))
        return -1;
    if (look_at_cards(p, why) || attach_disks(p, why))
        return -1;
    p->boot = *c;
    if (c->kernel[0])
        return 0;
    return bootdisk_read(p, why);
}

/* ---- after ------------------------------------------------------------------------------- */

struct settling {
    struct parts *p;
    struct home   home;
};

static void put_all(struct tree *t, void *arg)
{
    struct settling *s = arg;
    const struct config *c = s->p->config;

    home_put(t, &s->home);
    for (unsigned i = 0; i < c->disks; i++)
        device_put_vbd(t, s->home.domid, &c->disk[i], &s->p->disk[i]);
    for (unsigned i = 0; i < c->vifs; i++)
        device_put_vif(t, s->home.domid, i, &c->vif[i]);
    for (unsigned i = 1; i < c->consoles; i++)
        device_put_console(t, s->home.domid, i);
}

static int wait_for_backends(struct parts *p, struct complaint *why)
{
    char front[40];

    for (unsigned i = 0; i < p->config->disks; i++) {
        struct device d = { "vbd", p->domid, p->config->disk[i].devid };

        if (device_wait(p->xs, &d, false, XenbusStateInitWait, DEVICE_PATIENCE, why)) {
            snprintf(front, sizeof(front), "disk %s", p->config->disk[i].vdev);
            return complain_about(why, front);
        }
    }
    for (unsigned i = 0; i < p->config->vifs; i++) {
        struct device d = { "vif", p->domid, i };

        if (device_wait(p->xs, &d, false, XenbusStateInitWait, DEVICE_PATIENCE, why)) {
            snprintf(front, sizeof(front), "vif %u (bridge %s)", i, p->config->vif[i].bridge);
            return complain_about(why, front);
        }
    }
    return 0;
}

int parts_settle(struct parts *p, const struct built *b, struct complaint *why)
{
    struct settling s = { p, { .domid = b->domid, .config = p->config, .store_mfn = b->store_mfn, .store_port = b->store_port,
                               .console_mfn = b->console_mfn, .console_port = b->console_port } };

    if (!p->xs)
        return 0;
    p->domid = b->domid;
    memcpy(s.home.uuid, p->uuid, 16);
    if (tree_do(p->xs, put_all, &s, why))
        return -1;
    p->at_home = true;
    if (home_introduce(p->xs, &s.home, why))
        return -1;
    if (wait_for_backends(p, why))
        return -1;
    for (unsigned i = 0; i < p->config->disks; i++)
        disk_keep(&p->disk[i]);                     /* the home names them now */
    return 0;
}

/* ---- clearing up ---------------------------------------------------------------------------- */

void parts_undo(struct parts *p)
{
    if (p->at_home) {
        home_remove(p->xs, p->domid, p->uuid);      /* the loop devices go with the nodes that name them */
        return;
    }
    while (p->attached)
        disk_detach(&p->disk[--p->attached]);
}

void parts_tidy(struct parts *p)
{
    if (p->kernel[0])
        unlink(p->kernel);
    if (p->ramdisk[0])
        unlink(p->ramdisk);
    p->kernel[0] = p->ramdisk[0] = '\0';
    if (p->xs)
        xs_close(p->xs);
    p->xs = NULL;
}
