/* SPDX-License-Identifier: MIT */
/* os.h: everything the tools ask of dom0's kernel beyond plain files.
 *
 * The devices behind it, /dev/xen/privcmd and /dev/xen/evtchn, have Linux's
 * semantics, so the same os.c serves on Novice and on a Linux dom0; nothing
 * else in dom0-tools/ knows an ioctl.                                        */
#ifndef ENSO_OS_H
#define ENSO_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-tools/libenso/complaint.h"

#define PAGE_SIZE  4096u
#define PAGE_SHIFT 12

/* Opens the hypercall device; says what to do when there is none. */
int os_open(struct complaint *why);

/* A hypercall: its result, or -XEN_E*. Pointers among the arguments must come
 * from os_bounce().                                                          */
long os_hypercall(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);

/* Memory that a hypercall may be pointed at: zeroed, present, writable, and
 * not shared with a forked child. os_bounce_reset() makes all of it free
 * again; a call's buffers live until the next call begins.                   */
void  os_bounce_reset(void);
void *os_bounce(size_t size);

/* Maps n frames of a domain, side by side; NULL and *rc = -XEN_E* on failure.
 * The domain cannot give its memory back before os_unmap().                  */
void *os_map(uint16_t domid, const uint64_t *mfns, unsigned n, bool writable, int *rc);
void  os_unmap(void *at, unsigned n);

/* Event channels: one descriptor, many ports; -1 on failure. A port that
 * os_evtchn_next() gave stays silent until os_evtchn_unmask().               */
int  os_evtchn_open(void);
int  os_evtchn_bind(int fd, uint16_t domid, uint32_t remote_port);
int  os_evtchn_bind_virq(int fd, uint32_t virq);
void os_evtchn_unbind(int fd, uint32_t port);
void os_evtchn_notify(int fd, uint32_t port);
int  os_evtchn_next(int fd);
void os_evtchn_unmask(int fd, uint32_t port);

/* A pseudo-terminal in raw mode; the name of its other end, which is held
 * open as well so that the master never reads "hung up". -1 on failure.      */
struct os_pty {
    int  master, slave;
    char name[40];
};
int  os_pty_open(struct os_pty *pty);
void os_pty_close(struct os_pty *pty);

/* Terminal modes: raw until restored; also restored by os_tty_restore() at exit. */
bool os_tty_raw(int fd);
void os_tty_restore(void);
unsigned os_tty_columns(void);
unsigned os_tty_rows(void);

bool     os_nonblock(int fd);
/* Ctrl-C and its like end what is being done, not the process: what was made has to go first. Waits look at os_interrupted();
 * os_uninterrupted() is for who clears up after one. os_free_interrupts() makes them deadly again. */
#define OS_INTERRUPTED "interrupted; nothing of it is left"
void os_catch_interrupts(void);
void os_free_interrupts(void);
bool os_interrupted(void);
void os_uninterrupted(void);

uint64_t os_now_ms(void);        /* monotonic                              */
uint64_t os_date(void);          /* seconds since 1970                     */
void     os_sleep_ms(unsigned ms);
bool     os_random(void *buf, size_t size);

/* Whole small files; -1 if absent, too large or not writable. A write goes to
 * a temporary name and is moved into place, so a reader never sees half.     */
int os_read_file(const char *path, char *buf, size_t size);
int os_write_file(const char *path, const char *text, size_t len);
int os_make_dir(const char *path);

/* Has process 1 run `command` (one line, a daemon in the foreground), and run
 * it again whenever it ends, as long as /run/init/NAME is there. -1: errno.  */
int os_keep(const char *name, const char *command);

#endif
