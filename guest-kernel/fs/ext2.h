/* SPDX-License-Identifier: MIT */
/* ext2.h: what lies on the disk, and what the files of the ext2 driver share.
 *
 * Metadata (bitmaps, inode tables, directories, indirect blocks) is changed in memory, in struct buf, under the one lock of
 * the file system, and reaches the disk only by a commit, which takes all changes since the last one together. With a journal
 * (as ext3 has it; mke2fs -j) the commit is written there first, and a cut of power leaves the whole of it or nothing. Without
 * one its parts are written in an order that e2fsck -p can always repair (ext2_commit.c).
 *
 * E1  Whoever changes metadata holds fs->lock, from a state that is consistent to one that is.
 * E2  A block or an inode that was freed is used again only after the commit that freed it: until then it is `pending`.
 * E3  A buf that is dirty is in memory, and no commit is under way while it changes (the commit holds fs->lock).
 * E4  ext2_map takes no lock: it reads pointers only, and looks again after each sleep. Blocks that a transfer is using
 *     are not freed, since who frees them drops the pages first, which waits for the transfer.
 * E5  What an image says is believed only as far as it was checked, where it is used: it may have been written to harm us. A block
 *     of pointers, of a directory, or one newly given is never one of the file system's own tables (ext2_own); directories in
 *     memory form a tree.                                          */
#ifndef NOVICE_EXT2_H
#define NOVICE_EXT2_H

#include "guest-kernel/kernel/cache.h"

#define EXT2_MAGIC      0xef53
#define EXT2_ROOT_INO   2
#define EXT2_NAME_MAX   255
#define EXT2_DIRECT     12
#define EXT2_POINTERS   15
#define EXT2_LINK_MAX   32000
#define EXT2_FAST_LINK  60                   /* a shorter target stands in the inode itself */
#define EXT2_INDEX_FL   0x1000               /* a directory has a tree of hashes, which we do not keep up */
#define EXT2_STATE_CLEAN 1
#define COMPAT_JOURNAL   0x4
#define INCOMPAT_FILETYPE 0x2
#define INCOMPAT_RECOVER 0x4
#define RO_COMPAT_SPARSE 0x1
#define RO_COMPAT_LARGE  0x2

struct ext2_super {
    uint32_t inodes, blocks, reserved_blocks, free_blocks, free_inodes, first_block, log_block_size, log_frag_size;
    uint32_t blocks_per_group, frags_per_group, inodes_per_group, mount_time, write_time;
    uint16_t mounts, max_mounts, magic, state, errors, minor;
    uint32_t last_check, check_interval, creator, revision;
    uint16_t def_uid, def_gid;
    uint32_t first_ino;
    uint16_t inode_size, group_nr;
    uint32_t compat, incompat, ro_compat;
    uint8_t  uuid[16];
    char     label[16], last_mounted[64];
    uint32_t algorithm;
    uint8_t  prealloc, prealloc_dir;
    uint16_t reserved_gdt;
    uint8_t  journal_uuid[16];
    uint32_t journal_ino, journal_dev, last_orphan;
    uint32_t rest[197];
};
_Static_assert(sizeof(struct ext2_super) == 1024, "");

struct ext2_group {
    uint32_t block_bitmap, inode_bitmap, inode_table;
    uint16_t free_blocks, free_inodes, dirs, pad;
    uint32_t reserved[3];
};

struct ext2_inode {
    uint16_t mode, uid;
    uint32_t size, atime, ctime, mtime, dtime;
    uint16_t gid, links;
    uint32_t blocks, flags, version, block[EXT2_POINTERS], generation, file_acl, size_high, frag;
    uint16_t frag2, pad, uid_high, gid_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct ext2_inode) == 128, "");

struct ext2_dirent {
    uint32_t ino;
    uint16_t rec_len;
    uint8_t  name_len, type;
    char     name[];
};

/* A block of metadata in memory. */
struct buf {
    struct list link;                        /* clean: fs->clean, by age; dirty: fs->dirty */
    struct buf *chain;
    uint32_t    block;
    unsigned    refs;
    bool        dirty, reading, fresh, failed;   /* fresh: allocated since the last commit */
    bool        table;                       /* of inodes, of bits, of groups: see the order of ext2_commit.c */
    bool        bits;
    uint8_t    *data;
};

