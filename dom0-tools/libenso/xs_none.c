/* SPDX-License-Identifier: MIT */
/* xs_none.c: stands in for xs.c until that is there: no xenstore.            */
#include "dom0-tools/libenso/xs.h"

#include <errno.h>

#define WEAK __attribute__((weak))

WEAK struct xs *xs_open(void) { errno = ENOENT; return NULL; }
WEAK void xs_close(struct xs *x) { (void)x; }
WEAK int xs_fd(struct xs *x) { (void)x; return -1; }
WEAK int xs_read(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size) { (void)x, (void)tx, (void)path, (void)buf, (void)size; return -ENOSYS; }
WEAK int xs_write(struct xs *x, uint32_t tx, const char *path, const char *value) { (void)x, (void)tx, (void)path, (void)value; return -ENOSYS; }
WEAK int xs_mkdir(struct xs *x, uint32_t tx, const char *path) { (void)x, (void)tx, (void)path; return -ENOSYS; }
WEAK int xs_rm(struct xs *x, uint32_t tx, const char *path) { (void)x, (void)tx, (void)path; return -ENOSYS; }
WEAK int xs_list(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size) { (void)x, (void)tx, (void)path, (void)buf, (void)size; return -ENOSYS; }
WEAK int xs_set_perms(struct xs *x, uint32_t tx, const char *path, const char *perms) { (void)x, (void)tx, (void)path, (void)perms; return -ENOSYS; }
WEAK int xs_begin(struct xs *x, uint32_t *tx) { (void)x, (void)tx; return -ENOSYS; }
WEAK int xs_end(struct xs *x, uint32_t tx, bool commit) { (void)x, (void)tx, (void)commit; return -ENOSYS; }
WEAK int xs_introduce(struct xs *x, uint16_t domid, uint64_t mfn, uint32_t port) { (void)x, (void)domid, (void)mfn, (void)port; return -ENOSYS; }
WEAK int xs_release(struct xs *x, uint16_t domid) { (void)x, (void)domid; return -ENOSYS; }
