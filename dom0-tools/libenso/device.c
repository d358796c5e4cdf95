/* SPDX-License-Identifier: MIT */
/* device.c: see device.h.                                                    */
#include "dom0-tools/libenso/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

#define BACKENDS "/local/domain/0/backend"
#define NAMES    4096

void device_front(const struct device *d, char *buf, size_t size)
{
    snprintf(buf, size, "/local/domain/%u/device/%s/%lu", d->domid, d->type, (unsigned long)d->id);
}

void device_back(const struct device *d, char *buf, size_t size)
{
    snprintf(buf, size, BACKENDS "/%s/%u/%lu", d->type, d->domid, (unsigned long)d->id);
}

const char *device_state_name(unsigned state)
{
    static const char *const names[] = { "unknown", "initialising", "waiting", "initialised", "connected", "closing",
                                         "closed", "reconfiguring", "reconfigured" };

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

/* ---- all devices of a kind, all domains ------------------------------------------------- */

int devices_each(struct tree *t, const char *type, uint16_t domid,
                 int (*one)(struct tree *t, const struct device *d, void *arg), void *arg)
{
    char dir[96], *names = malloc(NAMES);
    int n, rc = 0;

    if (!names)
        return -1;
    snprintf(dir, sizeof(dir), BACKENDS "/%s/%u", type, domid);
    n = tree_list(t, dir, names, NAMES);
    for (char *at = names; n > 0 && !rc; n--, at += strlen(at) + 1) {
        uint64_t id;

        if (text_number(at, &id) && id <= UINT32_MAX) {
            struct device d = { type, domid, (uint32_t)id };

            rc = one(t, &d, arg);
        }
    }
    free(names);
    return rc;
}

static int everywhere(struct tree *t, const char *type, int (*one)(struct tree *t, const struct device *d, void *arg),
                      void *arg)
{
    char dir[64], *names = malloc(NAMES);
    int n, rc = 0;

    if (!names)
        return -1;
    snprintf(dir, sizeof(dir), BACKENDS "/%s", type);
    n = tree_list(t, dir, names, NAMES);
    for (char *at = names; n > 0 && !rc; n--, at += strlen(at) + 1) {
        uint64_t domid;

        if (text_number(at, &domid) && domid < 0x7ff0)
            rc = devices_each(t, type, (uint16_t)domid, one, arg);
    }
    free(names);
    return rc;
}

static void owner_name(struct tree *t, uint16_t domid, char name[40])
{
    char home[64];

    snprintf(home, sizeof(home), "/local/domain/%u", domid);
    if (!tree_get(t, home, "name", name, 32))
        snprintf(name, 40, "domain %u", domid);
}

/* ---- putting ----------------------------------------------------------------------------- */

/* The nodes that every device has. */
static void put_pair(struct tree *t, const struct device *d, char front[128], char back[128])
{
    char perms[24];

    device_front(d, front, 128);
    device_back(d, back, 128);
    tree_remove(t, front);
    tree_remove(t, back);
    snprintf(perms, sizeof(perms), "n%u r0", d->domid);
    tree_dir(t, perms, front);
    snprintf(perms, sizeof(perms), "n0 r%u", d->domid);
    tree_dir(t, perms, back);
    tree_put(t, back, "frontend", "%s", front);
    tree_put(t, back, "frontend-id", "%u", d->domid);
    tree_put(t, back, "online", "1");
    tree_put(t, front, "backend", "%s", back);
    tree_put(t, front, "backend-id", "0");
}

/* Last, so that whoever sees the state finds all the rest. */
static void put_states(struct tree *t, const char *front, const char *back)
{
    tree_put(t, front, "state", "%d", XenbusStateInitialising);
    tree_put(t, back, "state", "%d", XenbusStateInitialising);
}

struct disk_wish {
    const struct config_disk *config;
    const struct disk        *ready;
};

static int refuse_clash(struct tree *t, const struct device *d, void *arg)
{
    const struct disk_wish *w = arg;
    char back[128], uses[300], name[40], how;

    device_back(d, back, sizeof(back));
    tree_get(t, back, "uses", uses, sizeof(uses));
    how = disk_clash(w->ready, uses);
    if (!how)
        return 0;
    owner_name(t, d->domid, name);
    tree_refuse(t, "%s: %s uses it%s already; end %s first, or give each domain an overlay of its own (`qemu-img create -f qcow2 -b`)",
                w->config->target, name, how == 'w' ? " read-write" : "", name);
    return 1;
}

void device_put_vbd(struct tree *t, uint16_t domid, const struct config_disk *c, const struct disk *ready)
{
    struct device d = { "vbd", domid, c->devid };
    struct disk_wish wish = { c, ready };
    char front[128], back[128], uses[300];

    if (everywhere(t, "vbd", refuse_clash, &wish))
        return;
    disk_uses_text(ready, uses, sizeof(uses));
    put_pair(t, &d, front, back);
    tree_put(t, back, "removable", "0");
    tree_put(t, back, "bootable", "1");
    tree_put(t, back, "dev", "%s", c->vdev);
    tree_put(t, back, "type", "phy");
    tree_put(t, back, "mode", "%c", c->writable ? 'w' : 'r');
    tree_put(t, back, "device-type", "disk");
    tree_put(t, back, "discard-enable", "1");
    tree_put(t, back, "params", "%s", ready->params);
    tree_put(t, back, "physical-device", "%x:%x", (unsigned)(ready->rdev >> 8), (unsigned)(ready->rdev & 0xff));
    tree_put(t, back, "target", "%s", c->target);
    tree_put(t, back, "uses", "%s", uses);
    if (ready->loop)
        tree_put(t, back, "image", "%s", c->format == DISK_QCOW2 ? "qcow2" : "raw");
    if (c->iops)
        tree_put(t, back, "iops", "%lu", (unsigned long)c->iops);
    if (c->mbps)
        tree_put(t, back, "bps", "%llu", (unsigned long long)c->mbps * 1000000);
    tree_put(t, front, "virtual-device", "%lu", (unsigned long)c->devid);
    tree_put(t, front, "device-type", "disk");
    put_states(t, front, back);
}

int device_attach_disk(struct xs *x, const struct config_disk *c, struct disk *d, struct complaint *why)
{
    struct tree t = { .x = x, .why = why };
    struct disk_wish wish = { c, d };

    if (disk_look(c, d, why) || everywhere(&t, "vbd", refuse_clash, &wish))
        return -1;
    return disk_attach(c, d, why);
}

static int refuse_mac(struct tree *t, const struct device *d, void *arg)
{
    char back[128], mac[24], name[40];

    device_back(d, back, sizeof(back));
    tree_get(t, back, "mac", mac, sizeof(mac));
    if (strcmp(mac, arg) != 0)
        return 0;
    owner_name(t, d->domid, name);
    tree_refuse(t, "the address %s is in use by %s; give another mac=, or leave it out and one is chosen", mac, name);
    return 1;
}

void config_vif_address(struct config_vif *v)
{
    if (v->has_mac)
        return;
    os_random(v->mac, 6);
    v->mac[0] = 0x00;
    v->mac[1] = 0x16;
    v->mac[2] = 0x3e;
    v->mac[3] &= 0x7f;
    v->has_mac = true;
}

/* As `brctl show` has it: a bridge's line begins with its name. Where there is no such device the backend will tell. */
static bool bridge_is_missing(const char *name)
{
    char text[4096];
    size_t len = strlen(name);
    int n = os_read_file("/dev/bridge", text, sizeof(text));

    for (char *line = text; n > 0 && line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, name, len) == 0 && (line[len] == ' ' || line[len] == '\t'))
            return false;
    return n > 0;
}

