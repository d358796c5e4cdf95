/* SPDX-License-Identifier: MIT */
/* pv_net_world.h: a world of domains in one Linux process, for pv_net.c: os.h, the store and the bus as the network drivers see
 * them. Domain 0 runs the backend, domains 1 to 9 a frontend each. Nothing happens by itself: world_run() delivers events, timers,
 * bus news and gives the backend's thread its turns, until all is quiet. */
#ifndef TESTS_PV_NET_WORLD_H
#define TESTS_PV_NET_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "hypercall-abi/io/netif.h"
#include "hypercall-abi/io/xs_wire.h"
#include "pv-drivers/net.h"
#include "pv-drivers/netback.h"
#include "pv-drivers/netfront.h"
#include "pv-drivers/os.h"
#include "pv-drivers/xenbus.h"

#define DOMAINS 10

/* The kernel's end of an interface. */
struct port {
    bool     back, carrier, offload;
    unsigned domid;
    struct netfront *front;
    struct netback  *netback;
    unsigned received;
    uint32_t next_seq;                  /* of the frames that frame_make numbers */
    unsigned lost, wrong;
    void   (*receive)(struct port *p, struct net_frame *f);   /* takes f over; null: checked and freed */
};

extern struct port *front_port[DOMAINS], *back_port[DOMAINS];
extern struct netif_tx_sring *tx_ring_of[DOMAINS];            /* as the frontend granted them */
extern unsigned frames_alive, copies_made, copy_calls, events_sent;
extern uint64_t now_ns;
extern bool no_memory;
extern char last_log[200];

void world_reset(void);
void world_add(unsigned domid);         /* a vif 0 of the domain, both directories, state Initialising */
void world_run(void);                   /* until nothing is left to do */
bool world_turn(void);                  /* one round; false: nothing was done */
void world_remove(unsigned domid);
void world_end(void);                   /* all devices go; asserts that nothing leaked */
void store_put(const char *path, const char *value);
const char *store_get(const char *path);
struct xenbus_device *back_device(unsigned domid);
struct xenbus_device *front_device(unsigned domid);
void *page_of_grant(uint32_t ref);
int   grant_as(unsigned owner, uint16_t domid, void *page, bool read_only);
void  run_as(unsigned domid);           /* whose driver's calls the next os_* calls are */
unsigned grants_alive(void);
unsigned port_of_event(unsigned domid, uint32_t port);
void  event_poke(uint32_t port);        /* sends to the other end of a port */

#endif
