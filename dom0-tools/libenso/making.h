/* SPDX-License-Identifier: MIT */
/* making.h: a domain that is being made says by whom, so that no half-made one outlives its maker.
 *
 * STATE_DIR/making-PID-UUID is a FIFO that the maker holds open for writing until the domain stands; ensod holds the
 * other end. A hang-up while the name is still there means that the maker died, and ensod takes away what it had made.  */
#ifndef ENSO_MAKING_H
#define ENSO_MAKING_H

#include <stdbool.h>
#include <stdint.h>

#include "dom0-tools/libenso/complaint.h"

int  making_begin(const uint8_t uuid[16], struct complaint *why);
void making_end(void);                       /* it stands, or all of it is gone again */

/* What such a name in STATE_DIR says; false: it is not one. */
bool making_parse(const char *name, unsigned *pid, uint8_t uuid[16]);

#endif
