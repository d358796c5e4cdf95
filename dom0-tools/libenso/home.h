/* SPDX-License-Identifier: MIT */
/* home.h: a domain's home in xenstore, as xl lays it out.
 *
 * /local/domain/ID and /vm/UUID from the domain's birth to its end. The home is
 * dom0's to write and the guest's to read, but for the places where a guest has
 * something to say (control/shutdown, data, error, ...). SPEC 11.4.          */
#ifndef ENSO_HOME_H
#define ENSO_HOME_H

#include "dom0-tools/libenso/config.h"
#include "dom0-tools/libenso/tree.h"

struct home {
    uint16_t domid;
    uint8_t  uuid[16];
    const struct config *config;        /* name, memory, vcpus and more          */
    uint64_t store_mfn, console_mfn;
    uint32_t store_port, console_port;
};

/* Writes the home without its devices, into the transaction t. */
void home_put(struct tree *t, const struct home *h);

/* Tells xenstored to serve the domain. */
int home_introduce(struct xs *x, const struct home *h, struct complaint *why);

/* The end: devices closed, nodes removed, loop devices detached, xenstored told. Waits
 * some seconds for backends. Nothing happens if the home is another domain's by now.
 * Any number of processes may try; what there is, is removed once.           */
void home_remove(struct xs *x, uint16_t domid, const uint8_t uuid[16]);

/* Writes the new name where the old one is. */
int home_rename(struct xs *x, uint16_t domid, const char *name, struct complaint *why);

/* The UUID of the home at domid; false if there is no home. */
bool home_uuid(struct xs *x, uint16_t domid, uint8_t uuid[16]);

#endif
