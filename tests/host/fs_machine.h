/* SPDX-License-Identifier: MIT */
/* fs_machine.h: what the tests of the file system share. */
#ifndef FS_MACHINE_H
#define FS_MACHINE_H

#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/fs.h"
#include "tests/host/fs_shim_api.h"

#define CHECK(x, ...) do { if (!(x)) { host_say(__VA_ARGS__); host_fail(" %s, line %d", #x, __LINE__); } } while (0)

/* fs_machine.c */
#define FORMATS 6
extern const char *const formats[FORMATS];           /* options of mke2fs */
extern struct blkdev host_dev;
int  do_create(const char *path, uint32_t mode);
int  do_unlink(const char *path);
int  do_symlink(const char *target, const char *path);
int  do_link(const char *from, const char *to);
int  do_rename(const char *from, const char *to);
void boot(void);
int  mount_it(void);                                 /* boots, and mounts the disk on / */
struct mount *the_mount(void);
void unmount_it(void);
void fsck_clean(const char *when);

/* fs_model.c: programs at work, and what they must see. */
#define NAMES    24
#define FILE_MAX (300 * 1024)
struct mfile {
    unsigned  names, open;
    uint32_t  size, mode;
    bool      link;
    uint8_t  *data;
};
struct world {
    char          base[8];
    struct mfile *name[NAMES];                       /* the second half in base/d */
    unsigned      ops;
    bool          done;
};
extern struct world worlds[4];
extern bool full_disk_ok;                            /* -ENOSPC is an answer, too */
void path_for(const struct world *w, unsigned n, char *path);
void make_base(struct world *w, unsigned n);
void step(struct world *w);
void check_file(struct world *w, unsigned n);
void run_workers(unsigned threads, unsigned ops);
void forget_world(struct world *w);
void test_model(const char *format, unsigned mib, unsigned threads, unsigned ops, size_t pages);

/* fs_promise.c: what fsync and sync confirmed; cuts of power. */
void promise_for(const struct world *w, unsigned n);
void end_promises(const struct world *w, const struct mfile *f, unsigned n);
void promise_rename(const struct world *w, unsigned n, unsigned m);     /* n is about to be renamed to m */
void promises_off(void);
void test_crash(const char *format, unsigned mib, unsigned threads, unsigned ops, unsigned cuts);

/* fs_edges.c, fs_large.c, fs_hostile.c */
void test_edges(void);
void test_replay(unsigned rounds);
void test_many_entries(void);
void test_sizes(void);
void test_hostile(unsigned seed, unsigned rounds);

#endif
