/* SPDX-License-Identifier: MIT */
/* guestcons.h: consoles: what guests print, and where typed bytes go.
 *
 * Guests' bytes (console_io, and console rings of domains that nobody else drains) are cut into lines, control bytes escaped, and
 * each line gets its domain's name in front, so that no guest can forge a line of Enso's. dom0's own console is passed
 * through byte for byte while it has the input, except that a line can never begin with "(enso) ".
 * Ctrl-O three times turns the input to the next of: dom0, debug keys, and in debug builds each other domain.                     */
#ifndef ENSO_GUESTCONS_H
#define ENSO_GUESTCONS_H

#include "hypervisor/model.h"

/* From console_io write: n bytes already copied. No lock held. */
void guestcons_write(struct domain *d, const char *bytes, size_t n);
/* A byte from the serial port (IF=0, no lock held). */
void guestcons_receive(uint8_t byte, uint64_t tsc_stamp);
size_t guestcons_read(struct domain *d, char *buf, size_t n);    /* console_io read: dom0's share of the input */
/* d->console_mfn and console_port are set, by a builder or set_console. The ring's frame is referenced on first use. */
void guestcons_ring_event(struct domain *d);                     /* the guest sent on its console port, which nobody has bound */
void guestcons_flush(struct domain *d);                          /* an unfinished line, at death */
void guestcons_drop_ring(struct domain *d);                      /* teardown: the frame goes back; also before another is named */
void guestcons_free(struct domain *d);
/* The echo stamps of acceptance 4: ns from receive interrupt to first byte dom0 wrote since; of the last 32, newest first. */
unsigned guestcons_echo_times(uint64_t *ns, unsigned max);

/* guestcons_input.c: does d have the input now? */
bool guestcons_has_input(const struct domain *d);
void guestcons_echoed(void);                                     /* dom0 wrote */
/* guestcons.c: a typed byte for d's ring. */
void guestcons_ring_type(struct domain *d, char byte);

/* Host-tested. Writes byte c as a guest's line shows it; the length, at most 4. */
unsigned guestcons_escape(char *out, char c);
/* dom0's bytes, of which none may begin a line with "(enso) ": `matched` bytes of that prefix are held back. Writes to out (at most
 * n + 16 bytes) what can go out now; returns its length. */
struct console_guard { uint8_t matched; bool mid_line; };
size_t guestcons_guard(struct console_guard *g, char *out, const char *in, size_t n);

#endif
