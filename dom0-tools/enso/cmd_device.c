/* SPDX-License-Identifier: MIT */
/* cmd_device.c: disks and network cards that come and go while a domain runs.
 *
 * An attached device is ready when both ends say Connected, a detached one gone
 * when the backend says Closed; each is waited for, and what does not come about
 * is taken back. The domain's record follows, so a restart has the same devices. */
#include "dom0-tools/enso/enso.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/device.h"
#include "dom0-tools/libenso/home.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

struct target {
    struct xen_domctl_getdomaininfo info;
    char           name[32];
    struct xs     *xs;
    struct record  record;
    bool           recorded;
};

/* The domain, which must have a home, and a connection to xenstore. */
static int want_home(const char *word, struct target *g)
{
    struct complaint why;
    uint8_t uuid[16];
    int rc = want_domain(word, true, &g->info, g->name);

    if (rc)
        return rc;
    g->xs = tree_open(&why);
    if (!g->xs)
        return fail(&why);
    if (!home_uuid(g->xs, g->info.domain, uuid)) {
        xs_close(g->xs);
        return failf("%s has no entries in xenstore, so it can have no devices", g->name);
    }
    g->recorded = state_load(&g->info, &g->record);
    return 0;
}

static void save(struct target *g)
{
    if (g->recorded && state_save(g->info.domain, &g->record))
        fprintf(stderr, "enso: the record of %s could not be written, so a restart does not know of this\n", g->name);
}

/* Puts a device and waits until the guest has it; -1 with a sentence, and then it is gone again. */
static int put_and_wait(struct target *g, const struct device *d, void (*put)(struct tree *t, void *arg), struct complaint *why)
{
    struct complaint ignored;
    bool asleep = g->info.flags & (XEN_DOMINF_paused | XEN_DOMINF_shutdown);

    if (tree_do(g->xs, put, NULL, why))
        return -1;
    if (device_wait(g->xs, d, false, XenbusStateInitWait, DEVICE_PATIENCE, why))
        goto remove;
    if (asleep)
        return 0;                              /* it finds the device when it goes on */
    if (device_wait(g->xs, d, true, XenbusStateConnected, DEVICE_PATIENCE, why) ||
        device_wait(g->xs, d, false, XenbusStateConnected, DEVICE_PATIENCE, why))
        goto remove;
    return 0;
remove:
    os_uninterrupted();
    device_close(g->xs, d, &ignored);
    device_wait(g->xs, d, false, XenbusStateClosed, 2000, &ignored);
    device_remove(g->xs, d, &ignored);
    return -1;
}

static bool guest_says_busy(struct target *g, const struct device *d)
{
    struct tree t = { .x = g->xs };
    char front[128], busy[4];

    device_front(d, front, sizeof(front));
    return tree_get(&t, front, "busy", busy, sizeof(busy)) && busy[0] == '1';
}

static void stay(struct tree *t, void *arg)
{
    char back[128];

    device_back(arg, back, sizeof(back));
    tree_put(t, back, "online", "1");
    tree_put(t, back, "state", "%d", XenbusStateConnected);
}

/* Until the backend says that it is closed, or the guest that it cannot let go: 0, or -1 with a sentence. */
static int wait_closed(struct target *g, const struct device *d, unsigned patience, struct complaint *why)
{
    uint64_t until = os_now_ms() + patience;

    while (device_wait(g->xs, d, false, XenbusStateClosed, 200, why))
        if (os_now_ms() >= until || os_interrupted() || guest_says_busy(g, d))
            return -1;
    return 0;
}

static int take_away(struct target *g, const struct device *d, bool force, const char *what)
{
    struct complaint why, ignored;

    if (!device_exists(g->xs, d))
        return failf("%s has no %s", g->name, what);
    os_catch_interrupts();
    if (device_close(g->xs, d, &why))
        return fail(&why);
    if (wait_closed(g, d, force ? 2000 : DEVICE_PATIENCE, &why) && !force) {
        bool busy = guest_says_busy(g, d);

        tree_do(g->xs, stay, (void *)d, &ignored);
        if (os_interrupted())
            return failf("interrupted; %s keeps its %s", g->name, what);
        if (busy)
            return failf("%s uses its %s (a file system is mounted on it?); unmount it there, or -f takes it away", g->name, what);
        return failf("%s does not give its %s back; -f takes it away", g->name, what);
    }
    return device_remove(g->xs, d, &why) ? fail(&why) : 0;
}

