/* SPDX-License-Identifier: MIT */
/* config.c: what ifconfig and route ask and set: addresses, gateways, DHCP. */
#include "guest-kernel/kernel/net/net.h"
#include "guest-kernel/kernel/vm.h"
#include "guest-kernel/kernel/wait.h"

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"

int net_error(int8_t err)
{
    static const int16_t table[] = {
        [-ERR_MEM] = ENOBUFS, [-ERR_BUF] = ENOBUFS, [-ERR_TIMEOUT] = ETIMEDOUT, [-ERR_RTE] = ENETUNREACH,
        [-ERR_INPROGRESS] = EINPROGRESS, [-ERR_VAL] = EINVAL, [-ERR_WOULDBLOCK] = EAGAIN, [-ERR_USE] = EADDRINUSE,
        [-ERR_ALREADY] = EALREADY, [-ERR_ISCONN] = EISCONN, [-ERR_CONN] = ENOTCONN, [-ERR_IF] = ENETDOWN,
        [-ERR_ABRT] = ECONNABORTED, [-ERR_RST] = ECONNRESET, [-ERR_CLSD] = ENOTCONN, [-ERR_ARG] = EINVAL,
    };
    return err >= 0 ? 0 : (unsigned)-err < ARRAY_SIZE(table) ? -table[-err] : -EIO;
}

/* ---- Telling ---- */

static void tell_addresses(struct net_interface *out, struct netif *n)
{
    out->flags |= NET_IP | (n == netif_default ? NET_DEFAULT : 0);
    out->address = netif_ip4_addr(n)->addr;
    out->mask = netif_ip4_netmask(n)->addr;
    out->gateway = netif_ip4_gw(n)->addr;
    if (netif_dhcp_data(n) && netif_dhcp_data(n)->state)
        out->flags |= NET_DHCP | (dhcp_supplied_address(n) ? NET_LEASED : 0);
}

static void tell_loopback(struct net_interface *out)
{
    struct netif *n;
    strlcpy(out->name, "lo", sizeof(out->name));
    out->flags = NET_UP | NET_CARRIER | NET_LOOP;
    NETIF_FOREACH (n)
        if (n->name[0] == 'l' && n->name[1] == 'o')
            tell_addresses(out, n);
}

static void tell_device(struct net_interface *out, const struct netdev *d)
{
    struct ip_interface *i = ip_interface_of(d);
    strlcpy(out->name, d->name, sizeof(out->name));
    memcpy(out->mac, d->mac, sizeof(out->mac));
    out->mtu = d->mtu;
    out->flags = (d->up ? NET_UP : 0) | (d->carrier ? NET_CARRIER : 0) | (!i && d->receive ? NET_PORT : 0);
    out->rx_packets = d->rx_packets;
    out->rx_bytes = d->rx_bytes;
    out->rx_dropped = d->rx_dropped;
    out->tx_packets = d->tx_packets;
    out->tx_bytes = d->tx_bytes;
    out->tx_dropped = d->tx_dropped;
    if (i)
        tell_addresses(out, &i->netif);
}

static long interface_get(struct net_interface *io)
{
    uint32_t at = 0, wanted = io->index;
    *io = (struct net_interface){ .index = wanted };
    for (int k = 0; k < DNS_MAX_SERVERS; k++)
        io->dns[k] = dns_getserver(k)->addr;
    if (wanted == 0) {
        tell_loopback(io);
        return 0;
    }
    list_for (d, &all_netdevs, struct netdev, link)
        if (++at == wanted) {
            tell_device(io, d);
            return 0;
        }
    return -ENODEV;
}

/* ---- Setting ---- */

static void dhcp_off(struct ip_interface *i)
{
    if (!netif_dhcp_data(&i->netif))
        return;
    dhcp_stop(&i->netif);
    dhcp_cleanup(&i->netif);
}

/* A mask is ones and then zeros; an address is no network's, broadcast or multicast's. */
static bool address_ok(uint32_t address, uint32_t mask)
{
    uint32_t host = ~lwip_ntohl(mask), a = lwip_ntohl(address);
    if (host & (host + 1))
        return false;
    return !address || (a >> 28 < 14 && a >> 24 != 127 && (host < 3 || ((a & host) && (a & host) != host)));
}

static void set_dns(const struct net_interface *in)
{
    for (int k = 0; k < DNS_MAX_SERVERS; k++) {
        ip_addr_t server = { in->dns[k] };
        dns_setserver(k, &server);
    }
}

static long apply(struct ip_interface *i, const struct net_interface *in)
{
    struct netif *n = &i->netif;
    ip4_addr_t address = { in->address }, mask = { in->mask }, gateway = { in->gateway };
    if (in->change & (NET_SET_ADDRESS | NET_SET_DHCP))
        dhcp_off(i);
    if (in->change & NET_SET_ADDRESS)
        netif_set_addr(n, &address, &mask, netif_ip4_gw(n));
    if (in->change & NET_SET_GATEWAY) {
        netif_set_gw(n, &gateway);
        if (in->gateway)
            netif_set_default(n);
    }
    if (in->change & NET_SET_DNS)
        set_dns(in);
    if ((in->change & NET_SET_DHCP) && (in->flags & NET_DHCP)) {
        netif_set_default(n);
        return net_error(dhcp_start(n));
    }
    return 0;
}

static long interface_set(struct net_interface *in)
{
    in->name[sizeof(in->name) - 1] = 0;
    struct netdev *d = netdev_find(in->name);
    if (!d)
        return -ENODEV;
    if ((in->change & NET_SET_ADDRESS) && !address_ok(in->address, in->mask))
        return -EINVAL;
    if (in->change == NET_SET_UP)           /* a bridge's port, say, has no addresses */
        return netdev_up(d);
    int rc = ip_interface_of(d) ? 0 : ip_attach(d);
    if (rc == 0)
        rc = netdev_up(d);
    return rc ? rc : apply(ip_interface_of(d), in);
}

static long interface_down(struct net_interface *in)
{
    in->name[sizeof(in->name) - 1] = 0;
    struct netdev *d = netdev_find(in->name);
    if (!d)
        return -ENODEV;
    ip_detach(d);
    if (!d->receive)                        /* a bridge's port stays up for the bridge */
        netdev_down(d);
    return 0;
}

/* ---- Waiting for cards that are plugged in while the machine runs ---- */

static struct { uint32_t count; struct wait_queue queue; } appeared = { .queue = { LIST_INIT(appeared.queue.waiters) } };

void net_appeared(void)
{
    appeared.count++;
    wake_all(&appeared.queue);
}

static long interface_wait(struct net_interface *io)
{
    int rc = wait_event(&appeared.queue, appeared.count != io->index);
    io->index = appeared.count;
    return rc;
}

long net_ioctl(unsigned long cmd, uptr_t arg)
{
    struct net_interface io;
    if (cmd < SIOCNETGET || cmd > SIOCNETWAIT)
        return -ENOTTY;
    if (copy_from_user(&io, arg, sizeof(io)))
        return -EFAULT;
    if (cmd == SIOCNETWAIT) {
        long rc = interface_wait(&io);
        return rc ? rc : copy_to_user(arg, &io, sizeof(io));
    }
    long rc = cmd == SIOCNETGET ? interface_get(&io) : cmd == SIOCNETSET ? interface_set(&io) : interface_down(&io);
    net_flush();
    net_clock_program();
    return rc == 0 && cmd == SIOCNETGET ? copy_to_user(arg, &io, sizeof(io)) : rc;
}
