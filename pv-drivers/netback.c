/* SPDX-License-Identifier: MIT */
/* netback.c: the backend of guests' network cards: its place in the store, and the thread that serves them all. SPEC 11.5.
 *
 * An event of a guest's does no more than put its vif into the list of those with work, and masks itself; the thread gives each in
 * turn one pass of bounded length, and unmasks when nothing is left. So a guest that sends events or frames without end gets its
 * turns and no more, and one that sends events without frames waits a little before it is heard again.           */
#include "pv-drivers/netback.h"

#include "hypercall-abi/errno.h"
#include "pv-drivers/netback_ring.h"
#include "pv-drivers/xenbus.h"

#define QUARREL     16u           /* events in a row without work, after which ...    */
#define PAUSE_MS    2u            /* ... so long passes before the next is heard     */

static struct {
    struct netback  *first, *last;
    struct os_event *work;
    unsigned         vifs;
} busy;

const struct netback_counters *netback_counters(const struct netback *b) { return &b->count; }

/* ---- Turns ---- */

void back_wake(void *arg)
{
    struct netback *b = arg;
    if (b->busy || !b->connected)
        return;
    b->busy = true;
    b->next_busy = 0;
    if (busy.last)
        busy.last->next_busy = b;
    else
        busy.first = b;
    busy.last = b;
    os_event_wake(busy.work);
}

static void busy_remove(struct netback *b)
{
    struct netback **at = &busy.first, *before = 0;
    if (!b->busy)
        return;
    while (*at != b) {
        before = *at;
        at = &before->next_busy;
    }
    *at = b->next_busy;
    if (busy.last == b)
        busy.last = before;
    b->busy = false;
}

static void event(void *arg)
{
    struct netback *b = arg;
    b->count.events++;
    os_event_mask(b->event);
    back_wake(b);
}

void back_break(struct netback *b, const char *why)
{
    if (b->broken)
        return;
    b->broken = why;
    if (xenbus_may_complain(b->dev))
        os_log("vif%u.%u: stopped, its ring is broken: %s", b->domid, b->id, why);
    back_queue_drop(b);
}

static void turn(struct netback *b)
{
    bool did = back_rx(b);
    if (b->broken)
        return;                                         /* the port stays masked */
    if (back_tx(b, &did)) {
        back_wake(b);
        return;
    }
    if (b->broken)
        return;
    b->idle_passes = did ? 0 : b->idle_passes + 1;
    if (b->idle_passes > QUARREL) {
        b->idle_passes = 0;
        os_timer_set(&b->wake, PAUSE_MS, back_wake, b);
        return;
    }
    os_event_unmask(b->event);
}

static bool any_busy(void *arg) { return busy.first; }

static void run(void *arg)
{
    for (;;) {
        os_sleep_until(busy.work, any_busy, 0, 0);
        while (busy.first) {
            struct netback *b = busy.first;
            busy_remove(b);
            turn(b);
            os_yield();
        }
    }
}

/* ---- Rings, as the frontend tells ---- */

static void disconnect(struct netback *b)
{
    if (!b->connected)
        return;
    b->connected = false;
    net_carrier(b->port, false);
    busy_remove(b);
    os_timer_cancel(&b->wake);
    os_event_close(b->event);
    os_grant_unmap(b->map, 2);
    back_queue_drop(b);
    b->broken = 0;
}

static int read_u32(struct xenbus_device *d, const char *node, uint32_t *value)
{
    uint64_t n;
    int rc = store_read_number(0, d->other_path, node, &n);
    if (rc < 0)
        return rc;
    *value = (uint32_t)n;
    return n >> 32 ? -XEN_EINVAL : 0;
}

static bool wants(struct xenbus_device *d, const char *feature)
{
    uint32_t n;
    return read_u32(d, feature, &n) == 0 && n;
}

