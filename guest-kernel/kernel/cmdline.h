/* SPDX-License-Identifier: MIT */
/* cmdline.h: what main.c needs of the boot line besides base.h's questions. */
#ifndef NOVICE_CMDLINE_H
#define NOVICE_CMDLINE_H

#include "guest-kernel/kernel/base.h"

void cmdline_set(const char *text);
/* The next word at *at, which moves on, and its length; null after the last. */
const char *cmdline_next(const char **at, size_t *n);

#endif
