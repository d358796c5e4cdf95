/* SPDX-License-Identifier: MIT */
/* netdev.c: the list of network interfaces, and the two doors of each: frames out to the driver, frames in to whoever has it.
 *
 * Interfaces that were given frames wait in a list for their kick, those that got frames for the end of their batch, so that a
 * driver pays for its doorbell, and a receiver for its answer, once a batch.                                       */
#include "guest-kernel/kernel/netdev.h"

struct list all_netdevs = LIST_INIT(all_netdevs);
static struct list notifiers = LIST_INIT(notifiers);
static struct list batch = LIST_INIT(batch);

static void tell(struct netdev *d, enum netdev_event e)
{
    list_for(n, &notifiers, struct netdev_notifier, link)
        n->fn(d, e);
}

void netdev_notify(struct netdev_notifier *n)
{
    list_append(&notifiers, &n->link);
    list_for(d, &all_netdevs, struct netdev, link)
        n->fn(d, NETDEV_ADDED);
}

struct netdev *netdev_find(const char *name)
{
    list_for(d, &all_netdevs, struct netdev, link)
        if (!strcmp(d->name, name))
            return d;
    return 0;
}

int netdev_register(struct netdev *d)
{
    if (netdev_find(d->name))
        return -EEXIST;
    list_init(&d->batch);
    d->to_kick = d->to_finish = false;
    if (!d->mtu)
        d->mtu = NET_MTU;
    list_append(&all_netdevs, &d->link);
    tell(d, NETDEV_ADDED);
    return 0;
}

void netdev_unregister(struct netdev *d)
{
    if (bridge_of(d))
        bridge_remove(d);
    ip_detach(d);
    tell(d, NETDEV_REMOVED);
    netdev_down(d);
    list_remove(&d->link);
    list_remove(&d->batch);
}

void netdev_changed(struct netdev *d) { tell(d, NETDEV_CHANGED); }

int netdev_up(struct netdev *d)
{
    if (d->up)
        return 0;
    int rc = d->ops->up ? d->ops->up(d) : 0;
    if (!rc) {
        d->up = true;
        netdev_changed(d);
    }
    return rc;
}

void netdev_down(struct netdev *d)
{
    if (!d->up)
        return;
    d->up = false;
    if (d->ops->down)
        d->ops->down(d);
    netdev_changed(d);
}

static void note(struct netdev *d, bool *mark)
{
    *mark = true;
    if (list_empty(&d->batch))
        list_append(&batch, &d->batch);
}

void netdev_transmit(struct netdev *d, struct packet *p)
{
    bool fits = p->len >= ETH_HLEN && p->len <= d->mtu + ETH_HLEN + 4;      /* 4: a VLAN's tag */
    if (!d->up || !fits ||
        ((p->flags & PACKET_CSUM_PARTIAL) && !d->csum_tx && !packet_checksum(p))) {
        d->tx_dropped++;
        packet_free(p);
        return;
    }
    d->tx_packets++;
    d->tx_bytes += p->len;
    if (d->ops->kick)
        note(d, &d->to_kick);
    d->ops->transmit(d, p);
}

void netdev_kick(struct netdev *d)
{
    d->to_kick = false;
    if (!d->to_finish)
        list_remove(&d->batch);
    if (d->ops->kick)
        d->ops->kick(d);
}

void netdev_receive(struct netdev *d, struct packet *p)
{
    if (!d->up || !d->receive || p->len < ETH_HLEN) {
        d->rx_dropped++;
        packet_free(p);
        return;
    }
    d->rx_packets++;
    d->rx_bytes += p->len;
    p->from = d;
    if (d->receive_done)
        note(d, &d->to_finish);
    d->receive(d, p);
}

/* A receiver's answer may give frames to interfaces that were kicked already, or to the loopback: until nothing is left. The bound
 * is for two that answer each other for ever inside one machine; what is left waits for the next batch. */
void netdev_receive_done(struct netdev *d)
{
    static bool running;
    (void)d;
    if (running)
        return;
    running = true;
    for (int rounds = 0; !list_empty(&batch) && rounds < 4096; rounds++) {
        struct netdev *next = container_of(batch.next, struct netdev, batch);
        list_remove(&next->batch);
        if (next->to_finish) {
            next->to_finish = false;
            next->receive_done(next);
        }
        if (next->to_kick)
            netdev_kick(next);
    }
    running = false;
}
