/* SPDX-License-Identifier: MIT */
/* net.h: sockets, as the kernel and programs agree on them. Numbers are those that Linux programs know, but for the two flags
 * of socket() and accept4(), which are Newlib's O_NONBLOCK and O_CLOEXEC. Addresses and ports are in network order. */
#ifndef NOVICE_UAPI_NET_H
#define NOVICE_UAPI_NET_H

#include <stdint.h>

#define AF_UNSPEC 0
#define AF_INET   2

#define SOCK_STREAM   1
#define SOCK_DGRAM    2
#define SOCK_RAW      3
#define SOCK_NONBLOCK 0x4000
#define SOCK_CLOEXEC  0x40000

#define IPPROTO_IP   0
#define IPPROTO_ICMP 1
#define IPPROTO_TCP  6
#define IPPROTO_UDP  17

struct net_address {                   /* struct sockaddr_in by another name */
    uint16_t family, port;
    uint32_t address;
    uint8_t  zero[8];
};

#define SOL_SOCKET   1
#define SO_REUSEADDR 2
#define SO_TYPE      3
#define SO_ERROR     4
#define SO_BROADCAST 6
#define SO_SNDBUF    7
#define SO_RCVBUF    8
#define SO_KEEPALIVE 9
#define SO_LINGER    13
#define SO_RCVTIMEO  20
#define SO_SNDTIMEO  21
#define SO_ACCEPTCONN 30
#define SO_PROTOCOL  38
#define SO_DOMAIN    39
#define IP_TOS       1                 /* of IPPROTO_IP */
#define IP_TTL       2
#define TCP_NODELAY  1                 /* of IPPROTO_TCP */
#define TCP_KEEPIDLE  4
#define TCP_KEEPINTVL 5
#define TCP_KEEPCNT   6

#define MSG_PEEK     0x2
#define MSG_TRUNC    0x20
#define MSG_DONTWAIT 0x40
#define MSG_WAITALL  0x100
#define MSG_NOSIGNAL 0x4000
#define MSG_MORE     0x8000

#define SHUT_RD   0
#define SHUT_WR   1
#define SHUT_RDWR 2
#define SOMAXCONN 128

/* ioctls on any socket, struct net_interface *: */
#define SIOCNETGET  0x89e0             /* of interface number `index` in, all of it out; ENODEV after the last */
#define SIOCNETSET  0x89e1             /* sets what `change` names of interface `name` */
#define SIOCNETDOWN 0x89e2             /* takes interface `name` out of the stack, and down */
#define SIOCNETWAIT 0x89e3             /* waits until more interfaces have ever appeared than `index` says; updates it */

#define NET_UP      1                  /* flags */
#define NET_CARRIER 2
#define NET_IP      4                  /* the stack has it: addresses mean something */
#define NET_DHCP    8                  /* asks, or has asked, a DHCP server */
#define NET_LEASED  16                 /* and was answered */
#define NET_LOOP    32
#define NET_DEFAULT 64                 /* packets to elsewhere leave here */
#define NET_PORT    128                /* of a bridge */

#define NET_SET_ADDRESS 1              /* change: address and mask, and up */
#define NET_SET_GATEWAY 2              /* and the default interface, unless the gateway is 0 */
#define NET_SET_DHCP    4              /* on if flags has NET_DHCP, else off */
#define NET_SET_DNS     8              /* the servers that SIOCNETGET shows */
#define NET_SET_UP      16             /* up (without addresses) */

struct net_interface {
    uint32_t index, change, flags, mtu;
    char     name[16];
    uint8_t  mac[6], unused[2];
    uint32_t address, mask, gateway, dns[2], unused2;
    uint64_t rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
};

#endif
