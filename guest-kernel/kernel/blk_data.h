/* SPDX-License-Identifier: MIT */
/* blk_data.h: the inode behind a block device, in which its pages are cached. */
#ifndef NOVICE_BLK_DATA_H
#define NOVICE_BLK_DATA_H

#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/fs.h"

/* d->inode, made when first wanted; no new reference. Null without memory. */
struct inode *block_inode(struct blkdev *d);
/* The device goes: its pages too. */
void block_inode_drop(struct blkdev *d);

/* Reads and writes of an open /dev/NAME whose file's inode is the device's: through the cache, or with O_DIRECT without. */
long block_data_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos);
long block_data_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos);

/* regular.c: through the cache. */
long cached_read(struct inode *i, uptr_t buf, size_t n, uint64_t *pos);
long cached_write(struct inode *i, uptr_t buf, size_t n, uint64_t *pos);

#endif
