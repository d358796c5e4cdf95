/* SPDX-License-Identifier: MIT */
/* xenbus.c: devices come and go in the store; their drivers are told.
 *
 * Watches only leave a mark, on a driver (its directory changed below this path) or on a device (the other end's state); one thread
 * works the marks off. So probe, other_changed and remove of all devices come one after another, whatever the order of
 * events, and a driver that makes store requests cannot stop the events that it waits for. SPEC 11.3.               */
#include "pv-drivers/xenbus.h"

#include "hypercall-abi/errno.h"
#include "pv-drivers/os.h"

#define PATHS 32                          /* changed paths remembered a driver's scan; more: everything is looked at */

struct change { struct xenbus_driver *driver; uint32_t domid, id; };

static struct {
    struct xenbus_driver *drivers;
    struct os_event *work, *done;
    struct change change[PATHS];
    unsigned changes;
    uint64_t turns;
    bool started;
} bus;

/* ---- what watches leave behind ------------------------------------------------------------------------ */

static void mark_all(struct xenbus_driver *drv)
{
    drv->scan = true;
    os_event_wake(bus.work);
}

static void mark_one(struct xenbus_driver *drv, uint32_t domid, uint32_t id)
{
    for (unsigned i = 0; i < bus.changes; i++)
        if (bus.change[i].driver == drv && bus.change[i].domid == domid && bus.change[i].id == id)
            return;
    if (bus.changes == PATHS)
        return mark_all(drv);
    bus.change[bus.changes++] = (struct change){ drv, domid, id };
    os_event_wake(bus.work);
}

/* The number at *at and the slash behind it. */
static bool take_number(const char **at, uint32_t *n)
{
    const char *s = *at;
    uint64_t value = 0;

    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9' && value <= ~0u; s++)
        value = value * 10 + (unsigned)(*s - '0');
    if ((*s && *s != '/') || value > ~0u)
        return false;
    *at = *s ? s + 1 : s;
    *n = (uint32_t)value;
    return true;
}

/* Where the driver's name stands in a path that its root's watch reports: relative or absolute, as the watch was. */
static void root_changed(struct store_watch *w, const char *path)
{
    struct xenbus_driver *drv = w->arg;
    size_t root = __builtin_strlen(w->path);
    uint32_t domid = 0, id;

    if (__builtin_strncmp(path, w->path, root) || path[root] != '/')
        return mark_all(drv);
    path += root + 1;
    if ((drv->backend && !take_number(&path, &domid)) || !take_number(&path, &id))
        return mark_all(drv);
    mark_one(drv, domid, id);
}

static void state_changed(struct store_watch *w, const char *path)
{
    struct xenbus_device *d = w->arg;

    (void)path;
    d->look = true;
    os_event_wake(bus.work);
}

/* ---- one device ----------------------------------------------------------------------------------------- */

static enum xenbus_state read_state(const char *dir)
{
    uint64_t value;

    if (store_read_number(0, dir, "state", &value) < 0 || value > XenbusStateReconfigured)
        return XenbusStateUnknown;
    return (enum xenbus_state)value;
}

/* Only where a state stands already: the toolstack may have taken the directory away a moment ago, and a node written then
 * would be a device that nobody asked for. */
static int write_state(struct xenbus_device *d, enum xenbus_state s)
{
    char path[STORE_PATH_MAX + 8], was[16];
    uint32_t tx;
    int rc;

    os_format(path, sizeof(path), "%s/state", d->path);
    do {
        int end;

        rc = store_begin(&tx);
        if (rc < 0)
            return rc;
        rc = store_read(tx, path, was, sizeof(was));
        if (rc >= 0)
            rc = store_printf(tx, d->path, "state", "%d", (int)s);
        end = store_end(tx, rc >= 0);
        rc = rc < 0 ? rc : end;
    } while (rc == -XEN_EAGAIN);
    return rc < 0 ? rc : 0;
}

