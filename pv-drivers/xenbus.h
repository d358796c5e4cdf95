/* SPDX-License-Identifier: MIT */
/* xenbus.h: finding split devices in the store, and the state machine that joins a frontend with its backend.
 *
 * A frontend lives at device/<type>/<id> of its domain, a backend at backend/<type>/<frontend's domain>/<id> of its own; each
 * names the other and shows its state in `state`. xenbus.c watches both ends, makes a struct for each device that
 * appears, and calls its driver when the other end's state changes. All calls come in the xenbus thread, one at a time, and may
 * sleep. A toolstack that wants a device gone writes Closing into the backend's state: a connected frontend sees it
 * and closes; the backend's driver gets other_changed too, with d->state Closing, and closes by itself if no frontend ever will.  */
#ifndef PV_DRIVERS_XENBUS_H
#define PV_DRIVERS_XENBUS_H

#include "hypercall-abi/io/xs_wire.h"     /* enum xenbus_state */
#include "pv-drivers/os.h"
#include "pv-drivers/store.h"

struct xenbus_driver;
struct xenbus_device {
    struct xenbus_device       *next;
    struct xenbus_driver       *driver;
    bool                        backend;       /* we are the backend                 */
    uint16_t                    other_domid;
    uint32_t                    id;            /* device number: of vbd 51712, of vif 0 */
    char                        path[STORE_PATH_MAX];        /* our directory        */
    char                        other_path[STORE_PATH_MAX];  /* the other end's      */
    enum xenbus_state           state, other_state;
    void                       *private;       /* the driver's                       */
    struct store_watch          state_watch;   /* from here on xenbus.c's            */
    bool                        watching, look, writing;     /* writing: our state is on its way to the store */
    uint64_t                    turn;          /* when its other end was looked at last */
    unsigned                    complaints;    /* xenbus_may_complain's              */
    uint64_t                    complained_at;
};

struct xenbus_driver {
    const char *type;                                        /* "vbd", "vif", "console" */
    /* A new device: set private, read what is there; -errno: not ours (logged, written to error/). */
    int  (*probe)(struct xenbus_device *d);
    /* The other end is now in d->other_state (called at least once after probe). A frontend whose backend reports Closed while the device
     * stays, and InitWait later, is meant to reconnect: it sees those states here. */
    void (*other_changed)(struct xenbus_device *d);
    /* The device's directory is gone, or the driver is unregistered (backend torn down): let go of everything, at once. */
    void (*remove)(struct xenbus_device *d);
    /* xenbus.c's */
    struct xenbus_driver *next;
    struct xenbus_device *devices;
    struct store_watch    root_watch;
    bool                  backend, registered, scan, ending;
};

/* drv stays. 0 or -errno. Threads only. */
int  xenbus_register_frontend(struct xenbus_driver *drv);
/* Backend drivers can be unregistered (a restart of the backend): each device is removed, its state left at Closed, and
 * registering again probes them anew. */
int  xenbus_register_backend(struct xenbus_driver *drv);
void xenbus_unregister_backend(struct xenbus_driver *drv);
/* Writes our state (in a transaction with nothing else). */
int  xenbus_set_state(struct xenbus_device *d, enum xenbus_state s);
/* Writes error/<path> and logs: the words a user will see by `enso block-list`. */
void xenbus_error(struct xenbus_device *d, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Whether a message about the other end may be printed: the first three, then one a minute, so that a guest that errs as fast as it can
 * does not fill dom0's console (XSA-180). */
static inline bool xenbus_may_complain(struct xenbus_device *d)
{
    uint64_t now = os_now_ns();

    if (d->complaints >= 3 && now - d->complained_at < 60000000000ul)
        return false;
    d->complaints++;
    d->complained_at = now;
    return true;
}
/* Starts the bus's thread once store_init was called. */
int  xenbus_start(void);

#endif
