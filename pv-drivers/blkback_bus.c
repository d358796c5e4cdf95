/* SPDX-License-Identifier: MIT */
/* blkback_bus.c: a guest's disk as the store describes it: opened, offered, connected, let go of.
 *
 * The toolstack writes which device is meant; we open it for as long as the directory stands, say what we can (InitWait), and
 * connect when the frontend has made its ring. A frontend that says Connected when we have just come means our predecessor:
 * `fresh` tells that we have seen it in a state that leads to a new ring.                                     */
#include "pv-drivers/blkback_ring.h"
#include "hypercall-abi/errno.h"

struct blkback *all_blkbacks;

static uint64_t number(const char *dir, const char *node, uint64_t otherwise)
{
    uint64_t value;
    return store_read_number(0, dir, node, &value) == 0 ? value : otherwise;
}

static int read_text(const char *dir, const char *node, char *buf, size_t size)
{
    char path[STORE_PATH_MAX];
    buf[0] = 0;
    int rc = os_format(path, sizeof(path), "%s/%s", dir, node) < (int)sizeof(path) ? store_read(0, path, buf, size) : -XEN_ENOENT;
    if (rc < 0)
        buf[0] = 0;
    return rc;
}

/* ---- What we offer ---- */

static int write_features(struct blkback *b)
{
    const struct { const char *node; uint64_t value; } features[] = {
        { "feature-flush-cache", b->disk.flush }, { "feature-barrier", b->disk.flush && !b->disk.read_only },
        { "feature-discard", b->disk.discard && !b->disk.read_only }, { "discard-granularity", b->disk.physical_size }, { "discard-alignment", 0 },
        { "discard-secure", 0 }, { "feature-persistent", 0 }, { "feature-max-indirect-segments", BLKBACK_MAX_SEGS },
        { "max-ring-page-order", BLKBACK_ORDER },
    };
    int rc = 0;
    for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]) && rc == 0; i++)
        rc = store_printf(0, b->bus->path, features[i].node, "%lu", (unsigned long)features[i].value);
    return rc;
}

static int write_disk(struct blkback *b)
{
    const char *dir = b->bus->path;
    int rc = store_printf(0, dir, "sectors", "%lu", (unsigned long)(b->disk.sectors / (b->disk.sector_size / PV_SECTOR)));
    if (rc == 0)
        rc = store_printf(0, dir, "sector-size", "%u", b->disk.sector_size);
    if (rc == 0)
        rc = store_printf(0, dir, "physical-sector-size", "%u", b->disk.physical_size);
    if (rc == 0)
        rc = store_printf(0, dir, "info", "%u", b->disk.read_only ? VDISK_READONLY : 0u);
    return rc;
}

static int open_disk(struct blkback *b)
{
    char physical[24], mode[8], why[160];
    const char *dir = b->bus->path;
    if (read_text(dir, "params", b->params, sizeof(b->params)) < 0 && read_text(dir, "physical-device", physical, sizeof(physical)) < 0) {
        xenbus_error(b->bus, -XEN_ENOENT, "no device is named for this disk");
        return -XEN_ENOENT;
    }
    read_text(dir, "physical-device", physical, sizeof(physical));
    read_text(dir, "mode", mode, sizeof(mode));
    b->write = mode[0] == 'w' || mode[0] == 'W';
    int rc = blkback_os_open(&b->disk, b->params, physical, b->write, why, sizeof(why));
    if (rc) {
        xenbus_error(b->bus, rc, "%s", why);
        return rc;
    }
    b->open = true;
    b->disk.read_only |= !b->write;
    b->bytes.rate = number(dir, "bps", 0);
    b->ops.rate = number(dir, "iops", 0);
    b->bytes.last_ns = b->ops.last_ns = os_now_ns();
    return 0;
}

static void let_go(struct blkback *b)
{
    struct blkback **at = &all_blkbacks;
    blkback_disconnect(b);
    if (b->open)
        blkback_os_close(&b->disk, b->write);
    while (*at && *at != b)
        at = &(*at)->next;
    if (*at)
        *at = b->next;
    blkback_free(b);
    os_free(b);
}

