/* SPDX-License-Identifier: MIT */
/* consolefront.c: further consoles of a domain: the first console's page and events, made by us and told by xenbus.
 *
 * The page's grant (ring-ref) and the port stand in the store. SPEC 11.1, 11.4.                                        */
#include "pv-drivers/consolefront.h"

#include "hypercall-abi/errno.h"
#include "hypercall-abi/io/console.h"
#include "pv-drivers/os.h"
#include "pv-drivers/xenbus.h"

struct front {
    struct pv_console console;
    int               ref;
    void             *user;
};

static const struct consolefront_user *user;

static void event(void *arg)
{
    struct front *f = arg;
    if (f->user)
        user->changed(f->user);
}

static int tell(struct xenbus_device *d, const struct front *f)
{
    int rc = store_printf(0, d->path, "ring-ref", "%d", f->ref);
    if (rc >= 0)
        rc = store_printf(0, d->path, "port", "%u", f->console.port);
    return rc < 0 ? rc : xenbus_set_state(d, XenbusStateInitialised);
}

/* Lets go in the order of making, as far as it had come. */
static void undo(struct front *f)
{
    if (f->console.port)
        os_event_close(f->console.port);
    if (f->ref >= 0)
        os_grant_end_and_free((uint32_t)f->ref, f->console.page);
    else if (f->console.page)
        os_page_free(f->console.page);
    os_free(f);
}

static int make(struct front *f, uint16_t domid)
{
    f->console.page = os_page_alloc();
    if (!f->console.page)
        return -XEN_ENOMEM;
    f->ref = os_grant(domid, os_frame(f->console.page), false);
    if (f->ref < 0)
        return f->ref;
    int port = os_event_alloc(domid, event, f);
    if (port < 0)
        return port;
    f->console.port = (uint32_t)port;
    return 0;
}

static int probe(struct xenbus_device *d)
{
    struct front *f = os_alloc(sizeof(*f));
    if (!f)
        return -XEN_ENOMEM;
    f->ref = -1;
    int rc = make(f, d->other_domid);
    if (!rc)
        rc = tell(d, f);
    if (rc) {
        undo(f);
        xenbus_error(d, rc, "no console: error %d", -rc);
        return rc;
    }
    d->private = f;
    f->user = user->added(d->id, &f->console);
    return 0;
}

static void other_changed(struct xenbus_device *d)
{
    struct front *f = d->private;
    if (d->other_state == XenbusStateConnected) {
        xenbus_set_state(d, XenbusStateConnected);
        os_event_send(f->console.port);           /* what was written before anybody listened */
    } else if (d->other_state == XenbusStateClosing || d->other_state == XenbusStateClosed) {
        xenbus_set_state(d, XenbusStateClosed);
    }
}

static void removed(struct xenbus_device *d)
{
    struct front *f = d->private;
    if (f->user)
        user->removed(f->user);
    undo(f);
}

int consolefront_start(const struct consolefront_user *u)
{
    static struct xenbus_driver driver = { .type = "console", .probe = probe, .other_changed = other_changed, .remove = removed };
    user = u;
    return xenbus_register_frontend(&driver);
}
