/* SPDX-License-Identifier: MIT */
/* disk.h: from what the configuration names to a block device of dom0's.
 *
 * A block device is taken as it is, an image file becomes a loop device. What is
 * wrong with it is said here, before anything is made: absent, too short, of
 * another format than was said, or in use.                                   */
#ifndef ENSO_DISK_H
#define ENSO_DISK_H

#include "dom0-tools/libenso/config.h"
#include "dom0-tools/libenso/tree.h"

#define DISK_CHAIN 8                   /* an image and what it is an overlay of */

struct disk {
    char     params[40];               /* /dev/nvme0n1p3, /dev/loop0            */
    uint32_t rdev;
    bool     loop;                     /* ours to detach                        */
    bool     writable;
    /* What it rests on: the first as the guest uses it, the rest only read. */
    unsigned uses;
    struct disk_use {
        uint64_t dev, ino;             /* of a file; ino 0: dev is a device's   */
    } use[DISK_CHAIN];
};

/* Looks at it; nothing is made. -1 with a sentence. */
int disk_look(const struct config_disk *c, struct disk *d, struct complaint *why);

/* And makes the loop device if it is a file. Until disk_keep() it ends with this process, however that ends. */
int disk_attach(const struct config_disk *c, struct disk *d, struct complaint *why);
void disk_keep(const struct disk *d);
void disk_detach(struct disk *d);
/* A loop device by its path; tries for a while, since its user may only just be letting go. */
int disk_drop_loop(const char *path);

/* For the backend's node `uses`: "w:8.12 r:8.13". */
void disk_uses_text(const struct disk *d, char *buf, size_t size);
/* How the other uses what the two cannot use together: 'r' or 'w'; 0 if they can. */
char disk_clash(const struct disk *d, const char *uses);

/* Pure: the backing file that a qcow2 header of n bytes names, "" if none; -1 with a sentence if
 * it is no sound header for a file of that size.                             */
int disk_qcow2(const uint8_t *head, size_t n, uint64_t file_size, char *backing, size_t size, struct complaint *why);

#endif
