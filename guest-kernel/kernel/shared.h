/* SPDX-License-Identifier: MIT */
/* shared.h: anonymous memory that several processes share, and its way to swap and back; see shared.c. */
#ifndef NOVICE_SHARED_H
#define NOVICE_SHARED_H

#include "guest-kernel/kernel/base.h"

struct inode;
struct swap_area;

/* Memory of so many bytes as an inode without a name (mmap's MAP_SHARED | MAP_ANONYMOUS), or null. */
struct inode *shared_memory(uint64_t size);
bool   is_shared_memory(const struct inode *i);
/* Puts up to `pages` of them that nobody maps on their way to swap: how many. Does not sleep. */
size_t shared_evict(size_t pages);
/* swapoff: takes back what is in memory of the area's slots. Does not sleep. */
void   shared_restore(const struct swap_area *area);

#endif