static int map_rings(struct netback *b, uint32_t tx_ref, uint32_t rx_ref)
{
    b->map[0] = (struct os_map){ .ref = tx_ref, .handle = ~0u };
    b->map[1] = (struct os_map){ .ref = rx_ref, .handle = ~0u };
    int rc = os_grant_map(b->domid, b->map, 2, 0);
    if (rc)
        return rc;
    if (b->map[0].status || b->map[1].status) {
        os_grant_unmap(b->map, 2);
        return -XEN_EINVAL;
    }
    b->tx = (struct netif_tx_back_ring){ .nr_ents = BACK_SLOTS, .sring = b->map[0].va };
    b->rx = (struct netif_rx_back_ring){ .nr_ents = BACK_SLOTS, .sring = b->map[1].va };
    /* A ring that answers stand in already (the frontend kept it over our end): we go on after them. */
    b->tx.rsp_prod_pvt = b->tx.req_cons = ring_load(&b->tx.sring->rsp_prod);
    b->rx.rsp_prod_pvt = b->rx.req_cons = ring_load(&b->rx.sring->rsp_prod);
    return 0;
}

/* Null, or what is wrong with what the frontend tells. */
static const char *connect(struct netback *b)
{
    struct xenbus_device *d = b->dev;
    uint32_t tx_ref, rx_ref, port;
    if (!wants(d, "request-rx-copy"))
        return "the frontend does not take copies";
    if (read_u32(d, "tx-ring-ref", &tx_ref) || read_u32(d, "rx-ring-ref", &rx_ref) || read_u32(d, "event-channel", &port))
        return "the frontend does not tell its rings and port";
    bool offload = !wants(d, "feature-no-csum-offload");
    if (map_rings(b, tx_ref, rx_ref))
        return "the frontend's rings cannot be mapped";
    int rc = os_event_bind(b->domid, port, event, b);
    if (rc < 0) {
        os_grant_unmap(b->map, 2);
        return "the frontend's port cannot be bound";
    }
    b->event = (uint32_t)rc;
    b->connected = true;
    b->broken = 0;
    b->credit = (int64_t)b->rate_bytes;
    b->over = 0;
    b->credit_at = os_now_ns();
    net_back_offload(b->port, offload);
    net_carrier(b->port, true);
    back_wake(b);
    return 0;
}

/* ---- The bus ---- */

static void offer(struct netback *b)
{
    static const struct { const char *node; unsigned value; } features[] = {
        { "feature-sg", 1 }, { "feature-rx-copy", 1 }, { "feature-rx-flip", 0 }, { "feature-gso-tcpv4", 1 },
        { "feature-gso-tcpv6", 0 }, { "feature-ipv6-csum-offload", 0 }, { "feature-split-event-channels", 0 },
    };
    for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        store_printf(0, b->dev->path, features[i].node, "%u", features[i].value);
    store_printf(0, b->dev->path, "hotplug-status", "connected");
    xenbus_set_state(b->dev, XenbusStateInitWait);
}

static bool online(struct xenbus_device *d)
{
    uint64_t n;
    return store_read_number(0, d->path, "online", &n) < 0 || n;
}

static void frontend_ready(struct netback *b)
{
    struct xenbus_device *d = b->dev;
    const char *wrong;
    if (b->connected)
        return;
    if (d->state != XenbusStateInitWait) {              /* rings of a time before us: it must begin anew */
        xenbus_set_state(d, XenbusStateClosed);
        return;
    }
    wrong = connect(b);
    if (wrong)
        xenbus_error(d, -XEN_EINVAL, "vif%u.%u: %s", b->domid, b->id, wrong);
    else
        xenbus_set_state(d, XenbusStateConnected);
}

static bool still_there(struct xenbus_device *d)
{
    char node[STORE_PATH_MAX + 16];
    os_format(node, sizeof(node), "%s/frontend", d->path);
    return store_exists(node) != 0;
}

