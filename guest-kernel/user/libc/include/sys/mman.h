/* SPDX-License-Identifier: MIT */
/* sys/mman.h: memory by the page. */
#ifndef _NOVICE_SYS_MMAN_H
#define _NOVICE_SYS_MMAN_H

#include <sys/types.h>
#include "guest-kernel/uapi/mman.h"

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int   munmap(void *address, size_t length);
int   mprotect(void *address, size_t length, int protection);

#endif
