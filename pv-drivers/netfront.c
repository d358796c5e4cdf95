/* SPDX-License-Identifier: MIT */
/* netfront.c: a guest's network card: how it finds its backend, tells it of the rings, and finds it again. SPEC 11.5.
 *
 * The interface lives as long as the device in the store. A backend that goes (Closing, Closed) takes the rings with it; we say
 * Initialising, the backend that comes answers InitWait, and both begin anew with what was not acknowledged.        */
#include "pv-drivers/netfront.h"

#include "hypercall-abi/errno.h"
#include "pv-drivers/netfront_ring.h"
#include "pv-drivers/xenbus.h"

const struct netfront_counters *netfront_counters(const struct netfront *f) { return &f->count; }

/* ---- The rings ---- */

static void *ring_make(struct netfront *f, uint32_t *ref)
{
    void *page = os_page_alloc();
    int rc = page ? os_grant(f->domid, os_frame(page), false) : -XEN_ENOMEM;
    if (rc < 0) {
        if (page)
            os_page_free(page);
        return 0;
    }
    *ref = (uint32_t)rc;
    return page;
}

static int rings_make(struct netfront *f)
{
    f->tx.sring = ring_make(f, &f->tx_ref);
    if (!f->tx.sring)
        return -XEN_ENOMEM;
    f->rx.sring = ring_make(f, &f->rx_ref);
    if (f->rx.sring) {
        RING_INIT_SHARED(f->tx.sring);
        RING_INIT_SHARED(f->rx.sring);
        return 0;
    }
    os_grant_end_and_free(f->tx_ref, f->tx.sring);
    return -XEN_ENOMEM;
}

static void rings_free(struct netfront *f)
{
    os_grant_end_and_free(f->tx_ref, f->tx.sring);
    os_grant_end_and_free(f->rx_ref, f->rx.sring);
    f->tx.sring = 0;
    f->rx.sring = 0;
}

/* ---- Telling the backend ---- */

static int write_nodes(struct netfront *f, uint32_t tx)
{
    static const struct { const char *node; unsigned value; } features[] = {
        { "request-rx-copy", 1 }, { "feature-rx-notify", 1 }, { "feature-sg", 1 },
        { "feature-gso-tcpv4", 0 }, { "feature-gso-tcpv6", 0 }, { "feature-no-csum-offload", 0 },
    };
    const char *dir = f->dev->path;
    int rc = store_printf(tx, dir, "tx-ring-ref", "%u", f->tx_ref);
    if (rc >= 0)
        rc = store_printf(tx, dir, "rx-ring-ref", "%u", f->rx_ref);
    if (rc >= 0)
        rc = store_printf(tx, dir, "event-channel", "%u", f->event);
    for (unsigned i = 0; rc >= 0 && i < sizeof(features) / sizeof(features[0]); i++)
        rc = store_printf(tx, dir, features[i].node, "%u", features[i].value);
    return rc;
}

static int tell_backend(struct netfront *f)
{
    for (;;) {
        uint32_t tx;
        int rc = store_begin(&tx);
        if (rc < 0)
            return rc;
        int wrote = write_nodes(f, tx);
        rc = store_end(tx, wrote >= 0);
        if (wrote < 0)
            return wrote;
        if (rc != -XEN_EAGAIN)
            return rc;
    }
}

static void disconnect(struct netfront *f)
{
    if (!f->tx.sring)
        return;
    net_carrier(f->port, false);
    os_event_close(f->event);
    front_rings_stop(f);
    rings_free(f);
}

static void connect(struct netfront *f)
{
    struct xenbus_device *d = f->dev;
    int rc;
    if (f->tx.sring) {
        disconnect(f);
        f->count.reconnects++;
    }
    f->domid = d->other_domid;
    rc = rings_make(f);
    if (rc)
        goto failed;
    rc = os_event_alloc(f->domid, front_event, f);
    if (rc < 0) {
        rings_free(f);
        goto failed;
    }
    f->event = (uint32_t)rc;
    front_rings_start(f);
    rc = tell_backend(f);
    if (rc >= 0) {
        xenbus_set_state(d, XenbusStateConnected);
        return;
    }
    disconnect(f);
failed:
    xenbus_error(d, rc, "cannot connect to the network backend");
}

/* ---- The bus ---- */

/* A device that the toolstack is taking away gets no state that would outlive it. */
static bool still_there(struct xenbus_device *d)
{
    char node[STORE_PATH_MAX + 16];
    os_format(node, sizeof(node), "%s/backend", d->path);
    return store_exists(node) != 0;
}

static void other_changed(struct xenbus_device *d)
{
    struct netfront *f = d->private;
    switch (d->other_state) {
    case XenbusStateInitWait:
        connect(f);
        break;
    case XenbusStateConnected:
        if (f->tx.sring)
            net_carrier(f->port, true);
        break;
    case XenbusStateClosing:
        disconnect(f);
        xenbus_set_state(d, XenbusStateClosed);
        break;
    case XenbusStateClosed:
        if (f->tx.sring)
            f->count.reconnects++;
        disconnect(f);
        if (still_there(d))
            xenbus_set_state(d, XenbusStateInitialising);
        break;
    case XenbusStateUnknown:
        disconnect(f);
        break;
    default:
        break;
    }
}

static int probe(struct xenbus_device *d)
{
    char text[20], node[STORE_PATH_MAX + 8];
    uint8_t mac[6];
    uint64_t mtu;
    os_format(node, sizeof(node), "%s/mac", d->path);
    if (store_read(0, node, text, sizeof(text)) < 0 || !net_parse_mac(text, mac)) {
        xenbus_error(d, -XEN_EINVAL, "no MAC address, or none of a single station");
        return -XEN_EINVAL;
    }
    if (store_read_number(0, d->path, "mtu", &mtu) < 0 || mtu < 68 || mtu > NET_FRAME_MAX - NET_HEADER - 4)
        mtu = 1500;
    struct netfront *f = os_alloc(sizeof(*f));
    if (!f)
        return -XEN_ENOMEM;
    f->dev = d;
    f->domid = d->other_domid;
    d->private = f;
    f->port = net_front_add(f, d->id, mac, (unsigned)mtu);
    if (f->port)
        return 0;
    os_free(f);
    return -XEN_ENOMEM;
}

static void removed(struct xenbus_device *d)
{
    struct netfront *f = d->private;
    disconnect(f);
    net_port_remove(f->port);
    front_queue_drop(f);
    os_free(f);
}

static struct xenbus_driver driver = { .type = "vif", .probe = probe, .other_changed = other_changed, .remove = removed };

int netfront_register(void) { return xenbus_register_frontend(&driver); }
