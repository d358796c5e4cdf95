/* SPDX-License-Identifier: MIT */
/* ext2.h: files out of an ext2 (or ext3, or plain ext4) file system, read only.
 *
 * The file system is a stranger's. Numbers from it are used only after a check
 * against what they index; chains (symbolic links, directories, trees of
 * extents) have a greatest length; and volume.c bounds all reading.          */
#ifndef ENSO_BOOT_EXT2_H
#define ENSO_BOOT_EXT2_H

#include "dom0-tools/bootloader/volume.h"

#define EXT2_NAME 255

struct ext2 {
    struct volume *v;
    struct extent  where;
    uint32_t block_size, inodes, inodes_per_group, inode_size, group_desc_size;
    uint64_t blocks, first_block, group_table;
    uint32_t groups;
    bool     wide;                       /* 64-bit group descriptors             */
};

struct ext2_file {
    uint32_t ino;
    uint16_t mode;
    uint64_t size;
    uint32_t flags;
    uint8_t  block[60];                  /* the inode's map, as it stands        */
};

/* False if there is no ext2 that we can read. */
bool ext2_open(struct ext2 *fs, struct volume *v, const struct extent *where);

/* By its path from the root; symbolic links are followed. */
bool ext2_find(struct ext2 *fs, const char *path, struct ext2_file *f);

/* n bytes at off; holes are zeroes; false past the end or if the map is broken. */
bool ext2_read(struct ext2 *fs, const struct ext2_file *f, uint64_t off, void *buf, size_t n);

bool ext2_is_file(const struct ext2_file *f);

/* Calls one() for each name in a directory until it returns true. */
bool ext2_list(struct ext2 *fs, const char *path, bool (*one)(void *arg, const char *name), void *arg);

#endif
