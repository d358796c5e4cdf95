/* SPDX-License-Identifier: MIT */
/* misc.h: what boot tells misc.c. */
#ifndef ENSO_MISC_H
#define ENSO_MISC_H

/* The boot line, for XENVER_commandline (dom0 only). */
extern char hypervisor_command_line[1024];

#endif