int device_look_vif(struct xs *x, const struct config_vif *c, struct complaint *why)
{
    struct tree t = { .x = x, .why = why };
    char mac[18];

    config_mac_text(c->mac, mac);
    if (everywhere(&t, "vif", refuse_mac, mac))
        return -1;
    if (bridge_is_missing(c->bridge))
        return complain(why, "no bridge %s; `brctl show` lists those there are, `brctl addbr` makes one", c->bridge);
    return 0;
}

void device_put_vif(struct tree *t, uint16_t domid, uint32_t id, const struct config_vif *c)
{
    struct device d = { "vif", domid, id };
    char front[128], back[128], mac[18];

    config_mac_text(c->mac, mac);
    if (everywhere(t, "vif", refuse_mac, mac))
        return;
    put_pair(t, &d, front, back);
    tree_put(t, back, "mac", "%s", mac);
    tree_put(t, back, "bridge", "%s", c->bridge);
    tree_put(t, back, "handle", "%lu", (unsigned long)id);
    tree_put(t, back, "type", "vif");
    tree_put(t, back, "script", "%s", "");
    if (c->ip[0])
        tree_put(t, back, "ip", "%s", c->ip);
    if (c->rate)
        tree_put(t, back, "rate", "%llu,%lu", (unsigned long long)(c->rate * c->rate_us / 1000000), (unsigned long)c->rate_us);
    tree_put(t, front, "handle", "%lu", (unsigned long)id);
    tree_put(t, front, "mac", "%s", mac);
    put_states(t, front, back);
}

