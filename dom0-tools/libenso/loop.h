/* SPDX-License-Identifier: MIT */
/* loop.h: an image file as a block device of dom0's, /dev/loopN. */
#ifndef ENSO_LOOP_H
#define ENSO_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "dom0-tools/libenso/complaint.h"

/* Its path into dev; -1 with a sentence. It ends with this process unless loop_keep() makes it stay. */
int loop_attach(const char *file, bool qcow2, bool writable, char *dev, size_t size, struct complaint *why);
int loop_keep(const char *dev);
int loop_detach(const char *dev);                  /* 0 or -errno; -EBUSY while somebody has it open */

#endif
