/* SPDX-License-Identifier: MIT */
/* blkseg.h: a piece of memory of a disk request, as both ends of the split block driver see it. */
#ifndef PV_DRIVERS_BLKSEG_H
#define PV_DRIVERS_BLKSEG_H

#include <stdint.h>

#define PV_SECTOR 512u
#define PV_PAGE   4096u

enum pv_blk_op { PV_BLK_READ, PV_BLK_WRITE, PV_BLK_FLUSH, PV_BLK_DISCARD };

struct pv_blk_seg {
    uint64_t frame;                /* the machine's number of the page                    */
    uint32_t offset, len;          /* within it, multiples of 512; offset + len <= 4096   */
    void    *va;                   /* where it is seen, or null                           */
};

#endif
