/* SPDX-License-Identifier: MIT */
/* net_gso.h: a TCP segment larger than a frame, and the frames that it becomes. */
#ifndef PV_DRIVERS_NET_GSO_H
#define PV_DRIVERS_NET_GSO_H

#include "pv-drivers/net.h"

#define NET_GSO_HEADERS 138u              /* Ethernet with a VLAN's tag is 18, IPv4 and TCP 60 each at most */

struct net_gso {
    uint32_t headers, payload;            /* bytes of the whole                    */
    uint32_t size, segments;              /* payload of each frame but the last    */
    uint32_t ip, tcp;                     /* where those headers begin             */
    uint8_t  head[NET_GSO_HEADERS];
};

/* f has the first bytes, NET_GSO_HEADERS or all, of `bytes`. False: no TCP over IPv4 with a payload, or its frames would be too long. */
bool net_gso_read(struct net_gso *g, struct net_frame *f, uint32_t bytes, uint32_t size);
/* Writes the headers of frame i, and its length; returns how much payload belongs behind them. The TCP sum is left partial. */
uint32_t net_gso_header(const struct net_gso *g, unsigned i, struct net_frame *f);

#endif
