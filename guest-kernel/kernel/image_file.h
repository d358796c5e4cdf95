/* SPDX-License-Identifier: MIT */
/* image_file.h: opening the file of a disk image. */
#ifndef NOVICE_IMAGE_FILE_H
#define NOVICE_IMAGE_FILE_H

#include <stdbool.h>

#define LOOP_NAME 256

struct image_file;
/* 0, or -errno and a sentence (IMAGE_WHY bytes) in why. */
int image_file_open(const char *path, bool read_only, struct image_file **out, char *why);

#endif
