/* SPDX-License-Identifier: MIT */
/* home.c: see home.h; the devices in it are device.c's.                      */
#include "dom0-tools/libenso/home.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dom0-tools/libenso/device.h"
#include "dom0-tools/libenso/os.h"

static void home_path(uint16_t domid, char *buf, size_t size)
{
    snprintf(buf, size, "/local/domain/%u", domid);
}

static void vm_path(const uint8_t uuid[16], char *buf, size_t size)
{
    char text[37];

    config_uuid_text(uuid, text);
    snprintf(buf, size, "/vm/%s", text);
}

/* ---- writing ----------------------------------------------------------------------------- */

static void put_vm(struct tree *t, const struct home *h, const char *vm, const char *readable)
{
    char text[37];

    config_uuid_text(h->uuid, text);
    tree_dir(t, readable, vm);
    tree_put(t, vm, "uuid", "%s", text);
    tree_put(t, vm, "name", "%s", h->config->name);
    tree_put(t, vm, "start_time", "%llu", (unsigned long long)os_date());
    tree_put(t, vm, "image/ostype", "linux");
    if (h->config->kernel[0])
        tree_put(t, vm, "image/kernel", "%s", h->config->kernel);
}

static void put_memory(struct tree *t, const struct home *h, const char *home, const char *owned)
{
    char dir[96], stat[112];

    snprintf(dir, sizeof(dir), "%s/memory", home);
    snprintf(stat, sizeof(stat), "%s/stat", dir);
    tree_put(t, dir, "static-max", "%llu", (unsigned long long)h->config->maxmem << 10);
    tree_put(t, dir, "target", "%llu", (unsigned long long)h->config->memory << 10);
    tree_put(t, dir, "videoram", "0");
    if (h->config->memory_weight)
        tree_put(t, dir, "weight", "%u", h->config->memory_weight);
    if (h->config->memory_floor)
        tree_put(t, dir, "floor", "%llu", (unsigned long long)h->config->memory_floor << 10);
    if (h->config->memory_auto >= 0)
        tree_put(t, dir, "auto", "%d", h->config->memory_auto);
    tree_dir(t, owned, stat);
}

static void put_console(struct tree *t, const struct home *h, const char *home)
{
    char dir[96];

    snprintf(dir, sizeof(dir), "%s/console", home);
    tree_put(t, dir, "backend-id", "0");
    tree_put(t, dir, "ring-ref", "%llu", (unsigned long long)h->console_mfn);
    tree_put(t, dir, "port", "%lu", (unsigned long)h->console_port);
    tree_put(t, dir, "limit", "65536");
    tree_put(t, dir, "type", "xenconsoled");
    tree_put(t, dir, "output", "pty");
}

void home_put(struct tree *t, const struct home *h)
{
    static const char *const guests[] = { "control/shutdown", "control/feature-poweroff", "control/feature-reboot",
                                          "data", "drivers", "feature", "attr", "error" };
    char home[64], vm[64], path[128], readable[24], owned[16];

    home_path(h->domid, home, sizeof(home));
    vm_path(h->uuid, vm, sizeof(vm));
    snprintf(readable, sizeof(readable), "n0 r%u", h->domid);
    snprintf(owned, sizeof(owned), "n%u", h->domid);
    tree_remove(t, home);                          /* what a dead one of the same number left */
    tree_dir(t, readable, home);
    put_vm(t, h, vm, readable);
    tree_put(t, home, "vm", "%s", vm);
    tree_put(t, home, "name", "%s", h->config->name);
    tree_put(t, home, "domid", "%u", h->domid);
    snprintf(path, sizeof(path), "%s/device", home);
    tree_dir(t, readable, path);
    snprintf(path, sizeof(path), "%s/control", home);
    tree_dir(t, readable, path);
    put_memory(t, h, home, owned);
    for (unsigned v = 0; v < h->config->vcpus; v++) {
        snprintf(path, sizeof(path), "cpu/%u/availability", v);
        tree_put(t, home, path, "online");
    }
    tree_put(t, home, "store/ring-ref", "%llu", (unsigned long long)h->store_mfn);
    tree_put(t, home, "store/port", "%lu", (unsigned long)h->store_port);
    put_console(t, h, home);
    for (unsigned i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", home, guests[i]);
        tree_dir(t, owned, path);
    }
}

int home_introduce(struct xs *x, const struct home *h, struct complaint *why)
{
    int rc = xs_introduce(x, h->domid, h->store_mfn, h->store_port);

    return rc < 0 ? complain(why, "xenstored does not take the new domain: %s", strerror(-rc)) : 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool uuid_of(struct tree *t, uint16_t domid, uint8_t uuid[16])
{
    char home[64], vm[64];

    home_path(domid, home, sizeof(home));
    return tree_get(t, home, "vm", vm, sizeof(vm)) > 4 && strncmp(vm, "/vm/", 4) == 0 && config_uuid(vm + 4, uuid);
}

bool home_uuid(struct xs *x, uint16_t domid, uint8_t uuid[16])
{
    struct tree t = { .x = x };

    return uuid_of(&t, domid, uuid);
}

/* ---- renaming and removing --------------------------------------------------------------------- */

struct renaming {
    uint16_t    domid;
    const char *name;
};

static void put_name(struct tree *t, void *arg)
{
    const struct renaming *r = arg;
    uint8_t uuid[16];
    char path[64];

    if (!uuid_of(t, r->domid, uuid))
        return;
    home_path(r->domid, path, sizeof(path));
    tree_put(t, path, "name", "%s", r->name);
    vm_path(uuid, path, sizeof(path));
    tree_put(t, path, "name", "%s", r->name);
}

int home_rename(struct xs *x, uint16_t domid, const char *name, struct complaint *why)
{
    struct renaming r = { domid, name };

    return tree_do(x, put_name, &r, why);
}

struct leaving {
    uint16_t       domid;
    const uint8_t *uuid;
    bool           mine;                     /* the home is still this domain's */
    struct device_leftovers left;
};

/* Has another living domain the same UUID (kept aside after rename-restart)? */
static bool vm_shared(struct tree *t, uint16_t domid, const uint8_t uuid[16])
{
    char names[2048];
    int n = tree_list(t, "/local/domain", names, sizeof(names));

    for (char *at = names; n > 0; n--, at += strlen(at) + 1) {
        uint8_t other[16];
        unsigned id;

        if (sscanf(at, "%u", &id) == 1 && id != domid && uuid_of(t, (uint16_t)id, other) && memcmp(other, uuid, 16) == 0)
            return true;
    }
    return false;
}

static void take_away(struct tree *t, void *arg)
{
    struct leaving *l = arg;
    uint8_t now[16];
    char path[64];

    l->left.loops = 0;
    l->mine = uuid_of(t, l->domid, now) && memcmp(now, l->uuid, 16) == 0;
    if (!l->mine)
        return;
    devices_take_away(t, l->domid, &l->left);
    home_path(l->domid, path, sizeof(path));
    tree_remove(t, path);
    vm_path(l->uuid, path, sizeof(path));
    if (!vm_shared(t, l->domid, l->uuid))
        tree_remove(t, path);
}

void home_remove(struct xs *x, uint16_t domid, const uint8_t uuid[16])
{
    struct leaving l = { .domid = domid, .uuid = uuid };
    struct complaint ignored;
    uint8_t now[16];

    if (!home_uuid(x, domid, now) || memcmp(now, uuid, 16) != 0)
        return;
    devices_close(x, domid);
    if (tree_do(x, take_away, &l, &ignored) || !l.mine)
        return;
    xs_release(x, domid);
    device_drop_loops(&l.left);
}
