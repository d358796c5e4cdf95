/* SPDX-License-Identifier: MIT */
/* image_loop.h: disk images as block devices. */
#ifndef NOVICE_IMAGE_LOOP_H
#define NOVICE_IMAGE_LOOP_H

#include <stddef.h>

void   loop_boot(void);                      /* /dev/loop-control */
size_t loops_list(char *buf, size_t size);   /* /proc/loops: name, format, ro or rw, path, bytes */

#endif
