/* SPDX-License-Identifier: MIT */
/* assemble.h: what a new domain has besides memory: disks, cards, its home in
 * xenstore, and a kernel found on its first disk.                            */
#ifndef ENSO_ASSEMBLE_H
#define ENSO_ASSEMBLE_H

#include "dom0-tools/builder/build.h"
#include "dom0-tools/libenso/disk.h"
#include "dom0-tools/libenso/home.h"

struct parts {
    struct config *config;             /* cards without an address get one here  */
    struct xs     *xs;                 /* NULL: no xenstore, and none needed     */
    uint8_t        uuid[16];
    bool           at_home;            /* the home is written: home_remove undoes */
    uint16_t       domid;
    unsigned       attached;
    struct disk    disk[CONFIG_DISKS];
    struct config  boot;               /* the configuration as the builder gets it */
    char           kernel[80], ramdisk[80];   /* files that came from the disk, "" if not */
};

/* Before anything is built: xenstore is there if it is needed, the disks are
 * sound and attached, addresses are chosen, the kernel is found. -1 with a
 * sentence; parts_undo() then clears up.                                     */
int parts_prepare(struct parts *p, struct complaint *why);

/* After the domain is built, before it runs: its home and devices; waits for the backends. */
int parts_settle(struct parts *p, const struct built *b, struct complaint *why);

/* Takes back what was done so far. */
void parts_undo(struct parts *p);
/* The end of the building, however it went: temporary files. */
void parts_tidy(struct parts *p);

#endif
