/* SPDX-License-Identifier: MIT */
/* store.h: talking to xenstore from a kernel: requests that sleep until answered, and watches. SPEC 11.2 (xenstore).
 *
 * Paths without a leading slash are relative to /local/domain/<our id>. All but store_init sleep: threads only. If xenstored
 * is away, requests wait for its return; a transaction open over a restart ends in -EAGAIN.                   */
#ifndef PV_DRIVERS_STORE_H
#define PV_DRIVERS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_PATH_MAX 256
struct xenstore_domain_interface;

/* The ring page and its port, from start_info; or dom0's own, made for xenstored. 0 or -errno. */
int  store_init(struct xenstore_domain_interface *page, uint32_t port);
bool store_ready(void);

/* tx 0: outside a transaction. */
/* The value, ended by a zero, its length returned; -ENOENT, -E2BIG if it does not fit in size - 1. */
int  store_read(uint32_t tx, const char *path, char *buf, size_t size);
int  store_read_number(uint32_t tx, const char *dir, const char *node, uint64_t *value);   /* decimal or 0x; -EINVAL */
int  store_write(uint32_t tx, const char *path, const char *value);
int  store_printf(uint32_t tx, const char *dir, const char *node, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int  store_remove(uint32_t tx, const char *path);
int  store_exists(const char *path);                        /* 1, 0, -errno */
/* Names below path, each ended by a zero, in buf; how many. */
int  store_list(uint32_t tx, const char *path, char *buf, size_t size);
int  store_begin(uint32_t *tx);
int  store_end(uint32_t tx, bool commit);                   /* -EAGAIN: do it all again */

struct store_watch {
    struct store_watch *next;
    char                path[STORE_PATH_MAX];
    char                token[20];
    void              (*fn)(struct store_watch *w, const char *path);   /* in the store's thread: may sleep, may make requests */
    void               *arg;
};
/* fn is called once at once, and after each change below w->path. w stays until store_unwatch has returned. */
int  store_watch_add(struct store_watch *w);
void store_watch_remove(struct store_watch *w);

#endif
