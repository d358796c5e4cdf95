/* SPDX-License-Identifier: MIT */
/* netback.h: the other end of guests' network cards. */
#ifndef PV_DRIVERS_NETBACK_H
#define PV_DRIVERS_NETBACK_H

#include "pv-drivers/net.h"

struct netback_counters {
    uint64_t tx_frames, rx_frames, passes, copies, events, kicks;     /* tx: from the guest, as it says */
    uint64_t tx_errors, rx_errors, rx_dropped, rate_waits;
};

/* Registers the backend with xenbus and starts its thread; taking it away again lets go of every guest. */
int  netback_start(void);
void netback_stop(void);
unsigned netback_count(void);           /* vifs there are */
/* A frame for the guest: taken over, queued. */
void netback_transmit(struct netback *b, struct net_frame *frame);
/* Brings what is queued into the guest's buffers. */
void netback_kick(struct netback *b);
const struct netback_counters *netback_counters(const struct netback *b);

#endif
