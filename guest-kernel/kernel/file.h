/* SPDX-License-Identifier: MIT */
/* file.h: open files. A descriptor points at a struct file, a file at its operations: an inode's, a pipe's, a device's. */
#ifndef NOVICE_FILE_H
#define NOVICE_FILE_H

#include "guest-kernel/kernel/base.h"
#include "guest-kernel/kernel/wait.h"
#include "guest-kernel/uapi/poll.h"

struct file;
struct inode;
struct mount;
struct vm_area;

/* Collects the queues that one poll waits on; poll.c owns it. */
struct poll_table;
void poll_wait(struct poll_table *t, struct wait_queue *q);    /* t may be null: just asking */

/* Every member may be null: read/write then -EINVAL (-ESPIPE for seek), ioctl -ENOTTY, mmap -ENODEV, poll always ready.
 * Buffers are user addresses; the operations copy by usercopy.h, except read/write on `kernel` files, see file_kread. */
struct file_ops {
    int   (*open)(struct file *f);                              /* f->inode set; may set f->ops, f->private */
    void  (*close)(struct file *f);                             /* the last reference is gone */
    long  (*read)(struct file *f, uptr_t buf, size_t n, uint64_t *pos);
    long  (*write)(struct file *f, uptr_t buf, size_t n, uint64_t *pos);
    long  (*ioctl)(struct file *f, unsigned long cmd, uptr_t arg);
    int   (*mmap)(struct file *f, struct vm_area *a);           /* sets a->ops, a->private, or maps at once */
    short (*poll)(struct file *f, struct poll_table *t);        /* POLL* that hold now; joins its queues */
    long  (*getdents)(struct file *f, uptr_t buf, size_t n);
    bool  no_seek;                                              /* lseek gives -ESPIPE */
};

struct file {
    unsigned               refs;
    unsigned               flags;       /* O_ACCMODE, O_APPEND, O_NONBLOCK */
    uint64_t               pos;
    const struct file_ops *ops;
    struct inode          *inode;       /* a reference; null for pipes     */
    void                  *private;     /* the operations'                 */
};

#define FD_START 16
#define FD_LIMIT 512
struct fd_table {                        /* grows by doubling up to FD_LIMIT */
    struct file **file;
    uint64_t      cloexec[FD_LIMIT / 64];
    unsigned      size;
};

struct file *file_alloc(const struct file_ops *ops, unsigned flags);
void  file_get(struct file *f);
void  file_put(struct file *f);
/* The file behind a descriptor of the current process, without a new reference; null: -EBADF. It cannot go away while
 * the process itself does not close it: processes have one thread. */
struct file *fd_file(int fd);
/* A free descriptor >= from for f (taking over its reference); -EMFILE. */
int   fd_install(struct file *f, int from, bool cloexec);
int   fd_close(int fd);
int   fd_table_copy(struct fd_table *to, const struct fd_table *from);
void  fd_table_close(struct fd_table *t, bool only_cloexec);
short file_poll(struct file *f, struct poll_table *t);

#endif