struct journal {
    uint32_t *block;                         /* where its blocks lie; null: no journal */
    uint32_t  length, first, sequence, head; /* head: where the next transaction goes */
    uint8_t  *super;                         /* its first block */
};

struct freed { uint32_t start, count; };

#define BUF_BUCKETS   1024
#define INODE_BUCKETS 256

struct ext2 {
    struct mount     *m;
    struct blkdev    *dev;
    struct mutex      lock;
    struct ext2_super *sb;                   /* in sb_buf */
    struct buf       *sb_buf, **group_buf;
    uint32_t          block_size, block_shift, sectors, groups, per_block, inode_size, max_block, first_ino;
    uint32_t          tables_end, table_blocks;  /* the first block behind the group descriptors; blocks of a table of inodes */
    uint64_t          seed;                      /* of the directories' hashes: not to be foreseen by who makes up names */
    uint64_t          max_size;
    uint64_t          free_blocks, free_inodes;

    struct buf       *bufs[BUF_BUCKETS];
    struct list       clean, dirty;
    size_t            nclean, ndirty, nchanged;
    struct wait_queue wait;

    struct list       inodes[INODE_BUCKETS], idle, changed, orphans, doomed;
    unsigned          nidle;
    struct freed     *freed;                 /* E2 */
    size_t            nfreed, freed_room;
    uint32_t         *freed_inodes;
    size_t            nfreed_inodes, freed_inodes_room;

    struct journal    journal;
    bool              in_place;              /* what the last commit wrote in place is not flushed yet */
    bool              broken;                /* a write of metadata failed, or damage was found: read-only from now on */
    unsigned          complaints;
    uint64_t          commits;
    struct list       link;                  /* all that are mounted */
};

struct dir_index;
struct ext2_node {
    struct inode     *inode;
    struct list       hash, idle, changed, orphan;      /* orphan: no name left; on fs->orphans, at last fs->doomed */
    struct ext2_inode raw;                   /* block, flags and what we do not know: kept; the rest is inode's */
    uint32_t          ino;
    uint32_t          last_block;            /* allocated: the next goal */
    uint64_t          linked;                /* 1 + the number of commits when it last got another name */
    bool              meta;                  /* changes that fdatasync needs on the disk */
    struct dir_index *index;
};

static inline struct ext2 *ext2_of(const struct inode *i) { return i->mount->private; }
static inline struct ext2_node *node_of(const struct inode *i) { return i->private; }

/* ext2_buf.c. A reference on the block's buf; null with *rc. */
struct buf *buf_get(struct ext2 *fs, uint32_t block, int *rc);
struct buf *buf_get_file(struct ext2 *fs, uint32_t block, int *rc);       /* one that belongs to a file (E5) */
struct buf *buf_new(struct ext2 *fs, uint32_t block, int *rc);            /* zeroed, dirty, fresh */
void buf_put(struct ext2 *fs, struct buf *b);
void buf_dirty(struct ext2 *fs, struct buf *b);
void buf_clean(struct ext2 *fs, struct buf *b);
void buf_forget(struct ext2 *fs, uint32_t block);            /* the block was freed */
void buf_drop_all(struct ext2 *fs);
size_t buf_shrink(struct ext2 *fs, size_t want);
/* Many blocks written at once. */
struct block_write { uint32_t block; const uint8_t *data; };
int  blocks_write(struct ext2 *fs, const struct block_write *w, size_t n);

/* ext2_super.c */
bool ext2_own(struct ext2 *fs, uint32_t block);                         /* of the file system itself: superblock, tables, bitmaps */
/* -EIO, after a sentence. With ext2_damage() the file system is read-only from now on: what would be written makes it worse. */
int  ext2_complain(struct ext2 *fs, const char *what, uint64_t which);
int  ext2_damage(struct ext2 *fs, const char *what, uint64_t which);

/* ext2_alloc.c */
struct ext2_group *group_of(struct ext2 *fs, uint32_t group);
void group_dirty(struct ext2 *fs, uint32_t group);
int  block_alloc(struct ext2 *fs, uint32_t goal, uint32_t *out);
void block_free(struct ext2 *fs, uint32_t block);
int  ino_alloc(struct ext2 *fs, struct inode *dir, bool directory, uint32_t *out);
void ino_free(struct ext2 *fs, uint32_t ino);
int  apply_freed(struct ext2 *fs);
void count_free(struct ext2 *fs);

