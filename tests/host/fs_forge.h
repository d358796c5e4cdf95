/* SPDX-License-Identifier: MIT */
/* fs_forge.h: an image of ext2, and where in it an attacker would change something. */
#ifndef FS_FORGE_H
#define FS_FORGE_H

#include "guest-kernel/fs/ext2.h"

#define FORGE_PLACES 4096

struct forge {
    uint8_t *clean;
    size_t   size;
    unsigned block;                                  /* bytes */
    uint32_t inode[FORGE_PLACES];                    /* offsets of records in use, and some that are not */
    unsigned inodes;
    uint32_t dir[FORGE_PLACES], table[FORGE_PLACES]; /* offsets of blocks: of directories, of pointers */
    unsigned dirs, tables;
    uint32_t log[FORGE_PLACES];                      /* of the journal's blocks: the superblock first */
    unsigned logs;
};

struct forge *forge_new(void *image, size_t size);   /* takes the bytes over */
void forge_one(struct forge *f);                     /* changes one thing on the disk */

#endif
