/* SPDX-License-Identifier: MIT */
/* device.h: split devices in xenstore: the two directories that make one.
 *
 * dom0 has the backends. A device is put in one transaction, with its backend
 * in state Initialising; the kernels at both ends walk on from there. Closing is
 * asked for the same way. SPEC 11.4 has the nodes.                           */
#ifndef ENSO_DEVICE_H
#define ENSO_DEVICE_H

#include "dom0-tools/libenso/config.h"
#include "dom0-tools/libenso/disk.h"
#include "dom0-tools/libenso/tree.h"
#include "hypercall-abi/io/xs_wire.h"

#define DEVICE_PATIENCE 10000u        /* ms that a backend may take           */

/* "vbd", "vif" or "console": of the frontend's domain, a number within it. */
struct device {
    const char *type;
    uint16_t    domid;
    uint32_t    id;
};

void device_front(const struct device *d, char *buf, size_t size);
void device_back(const struct device *d, char *buf, size_t size);

/* Within a transaction; they refuse what another domain uses already. */
void device_put_vbd(struct tree *t, uint16_t domid, const struct config_disk *c, const struct disk *ready);
/* Makes the disk a device of dom0's (disk_attach), unless a domain uses it already: the sentence names who. */
int device_attach_disk(struct xs *x, const struct config_disk *c, struct disk *d, struct complaint *why);
/* Before a card is put: its address is free and its bridge there, or a sentence. */
int device_look_vif(struct xs *x, const struct config_vif *c, struct complaint *why);
void device_put_vif(struct tree *t, uint16_t domid, uint32_t id, const struct config_vif *c);
/* An address from Xen's own range, unless it has one; it stays with the domain over restarts. */
void config_vif_address(struct config_vif *v);
void device_put_console(struct tree *t, uint16_t domid, uint32_t id);

bool device_exists(struct xs *x, const struct device *d);

/* Until the backend (or, if `front`, the frontend) has come as far as `state`: 0. An
 * error that was noted, or no answer in ms: -1 with a sentence.              */
int device_wait(struct xs *x, const struct device *d, bool front, enum xenbus_state state, unsigned ms, struct complaint *why);

/* Asks the backend to close; removes both directories; a loop device behind it is let go. */
int  device_close(struct xs *x, const struct device *d, struct complaint *why);
int  device_remove(struct xs *x, const struct device *d, struct complaint *why);

/* What the kernel at either end noted about it; "" if nothing. */
void device_error(struct xs *x, const struct device *d, char *buf, size_t size);

/* Calls one() for each device of that type a domain has; stops when it returns non-zero. */
int devices_each(struct tree *t, const char *type, uint16_t domid, int (*one)(struct tree *t, const struct device *d, void *arg),
                 void *arg);

/* All of a domain's devices: asked to close and waited for; then, within a transaction, removed. */
struct device_leftovers {
    unsigned loops;
    char     loop[CONFIG_DISKS][40];
};
void devices_close(struct xs *x, uint16_t domid);
void devices_take_away(struct tree *t, uint16_t domid, struct device_leftovers *left);
void device_drop_loops(const struct device_leftovers *left);

const char *device_state_name(unsigned state);

#endif