/* ext2_map.c */
int  ext2_map(struct inode *i, uint64_t sector, uint64_t *at, uint64_t *count);
int  ext2_reserve(struct inode *i, uint64_t offset, uint64_t n);
/* Frees file blocks [first, last). */
int  ext2_free_blocks(struct inode *i, uint64_t first, uint64_t last);
/* The block of a directory, link or journal; 0 for a hole; with create it is allocated. fs->lock held if create. */
int  ext2_block(struct inode *i, uint64_t n, bool create, uint32_t *out);

/* ext2_inode.c */
extern const struct inode_ops ext2_ops;
int  ext2_iget(struct ext2 *fs, uint32_t ino, struct inode **out);      /* one with names. fs->lock held */
int  ext2_iget_orphan(struct ext2 *fs, uint32_t ino, struct inode **out);   /* one without, not in memory yet */
struct inode *ext2_inode_new(struct ext2 *fs, uint32_t ino, uint32_t mode, uint32_t rdev);
void ext2_changed(struct inode *i);
void ext2_set_parent(struct inode *i, struct inode *dir);
bool ext2_is_below(const struct inode *i, const struct inode *dir);     /* or is it */
int  ext2_store(struct ext2 *fs, struct ext2_node *n);                  /* into its table */
int  ext2_erase(struct ext2 *fs, struct inode *i);                      /* frees all of an inode without names */
void ext2_orphan(struct inode *i);
void ext2_abandon_orphans(struct ext2 *fs);
bool ext2_idle(struct inode *i);
void ext2_release(struct inode *i);
void ext2_evict_idle(struct ext2 *fs, unsigned keep);
bool ext2_in_use(struct ext2 *fs);                                      /* but for the root, which has one reference */
void ext2_forget_all(struct ext2 *fs);                                  /* whatever their state */
bool ext2_known(struct ext2 *fs, uint32_t ino);                         /* is it in memory? */
int  ext2_truncate(struct inode *i, uint64_t size);
int  ext2_punch(struct inode *i, uint64_t offset, uint64_t n);
int  ext2_fsync(struct inode *i, bool data_only);

/* ext2_dir.c: fs->lock held. */
struct found { uint32_t ino; uint32_t offset; };
int  dir_find(struct inode *dir, const char *name, struct found *f);
int  dir_add(struct inode *dir, const char *name, uint32_t ino, uint32_t mode);
int  dir_remove(struct inode *dir, const char *name, const struct found *f);
int  dir_set(struct inode *dir, const struct found *f, uint32_t ino, uint32_t mode);
int  dir_init(struct inode *dir, uint32_t parent);
int  dir_set_parent(struct inode *dir, uint32_t parent);
int  dir_empty(struct inode *dir);                                      /* 0, -ENOTEMPTY, -errno */
int  ext2_entry(struct inode *dir, uint64_t *cookie, char *name, uint64_t *ino, uint8_t *type);
void dir_index_free(struct ext2_node *n);

/* ext2_name.c */
int  ext2_lookup(struct inode *dir, const char *name, struct inode **out);
int  ext2_create(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, struct inode **out);
int  ext2_symlink(struct inode *dir, const char *name, const char *target);
int  ext2_link(struct inode *dir, const char *name, struct inode *target);
int  ext2_unlink(struct inode *dir, const char *name);
int  ext2_rename(struct inode *from, const char *name, struct inode *to, const char *new_name);
long ext2_readlink(struct inode *i, char *buf, size_t n);

/* ext2_commit.c */
/* Takes the lock to change things; -EROFS. Commits first when the running commit has grown large. */
int  ext2_begin(struct ext2 *fs);
void ext2_end(struct ext2 *fs);
int  ext2_commit(struct ext2 *fs);                                      /* fs->lock held */
int  ext2_commit_now(struct ext2 *fs);                                  /* takes it */

/* ext2_journal.c */
int  journal_open(struct ext2 *fs);
void journal_close(struct ext2 *fs);
int  journal_replay(struct ext2 *fs, unsigned *replayed);
int  journal_begin(struct ext2 *fs);                                    /* empties it */
int  journal_write(struct ext2 *fs);                                    /* all dirty bufs, durable on return */
size_t journal_room(const struct ext2 *fs);                             /* blocks of one commit */

#endif
