/* SPDX-License-Identifier: MIT */
/* options.h: Enso's own words on GRUB's multiboot2 line. */
#ifndef ENSO_OPTIONS_H
#define ENSO_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct boot_options {
    uint16_t console_port;       /* 0x3f8, 0x2f8; 0: none       */
    int loglvl, guest_loglvl;    /* enum log_level              */
    char sched[16];
    uint64_t dom0_mem;           /* bytes; 0: not said          */
    uint32_t maxcpus;            /* 64 unless said              */
    bool noreboot;
    bool debugexit;              /* end QEMU by isa-debug-exit  */
};
extern struct boot_options boot_options;

/* Reads the words of line. Those that are unknown or make no sense are told to complain and passed over. Pure. */
void options_parse(const char *line, struct boot_options *o, void (*complain)(const char *word));

#endif