int xenbus_set_state(struct xenbus_device *d, enum xenbus_state s)
{
    int rc;

    if (s == d->state)
        return 0;
    d->writing = true;
    rc = write_state(d, s);
    if (!rc)
        d->state = s;
    d->writing = false;
    return rc;
}

void xenbus_error(struct xenbus_device *d, int err, const char *fmt, ...)
{
    char text[160], dir[STORE_PATH_MAX + 8];
    va_list args;

    va_start(args, fmt);
    os_format_list(text, sizeof(text), fmt, args);
    va_end(args);
    /* A device that the toolstack has just asked for, or takes away again: it waits for this and says it at the prompt. */
    if ((!d->backend || (d->state >= XenbusStateInitWait && d->state < XenbusStateClosing)) && xenbus_may_complain(d))
        os_log("%s: %s\n", d->path, text);
    os_format(dir, sizeof(dir), "error/%s", d->path);
    store_printf(0, dir, "error", "%d %s", err < 0 ? -err : err, text);
}

static struct xenbus_device *find(struct xenbus_driver *drv, uint32_t domid, uint32_t id)
{
    struct xenbus_device *d = drv->devices;

    while (d && (d->id != id || (drv->backend && d->other_domid != domid)))
        d = d->next;
    return d;
}

/* The other end, as our directory names it. -ENOENT: there is no device. */
static int read_other(struct xenbus_device *d)
{
    char node[STORE_PATH_MAX + 16];
    uint64_t domid;
    int rc;

    os_format(node, sizeof(node), "%s/%s", d->path, d->backend ? "frontend" : "backend");
    rc = store_read(0, node, d->other_path, sizeof(d->other_path));
    if (rc <= 0)
        return rc ? rc : -XEN_ENOENT;
    rc = store_read_number(0, d->path, d->backend ? "frontend-id" : "backend-id", &domid);
    if (rc < 0 || domid >= 0x7ff0)
        return rc < 0 ? rc : -XEN_EINVAL;
    d->other_domid = (uint16_t)domid;
    return 0;
}

static void forget(struct xenbus_device *d)
{
    struct xenbus_device **at = &d->driver->devices;

    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    if (d->watching)
        store_watch_remove(&d->state_watch);
    os_free(d);
}

static void let_go(struct xenbus_device *d)
{
    d->driver->remove(d);
    forget(d);
}

static void watch_other(struct xenbus_device *d)
{
    os_format(d->state_watch.path, sizeof(d->state_watch.path), "%s/state", d->other_path);
    d->state_watch.fn = state_changed;
    d->state_watch.arg = d;
    d->watching = store_watch_add(&d->state_watch) == 0;
    d->look = true;
}

/* A device that its driver would not have, or that nobody has taken up yet, and that the toolstack wants gone: it waits for Closed. (One that
 * is Closed and online was left by a driver that was torn down.) */
static bool is_leaving(struct xenbus_device *d)
{
    uint64_t online;

    if (!d->backend || d->state < XenbusStateClosing)
        return false;
    return d->state == XenbusStateClosing || (store_read_number(0, d->path, "online", &online) == 0 && !online);
}

static void appear(struct xenbus_driver *drv, uint32_t domid, uint32_t id)
{
    struct xenbus_device *d = os_alloc(sizeof(*d));
    int rc;

    if (!d)
        return os_log("%s %u: out of memory\n", drv->type, id);
    d->driver = drv;
    d->backend = drv->backend;
    d->id = id;
    if (drv->backend)
        os_format(d->path, sizeof(d->path), "backend/%s/%u/%u", drv->type, domid, id);
    else
        os_format(d->path, sizeof(d->path), "device/%s/%u", drv->type, id);
    rc = read_other(d);
    /* What another domain's directory says of its frontend is the toolstack's word; it must fit the place. */
    if (rc || (drv->backend && d->other_domid != domid))
        return os_free(d);
    d->state = read_state(d->path);
    if (is_leaving(d)) {
        xenbus_set_state(d, XenbusStateClosed);
        return os_free(d);
    }
    d->next = drv->devices;
    drv->devices = d;
    rc = drv->probe(d);
    if (rc)
        return forget(d);
    watch_other(d);
}

