/* SPDX-License-Identifier: MIT */
/* net.h: what the files of this folder share: lwIP's surroundings (memory, time, interfaces).
 *
 * The stack is lwIP's raw interface, called without locks: kernel code is interrupted nowhere (platform.h, rule 1), and nothing
 * here sleeps inside a call of lwIP's. What such a call left to do, packets to ourselves and drivers to be kicked,
 * net_flush does; every way into the stack ends with it.                                                        */
#ifndef NOVICE_NET_H
#define NOVICE_NET_H

#include "guest-kernel/kernel/netdev.h"
#include "guest-kernel/kernel/timer.h"
#include "guest-kernel/uapi/net.h"

#include "lwip/ip_addr.h"
#include "lwip/netif.h"

struct pbuf;

/* memory.c. Bytes that the stack holds, packets received and unread included, and how many it may. */
extern struct net_memory { size_t used, limit; } net_memory;
void net_memory_boot(void);
static inline bool net_room(size_t n) { return net_memory.used + n <= net_memory.limit; }
void     *net_malloc(size_t size);
void     *net_calloc(size_t count, size_t size);
void      net_free(void *p);
uint32_t  net_random(void);
uint16_t  net_checksum(const void *data, int n);
/* A pbuf that has a page for itself: that page; else null. */
void     *net_page_of(const struct pbuf *p);

/* clock.c: lwIP's timers. */
void net_clock_boot(void);
/* Something happened: timers that only tidy up run for a while. */
void net_active(void);
/* A packet is about to look for its neighbour: entries of ARP's that are too old go before, and what ARP is asked anew it gives up in time. */
void net_sending(void);
/* Conditions changed (DHCP began): look again which timers are needed. */
void net_clock_program(void);

/* ip.c */
struct ip_interface {
    struct netif   netif;              /* first: lwIP hands back its address */
    struct netdev *dev;
    struct list    link;
    struct timer   lost;               /* set while the carrier is away and the stack has not been told */
};
void net_flush(void);
struct ip_interface *ip_interface_of(const struct netdev *d);      /* null: not attached */
extern struct list ip_interfaces;

/* config.c: ioctls on a socket. */
long net_ioctl(unsigned long cmd, uptr_t arg);
void net_appeared(void);               /* an interface did: who waits for that is woken */
int  net_error(int8_t err);            /* lwIP's err_t as -errno */

#endif