static int probe(struct xenbus_device *d)
{
    struct blkback *b = os_alloc(sizeof(*b));
    if (!b)
        return -XEN_ENOMEM;
    b->bus = d;
    int rc = blkback_alloc(b);
    if (rc == 0)
        rc = open_disk(b);
    if (rc == 0)
        rc = write_features(b);
    if (rc) {
        let_go(b);
        return rc;
    }
    b->next = all_blkbacks;
    all_blkbacks = b;
    d->private = b;
    return xenbus_set_state(d, XenbusStateInitWait);
}

/* ---- The frontend ---- */

static int read_ring(struct blkback *b, uint32_t *refs, unsigned *pages, uint32_t *port)
{
    const char *dir = b->bus->other_path;
    uint64_t order = number(dir, "ring-page-order", 0), value;
    if (order > BLKBACK_ORDER)
        return -XEN_EINVAL;
    bool single = store_read_number(0, dir, "ring-page-order", &value) != 0;
    *pages = 1u << order;
    for (unsigned i = 0; i < *pages; i++) {
        char node[] = "ring-ref0";
        node[8] = (char)('0' + i);
        if (store_read_number(0, dir, single ? "ring-ref" : node, &value) || value > 0xffffffff)
            return -XEN_EINVAL;
        refs[i] = (uint32_t)value;
    }
    if (store_read_number(0, dir, "event-channel", &value) || value > 0xffffffff)
        return -XEN_EINVAL;
    *port = (uint32_t)value;
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static void connect(struct blkback *b)
{
    uint32_t refs[1 << BLKBACK_ORDER], port = 0;
    unsigned pages = 0;
    char protocol[32];
    if (read_text(b->bus->other_path, "protocol", protocol, sizeof(protocol)) > 0 && !same_text(protocol, "x86_64-abi")) {
        xenbus_error(b->bus, -XEN_EINVAL, "the guest speaks the ring layout \"%s\", we only x86_64-abi", protocol);
        return;
    }
    int rc = read_ring(b, refs, &pages, &port);
    if (rc) {
        xenbus_error(b->bus, rc, "the guest tells no ring for disk %u that makes sense", b->bus->id);
        return;
    }
    rc = write_disk(b);
    if (rc == 0)
        rc = blkback_connect(b, refs, pages, port);
    if (rc) {
        xenbus_error(b->bus, rc, "the ring of disk %u could not be mapped", b->bus->id);
        return;
    }
    b->fresh = false;
    xenbus_set_state(b->bus, XenbusStateConnected);
}

static bool online(struct blkback *b) { return number(b->bus->path, "online", 1) != 0; }

/* The toolstack wants the disk gone, and no frontend is there to be asked. */
static bool closed_by_tools(struct blkback *b)
{
    if (b->bus->state != XenbusStateClosing || b->connected || online(b))
        return false;
    xenbus_set_state(b->bus, XenbusStateClosed);
    return true;
}

static void frontend_changed(struct xenbus_device *d)
{
    struct blkback *b = d->private;
    if (!b)
        return;
    switch (d->other_state) {
    case XenbusStateUnknown:
    case XenbusStateInitialising:
        b->fresh = true;
        blkback_disconnect(b);
        if (!closed_by_tools(b) && d->state != XenbusStateInitWait && online(b))
            xenbus_set_state(d, XenbusStateInitWait);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        if (!b->connected && d->state == XenbusStateInitWait && (b->fresh || d->other_state == XenbusStateInitialised))
            connect(b);
        else
            closed_by_tools(b);
        break;
    case XenbusStateClosing:
        if (b->connected && d->state != XenbusStateClosing)
            xenbus_set_state(d, XenbusStateClosing);
        break;
    case XenbusStateClosed:
        b->fresh = true;
        blkback_disconnect(b);
        if (d->state != XenbusStateClosed && (!online(b) || d->state != XenbusStateInitWait))
            xenbus_set_state(d, XenbusStateClosed);
        break;
    default:
        break;
    }
}

static void remove(struct xenbus_device *d)
{
    if (d->private)
        let_go(d->private);
    d->private = 0;
}

static struct xenbus_driver driver = { .type = "vbd", .probe = probe, .other_changed = frontend_changed, .remove = remove };

int  blkback_start(void) { return xenbus_register_backend(&driver); }
void blkback_stop(void) { xenbus_unregister_backend(&driver); }