void device_put_console(struct tree *t, uint16_t domid, uint32_t id)
{
    struct device d = { "console", domid, id };
    char front[128], back[128];

    put_pair(t, &d, front, back);
    tree_put(t, back, "protocol", "vt100");
    tree_put(t, front, "limit", "65536");
    tree_put(t, front, "type", "ioemu");
    tree_put(t, front, "output", "pty");
    put_states(t, front, back);
}

/* ---- asking and waiting ---------------------------------------------------------------------- */

bool device_exists(struct xs *x, const struct device *d)
{
    struct tree t = { .x = x };
    char back[128], state[12];

    device_back(d, back, sizeof(back));
    return tree_get(&t, back, "state", state, sizeof(state)) > 0;
}

/* The bus writes a number of its own before the words. */
static void drop_number(char *text)
{
    size_t n = strspn(text, "-0123456789");

    if (n && text[n] == ' ')
        memmove(text, text + n + 1, strlen(text + n + 1) + 1);
}

static void read_error(struct xs *x, const struct device *d, char *buf, size_t size)
{
    struct tree t = { .x = x };
    char dir[192], path[128];

    device_back(d, path, sizeof(path));
    snprintf(dir, sizeof(dir), "/local/domain/0/error/%s", path + strlen("/local/domain/0/"));
    if (tree_get(&t, dir, "error", buf, size) || tree_get(&t, path, "error", buf, size))
        return;
    snprintf(dir, sizeof(dir), "/local/domain/%u/error/device/%s/%lu", d->domid, d->type, (unsigned long)d->id);
    tree_get(&t, dir, "error", buf, size);
}

void device_error(struct xs *x, const struct device *d, char *buf, size_t size)
{
    read_error(x, d, buf, size);
    drop_number(buf);
    /* The guest may have written it, and it goes to a terminal. */
    for (; *buf; buf++)
        if (*buf < ' ' || *buf > '~')
            *buf = '?';
}

static unsigned state_of(struct xs *x, const char *dir)
{
    struct tree t = { .x = x };
    char text[12];

    return tree_get(&t, dir, "state", text, sizeof(text)) ? (unsigned)strtoul(text, NULL, 10) : 0;
}

int device_wait(struct xs *x, const struct device *d, bool front, enum xenbus_state state, unsigned ms, struct complaint *why)
{
    uint64_t until = os_now_ms() + ms;
    char dir[128], error[200];
    unsigned nap = 1, now;

    if (front)
        device_front(d, dir, sizeof(dir));
    else
        device_back(d, dir, sizeof(dir));
    for (;;) {
        now = state_of(x, dir);
        if (now == state || (state < XenbusStateClosing && now > (unsigned)state && now < XenbusStateClosing) ||
            (state == XenbusStateClosed && now == XenbusStateUnknown))
            return 0;
        device_error(x, d, error, sizeof(error));
        if ((error[0] && state != XenbusStateClosed) || os_now_ms() >= until)
            break;
        if (os_interrupted())
            return complain(why, OS_INTERRUPTED);
        os_sleep_ms(nap);
        nap = nap < 50 ? nap * 2 : 50;
    }
    if (error[0])
        return complain(why, "%s", error);
    return complain(why, "the %s did not become %s within %u s, it is %s; is %s running? (`enso backend`)",
                    front ? "frontend" : "backend", device_state_name(state), ms / 1000, device_state_name(now),
                    front ? "the domain" : "the backend");
}

