/* SPDX-License-Identifier: MIT */
/* elf.h: what the domain builder has to know of a paravirtual kernel's ELF.  */
#ifndef ENSO_ELF_H
#define ENSO_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "dom0-tools/builder/image.h"

#define ELF_SEGMENTS 16

struct elf_segment {
    uint64_t offset, filesz;   /* in the image                                   */
    uint64_t start, memsz;     /* bytes above virt_base, where it goes           */
};

/* Segments are sorted by their place in the image and do not overlap in memory. */
struct elf_kernel {
    unsigned segments;
    struct elf_segment segment[ELF_SEGMENTS];
    uint64_t start, end;       /* the lowest and highest byte above virt_base     */
    uint64_t virt_base, entry;
    uint64_t hypercall_page;   /* virtual                                        */
    uint64_t init_p2m;         /* virtual                                        */
    bool has_hypercall_page, has_init_p2m;
    bool mod_start_pfn;        /* the ramdisk may be left unmapped               */
    char guest_os[32], guest_version[32];
};

/* Reads headers and notes. Whatever is wrong is one sentence that starts with
 * the image's path; nothing is read past what the headers name.              */
int elf_read(struct elf_kernel *k, struct image *im, struct complaint *why);

#endif