/* ---- attaching ------------------------------------------------------------------------------- */

/* What `enso X-attach DOMAIN WORDS...` does for one kind of device. */
struct attaching {
    const char *what;
    int (*parse)(const char *text, struct complaint *why);
    int (*attach)(struct target *g, struct complaint *why);
};

/* The words after the first `from`, with commas between them. */
static bool join(char *buf, size_t size, int words, char **word, int from)
{
    size_t n = 0;

    buf[0] = '\0';
    for (int i = from; i < words && n < size; i++)
        n += (size_t)snprintf(buf + n, size - n, "%s%s", i > from ? "," : "", word[i]);
    return n < size;
}

static int attach(int words, char **word, int least, const struct attaching *a)
{
    static struct target g;
    struct complaint why;
    char text[2 * CONFIG_PATH];
    int rc;

    if (words < least || word[1][0] == '-')
        return usage();
    rc = want_home(word[1], &g);
    if (rc)
        return rc;
    os_catch_interrupts();
    if (!join(text, sizeof(text), words, word, 2))
        rc = failf("the description of the %s is longer than %zu characters", a->what, sizeof(text) - 1);
    else if (a->parse(text, &why) || a->attach(&g, &why))
        rc = fail(&why);
    xs_close(g.xs);
    return rc;
}

/* ---- detaching ------------------------------------------------------------------------------- */

/* What `enso X-detach [-f] DOMAIN WHICH` does for one kind of device. */
struct detaching {
    const char *what;
    int  (*find)(struct target *g, const char *which, struct device *d);       /* or the exit status, having said why not */
    void (*forget)(struct config *c, const struct device *d);
};

static int detach(int words, char **word, const struct detaching *kind)
{
    static struct target g;
    struct device d = { 0 };
    char what[48];
    bool force;
    int rc;

    options_first(words, word);
    force = words == 4 && strcmp(word[1], "-f") == 0;
    if (words != (force ? 4 : 3) || word[words - 2][0] == '-')
        return usage();
    rc = want_home(word[words - 2], &g);
    if (rc)
        return rc;
    rc = kind->find(&g, word[words - 1], &d);
    if (!rc) {
        snprintf(what, sizeof(what), "%s %.32s", kind->what, word[words - 1]);
        rc = take_away(&g, &d, force, what);
        if (!rc) {
            kind->forget(&g.record.config, &d);
            save(&g);
        }
    }
    xs_close(g.xs);
    return rc;
}

/* ---- disks --------------------------------------------------------------------------------- */

static struct {
    uint16_t domid;
    struct config_disk config;
    struct disk        disk;
} new_disk;

static int parse_disk(const char *text, struct complaint *why)
{
    return config_disk_parse(&new_disk.config, text, why);
}

static void put_disk(struct tree *t, void *arg)
{
    (void)arg;
    device_put_vbd(t, new_disk.domid, &new_disk.config, &new_disk.disk);
}

static int attach_disk(struct target *g, struct complaint *why)
{
    struct device d = { "vbd", g->info.domain, new_disk.config.devid };

    if (device_exists(g->xs, &d))
        return complain(why, "%s has a disk %s already; name another, xvda to xvdz", g->name, new_disk.config.vdev);
    if (device_attach_disk(g->xs, &new_disk.config, &new_disk.disk, why))
        return -1;
    new_disk.domid = g->info.domain;
    if (put_and_wait(g, &d, put_disk, why)) {
        if (!device_exists(g->xs, &d))
            disk_detach(&new_disk.disk);       /* refused before it was written: else it went with it */
        return -1;
    }
    disk_keep(&new_disk.disk);
    if (g->recorded && g->record.config.disks < CONFIG_DISKS)
        g->record.config.disk[g->record.config.disks++] = new_disk.config;
    save(g);
    return 0;
}

