/* SPDX-License-Identifier: MIT */
/* blockfile.h: the inode behind a block device, in which its pages are cached. */
#ifndef NOVICE_BLOCKFILE_H
#define NOVICE_BLOCKFILE_H

#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/fs.h"

/* d->inode, made when first wanted; no new reference. Null without memory. */
struct inode *block_inode(struct blkdev *d);
/* The device goes: its pages too. */
void block_inode_drop(struct blkdev *d);

/* regular.c: through the cache. */
long cached_read(struct inode *i, uptr_t buf, size_t n, uint64_t *pos);
long cached_write(struct inode *i, uptr_t buf, size_t n, uint64_t *pos);

#endif
