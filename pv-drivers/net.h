/* SPDX-License-Identifier: MIT */
/* net.h: what the network drivers ask of a kernel beyond os.h: frames, and somewhere to bring them. SPEC 11.5.
 *
 * A frame is one Ethernet frame in one page. Whoever is given one owns it. Handlers and threads may call all of this;
 * nothing here sleeps.                                                                                             */
#ifndef PV_DRIVERS_NET_H
#define PV_DRIVERS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_FRAME_MAX    3968u       /* what a new frame holds                                          */
#define NET_HEADER       14u
#define NET_CSUM_PARTIAL 1           /* the sum over [csum_start, end) is still to be made               */
#define NET_CSUM_GOOD    2

struct net_frame {
    uint8_t *data;
    uint32_t len;
    uint16_t csum_start, csum_offset;
    uint8_t  flags;
    void    *page;                   /* where data lies                                                 */
    void    *owner;                  /* the kernel's                                                    */
};

struct netfront;
struct netback;

/* An empty one: data with room for NET_FRAME_MAX bytes, len 0. False: no memory now. */
bool net_frame_alloc(struct net_frame *f);
void net_frame_free(struct net_frame *f);
/* The page is no longer the frame's but the caller's (os_page_free); the rest is freed. */
void *net_frame_take_page(struct net_frame *f);

/* A port is the kernel's struct for an interface. Frames that came in, and: no more of this batch. */
void net_receive(void *port, struct net_frame *f);
void net_receive_done(void *port);
void net_carrier(void *port, bool on);

/* ethN over a frontend; null: none to be had. */
void *net_front_add(struct netfront *front, unsigned id, const uint8_t mac[6], unsigned mtu);
/* vif<domid>.<id> over a backend, a port of `bridge`, which lets `mac` be its only. -errno. */
int   net_back_add(void **port, struct netback *back, unsigned domid, unsigned id, const char *bridge, const uint8_t mac[6]);
void  net_back_offload(void *port, bool csum);       /* the guest takes NET_CSUM_PARTIAL */
void  net_port_remove(void *port);

/* net_csum.c: where the sum of a TCP or UDP frame over IPv4 belongs, since the protocol says only that one is missing. False: no
 * such frame. Sets flags, csum_start and csum_offset. */
bool net_csum_place(struct net_frame *f);
/* "aa:bb:cc:dd:ee:ff", of a single station. */
bool net_parse_mac(const char *text, uint8_t mac[6]);

#endif