/* Went it and came another of its number, faster than we looked? Only a toolstack that makes a device writes Initialising over our
 * state. What the driver knows is of a device that is no more, and its state would never be written. */
static bool is_another(struct xenbus_device *d, enum xenbus_state in_store)
{
    return in_store == XenbusStateInitialising && d->state != XenbusStateInitialising && !d->writing;
}

/* The device that may be there: has it come, gone, or been asked to go? */
static void look_at(struct xenbus_driver *drv, uint32_t domid, uint32_t id)
{
    struct xenbus_device *d = find(drv, domid, id);
    enum xenbus_state state;
    char node[STORE_PATH_MAX];

    if (!d) {
        appear(drv, domid, id);
        return;
    }
    os_format(node, sizeof(node), "%s/%s", d->path, d->backend ? "frontend" : "backend");
    if (store_exists(node) == 0)
        return let_go(d);
    state = read_state(d->path);
    if (is_another(d, state)) {
        let_go(d);
        appear(drv, domid, id);
        return;
    }
    if (!d->backend || d->state >= XenbusStateClosing || state != XenbusStateClosing)
        return;
    d->state = XenbusStateClosing;
    drv->other_changed(d);
}

static void look_at_other(struct xenbus_device *d)
{
    enum xenbus_state s;

    d->look = false;
    s = read_state(d->other_path);
    if (s == d->other_state)
        return;
    d->other_state = s;
    d->driver->other_changed(d);
}

/* ---- all of a driver's ---------------------------------------------------------------------------------- */

#define LIST_SIZE 4096

static void scan_ids(struct xenbus_driver *drv, const char *dir, uint32_t domid)
{
    char *names = os_alloc(LIST_SIZE);
    int n = names ? store_list(0, dir, names, LIST_SIZE) : 0;
    const char *at = names;

    for (int i = 0; i < n; i++, at += __builtin_strlen(at) + 1) {
        const char *number = at;
        uint32_t id;
        if (take_number(&number, &id))
            look_at(drv, domid, id);
    }
    os_free(names);
}

static void scan_domains(struct xenbus_driver *drv)
{
    char *names = os_alloc(LIST_SIZE), dir[STORE_PATH_MAX];
    int n = names ? store_list(0, drv->root_watch.path, names, LIST_SIZE) : 0;
    const char *at = names;

    for (int i = 0; i < n; i++, at += __builtin_strlen(at) + 1) {
        const char *number = at;
        uint32_t domid;
        if (!take_number(&number, &domid))
            continue;
        os_format(dir, sizeof(dir), "%s/%u", drv->root_watch.path, domid);
        scan_ids(drv, dir, domid);
    }
    os_free(names);
}

static void scan(struct xenbus_driver *drv)
{
    struct xenbus_device *next;

    drv->scan = false;
    for (struct xenbus_device *d = drv->devices; d; d = next) {
        next = d->next;
        look_at(drv, d->other_domid, d->id);
    }
    if (drv->backend)
        scan_domains(drv);
    else
        scan_ids(drv, drv->root_watch.path, 0);
}

/* The driver goes; its devices stay in the store, closed, until it comes again. */
static void end_driver(struct xenbus_driver *drv)
{
    struct xenbus_driver **at = &bus.drivers;

    while (drv->devices) {
        struct xenbus_device *d = drv->devices;
        drv->remove(d);
        xenbus_set_state(d, XenbusStateClosed);
        forget(d);
    }
    store_watch_remove(&drv->root_watch);
    while (*at != drv)
        at = &(*at)->next;
    *at = drv->next;
    drv->registered = drv->ending = false;
    os_event_wake(bus.done);
}

