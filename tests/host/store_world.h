/* SPDX-License-Identifier: MIT */
/* store_world.h: xenstored's core in one process: rings are pages of ours, the journal a row of bytes, the clock a number; and a client that
 * speaks through those rings. For the tests named tools_store_*.c.                                                   */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dom0-tools/xenstored/xenstored.h"

/* ---- the world around the daemon -------------------------------------------------------------------- */

#define PAGES 8
extern struct xenstore_domain_interface page[PAGES];
extern struct bytes journal;
extern uint64_t clock_ms;
extern jmp_buf killed;
extern long kill_in;                            /* so many calls from now the daemon is killed; -1: never */

int  set_up(void **state);                      /* an empty store, and dom0's connection */
int  tear_down(void **state);
void start(void);
void finish(void);
void start_again(void);                         /* an empty store, without a connection: for journal_replay */
/* What the daemon knew is gone; pages and journal are there: another takes them up. */
void restart(enum replayed how);
void rewrite(void);                             /* the journal, by the state as it is */

/* ---- a client ------------------------------------------------------------------------------------------- */

struct answer { uint32_t type, id; size_t len; char text[XENSTORE_PAYLOAD_MAX + 1]; };
#define EVENTS 65536
extern struct answer last;
extern char events[EVENTS];                     /* "path token;" of each that came */

/* A domain's event, as it sends one after it has changed its counters; put and get do so by themselves. */
void   event_of(int dom);
void   put(int dom, const void *data, size_t n);          /* bytes into the ring */
size_t get(int dom, void *data, size_t n);
bool   next(int dom, struct answer *a);
void   send(int dom, uint32_t type, uint32_t tx, const void *text, size_t n, uint32_t id);
/* Sends a request and waits for its answer; watch events on the way are noted. */
const char *ask(int dom, uint32_t type, uint32_t tx, const void *text, size_t n);
/* All events that came since the last time. */
const char *hear(int dom);
const char *write_node(int dom, uint32_t tx, const char *path, const char *value);
const char *read_node(int dom, uint32_t tx, const char *path);
void     introduce(int dom);
uint32_t begin(int dom);
void     serve_all(void);                       /* until nobody has anything */

#define ASK(dom, type, tx, s) ask(dom, type, tx, s, sizeof(s))         /* s with its zero */
#define IS(expected, got) assert_string_equal(got, expected)
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
