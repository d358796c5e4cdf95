/* SPDX-License-Identifier: MIT */
/* bzimage.h: where in a Linux bzImage the compressed ELF lies.               */
#ifndef ENSO_BZIMAGE_H
#define ENSO_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-tools/libenso/complaint.h"

#define BZIMAGE_HEAD 0x268      /* so much of the file the functions look at */

bool bzimage_is(const uint8_t *head, size_t n);

/* The payload's place in a file of `size` bytes; -1 with a sentence. */
int bzimage_payload(const uint8_t *head, size_t n, uint64_t size, uint64_t *from, uint64_t *len, struct complaint *why);

#endif
