/* SPDX-License-Identifier: MIT */
/* modline.h: the text behind a module in GRUB's menu: whose kernel or ramdisk it is, and what that domain wants. */
#ifndef ENSO_MODLINE_H
#define ENSO_MODLINE_H

#include <stddef.h>
#include <stdint.h>

#define MODLINE_NAME 32

enum modline_kind {
    MODLINE_POSITIONAL,    /* as on Xen: dom0's kernel, then its ramdisk; the text is the guest's */
    MODLINE_DOMAIN,        /* domain=NAME ...: a kernel */
    MODLINE_RAMDISK,       /* ramdisk=NAME           */
};

struct modline {
    enum modline_kind kind;
    char name[MODLINE_NAME];       /* the domain's */
    char ramdisk[MODLINE_NAME];    /* on a domain's line: whose ramdisk module it uses; "" its own */
    uint64_t memory;               /* bytes, 0: not said */
    uint32_t vcpus;                /* 1 unless said */
    uint32_t weight, cap;          /* 256, 0 unless said */
    const char *cmdline;           /* points into the text; "" when there is none */
};

/* 0; or -1 with one sentence in err that names the key and the known ones. Pure. */
int modline_parse(const char *text, struct modline *out, char *err, size_t err_size);

#endif
