/* SPDX-License-Identifier: MIT */
/* net_glue.c: Novice's answers to pv-drivers/net.h: a frame of the drivers' is a packet, a port an interface: eth0 over a
 * frontend, vif3.0 over a backend's end of guest 3. */
#include "guest-kernel/kernel/netdev.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/pv/backend_control.h"
#include "guest-kernel/pv/cpu.h"
#include "guest-kernel/pv/net_glue.h"
#include "pv-drivers/netback.h"
#include "pv-drivers/netfront.h"
#include "pv-drivers/store.h"

_Static_assert(NET_FRAME_MAX == PACKET_MAX, "a frame is a packet");
_Static_assert(NET_CSUM_PARTIAL == PACKET_CSUM_PARTIAL && NET_CSUM_GOOD == PACKET_CSUM_GOOD, "and so are its flags");

struct net_port {
    struct netdev    dev;
    struct netfront *front;
    struct netback  *back;
};

/* ---- Frames ---- */

bool net_frame_alloc(struct net_frame *f)
{
    struct packet *p = packet_alloc();
    if (!p)
        return false;
    *f = (struct net_frame){ .data = p->data, .page = p->page, .owner = p };
    return true;
}

void net_frame_free(struct net_frame *f) { packet_free(f->owner); }
void *net_frame_take_page(struct net_frame *f) { return packet_take_page(f->owner); }

static struct net_frame frame_of(struct packet *p)
{
    return (struct net_frame){
        .data = p->data, .len = p->len, .csum_start = p->csum_start, .csum_offset = p->csum_offset,
        .flags = p->flags, .page = p->page, .owner = p,
    };
}

void net_receive(void *port, struct net_frame *f)
{
    struct packet *p = f->owner;
    p->data = f->data;
    p->len = f->len;
    p->flags = f->flags;
    p->csum_start = f->csum_start;
    p->csum_offset = f->csum_offset;
    netdev_receive(&((struct net_port *)port)->dev, p);
}

void net_receive_done(void *port) { netdev_receive_done(&((struct net_port *)port)->dev); }

void net_carrier(void *port, bool on)
{
    struct net_port *n = port;
    if (n->dev.carrier == on)
        return;
    n->dev.carrier = on;
    netdev_changed(&n->dev);
}

/* ---- Frontends ---- */

static void front_transmit(struct netdev *d, struct packet *p)
{
    struct net_frame f = frame_of(p);
    netfront_transmit(((struct net_port *)d->private)->front, &f);
}

static void front_kick(struct netdev *d) { netfront_kick(((struct net_port *)d->private)->front); }

static const struct netdev_ops front_ops = { .transmit = front_transmit, .kick = front_kick };

static struct net_port *port_make(const struct netdev_ops *ops, const uint8_t *mac, unsigned mtu)
{
    struct net_port *n = kmalloc(sizeof(*n));
    if (!n)
        return 0;
    n->dev = (struct netdev){ .ops = ops, .private = n, .mtu = mtu, .csum_tx = true };
    memcpy(n->dev.mac, mac, ETH_ALEN);
    return n;
}

void *net_front_add(struct netfront *front, unsigned id, const uint8_t mac[6], unsigned mtu)
{
    struct net_port *n = port_make(&front_ops, mac, mtu);
    if (!n)
        return 0;
    n->front = front;
    for (unsigned tries = 0; tries < 64; tries++) {         /* the name of its number, or the next that is free */
        ksnprintf(n->dev.name, sizeof(n->dev.name), "eth%u", id + tries);
        int rc = netdev_register(&n->dev);
        if (rc == 0)
            return n;
        if (rc != -EEXIST)
            break;
    }
    kfree(n);
    return 0;
}

/* ---- Backends ---- */

static void back_transmit(struct netdev *d, struct packet *p)
{
    struct net_frame f = frame_of(p);
    netback_transmit(((struct net_port *)d->private)->back, &f);
}

static void back_kick(struct netdev *d) { netback_kick(((struct net_port *)d->private)->back); }

static const struct netdev_ops back_ops = { .transmit = back_transmit, .kick = back_kick };

/* The interface is no station: its own address is one that nobody has, the guest's is claimed on the bridge. */
int net_back_add(void **port, struct netback *back, unsigned domid, unsigned id, const char *bridge, const uint8_t mac[6])
{
    static const uint8_t nobody[ETH_ALEN] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct net_port *n = port_make(&back_ops, nobody, NET_MTU);
    if (!n)
        return -ENOMEM;
    n->back = back;
    ksnprintf(n->dev.name, sizeof(n->dev.name), "vif%u.%u", domid, id);
    int rc = netdev_register(&n->dev);
    if (rc) {
        kfree(n);
        return rc;
    }
    rc = bridge_add(bridge, &n->dev);
    if (rc == 0) {
        rc = bridge_claim(&n->dev, mac);
        rc = rc == -EEXIST ? -EADDRINUSE : rc;
    }
    if (rc)
        net_port_remove(n);
    else
        *port = n;
    return rc;
}

void net_back_offload(void *port, bool csum) { ((struct net_port *)port)->dev.csum_tx = csum; }

void net_port_remove(void *port)
{
    struct net_port *n = port;
    netdev_unregister(&n->dev);
    kfree(n);
}

void net_glue_boot(bool dom0)
{
    if (!store_ready())
        return;
    if (netfront_register())
        kprintf("netfront: no xenbus\n");
    if (!dom0)
        return;
    if (netback_start())
        kprintf("netback: no xenbus\n");
    backend_control_add("vif", netback_start, netback_stop, netback_count);
}
