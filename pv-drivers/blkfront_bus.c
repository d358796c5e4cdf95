/* SPDX-License-Identifier: MIT */
/* blkfront_bus.c: a disk comes, goes, and gets a new backend, as the store tells it.
 *
 * The backend offers (InitWait), we make a ring and say where (Initialised), it connects and tells the disk's size
 * (Connected), and so do we. `online` in the backend's directory tells a farewell from a restart: at 0 the disk is to go, once nobody uses
 * it; else the backend will be back, and what is under way waits for it.                                     */
#include "pv-drivers/blkfront_ring.h"
#include "hypercall-abi/errno.h"

#define BUSY_LOOK_MS 200

struct blkfront *all_blkfronts;

static uint64_t backend_number(struct blkfront *f, const char *node, uint64_t otherwise)
{
    uint64_t value;
    return store_read_number(0, f->bus->other_path, node, &value) == 0 ? value : otherwise;
}

/* Device numbers: 202 << 8 | disk << 4 | partition, 1 << 28 | disk << 8 | partition, and two old kinds, IDE's and SCSI's. */
void blkfront_name(uint32_t n, char *buf, size_t size)
{
    const char *prefix = "xvd";
    unsigned disk = n >> 4 & 15, part = n & 15, at = 0;
    char digits[8];
    if (n >> 28) {
        disk = n >> 8 & 0xfffff;
        part = n & 255;
    } else if (n >> 8 == 3 || n >> 8 == 22) {
        prefix = "hd";
        disk = (n >> 6 & 3) + (n >> 8 == 22 ? 2 : 0);
        part = n & 63;
    } else if (n >> 8 == 8) {
        prefix = "sd";
    }
    while (*prefix && at + 1 < size)
        buf[at++] = *prefix++;
    unsigned len = 0;
    for (disk++; disk && len < sizeof(digits); disk = (disk - 1) / 26)
        digits[len++] = (char)('a' + (disk - 1) % 26);
    while (len && at + 1 < size)
        buf[at++] = digits[--len];
    for (; part; part /= 10)
        digits[len++] = (char)('0' + part % 10);
    while (len && at + 1 < size)
        buf[at++] = digits[--len];
    buf[at] = 0;
}

/* ---- Connecting ---- */

static int write_ring(struct blkfront *f, uint32_t tx)
{
    const char *dir = f->bus->path;
    int rc = 0;
    if (f->order == 0) {
        rc = store_printf(tx, dir, "ring-ref", "%u", f->ring_refs[0]);
    } else {
        rc = store_printf(tx, dir, "ring-page-order", "%u", f->order);
        for (unsigned n = 0; n < 1u << f->order && rc == 0; n++) {
            char node[] = "ring-ref0";
            node[8] = (char)('0' + n);
            rc = store_printf(tx, dir, node, "%u", f->ring_refs[n]);
        }
    }
    if (rc == 0)
        rc = store_printf(tx, dir, "event-channel", "%d", f->port);
    if (rc == 0)
        rc = store_printf(tx, dir, "protocol", "x86_64-abi");
    if (rc == 0)
        rc = store_printf(tx, dir, "feature-persistent", "0");
    return rc;
}

static int publish_ring(struct blkfront *f)
{
    uint32_t tx;
    int rc;
    do {
        rc = store_begin(&tx);
        if (rc)
            return rc;
        rc = write_ring(f, tx);
        int ended = store_end(tx, rc == 0);
        rc = rc ? rc : ended;
    } while (rc == -XEN_EAGAIN);
    return rc;
}

static void read_features(struct blkfront *f)
{
    uint64_t segs = backend_number(f, "feature-max-indirect-segments", 0);
    f->max_segs = segs > BLKFRONT_MAX_SEGS ? BLKFRONT_MAX_SEGS : (uint32_t)segs;
    if (f->max_segs < BLKIF_MAX_SEGMENTS_PER_REQUEST)
        f->max_segs = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    f->flush = backend_number(f, "feature-flush-cache", 0) == 1;
    f->barrier = backend_number(f, "feature-barrier", 0) == 1;
    f->discard = backend_number(f, "feature-discard", 0) == 1;
}

static void offer_ring(struct blkfront *f)
{
    uint64_t order = backend_number(f, "max-ring-page-order", 0);
    blkfront_ring_drop(f);
    int rc = blkfront_ring_make(f, order < BLKFRONT_ORDER ? (unsigned)order : BLKFRONT_ORDER);
    if (rc == 0)
        rc = publish_ring(f);
    if (rc == 0)
        rc = xenbus_set_state(f->bus, XenbusStateInitialised);
    if (rc)
        xenbus_error(f->bus, rc, "no ring could be made for the disk");
}

