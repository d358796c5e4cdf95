/* SPDX-License-Identifier: MIT */
/* layout.h: where things lie in a new domain's memory. Pure arithmetic. SPEC 3.2. */
#ifndef ENSO_LAYOUT_H
#define ENSO_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/boot/elf.h"

/* PFNs, each area with its number of frames; PFN n is mapped at virt_base + n * 4096, up to `mapped`. */
struct layout {
    uint64_t virt_base;
    uint64_t ramdisk, nr_ramdisk;
    uint64_t p2m, nr_p2m;              /* the list's data */
    uint64_t p2m_tables, nr_p2m_tables;    /* tables that map it at p2m_virt, when the kernel named a place */
    uint64_t p2m_virt;
    bool     p2m_apart;                /* p2m_virt lies outside the linear part */
    uint64_t start_info, store, console;
    uint64_t tables, nr_tables;        /* the first is the L4 */
    uint64_t stack;
    uint64_t mapped;                   /* 4 MiB aligned, at least 512 KiB behind the stack */
};

/* 0, or -1 with *why when the kernel, its ramdisk and the rest do not fit into frames. */
int layout_make(const struct elf_image *elf, size_t ramdisk_size, uint64_t frames, struct layout *l, const char **why);

#endif
