/* SPDX-License-Identifier: MIT */
/* patch.c: stac and clac become NOPs on a CPU without SMAP (pitfalls A15).                              [read 7]
 *
 * The text is mapped read-only already; its frames are still writable through the direct map until
 * hypmap_seal(), and nothing else runs yet.                                                      */
#include "hypervisor/x86/patch.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/cpu.h"

extern const uint64_t __smap_sites_start[], __smap_sites_end[];

void patch_smap_sites(void)
{
    static const uint8_t nop3[3] = { 0x0f, 0x1f, 0x00 };

    if (cpu_features.smap)
        return;
    for (const uint64_t *site = __smap_sites_start; site < __smap_sites_end; site++)
        memcpy(image_alias((const void *)*site), nop3, sizeof(nop3));
}
