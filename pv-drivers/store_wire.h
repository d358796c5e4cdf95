/* SPDX-License-Identifier: MIT */
/* store_wire.h: what lies between store.c, which speaks of paths and values, and store_ring.c, which carries messages.
 *
 * A kernel that lets its programs talk to the store themselves (Novice's /dev/xen/xenbus) sends their messages here too. */
#ifndef PV_DRIVERS_STORE_WIRE_H
#define PV_DRIVERS_STORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_part { const void *data; size_t len; };

/* One request of type with the parts as its payload; sleeps until the answer is there. Its payload goes to buf, cut at size;
 * *type becomes the answer's. The payload's whole length, or -errno if nothing was sent. */
int  store_call(uint32_t *type, uint32_t tx, const struct store_part *part, unsigned parts, char *buf, size_t size);
/* As store_call; an answer XS_ERROR becomes -errno. */
int  store_ask(uint32_t type, uint32_t tx, const struct store_part *part, unsigned parts, char *buf, size_t size);
/* store_ring.c: called for each watch event, in the store's own thread. path and token end in zeros. */
void store_event(const char *path, const char *token);

#endif
