/* SPDX-License-Identifier: MIT */
/* build_domain.h: one domain out of a kernel image, as Xen's PV start of day has it. */
#ifndef ENSO_BUILD_DOMAIN_H
#define ENSO_BUILD_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;
struct domain_plan {
    const char *name;
    bool privileged;                   /* dom0: domain number 0, the machine's console */
    bool store;                        /* there is a dom0 to keep a store: the domain gets a page and a port for it */
    const void *kernel, *ramdisk;      /* in the direct map; ramdisk may be NULL */
    size_t kernel_size, ramdisk_size;
    uint64_t frames;                   /* of memory */
    uint32_t vcpus, weight, cap;
    const char *cmdline;
};

/* Builds the domain, paused. NULL: *why is a sentence's second half, and nothing is left of it. */
struct domain *build_domain(const struct domain_plan *plan, const char **why);

#endif
