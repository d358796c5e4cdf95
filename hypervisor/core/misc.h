/* SPDX-License-Identifier: MIT */
/* misc.h: what boot tells misc.c. */
#ifndef ENSO_MISC_H
#define ENSO_MISC_H

/* The boot line, for XENVER_commandline (dom0 only). */
extern const char *hypervisor_command_line;

#endif
