/* SPDX-License-Identifier: MIT */
/* dma.c: memory that lies in one piece for a device too. */
#include "guest-kernel/drivers/dma.h"
#include "guest-kernel/kernel/page.h"

void *dma_alloc(unsigned order, uint64_t *address)
{
    void *block = pages_alloc(order);
    if (!block)
        return 0;
    if (order && plat_make_contiguous(block, order)) {
        pages_free(block);
        return 0;
    }
    if (order)
        memset(block, 0, PAGE_SIZE << order);       /* other memory than pages_alloc cleared */
    *address = dma_address(block);
    return block;
}
