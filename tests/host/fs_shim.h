/* SPDX-License-Identifier: MIT */
/* fs_shim.h: included before every file of Novice's that the file system test compiles: memory is an array. */
#ifndef FS_SHIM_H
#define FS_SHIM_H

#define pfn_to_virt kernel_pfn_to_virt
#define virt_to_pfn kernel_virt_to_pfn
#include "guest-kernel/platform.h"
#undef pfn_to_virt
#undef virt_to_pfn
extern char host_memory[];
static inline void *pfn_to_virt(uint64_t pfn) { return host_memory + (pfn << PAGE_SHIFT); }
static inline uint64_t virt_to_pfn(const void *va) { return (uint64_t)((const char *)va - host_memory) >> PAGE_SHIFT; }

#endif
