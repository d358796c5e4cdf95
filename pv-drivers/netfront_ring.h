/* SPDX-License-Identifier: MIT */
/* netfront_ring.h: what the two halves of the network frontend share: netfront.c, which knows the store, and netfront_ring.c. */
#ifndef PV_DRIVERS_NETFRONT_RING_H
#define PV_DRIVERS_NETFRONT_RING_H

#include "hypercall-abi/io/netif.h"
#include "pv-drivers/netfront.h"
#include "pv-drivers/os.h"

#define FRONT_SLOTS 256u          /* of each ring: one page */
#define FRONT_QUEUE 512u          /* frames that wait for a slot or a backend */

/* A frame that the backend may read or fill. F1: ref is nonzero exactly while it may. */
struct front_slot { struct net_frame frame; uint32_t ref; };

struct netfront {
    struct xenbus_device      *dev;
    void                      *port;              /* the kernel's */
    uint16_t                   domid;
    bool                       connected;
    uint32_t                   event;

    struct netif_tx_front_ring tx;
    struct netif_rx_front_ring rx;
    uint32_t                   tx_ref, rx_ref;
    struct front_slot          tx_slot[FRONT_SLOTS], rx_slot[FRONT_SLOTS];
    uint16_t                   tx_free[FRONT_SLOTS], tx_order[FRONT_SLOTS];
    unsigned                   tx_free_count;

    struct net_frame           queue[FRONT_QUEUE];
    unsigned                   queue_head, queue_count;

    struct net_frame           gather;            /* a received frame of which more parts are to come */
    bool                       gathering, gather_bad, extra_next, more_after_extra;
    struct os_timer            refill;
    struct netfront_counters   count;
};

/* Rings are there, empty: makes them usable; takes them out of use (frames that were not acknowledged go back to the queue). */
void front_rings_start(struct netfront *f);
void front_rings_stop(struct netfront *f);
void front_queue_drop(struct netfront *f);
void front_event(void *f);        /* the handler */

#endif