static void begin_driver(struct xenbus_driver *drv)
{
    os_format(drv->root_watch.path, sizeof(drv->root_watch.path), "%s/%s", drv->backend ? "backend" : "device", drv->type);
    drv->root_watch.fn = root_changed;
    drv->root_watch.arg = drv;
    drv->registered = true;
    if (store_watch_add(&drv->root_watch))
        os_log("%s: no watch on its devices: those that come later are not seen\n", drv->type);
    mark_all(drv);
}

/* ---- the thread ------------------------------------------------------------------------------------------- */

static bool device_to_look_at(struct xenbus_driver *drv, struct xenbus_device **found)
{
    for (struct xenbus_device *d = drv->devices; d; d = d->next)
        if (d->look && (!*found || d->turn < (*found)->turn))
            *found = d;
    return *found;
}

static bool take_change(void)
{
    struct change c;

    if (!bus.changes)
        return false;
    c = bus.change[0];
    __builtin_memmove(bus.change, bus.change + 1, --bus.changes * sizeof(c));
    for (struct xenbus_driver *drv = bus.drivers; drv; drv = drv->next)
        if (drv == c.driver) {
            look_at(drv, c.domid, c.id);
            break;
        }
    return true;
}

/* One piece of work; false when there is none. Nothing is remembered across a call: drivers may come and go in it. What the toolstack did
 * comes first; of the devices the one that has waited longest, so that a guest that changes its state for ever delays nobody's else. */
static bool work_once(void)
{
    struct xenbus_device *d = 0;

    for (struct xenbus_driver *drv = bus.drivers; drv; drv = drv->next) {
        if (drv->ending)
            return end_driver(drv), true;
        if (!drv->registered)
            return begin_driver(drv), true;
        if (drv->scan)
            return scan(drv), true;
    }
    if (take_change())
        return true;
    for (struct xenbus_driver *drv = bus.drivers; drv; drv = drv->next)
        device_to_look_at(drv, &d);
    if (!d)
        return false;
    d->turn = ++bus.turns;
    look_at_other(d);
    return true;
}

static bool has_work(void *arg)
{
    (void)arg;
    for (struct xenbus_driver *drv = bus.drivers; drv; drv = drv->next) {
        struct xenbus_device *d = 0;
        if (drv->ending || !drv->registered || drv->scan || device_to_look_at(drv, &d))
            return true;
    }
    return bus.changes;
}

static void run(void *arg)
{
    (void)arg;
    for (;;) {
        os_sleep_until(bus.work, has_work, 0, 0);
        while (work_once())
            ;
    }
}

int xenbus_start(void)
{
    if (bus.started)
        return 0;
    if (!bus.work)
        bus.work = os_event_new();
    if (!bus.done)
        bus.done = os_event_new();
    if (!bus.work || !bus.done)
        return -XEN_ENOMEM;
    bus.started = os_thread("xenbus", run, 0) == 0;
    return bus.started ? 0 : -XEN_ENOMEM;
}

/* ---- drivers ------------------------------------------------------------------------------------------------ */

static int enlist(struct xenbus_driver *drv, bool backend)
{
    int rc = xenbus_start();

    if (rc)
        return rc;
    drv->backend = backend;
    drv->devices = 0;
    drv->registered = drv->scan = drv->ending = false;
    drv->next = bus.drivers;
    bus.drivers = drv;
    os_event_wake(bus.work);
    return 0;
}

int xenbus_register_frontend(struct xenbus_driver *drv) { return enlist(drv, false); }
int xenbus_register_backend(struct xenbus_driver *drv) { return enlist(drv, true); }

static bool is_gone(void *arg)
{
    for (struct xenbus_driver *drv = bus.drivers; drv; drv = drv->next)
        if (drv == arg)
            return false;
    return true;
}

void xenbus_unregister_backend(struct xenbus_driver *drv)
{
    if (is_gone(drv))
        return;
    drv->ending = true;
    os_event_wake(bus.work);
    os_sleep_until(bus.done, is_gone, drv, 0);
}
