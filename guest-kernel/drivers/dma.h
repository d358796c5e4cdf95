/* SPDX-License-Identifier: MIT */
/* dma.h: memory as devices see it: by machine address. */
#ifndef NOVICE_DRIVERS_DMA_H
#define NOVICE_DRIVERS_DMA_H

#include "guest-kernel/kernel/base.h"

/* The machine address of something in the direct map; good up to the end of its page. */
static inline uint64_t dma_address(const void *va)
{
    return plat_pfn_to_frame(virt_to_pfn(va)) << PAGE_SHIFT | ((uintptr_t)va & (PAGE_SIZE - 1));
}
/* 2^order pages, zeroed, side by side for the machine as for us; their address in *address. Null: no memory. May sleep. */
void *dma_alloc(unsigned order, uint64_t *address);

#endif