static int read_disk(struct blkfront *f)
{
    uint64_t sectors = backend_number(f, "sectors", 0), size = backend_number(f, "sector-size", PV_SECTOR);
    uint64_t info = backend_number(f, "info", 0);
    if (size < PV_SECTOR || size > PV_PAGE || (size & (size - 1)) || sectors == 0 || sectors > (1ull << 50))
        return -XEN_EINVAL;
    f->sector_size = (uint32_t)size;
    f->sectors = sectors * (size / PV_SECTOR);
    f->physical_size = (uint32_t)backend_number(f, "physical-sector-size", size);
    f->read_only = info & VDISK_READONLY;
    return 0;
}

static void backend_connected(struct blkfront *f)
{
    f->detaching = false;
    if (f->connected || f->bus->state != XenbusStateInitialised)
        return;
    read_features(f);
    int rc = read_disk(f);
    if (rc) {
        xenbus_error(f->bus, rc, "the backend tells no size of the disk that makes sense");
        return;
    }
    xenbus_set_state(f->bus, XenbusStateConnected);
    blkfront_ring_run(f);
    if (f->attached) {
        f->reconnects++;
        return;
    }
    rc = blkfront_os_attach(f);
    f->attached = rc == 0;
    if (rc)
        xenbus_error(f->bus, rc, "the disk could not be made known");
}

/* ---- Leaving ---- */

static bool try_detach(struct blkfront *f)
{
    if (f->attached && blkfront_os_detach(f, false) != 0)
        return false;
    f->attached = f->detaching = f->connected = false;         /* the ring stays until the backend has let go of it */
    xenbus_set_state(f->bus, XenbusStateClosed);
    return true;
}

static void wait_until_unused(void *arg)
{
    struct blkfront *f = arg;
    while (f->detaching && !f->gone && !try_detach(f))
        os_sleep_ms(BUSY_LOOK_MS);
    if (!f->gone)
        store_printf(0, f->bus->path, "busy", "0");
    f->watchers--;
}

static void asked_to_leave(struct blkfront *f)
{
    if (f->bus->state == XenbusStateClosed || f->detaching || try_detach(f))
        return;
    f->detaching = true;
    store_printf(0, f->bus->path, "busy", "1");
    os_log("blkfront: disk %u is in use; it goes when it no longer is\n", f->bus->id);
    f->watchers++;
    if (os_thread("blk-detach", wait_until_unused, f) < 0)
        f->watchers--;
}

/* ---- What the bus calls ---- */

static void backend_changed(struct xenbus_device *d)
{
    struct blkfront *f = d->private;
    if (!f)
        return;
    bool leave = backend_number(f, "online", 1) == 0;
    switch (d->other_state) {
    case XenbusStateInitWait:
        if (!leave)
            offer_ring(f);
        break;
    case XenbusStateConnected:
        backend_connected(f);
        break;
    case XenbusStateClosing:
        if (leave)
            asked_to_leave(f);
        else if (d->state != XenbusStateClosed) {
            f->connected = false;
            xenbus_set_state(d, XenbusStateClosed);
        }
        break;
    case XenbusStateUnknown:
    case XenbusStateClosed:
        if (leave) {
            asked_to_leave(f);
            if (d->state == XenbusStateClosed)
                blkfront_ring_drop(f);
        } else if (d->state != XenbusStateInitialising) {
            blkfront_ring_drop(f);
            xenbus_set_state(d, XenbusStateInitialising);      /* ready for the next backend */
        }
        break;
    default:
        break;
    }
}

static int probe(struct xenbus_device *d)
{
    struct blkfront *f = os_alloc(sizeof(*f));
    if (!f)
        return -XEN_ENOMEM;
    f->bus = d;
    f->vdev_low = (uint16_t)d->id;
    blkfront_init(f);
    f->next = all_blkfronts;
    all_blkfronts = f;
    d->private = f;
    return 0;
}

static void remove(struct xenbus_device *d)
{
    struct blkfront *f = d->private, **at = &all_blkfronts;
    if (!f)
        return;
    f->gone = true;
    d->private = 0;
    while (f->watchers)
        os_sleep_ms(BUSY_LOOK_MS / 4);
    blkfront_ring_drop(f);
    blkfront_fail_all(f, -XEN_ENXIO);
    if (f->attached)
        blkfront_os_detach(f, true);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    blkfront_free_slots(f);
    os_free(f);
}

static struct xenbus_driver driver = { .type = "vbd", .probe = probe, .other_changed = backend_changed, .remove = remove };

int blkfront_boot(void) { return xenbus_register_frontend(&driver); }
