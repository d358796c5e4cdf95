/* SPDX-License-Identifier: MIT */
/* lwipopts.h: how Novice wants lwIP: IPv4 only, raw interface only, memory from the kernel, timers from the kernel.
 *
 * lwIP runs without locks: it is called in system calls and in upcalls, and the kernel is interrupted in neither
 * (platform.h, rule 1). Whoever calls it must not sleep before the call returns.                                */
#ifndef NOVICE_LWIPOPTS_H
#define NOVICE_LWIPOPTS_H

#define NO_SYS                      1
#define SYS_LIGHTWEIGHT_PROT        0
#define LWIP_NETCONN                0
#define LWIP_SOCKET                 0
#define LWIP_IPV4                   1
#define LWIP_IPV6                   0
#define LWIP_HOOK_FILENAME          "hooks.h"
#define LWIP_HOOK_TCP_ISN(l, lp, r, rp) net_isn(l, lp, r, rp)

/* Timers: ip.c runs them, and only those that are needed, so that an idle machine has no tick. */
#define LWIP_TIMERS                 1
#define LWIP_TIMERS_CUSTOM          1

/* Memory: net_malloc, which keeps to a share of the machine's. */
#define MEM_LIBC_MALLOC             1
#define MEMP_MEM_MALLOC             1
#define mem_clib_malloc             net_malloc
#define mem_clib_calloc             net_calloc
#define mem_clib_free               net_free
#define MEM_ALIGNMENT               8
#define LWIP_SUPPORT_CUSTOM_PBUF    1
/* A large pbuf has its page for itself, and its frame starts where a packet's data does: it is sent as it lies. */
#define PBUF_LINK_ENCAPSULATION_HLEN 96

/* Links */
#define LWIP_ARP                    1
#define ARP_TABLE_SIZE              64
#define ARP_QUEUEING                1
#define ARP_QUEUE_LEN               16
#define ETHARP_SUPPORT_VLAN         0
#define LWIP_HAVE_LOOPIF            1
#define LWIP_NETIF_LOOPBACK         1
#define LWIP_LOOPBACK_MAX_PBUFS     1024
#define LWIP_NETIF_HOSTNAME         1
#define LWIP_NETIF_TX_SINGLE_PBUF   0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1

/* IP */
#define IP_FORWARD                  0
#define IP_REASSEMBLY               1
#define IP_FRAG                     1
#define IP_REASS_MAX_PBUFS          256
#define IP_SOF_BROADCAST            1
#define IP_SOF_BROADCAST_RECV       0
#define LWIP_ICMP                   1
#define LWIP_BROADCAST_PING         0
#define LWIP_RAW                    1
#define LWIP_IGMP                   0

/* TCP: windows for a fast link; the memory behind them is taken only when it is used. */
#define LWIP_TCP                    1
#define TCP_MSS                     1460
#define LWIP_WND_SCALE              1
#define TCP_RCV_SCALE               3
#define TCP_WND                     (256 * 1024)
#define TCP_SND_BUF                 (256 * 1024)
#define TCP_SNDLOWAT                32768   /* ours are stream.c's; lwIP wants a small one */
#define TCP_QUEUE_OOSEQ             1
/* A window of full segments that came out of order is kept; a peer that sends crumbs in every second place of it is not served so
 * well: each crumb costs far more memory than it fills of the window. */
#define TCP_OOSEQ_MAX_PBUFS         256
#define LWIP_TCP_SACK_OUT           1
#define TCP_LISTEN_BACKLOG          1
#define LWIP_TCP_KEEPALIVE          1
#define TCP_MSL                     5000
#define SO_REUSE                    1

#define LWIP_UDP                    1
#define LWIP_DHCP                   1
#define DHCP_DOES_ARP_CHECK         0
#define LWIP_DHCP_BOOTP_FILE        0
#define LWIP_DNS                    1      /* only to keep the servers that DHCP names: the C library resolves */
#define DNS_MAX_SERVERS             2

#define LWIP_STATS                  0
#define LWIP_DEBUG                  0

#endif
