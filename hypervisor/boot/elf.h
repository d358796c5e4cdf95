/* SPDX-License-Identifier: MIT */
/* elf.h: a PV kernel's image: where it wants to lie and how it starts. Pure: bytes in, a struct out. */
#ifndef ENSO_ELF_H
#define ENSO_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_SEGMENTS 32
#define ELF_UNSET        (~0UL)

struct elf_segment { uint64_t offset, file_size, virt, mem_size; };
struct elf_image {
    uint64_t entry;                /* virtual addresses, all of them           */
    uint64_t virt_base;            /* of PFN 0                                 */
    uint64_t start, end;           /* what the segments span                   */
    uint64_t hypercall_page;       /* ELF_UNSET: none                          */
    uint64_t init_p2m;             /* ELF_UNSET: after the ramdisk             */
    uint32_t nr_segments;
    struct elf_segment segment[ELF_MAX_SEGMENTS];
};

/* Takes the image apart. 0; or -1 and *why is a sentence's second half ("is cut off in its program headers"). What *out says
 * is checked: segments lie in the file, do not wrap, touch the hypervisor's addresses or one another, and lie above virt_base; entry and
 * hypercall page lie inside. */
int elf_parse(const void *image, size_t size, struct elf_image *out, const char **why);

#endif
