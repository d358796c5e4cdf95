/* SPDX-License-Identifier: MIT */
/* fs_shim_api.h: between fs_shim.c and fs_tests.c, which see the kernel's headers, and fs_host.c, which sees Linux's. */
#ifndef FS_SHIM_API_H
#define FS_SHIM_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* fs_host.c */
void    *host_alloc(size_t n);
void     host_free(void *p);
void     host_fill(void *p, size_t n);
unsigned host_dice(unsigned sides);               /* 0 .. sides - 1; 0 for 0 */
void     host_seed(unsigned seed);
void     host_make(unsigned thread, void (*fn)(void *), void *arg);
void     host_switch(unsigned from, unsigned to);
void     host_disk_read(void *to, uint64_t at, size_t n);
void     host_disk_write(const void *from, uint64_t at, size_t n);
uint64_t host_log_length(void);
void     host_log_flush(uint64_t submitted);
void     host_log_start(void);                     /* from here on: the disk as it is now is durable */
/* A disk as a cut after `length` entries of the log leaves it. */
void     host_cut(uint64_t length);
void     host_uncut(void);                         /* back to the disk before host_cut */
void     host_mkfs(const char *options, unsigned mebibytes);
uint64_t host_disk_size(void);
void    *host_disk_copy(void);
void     host_disk_set(const void *bytes, size_t n);
void     host_alarm(unsigned seconds, const char *fmt, ...);   /* 0: off; what to say if it rings, or if we end badly */
int      host_fsck(const char *options);           /* e2fsck's exit status */
void     host_debugfs(const char *commands);        /* one a line, on the disk as it is */
const char *host_data(const void *bytes, size_t n);/* the name of a file that holds them, for debugfs */
void     host_say(const char *fmt, ...);
void     host_fail(const char *fmt, ...);
int      host_verbose(void);

/* fs_shim.c */
extern size_t host_page_limit;
void     host_memory_init(void);
void     host_threads_init(void);
void     host_thread_end(void);
void     host_yield(void);
unsigned host_disk_pending(void);
void     host_disk_step(void);
void     host_disk_forget(void);
size_t   host_pages_used(void);
size_t   host_pieces(void);                        /* of the heap, in use */
extern unsigned host_bad_reads, host_bad_writes, host_bad_memory;      /* one in so many fails; 0: none */

/* fs_tests.c */
void     run_tests(const char *which, unsigned seed, unsigned rounds);

#endif
