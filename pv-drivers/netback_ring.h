/* SPDX-License-Identifier: MIT */
/* netback_ring.h: what the halves of the network backend share: netback.c (store, thread), netback_tx.c (out of the guest), netback_rx.c. */
#ifndef PV_DRIVERS_NETBACK_RING_H
#define PV_DRIVERS_NETBACK_RING_H

#include "hypercall-abi/io/netif.h"
#include "pv-drivers/netback.h"
#include "pv-drivers/os.h"

#define BACK_SLOTS 256u           /* of each ring                                     */
#define BACK_QUEUE 256u           /* frames that wait for a guest's buffers: its share of our memory */

struct netback {
    struct xenbus_device     *dev;
    void                     *port;             /* the kernel's                       */
    uint16_t                  domid;
    uint32_t                  id;
    bool                      connected;        /* rings are mapped and believed       */
    const char               *broken;           /* why they no longer are              */
    uint32_t                  event;
    struct os_map             map[2];           /* transmit, receive                   */
    struct netif_tx_back_ring tx;
    struct netif_rx_back_ring rx;

    struct netback           *next_busy;        /* netback.c's list of those with work */
    bool                      busy;
    unsigned                  idle_passes;      /* events in a row that brought no work */
    struct os_timer           wake;             /* credit, or the end of a quarrel's pause */

    uint64_t                  rate_bytes, rate_ns;        /* 0: no limit               */
    uint64_t                  credit_at;
    int64_t                   credit;           /* below 0: a large segment's headers are still to be paid */
    unsigned                  over;             /* frames that went beyond a turn's, to be taken off the next turns */

    struct net_frame          queue[BACK_QUEUE];
    unsigned                  queue_head, queue_count;
    uint64_t                  stalled_at;       /* since when the queue is full; 0: it is not */
    struct netback_counters   count;
};

/* Takes what the guest sent, up to a budget. True: there is more. */
bool back_tx(struct netback *b, bool *did_work);
/* Brings queued frames into the guest's buffers. True: some were. */
bool back_rx(struct netback *b);
void back_queue_drop(struct netback *b);
/* The guest broke the protocol: this vif stops, and says why. */
void back_break(struct netback *b, const char *why);
void back_wake(void *b);          /* gives it a turn of the thread */

#endif