int cmd_block_attach(int words, char **word)
{
    static const struct attaching disk = { "disk", parse_disk, attach_disk };

    return attach(words, word, 3, &disk);
}

static int find_disk(struct target *g, const char *which, struct device *d)
{
    uint64_t number = 0;

    *d = (struct device){ "vbd", g->info.domain, 0 };
    if (text_number(which, &number) && number <= UINT32_MAX)
        d->id = (uint32_t)number;
    else if (!config_vdev(which, &d->id))
        return failf("expected the disk's name in the guest, xvda to xvdz, found \"%.40s\"; `enso block-list %s` shows them", which, g->name);
    return 0;
}

static void forget_disk(struct config *c, const struct device *d)
{
    for (unsigned i = 0; i < c->disks; i++)
        if (c->disk[i].devid == d->id) {
            memmove(&c->disk[i], &c->disk[i + 1], (c->disks - i - 1) * sizeof(c->disk[0]));
            c->disks--;
            return;
        }
}

int cmd_block_detach(int words, char **word)
{
    return detach(words, word, &(struct detaching){ "disk", find_disk, forget_disk });
}

/* ---- network cards --------------------------------------------------------------------------- */

static struct {
    uint16_t domid;
    uint32_t id;
    struct config_vif config;
} new_card;

static int parse_card(const char *text, struct complaint *why)
{
    return config_vif_parse(&new_card.config, text, why);
}

static void put_card(struct tree *t, void *arg)
{
    (void)arg;
    device_put_vif(t, new_card.domid, new_card.id, &new_card.config);
}

static int attach_card(struct target *g, struct complaint *why)
{
    struct device d = { "vif", g->info.domain, 0 };

    while (device_exists(g->xs, &d))
        d.id++;
    new_card.domid = g->info.domain;
    new_card.id = d.id;
    config_vif_address(&new_card.config);
    if (device_look_vif(g->xs, &new_card.config, why) || put_and_wait(g, &d, put_card, why))
        return -1;
    if (g->recorded && g->record.config.vifs < CONFIG_VIFS)
        g->record.config.vif[g->record.config.vifs++] = new_card.config;
    save(g);
    return 0;
}

int cmd_network_attach(int words, char **word)
{
    static const struct attaching card = { "card", parse_card, attach_card };

    return attach(words, word, 2, &card);
}

static struct mac_search {
    char        mac[18];
    uint32_t    id;
    char        found[24];
    bool        any;
} old_card;

static int same_mac(struct tree *t, const struct device *d, void *arg)
{
    struct mac_search *s = arg;
    char back[128];

    device_back(d, back, sizeof(back));
    tree_get(t, back, "mac", s->found, sizeof(s->found));
    s->id = d->id;
    s->any = strcmp(s->found, s->mac) == 0;
    return s->any;
}

static int find_card(struct target *g, const char *which, struct device *d)
{
    struct tree t = { .x = g->xs };
    uint64_t number;

    *d = (struct device){ "vif", g->info.domain, 0 };
    if (text_number(which, &number) && number < 1024)
        old_card.id = (uint32_t)number;
    else if (!config_mac(which, old_card.mac) || !devices_each(&t, "vif", d->domid, same_mac, &old_card))
        return failf("%s has no card \"%.40s\"; expected its number or address, as `enso network-list %s` shows", g->name, which, g->name);
    d->id = old_card.id;
    same_mac(&t, d, &old_card);
    return 0;
}

/* The numbers of cards and their places in the record part ways as cards go; addresses stay. */
static void forget_card(struct config *c, const struct device *d)
{
    char text[18];

    (void)d;
    for (unsigned i = 0; i < c->vifs; i++) {
        config_mac_text(c->vif[i].mac, text);
        if (strcmp(text, old_card.found) == 0) {
            memmove(&c->vif[i], &c->vif[i + 1], (c->vifs - i - 1) * sizeof(c->vif[0]));
            c->vifs--;
            return;
        }
    }
}

int cmd_network_detach(int words, char **word)
{
    return detach(words, word, &(struct detaching){ "card", find_card, forget_card });
}
