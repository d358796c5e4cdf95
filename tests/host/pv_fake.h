/* SPDX-License-Identifier: MIT */
/* pv_fake.h: a kernel, a store and a bus for two drivers that meet in one Linux process: grants are pointers, events a flag. */
#ifndef TESTS_PV_FAKE_H
#define TESTS_PV_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pv-drivers/os.h"
#include "pv-drivers/xenbus.h"

#define FAKE_FRONT 5                            /* the frontend's domain, the backend's is 0 */

extern unsigned fake_maps;                      /* grants mapped now                 */
extern unsigned fake_grants;                    /* grants given now                  */
extern unsigned fake_grant_limit;               /* os_grant fails beyond             */
extern unsigned fake_sends;                     /* notifications                     */
extern void   (*fake_sent)(void);      /* runs within os_event_send: the other end, on a CPU of its own; then forgotten */
extern bool     fake_no_memory;                 /* os_alloc fails                    */
extern uint64_t fake_now_ns;
extern void   (*fake_idle)(void);               /* what the world does while somebody sleeps */

void fake_reset(void);
void fake_put(const char *dir, const char *node, const char *value);
const char *fake_get(const char *dir, const char *node);
/* The device's two directories and structs; both drivers probe it. */
extern struct xenbus_device fake_front, fake_back;
int  fake_plug(uint32_t id);                    /* probes the backend, then the frontend, when registered */
/* Runs handlers, timers that are due, and state changes, until all is quiet. */
void fake_run(void);
void fake_advance(unsigned ms);
void fake_remove_back(void);
/* A raw grant, for tests that play a hostile frontend. */
uint32_t fake_grant_page(void *page, bool read_only);

#endif
