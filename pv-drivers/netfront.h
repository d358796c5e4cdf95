/* SPDX-License-Identifier: MIT */
/* netfront.h: a network card that is another domain. */
#ifndef PV_DRIVERS_NETFRONT_H
#define PV_DRIVERS_NETFRONT_H

#include "pv-drivers/net.h"

struct netfront_counters {
    uint64_t tx_frames, rx_frames, tx_kicks, events, rx_errors, tx_errors, tx_dropped, reconnects;
};

/* Registers the driver with xenbus: interfaces come and go by themselves. */
int  netfront_register(void);
/* Takes the frame over; queues it if there is no room or no backend now, drops it if there are too many. */
void netfront_transmit(struct netfront *f, struct net_frame *frame);
/* What was transmitted is to go now. */
void netfront_kick(struct netfront *f);
const struct netfront_counters *netfront_counters(const struct netfront *f);

#endif
