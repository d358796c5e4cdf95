/* SPDX-License-Identifier: MIT */
/* xs.h: a program's door to xenstore.
 *
 * /dev/xen/xenbus carries the protocol's own messages (SPEC 11.4); this is the
 * client: a request waits for its answer, watch events that come meanwhile are
 * kept. Results are 0, a count or a length, or -errno of this system (-ENOENT,
 * -EACCES, -EAGAIN for a transaction to do again, -ENOSPC for a quota).      */
#ifndef ENSO_XS_H
#define ENSO_XS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XS_PATH 512

struct xs;

/* NULL and errno: no device, or nobody answers. */
struct xs *xs_open(void);
void       xs_close(struct xs *x);
int        xs_fd(struct xs *x);              /* readable when a watch may have fired */

/* tx 0: outside a transaction. A value read gets a NUL after it and must fit in size - 1 (else -E2BIG). */
int xs_read(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size);
int xs_write(struct xs *x, uint32_t tx, const char *path, const char *value);
int xs_mkdir(struct xs *x, uint32_t tx, const char *path);
int xs_rm(struct xs *x, uint32_t tx, const char *path);          /* and all below; a path that is not there is no error */
/* The names below path, each ended by a NUL, in buf; how many. */
int xs_list(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size);
/* perms: as the protocol writes them, "n3 r0" with blanks between: the owner and what others may, then exceptions. */
int xs_set_perms(struct xs *x, uint32_t tx, const char *path, const char *perms);
int xs_get_perms(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size);

int xs_begin(struct xs *x, uint32_t *tx);
int xs_end(struct xs *x, uint32_t tx, bool commit);

int xs_introduce(struct xs *x, uint16_t domid, uint64_t mfn, uint32_t port);
int xs_release(struct xs *x, uint16_t domid);

int xs_watch(struct xs *x, const char *path, const char *token);
int xs_unwatch(struct xs *x, const char *path, const char *token);
/* The next event, if one is there within limit_ms: 1; 0 if not; -errno. */
int xs_event(struct xs *x, char path[XS_PATH], char token[64], int limit_ms);

#endif
