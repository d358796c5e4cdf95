/* SPDX-License-Identifier: MIT */
/* state.h: what dom0 remembers of the domains, and what they are called.
 *
 * /run/enso/ID is one file a domain: a first line of facts that the builder
 * found, then its configuration as the next `create` would read it. The UUID
 * in it tells a record of this domain from one that a dead domain of the same
 * number left behind. Names are asked of the hypervisor first (it knows those
 * of domains made by GRUB too); on Xen, which does not, the records tell.    */
#ifndef ENSO_STATE_H
#define ENSO_STATE_H

#include <stdbool.h>

#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/config.h"

#define STATE_DIR "/run/enso"

struct record {
    uint8_t  handle[16];
    uint64_t created;           /* seconds since 1970                            */
    uint64_t console_mfn;
    uint32_t console_port;
    struct config config;
};

/* The text of a record and back; pure. -1: too long, or not a record. */
int record_write(const struct record *r, char *buf, size_t size);
int record_parse(struct record *r, const char *text, size_t len);

int  state_save(uint16_t domid, const struct record *r);
bool state_load(const struct xen_domctl_getdomaininfo *info, struct record *r);
void state_forget(uint16_t domid);

/* All domains, in the order of their numbers; *list is to be freed. The number
 * of them, or -1 with a sentence.                                            */
int state_domains(struct xen_domctl_getdomaininfo **list, struct complaint *why);

void state_name(const struct xen_domctl_getdomaininfo *info, char name[32]);

/* The domain that a word means: a number or a name. -1 with a sentence that
 * suggests a near miss.                                                      */
int state_find(const char *word, struct xen_domctl_getdomaininfo *info, struct complaint *why);

/* Tells ensod, if it is there: "new 3", "attach 3". False if it is not. */
bool state_tell(const char *what, uint16_t domid);
bool state_tell_console(const char *what, uint16_t domid, unsigned console);

#endif
