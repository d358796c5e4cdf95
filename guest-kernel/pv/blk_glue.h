/* SPDX-License-Identifier: MIT */
/* blk_glue.h: virtual disks, at both ends. */
#ifndef NOVICE_PV_BLK_GLUE_H
#define NOVICE_PV_BLK_GLUE_H

void pv_blk_boot(void);            /* blkfront for everybody, blkback in dom0 */
void pv_blk_settle(void);          /* a guest waits for the disks that it was made with; sleeps */

#endif
