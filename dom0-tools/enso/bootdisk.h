/* SPDX-License-Identifier: MIT */
/* bootdisk.h: a domain's kernel from its own first disk. */
#ifndef ENSO_BOOTDISK_H
#define ENSO_BOOTDISK_H

#include "dom0-tools/enso/assemble.h"

/* Has bootfrom read the first attached disk; kernel, ramdisk and command line
 * go into p->boot, as files below /run/enso that parts_tidy removes. -1 with a sentence. */
int bootdisk_read(struct parts *p, struct complaint *why);

#endif
