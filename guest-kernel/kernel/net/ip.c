/* SPDX-License-Identifier: MIT */
/* ip.c: between network interfaces and lwIP.
 *
 * A frame that comes in stays in its page until a program has read it: lwIP sees it through a pbuf of ours that owns the packet.
 * Small ones (acknowledgements) are copied instead, so that they do not hold a page each. A frame that goes out
 * lies in a page already, if it is a large one (memory.c): the packet shares that page, and nothing is copied.
 * Checksums are left to whoever can do them more cheaply.                                                       */
#include "guest-kernel/kernel/net/net.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/system.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"

#define SMALL 256                           /* frames up to this are copied */
#define ETH_LEAST 60u
#define CARRIER_PATIENCE (10 * NSEC_PER_SEC)
#define CHECK_ALL  (NETIF_CHECKSUM_ENABLE_ALL)
#define CHECK_DATA (NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)
#define MAKE_DATA  (NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP)

struct list ip_interfaces = LIST_INIT(ip_interfaces);

/* ---- Out ---- */

/* The sum of addresses, protocol and length that TCP's and UDP's checksums begin with. */
static uint16_t pseudo_sum(const struct ip_hdr *h, unsigned length)
{
    uint32_t sum = net_checksum(&h->src, 8) + lwip_htons(IPH_PROTO(h)) + lwip_htons(length);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

/* Leaves the checksum of a TCP or UDP frame to the driver. lwIP was told not to make it, fragments of UDP excepted, which
 * never had one. */
static void leave_checksum(struct packet *p)
{
    const struct ip_hdr *h = (const struct ip_hdr *)(p->data + ETH_HLEN);
    if (p->len < ETH_HLEN + IP_HLEN || p->data[12] != 8 || p->data[13] != 0 ||
        (IPH_OFFSET(h) & PP_HTONS(IP_OFFMASK | IP_MF)))
        return;
    unsigned offset = IPH_PROTO(h) == IP_PROTO_TCP ? 16 : IPH_PROTO(h) == IP_PROTO_UDP ? 6 : 0;
    unsigned start = ETH_HLEN + IPH_HL_BYTES(h);
    if (!offset || start + offset + 2 > p->len)
        return;
    uint16_t sum = pseudo_sum(h, p->len - start);
    memcpy(p->data + start + offset, &sum, 2);
    p->flags |= PACKET_CSUM_PARTIAL;
    p->csum_start = start;
    p->csum_offset = offset;
}

/* A packet in the very page where the pbuf lies. Each has its reference on the page, so either may go first. */
static struct packet *packet_share(void *page)
{
    struct packet *p = kmalloc(sizeof(*p));
    if (!p)
        return 0;
    list_init(&p->link);
    p->page = page;
    page_get(page_of(page));
    return p;
}

static struct packet *packet_of(struct pbuf *p)
{
    void *page = net_page_of(p);
    struct packet *out = page ? packet_share(page) : packet_alloc();
    if (!out)
        return 0;
    if (page)
        out->data = p->payload;
    else if (p->tot_len <= PACKET_MAX)
        pbuf_copy_partial(p, out->data, p->tot_len, 0);
    out->len = p->tot_len;
    return out;
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct ip_interface *i = (struct ip_interface *)netif;
    if (p->tot_len > PACKET_MAX)
        return ERR_BUF;
    struct packet *out = packet_of(p);
    if (!out)
        return ERR_MEM;
    if (!(netif->chksum_flags & MAKE_DATA))
        leave_checksum(out);
    netdev_transmit(i->dev, out);
    return ERR_OK;
}

static err_t interface_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    net_sending();
    return etharp_output(netif, p, to);
}

/* ---- In ---- */

struct rx_pbuf {
    struct pbuf_custom custom;              /* first: lwIP hands back its address */
    struct packet     *packet;
};

static void rx_free(struct pbuf *p)
{
    struct rx_pbuf *r = (struct rx_pbuf *)p;
    net_memory.used -= PAGE_SIZE;
    packet_free(r->packet);
    kfree(r);
}

static struct pbuf *rx_wrap(struct packet *p)
{
    struct rx_pbuf *r = net_room(PAGE_SIZE) ? kmalloc(sizeof(*r)) : 0;
    if (!r)
        return 0;
    net_memory.used += PAGE_SIZE;
    r->custom.custom_free_function = rx_free;
    r->packet = p;
    return pbuf_alloced_custom(PBUF_RAW, p->len, PBUF_REF, &r->custom, p->data, p->len);
}

/* Filled up to Ethernet's least length: lwIP counts on it (it reads and answers an ARP packet without asking how much of it there
 * is), and a frame from a guest or a bridge need not have it. */
static struct pbuf *rx_copy(struct packet *p)
{
    struct pbuf *copy = pbuf_alloc(PBUF_RAW, MAX(p->len, ETH_LEAST), PBUF_RAM);
    if (copy) {
        memcpy(copy->payload, p->data, p->len);
        if (p->len < ETH_LEAST)
            memset((uint8_t *)copy->payload + p->len, 0, ETH_LEAST - p->len);
        packet_free(p);
    }
    return copy;
}

