/* SPDX-License-Identifier: MIT */
/* boot_host.h: cmocka with what it wants included, and the functions of lib/string.h that a host lacks. */
#ifndef BOOT_HOST_H
#define BOOT_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* A pseudo-random number, the same in every run. */
uint32_t host_random(void);
/* n bytes that end where readable memory ends: one byte further is a fault that ASan names. free() it. */
void *host_copy(const void *p, size_t n);

#endif
