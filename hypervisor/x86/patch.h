/* SPDX-License-Identifier: MIT */
/* patch.h: the one time that Enso writes its own text. */
#ifndef ENSO_PATCH_H
#define ENSO_PATCH_H

/* Without SMAP, stac and clac are undefined instructions: every listed site becomes a 3-byte NOP. Boot, before
 * the first access to guest memory and before hypmap_seal(). */
void patch_smap_sites(void);

#endif