/* The interface's `receive`. A frame with a partial checksum came from a guest of this machine and never crossed a wire. */
static void ip_receive(struct netdev *d, struct packet *p)
{
    struct ip_interface *i = d->receiver;
    bool trusted = p->flags & (PACKET_CSUM_GOOD | PACKET_CSUM_PARTIAL);
    net_active();
    struct pbuf *in = p->len <= SMALL ? rx_copy(p) : rx_wrap(p);
    if (!in) {
        d->rx_dropped++;
        packet_free(p);
        return;
    }
    i->netif.chksum_flags = trusted ? i->netif.chksum_flags & ~CHECK_DATA : i->netif.chksum_flags | CHECK_DATA;
    if (i->netif.input(in, &i->netif) != ERR_OK)
        pbuf_free(in);
}

/* Delivers what the machine sent to itself and tells drivers that their batch is complete. What is delivered may send again, to
 * ourselves too, hence the rounds; they are bounded, since each is paid for by whoever sent. */
void net_flush(void)
{
    static bool inside;
    struct netif *n;
    bool more = !inside;
    inside = true;
    for (int round = 0; more && round < 1000; round++) {
        more = false;
        NETIF_FOREACH (n) {
            if (!n->loop_first)
                continue;
            n->chksum_flags &= ~CHECK_DATA;
            netif_poll(n);
            more = true;
        }
    }
    inside = false;
    netdev_receive_done(0);
}

/* ---- Interfaces ---- */

struct ip_interface *ip_interface_of(const struct netdev *d)
{
    list_for (i, &ip_interfaces, struct ip_interface, link)
        if (i->dev == d)
            return i;
    return 0;
}

static err_t interface_init(struct netif *n)
{
    struct netdev *d = n->state;
    memcpy(n->hwaddr, d->mac, ETH_ALEN);
    n->hwaddr_len = ETH_ALEN;
    n->mtu = MIN(d->mtu, (uint32_t)NET_MTU);
    n->name[0] = d->name[0];
    n->name[1] = d->name[1];
    n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    n->hostname = system_name.nodename;
    n->output = interface_output;
    n->linkoutput = link_output;
    NETIF_SET_CHECKSUM_CTRL(n, d->csum_tx ? CHECK_ALL & ~MAKE_DATA : CHECK_ALL);
    return ERR_OK;
}

static void ip_receive_done(struct netdev *d) { net_flush(); }

/* A carrier that is away for a moment, as when a backend is started again, is no reason to forget a route: programs would be told that the
 * network is unreachable, where frames that are lost meanwhile are merely sent again. The stack is told when it stays away. */
static void carrier_stays_away(struct timer *t)
{
    struct ip_interface *i = container_of(t, struct ip_interface, lost);
    netif_set_link_down(&i->netif);
    net_flush();
    net_clock_program();
}

static void carrier_changed(struct ip_interface *i, bool carrier)
{
    bool away = !list_empty(&i->lost.link);
    if (carrier && away) {
        timer_cancel(&i->lost);
        if (netif_is_up(&i->netif) && netif_ip4_addr(&i->netif)->addr)
            etharp_gratuitous(&i->netif);        /* whatever is at the other end may be new */
    } else if (carrier && !netif_is_link_up(&i->netif)) {
        netif_set_link_up(&i->netif);
    } else if (!carrier && !away && netif_is_link_up(&i->netif)) {
        timer_set(&i->lost, plat_clock_ns() + CARRIER_PATIENCE);
    }
}

int ip_attach(struct netdev *d)
{
    if (ip_interface_of(d))
        return -EEXIST;
    if (d->receive)
        return -EBUSY;
    struct ip_interface *i = kmalloc(sizeof(*i));
    if (!i)
        return -ENOMEM;
    i->dev = d;
    timer_init(&i->lost, carrier_stays_away);
    if (!netif_add(&i->netif, 0, 0, 0, d, interface_init, netif_input)) {
        kfree(i);
        return -ENFILE;
    }
    list_append(&ip_interfaces, &i->link);
    d->receive = ip_receive;
    d->receiver = i;
    d->receive_done = ip_receive_done;
    if (!netif_default || netif_default->name[0] == 'l')
        netif_set_default(&i->netif);
    if (d->up)
        netif_set_up(&i->netif);
    if (d->carrier)
        netif_set_link_up(&i->netif);
    return 0;
}

void ip_detach(struct netdev *d)
{
    struct ip_interface *i = ip_interface_of(d);
    if (!i)
        return;
    d->receive = 0;
    d->receiver = 0;
    d->receive_done = 0;
    if (netif_dhcp_data(&i->netif)) {
        dhcp_stop(&i->netif);
        dhcp_cleanup(&i->netif);
    }
    timer_cancel(&i->lost);
    netif_remove(&i->netif);
    list_remove(&i->link);
    if (!netif_default && !list_empty(&ip_interfaces))
        netif_set_default(&container_of(ip_interfaces.next, struct ip_interface, link)->netif);
    kfree(i);
}

/* The driver's news, for the stack: carrier, address, whether it is up. */
static void ip_changed(struct netdev *d, enum netdev_event e)
{
    struct ip_interface *i = ip_interface_of(d);
    if (e == NETDEV_ADDED)
        net_appeared();
    if (i && e == NETDEV_REMOVED)
        ip_detach(d);
    if (!i || e != NETDEV_CHANGED)
        return;
    memcpy(i->netif.hwaddr, d->mac, ETH_ALEN);
    if (d->up != !!netif_is_up(&i->netif))
        (d->up ? netif_set_up : netif_set_down)(&i->netif);
    carrier_changed(i, d->carrier);
    net_flush();
    net_clock_program();
}

void net_boot(void)
{
    static struct netdev_notifier news = { .fn = ip_changed };
    net_memory_boot();
    net_clock_boot();
    lwip_init();
    netdev_notify(&news);
    bridge_boot();
}
