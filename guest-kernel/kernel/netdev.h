/* SPDX-License-Identifier: MIT */
/* netdev.h: network interfaces and the packets that move between them.
 *
 * A packet is one Ethernet frame (no FCS) in one page of memory, with room before and behind. Who is given a packet owns it: a driver
 * frees it once sent, a receiver once read. Interfaces: a card, a frontend, a backend's end of a guest (vifD.N), the
 * bridge. What an interface receives goes to its `receive`: the bridge if it is a port, else the IP stack (if it has one),
 * else the bin. All of this runs in upcalls or in the kernel proper, never sleeps, and is never interrupted.   */
#ifndef NOVICE_NETDEV_H
#define NOVICE_NETDEV_H

#include "guest-kernel/kernel/base.h"

#define PACKET_HEADROOM 128
#define PACKET_MAX      (PAGE_SIZE - PACKET_HEADROOM)
#define ETH_ALEN        6
#define ETH_HLEN        14
#define NET_MTU         1500

/* Who vouches for the TCP or UDP checksum. */
#define PACKET_CSUM_PARTIAL 1      /* to send: sum [csum_start, end) into csum_start + csum_offset (the pseudo header's sum stands there) */
#define PACKET_CSUM_GOOD    2      /* received: known to be right      */

struct packet {
    struct list     link;
    uint8_t        *data;          /* in `page`, at least PACKET_HEADROOM in for what we make */
    uint32_t        len;
    uint8_t         flags;
    uint16_t        csum_start, csum_offset;   /* from data */
    void           *page;          /* in the direct map; its struct page has one reference of ours */
    struct netdev  *from;          /* where it came in, or null       */
    uint64_t        private[2];    /* of who holds it now             */
};

struct packet *packet_alloc(void);            /* empty, data at PACKET_HEADROOM; null when memory is scarce */
struct packet *packet_copy(const struct packet *p);
void packet_free(struct packet *p);
/* Frees all but its page, whose reference is now the caller's. */
void *packet_take_page(struct packet *p);
/* Does in software what PACKET_CSUM_PARTIAL asks; bad offsets (a guest's): false. */
bool packet_checksum(struct packet *p);
/* The one's complement sum of n bytes added to `sum`, folded to 16 bits, in memory order; store ~sum. */
uint16_t net_sum(const void *data, size_t n, uint32_t sum);

struct netdev;
struct netdev_ops {
    /* Takes p over; sends, queues or drops it (counts that). */
    void (*transmit)(struct netdev *d, struct packet *p);
    /* No more packets of this batch; null: not needed. */
    void (*kick)(struct netdev *d);
    int  (*up)(struct netdev *d);
    void (*down)(struct netdev *d);
};

struct netdev {
    struct list              link;
    char                     name[16];         /* "eth0", "vif3.0", "br0", "lo" */
    uint8_t                  mac[ETH_ALEN];
    uint32_t                 mtu;
    bool                     up, carrier;
    bool                     csum_tx;          /* takes PACKET_CSUM_PARTIAL; else netdev_transmit sums first */
    const struct netdev_ops *ops;
    void                    *private;          /* the driver's        */
    void                   (*receive)(struct netdev *d, struct packet *p);  /* takes p over; null: netdev_receive drops */
    void                   (*receive_done)(struct netdev *d);               /* after a batch of receive(); null: none */
    void                    *receiver;         /* receive's: the bridge port, the IP interface */
    uint64_t                 rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
    struct list              batch;            /* netdev.c's: got or was given frames since the last done or kick */
    bool                     to_kick, to_finish;
};

int  netdev_register(struct netdev *d);        /* name unique or -EEXIST; tells netdev_notify's */
void netdev_unregister(struct netdev *d);      /* taken out of its bridge and the IP stack first */
struct netdev *netdev_find(const char *name);
extern struct list all_netdevs;
/* For senders: counts, sums if the driver cannot, hands on. Drops when down. Takes p over. */
void netdev_transmit(struct netdev *d, struct packet *p);
void netdev_kick(struct netdev *d);
/* For drivers: a frame came in. Takes p over. */
void netdev_receive(struct netdev *d, struct packet *p);
/* For drivers: no more frames of this interrupt (the IP stack and bridge may send what they gathered). */
void netdev_receive_done(struct netdev *d);
/* Carrier or address changed. */
void netdev_changed(struct netdev *d);
/* Up at once if it is not; calls ops->up. Down likewise. */
int  netdev_up(struct netdev *d);
void netdev_down(struct netdev *d);

/* Who wants to hear of interfaces; called for those that are there already, too. May not sleep. */
enum netdev_event { NETDEV_ADDED, NETDEV_REMOVED, NETDEV_CHANGED };
struct netdev_notifier { struct list link; void (*fn)(struct netdev *d, enum netdev_event e); };
void netdev_notify(struct netdev_notifier *n);

/* net/bridge.c: -EEXIST, -ENODEV, -EBUSY (in another, or has an IP interface). A bridge is a netdev too. Ports are brought up. */
int  bridge_create(const char *name);
int  bridge_destroy(const char *name);
int  bridge_add(const char *bridge, struct netdev *port);
int  bridge_remove(struct netdev *port);
/* The port's own address for good, until it leaves: frames that show it on another port are dropped. -EEXIST: another's. */
int  bridge_claim(struct netdev *port, const uint8_t mac[ETH_ALEN]);
struct netdev *bridge_of(const struct netdev *port);   /* null: not a port */
/* /dev/bridge: a line written is a command ("addbr br0", "delif br0 eth0", ...), what is read a list: brctl's. */
long bridge_command(char *line);
/* Text for `brctl show` (null) or `brctl showmacs` of one bridge; returns bytes put in buf, -ENODEV. */
long bridge_list(const char *bridge, char *buf, size_t size);
void bridge_boot(void);                                /* registers /dev/bridge */
/* net/ip.c: gives d to the IP stack (an lwIP netif), or takes it away. */
int  ip_attach(struct netdev *d);
void ip_detach(struct netdev *d);
void net_boot(void);

#endif
