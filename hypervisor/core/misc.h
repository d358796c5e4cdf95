/* SPDX-License-Identifier: MIT */
/* misc.h: what boot tells misc.c, and the page through which a guest calls. */
#ifndef ENSO_MISC_H
#define ENSO_MISC_H

#include "hypervisor/model.h"

/* The boot line, for XENVER_commandline (dom0 only). */
extern const char *hypervisor_command_line;

/* Writes the hypercall page into a frame that d may write. -EINVAL: it is none. */
int hypercall_page_give(struct domain *d, uint64_t frame);

#endif
