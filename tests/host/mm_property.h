/* SPDX-License-Identifier: MIT */
/* mm_property.h: between the dice of mm_property.c and those of mm_grants.c. */
#ifndef MM_PROPERTY_H
#define MM_PROPERTY_H

#include "hypervisor/model.h"

#define DOMAINS  3                     /* d0 is privileged */
#define FIRST    8UL                   /* frames of the machine */
#define END      340UL

extern struct domain *dom[DOMAINS];

void fail(const char *what, uint64_t m);
static inline unsigned rnd(unsigned n) { return host_random() % n; }
/* A frame number: mostly one of d's, sometimes somebody's, sometimes none. */
uint64_t some_frame(struct domain *d);
uint64_t idle_frame(struct domain *d);                  /* one that d holds no reference on, or any */
uint64_t typed_frame(struct domain *d, uint64_t type, uint64_t flag);
uint64_t some_va(void);
uint64_t some_slot(void);

/* mm_grants.c */
void try_grants(struct vcpu *v);
/* Every entry by which an unprivileged domain reaches another's frame stands on a grant in use that allows just that. */
void check_grants(void);
/* d has a present writable entry for frame m in a table that counts. */
bool maps_writable(const struct domain *d, uint64_t m);
bool maps(const struct domain *d, uint64_t m);          /* or any */
/* m is lent to `to`, by an entry in use. */
bool lent(const struct domain *to, uint64_t m, bool write);
extern uint64_t grants_mapped, grants_ended, grants_copied, foreign_entries;

#endif