/* d->state is Closing when the toolstack asks for the end. */
static void other_changed(struct xenbus_device *d)
{
    struct netback *b = d->private;
    bool leaving = d->state == XenbusStateClosing;
    switch (d->other_state) {
    case XenbusStateInitialising:
        disconnect(b);
        if (online(d) && !leaving)
            offer(b);
        else
            xenbus_set_state(d, XenbusStateClosed);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        if (!leaving)
            frontend_ready(b);
        break;
    case XenbusStateClosing:
        disconnect(b);
        xenbus_set_state(d, XenbusStateClosing);
        break;
    case XenbusStateClosed:
    case XenbusStateUnknown:
        disconnect(b);
        if (still_there(d))                           /* the toolstack may be taking it all away */
            xenbus_set_state(d, XenbusStateClosed);
        break;
    default:
        break;
    }
}

/* "bytes,microseconds". */
static void read_rate(struct netback *b)
{
    char node[STORE_PATH_MAX + 8], text[40], *s = text;
    uint64_t n[2] = { 0, 0 };
    os_format(node, sizeof(node), "%s/rate", b->dev->path);
    if (store_read(0, node, text, sizeof(text)) <= 0)
        return;
    for (int i = 0; i < 2; i++, s += *s == ',')
        for (; *s >= '0' && *s <= '9' && n[i] < 1ull << 40; s++)
            n[i] = n[i] * 10 + (uint64_t)(*s - '0');
    if (*s || !n[0] || !n[1]) {
        xenbus_error(b->dev, -XEN_EINVAL, "the rate \"%s\" is not BYTES,MICROSECONDS: no limit", text);
        return;
    }
    b->rate_bytes = n[0];
    b->rate_ns = n[1] * 1000;
}

static int read_text(struct xenbus_device *d, const char *name, char *buf, size_t size)
{
    char node[STORE_PATH_MAX + 16];
    os_format(node, sizeof(node), "%s/%s", d->path, name);
    return store_read(0, node, buf, size);
}

static int join(struct netback *b)
{
    char bridge[16], text[20];
    uint8_t mac[6];
    if (read_text(b->dev, "mac", text, sizeof(text)) < 0 || !net_parse_mac(text, mac)) {
        xenbus_error(b->dev, -XEN_EINVAL, "no MAC address, or none of a single station");
        return -XEN_EINVAL;
    }
    if (read_text(b->dev, "bridge", bridge, sizeof(bridge)) <= 0)
        os_format(bridge, sizeof(bridge), "br0");
    int rc = net_back_add(&b->port, b, b->domid, b->id, bridge, mac);
    if (rc == -XEN_ENODEV)
        xenbus_error(b->dev, rc, "no bridge %s", bridge);
    else if (rc == -XEN_EADDRINUSE)
        xenbus_error(b->dev, rc, "MAC address %s is in use on %s", text, bridge);
    else if (rc)
        xenbus_error(b->dev, rc, "vif%u.%u cannot be made", b->domid, b->id);
    return rc;
}

static int probe(struct xenbus_device *d)
{
    struct netback *b = os_alloc(sizeof(*b));
    if (!b)
        return -XEN_ENOMEM;
    b->dev = d;
    b->domid = d->other_domid;
    b->id = d->id;
    int rc = join(b);
    if (rc) {
        os_free(b);
        return rc;
    }
    read_rate(b);
    d->private = b;
    busy.vifs++;
    return 0;
}

static void removed(struct xenbus_device *d)
{
    struct netback *b = d->private;
    disconnect(b);
    net_port_remove(b->port);
    busy.vifs--;
    os_free(b);
}

static struct xenbus_driver driver = { .type = "vif", .probe = probe, .other_changed = other_changed, .remove = removed };

int netback_start(void)
{
    if (!busy.work) {
        busy.work = os_event_new();
        if (!busy.work || os_thread("netback", run, 0))
            return -XEN_ENOMEM;
    }
    return xenbus_register_backend(&driver);
}

void netback_stop(void) { xenbus_unregister_backend(&driver); }
unsigned netback_count(void) { return busy.vifs; }
