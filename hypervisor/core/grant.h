/* SPDX-License-Identifier: MIT */
/* grant.h: grant tables, version 1: a domain lends a frame to another. SPEC 7. */
#ifndef ENSO_GRANT_H
#define ENSO_GRANT_H

#include "hypervisor/model.h"

int  grant_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack);
/* Releases d's mappings of others' frames (teardown), preemptible: 0 or -ERESTART. */
int  grant_release_mappings(struct domain *d);
void grant_free(struct domain *d);
/* For builders: entry ref of d grants mfn (as the domain's own frame number) to `to`. */
int  grant_seed(struct domain *d, uint32_t ref, mfn_t m, domid_t to);
void grant_dump(struct domain *d);
/* For the audit: calls fn for each frame reference that d's map-track holds. */
void grant_for_each_mapping(struct domain *d, void (*fn)(void *arg, mfn_t m, bool writable, unsigned count), void *arg);

#endif
