/* SPDX-License-Identifier: MIT */
/* build.h: from a configuration to a domain that stands, paused, ready to run. */
#ifndef ENSO_BUILD_H
#define ENSO_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "dom0-tools/libenso/config.h"

/* Called now and then during long work; percent is of `what`. False: give up,
 * somebody pressed Ctrl-C.                                                   */
typedef bool build_progress(const char *what, unsigned percent);

struct built {
    uint16_t domid;
    uint64_t console_mfn;
    uint32_t console_port;      /* the guest's own; dom0 may bind to it          */
    uint64_t store_mfn;
    uint32_t store_port;
};

/* Builds it whole or not at all: on -1 nothing of the domain is left, and the
 * sentence says why. `handle` is the domain's UUID. `store`: somebody answers
 * at its store page; a guest that is shown one waits for an answer.          */
int domain_build(const struct config *c, const uint8_t handle[16], bool store, build_progress *progress,
                 struct built *result, struct complaint *why);

#endif
