/* SPDX-License-Identifier: MIT */
/* mb2.h: what GRUB tells, taken apart. Pure: bytes in, a struct out. */
#ifndef ENSO_MB2_H
#define ENSO_MB2_H

#include <stddef.h>
#include <stdint.h>

#define MB2_BOOT_MAGIC  0x36d76289u
#define MB2_MAX_MODULES 96
#define MB2_MAX_RANGES  128

struct mb2_module { uint64_t start, end; const char *text; };   /* physical, end excluded; text: never NULL */
struct mb2_range  { uint64_t addr, size; uint32_t type; };
struct mb2_info {
    const char *cmdline;                      /* never NULL */
    uint32_t nr_modules, nr_ranges;
    struct mb2_module module[MB2_MAX_MODULES];
    struct mb2_range range[MB2_MAX_RANGES];
    uint32_t rsdp_offset;                     /* of the RSDP's copy in the information; 0: none */
    const char *complaint;                    /* the first thing that was wrong and passed over, or NULL */
};

/* Takes the information apart. Strings in *out point into mbi. 0; or -1 with out->complaint set when nothing in it can be used
 * (its size is impossible). A bad tag is passed over and out->complaint says which kind. Modules that end before they start,
 * wrap, or overlap an earlier one are dropped. */
int mb2_parse(const void *mbi, size_t available, struct mb2_info *out);

#endif
