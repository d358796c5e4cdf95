/* SPDX-License-Identifier: MIT */
/* guestcons.h: consoles: what guests print, and where typed bytes go.
 *
 * Guests' bytes (console_io, and console rings of domains that the hypervisor drains) are cut into lines, control bytes escaped, and
 * each line gets its domain's name in front, so that no guest can forge a line of Enso's. dom0's own console is passed
 * through byte for byte while it has the input, except that a line can never begin with "(enso) ". */
#ifndef ENSO_GUESTCONS_H
#define ENSO_GUESTCONS_H

#include "hypervisor/model.h"

/* From console_io write: n bytes already copied. */
void guestcons_write(struct domain *d, const char *bytes, size_t n);
/* A byte from the serial port (IF=0). Ctrl-A three times (or console switch key) turns the input to the next of: dom0, debug keys, [debug build] domains. */
void guestcons_receive(uint8_t byte, uint64_t tsc_stamp);
size_t guestcons_read(struct domain *d, char *buf, size_t n);    /* console_io read, and dom0's share */
/* Domains without a dom0: drains v's console ring when its event arrives; also feeds input to it. */
void guestcons_ring_event(struct domain *d);
void guestcons_flush(struct domain *d);                          /* an unfinished line, at death */
/* The echo stamp of acceptance 4: ns from receive interrupt to first byte dom0 wrote since; kept as a list of the last 32. */
unsigned guestcons_echo_times(uint64_t *ns, unsigned max);

#endif
