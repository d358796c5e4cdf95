/* SPDX-License-Identifier: MIT */
/* fs.h: names and inodes. A file system answers struct inode_ops; fs.c walks paths and mounts. */
#ifndef NOVICE_FS_H
#define NOVICE_FS_H

#include "guest-kernel/kernel/base.h"
#include "guest-kernel/kernel/file.h"
#include "guest-kernel/kernel/mutex.h"
#include "guest-kernel/uapi/dirent.h"

#define PATH_MAX 1024

struct cache;
struct fs_type;
struct inode;
struct page;
struct pipe;
struct statfs;
struct vm_space;

struct inode_ops {
    /* A reference on the inode that dir names so, in *out; -ENOENT. */
    int   (*lookup)(struct inode *dir, const char *name, struct inode **out);
    int   (*create)(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, struct inode **out);
    int   (*link)(struct inode *dir, const char *name, struct inode *target);
    int   (*unlink)(struct inode *dir, const char *name);       /* files and empty directories alike */
    int   (*rename)(struct inode *from, const char *name, struct inode *to, const char *new_name);
    long  (*readlink)(struct inode *inode, char *buf, size_t n);
    int   (*truncate)(struct inode *inode, uint64_t size);
    /* The page that holds byte index * 4096, with a reference of its own; with `create` a hole is filled, else it is null
     * with *rc 0. */
    struct page *(*page)(struct inode *inode, uint64_t index, bool create, int *rc);
    /* The index-th entry of dir, and -ENOENT after the last. "." and ".." are the file system's to list. */
    int   (*entry)(struct inode *dir, uint64_t *cookie, char *name, uint64_t *ino, uint8_t *type);
    void  (*release)(struct inode *inode);                      /* the last reference is gone */
    /* ---- All below may be null ---- */
    int   (*symlink)(struct inode *dir, const char *name, const char *target);
    /* The last reference is gone: true if the file system keeps the inode, with no reference, for later. */
    bool  (*idle)(struct inode *inode);
    /* Attributes or size changed in memory. */
    void  (*changed)(struct inode *inode);
    int   (*fsync)(struct inode *inode, bool data_only);        /* all of it is on the medium when this returns */
    int   (*punch)(struct inode *inode, uint64_t offset, uint64_t n);   /* [offset, offset + n) reads as zeros, holes where they can be */
    /* For those with a cache (cache.h). Where `sector` (of 512 bytes, of the file) lies on the device: *at, MAP_HOLE for nowhere,
     * and how many sectors follow in a row in *count, which comes in with the number of interest. Takes no lock. */
    int   (*map)(struct inode *inode, uint64_t sector, uint64_t *at, uint64_t *count);
    /* Makes room on the device for bytes [offset, offset + n). */
    int   (*reserve)(struct inode *inode, uint64_t offset, uint64_t n);
};
#define MAP_HOLE (~0ul)

struct mount {
    struct list      link;
    struct inode    *root;         /* a reference, inode_alloc's first     */
    uint64_t         next_ino;
    struct inode    *covered;      /* where it is mounted, a reference; null for / */
    const struct fs_type *type;
    char             source[32], target[64];
    uint32_t         dev;
    bool             read_only;
    bool             going;        /* is being unmounted */
    unsigned         pins;         /* calls of its type that are under way, and sleep: it stays till then */
    void            *private;      /* the file system's                    */
};

struct inode {
    unsigned                refs;
    uint32_t                mode, uid, gid, rdev;
    uint32_t                nlink;
    uint64_t                ino, size;
    uint64_t                atime, mtime, ctime;   /* ns since 1970          */
    struct mount           *mount;
    struct mount           *covered_by;            /* a mount on this directory */
    struct inode           *parent;                /* of a directory, no reference; the root's is itself */
    const struct inode_ops *ops;
    const struct file_ops  *fops;                  /* what an open of it gets */
    void                   *private;               /* the file system's       */
    struct pipe            *pipe;                  /* of an open FIFO          */
    struct cache           *cache;                 /* its pages, if it lies on a block device */
    struct mutex            lock;                  /* its size, and writes that change it */
    uint64_t                blocks;                /* of 512 bytes, if the file system counts them */
};

struct fs_type {
    const char *name;
    int (*mount)(struct mount *m);                 /* sets m->root */
    /* May be null. */
    int (*umount)(struct mount *m);                /* nobody uses it: puts m->root */
    int (*sync)(struct mount *m);
    int (*remount)(struct mount *m, bool read_only);
    void (*statfs)(struct mount *m, struct statfs *st);
    bool device;                                   /* source is a block device */
    const struct fs_type *next;
};

struct inode *inode_alloc(struct mount *m, uint32_t mode, const struct inode_ops *ops);
void  inode_get(struct inode *i);
void  inode_put(struct inode *i);

/* Path walks, from / or the current directory. A reference on the result. */
#define WALK_FOLLOW 1              /* follow a symbolic link at the end */
int   path_lookup(const char *path, unsigned flags, struct inode **out);
/* The directory that holds path's last component, which is copied to name (NAME_MAX + 1). */
int   path_parent(const char *path, struct inode **dir, char *name);
int   file_open(const char *path, int flags, uint32_t mode, struct file **out);
void  inode_stat(const struct inode *i, struct stat *st);
/* Reads file contents into kernel memory: exec's way. Short only at the end. */
long  inode_read(struct inode *i, void *buf, size_t n, uint64_t pos);
long  inode_write(struct inode *i, const void *buf, size_t n, uint64_t pos);
/* The other calls of the kernel's own users of files: swap, image files. */
int   inode_fsync(struct inode *i, bool data_only);
int   inode_truncate(struct inode *i, uint64_t size);
int   inode_punch(struct inode *i, uint64_t offset, uint64_t n);    /* -EOPNOTSUPP: write zeros instead */
/* Where the file's sectors lie on its device (inode_ops.map), for who bypasses the cache; -EOPNOTSUPP without a device. */
int   inode_bmap(struct inode *i, uint64_t sector, uint64_t *at, uint64_t *count);
int   path_of(struct inode *dir, char *buf, size_t size);
int   fs_mount(const char *source, const char *target, const char *type, unsigned flags);
int   fs_mount_root(const char *source, const char *type, unsigned flags);    /* becomes /; root.c does the rest */
int   root_mount(const char *device);
int   fs_sync_mounts(void);
extern bool fs_going_down;
void  fs_shutdown(void);                       /* before the machine goes off */
int   fs_umount(const char *target);
void  fs_register(struct fs_type *t);
int   fs_make(const char *path, uint32_t mode, uint32_t rdev);    /* mknod or mkdir, parents made too */
void  ramfs_boot(void);
void  procfs_boot(void);
void  dev_boot(void);
/* Unpacks a newc archive into /; -EINVAL if it is none. */
int   cpio_unpack(const void *archive, size_t size);
extern struct list all_mounts;

extern const struct file_ops regular_file_ops, directory_file_ops, device_file_ops, fifo_file_ops, block_file_ops;
void ext2_boot(void);

#endif