/* ---- closing and removing -------------------------------------------------------------------------- */

static void ask_close(struct tree *t, void *arg)
{
    char back[128], state[12];

    device_back(arg, back, sizeof(back));
    if (!tree_get(t, back, "state", state, sizeof(state)))
        return;
    tree_put(t, back, "online", "0");
    if (state[0] != '0' + XenbusStateClosed)
        tree_put(t, back, "state", "%d", XenbusStateClosing);
}

int device_close(struct xs *x, const struct device *d, struct complaint *why)
{
    return tree_do(x, ask_close, (void *)d, why);
}

struct removal {
    const struct device *d;
    char loop[40];
};

/* Image files' loop devices are ours to let go, and only for who removed the directory. */
static void note_loop(struct tree *t, const struct device *d, char loop[40])
{
    char back[128], image[12];

    loop[0] = '\0';
    device_back(d, back, sizeof(back));
    if (tree_get(t, back, "image", image, sizeof(image)))
        tree_get(t, back, "params", loop, 40);
}

static void remove_pair(struct tree *t, void *arg)
{
    struct removal *r = arg;
    char path[192], back[128];

    note_loop(t, r->d, r->loop);
    device_front(r->d, path, sizeof(path));
    tree_remove(t, path);
    device_back(r->d, back, sizeof(back));
    tree_remove(t, back);
    snprintf(path, sizeof(path), "/local/domain/0/error/%s", back + strlen("/local/domain/0/"));
    tree_remove(t, path);
}

int device_remove(struct xs *x, const struct device *d, struct complaint *why)
{
    struct removal r = { .d = d };

    if (tree_do(x, remove_pair, &r, why))
        return -1;
    if (r.loop[0] && disk_drop_loop(r.loop) == -EBUSY)
        return complain(why, "%s is still held by its backend, so its image cannot be used elsewhere yet", r.loop);
    return 0;
}

/* ---- a domain's end ----------------------------------------------------------------------------------- */

static const char *const types[] = { "vbd", "vif", "console" };

/* The domain is dead, or never lived: its half is closed for it, so that the backend need not wait. */
static void close_both(struct tree *t, void *arg)
{
    char front[128], state[12];

    ask_close(t, arg);
    device_front(arg, front, sizeof(front));
    if (tree_get(t, front, "state", state, sizeof(state)))
        tree_put(t, front, "state", "%d", XenbusStateClosed);
}

static int close_one(struct tree *t, const struct device *d, void *arg)
{
    struct complaint ignored;

    (void)arg;
    tree_do(t->x, close_both, (void *)d, &ignored);
    return 0;
}

static int wait_one(struct tree *t, const struct device *d, void *arg)
{
    uint64_t *until = arg, now = os_now_ms();
    struct complaint ignored;

    device_wait(t->x, d, false, XenbusStateClosed, *until > now ? (unsigned)(*until - now) : 0, &ignored);
    return 0;
}

void devices_close(struct xs *x, uint16_t domid)
{
    struct tree t = { .x = x };
    uint64_t until = os_now_ms() + 3000;

    for (unsigned i = 0; i < 3; i++)
        devices_each(&t, types[i], domid, close_one, NULL);
    for (unsigned i = 0; i < 2; i++)
        devices_each(&t, types[i], domid, wait_one, &until);
}

static int note_one(struct tree *t, const struct device *d, void *arg)
{
    struct device_leftovers *left = arg;

    if (left->loops < CONFIG_DISKS) {
        note_loop(t, d, left->loop[left->loops]);
        left->loops += left->loop[left->loops][0] != '\0';
    }
    return 0;
}

void devices_take_away(struct tree *t, uint16_t domid, struct device_leftovers *left)
{
    char path[96];

    left->loops = 0;
    devices_each(t, "vbd", domid, note_one, left);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), BACKENDS "/%s/%u", types[i], domid);
        tree_remove(t, path);
        snprintf(path, sizeof(path), "/local/domain/0/error/backend/%s/%u", types[i], domid);
        tree_remove(t, path);
    }
}

void device_drop_loops(const struct device_leftovers *left)
{
    for (unsigned i = 0; i < left->loops; i++)
        disk_drop_loop(left->loop[i]);
}
