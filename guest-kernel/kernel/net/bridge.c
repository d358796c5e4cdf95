/* SPDX-License-Identifier: MIT */
/* bridge.c: a switch of the learning kind: it remembers behind which port an address was seen, and floods what it does not know.
 *
 * Ports are other people's: behind one may sit a guest that invents a new address with every frame. So
 *
 * B1  A port's learned addresses are at most PORT_MACS; the next takes the place of its own oldest, never of another port's.
 * B2  An address that a port claimed (the backend does it with the guest's from the store), and the bridge's own, is learned for no
 *     other port, and frames that show it elsewhere as their source are dropped: a guest may have more addresses than its own, but
 *     nobody's else.
 * B3  A frame never leaves by the port it came in by, and bridges are no ports: what floods ends.
 * B4  A frame whose checksum is still to be made passes as it is: between guests nobody ever makes it (netdev_transmit does
 *     where a wire is next).
 *
 * The bridge is an interface itself: what is for its address goes up as its received frame, what it sends is forwarded.     */
#include "guest-kernel/kernel/netdev.h"

#define PORT_MACS   256
#define BUCKETS     256
#define AGE_NS      (300 * NSEC_PER_SEC)

struct mac_entry {
    struct list         chain;          /* of its bucket                       */
    struct list         age;            /* of its port, least recently seen first */
    struct bridge_port *port;           /* null: the bridge's own              */
    uint64_t            seen;
    uint8_t             mac[ETH_ALEN];
    bool                fixed;          /* claimed: neither ages nor moves     */
};

struct bridge_port {
    struct list    link;
    struct netdev *dev;
    struct bridge *bridge;
    struct list    macs;                /* learned ones, by age; claimed ones are at no place in it */
    unsigned       learned;
};

struct bridge {
    struct list      link;
    struct netdev    dev;
    struct list      ports;
    struct list      bucket[BUCKETS];
    uint64_t         seed;
    struct mac_entry own;
};

static struct list bridges = LIST_INIT(bridges);
static const struct netdev_ops bridge_ops;

static struct bridge *bridge_find(const char *name)
{
    list_for(b, &bridges, struct bridge, link)
        if (!strcmp(b->dev.name, name))
            return b;
    return 0;
}

static void port_receive(struct netdev *d, struct packet *p);

static struct bridge_port *port_of(const struct netdev *d)
{
    return d->receive == port_receive ? d->receiver : 0;
}

struct netdev *bridge_of(const struct netdev *d)
{
    struct bridge_port *port = port_of(d);
    return port ? &port->bridge->dev : 0;
}

/* ---- The table of addresses ---- */

/* An address as a number: two are looked up for each frame. */
static uint64_t mac_word(const uint8_t *mac)
{
    uint32_t first;
    uint16_t last;
    __builtin_memcpy(&first, mac, 4);                   /* inline: loads, not calls */
    __builtin_memcpy(&last, mac + 4, 2);
    return (uint64_t)last << 32 | first;
}

static struct list *bucket_of(struct bridge *b, const uint8_t *mac)
{
    uint64_t h = (mac_word(mac) ^ b->seed) * 0x9e3779b97f4a7c15ul;
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15ul;
    return &b->bucket[(h >> 32) % BUCKETS];
}

static void mac_forget(struct mac_entry *e)
{
    list_remove(&e->chain);
    list_remove(&e->age);
    if (!e->fixed)
        e->port->learned--;
    kfree(e);
}

/* However old it is. */
static struct mac_entry *mac_look(struct bridge *b, const uint8_t *mac)
{
    uint64_t word = mac_word(mac);
    list_for(e, bucket_of(b, mac), struct mac_entry, chain)
        if (mac_word(e->mac) == word)
            return e;
    return 0;
}

static struct mac_entry *mac_find(struct bridge *b, const uint8_t *mac)
{
    struct mac_entry *e = mac_look(b, mac);
    if (!e || e->fixed || plat_clock_ns() - e->seen < AGE_NS)
        return e;
    mac_forget(e);
    return 0;
}

/* B1: a new entry, or the port's oldest under a new name. */
static struct mac_entry *mac_take(struct bridge_port *port)
{
    struct mac_entry *e;
    if (port->learned >= PORT_MACS) {
        e = container_of(port->macs.next, struct mac_entry, age);
        list_remove(&e->chain);
        list_remove(&e->age);
        return e;
    }
    e = kmalloc(sizeof(*e));
    if (!e)
        return 0;
    list_init(&e->chain);
    list_init(&e->age);
    e->port = port;
    port->learned++;
    return e;
}

/* False: the frame shows an address that is somebody else's (B2). */
static bool mac_learn(struct bridge_port *port, const uint8_t *mac)
{
    struct bridge *b = port->bridge;
    if (mac[0] & 1)
        return false;                                   /* no station has a group's address */
    struct mac_entry *e = mac_look(b, mac);             /* one that is too old becomes young */
    if (e && e->fixed)
        return e->port == port;
    if (e && e->port != port) {                         /* it moved */
        mac_forget(e);
        e = 0;
    }
    if (!e) {
        e = mac_take(port);
        if (!e)
            return true;                                /* unlearned, it will be flooded to */
        memcpy(e->mac, mac, ETH_ALEN);
        list_prepend(bucket_of(b, mac), &e->chain);
    }
    e->seen = plat_clock_ns();
    list_remove(&e->age);
    list_append(&port->macs, &e->age);
    return true;
}

int bridge_claim(struct netdev *d, const uint8_t mac[ETH_ALEN])
{
    struct bridge_port *port = port_of(d);
    if (!port)
        return -ENODEV;
    if (mac[0] & 1)
        return -EINVAL;
    struct mac_entry *e = mac_find(port->bridge, mac);
    if (e && e->fixed)
        return e->port == port ? 0 : -EEXIST;
    if (e)
        mac_forget(e);
    e = kmalloc(sizeof(*e));
    if (!e)
        return -ENOMEM;
    *e = (struct mac_entry){ .port = port, .fixed = true };
    memcpy(e->mac, mac, ETH_ALEN);
    list_init(&e->age);
    list_prepend(bucket_of(port->bridge, mac), &e->chain);
    return 0;
}

static void port_forget_macs(struct bridge_port *port)
{
    for (int i = 0; i < BUCKETS; i++)
        list_for(e, &port->bridge->bucket[i], struct mac_entry, chain)
            if (e->port == port)
                mac_forget(e);
}

/* ---- Forwarding ---- */
/* To every port but `not`; takes p over. `up`: to the bridge itself too. */
static void flood(struct bridge *b, struct packet *p, const struct bridge_port *not, bool up)
{
    struct netdev *last = up ? &b->dev : 0;
    list_for(port, &b->ports, struct bridge_port, link) {
        if (port == not || !port->dev->up)
            continue;
        struct packet *c = last ? packet_copy(p) : 0;
        if (last && c && last == &b->dev)
            netdev_receive(last, c);
        else if (last && c)
            netdev_transmit(last, c);
        last = port->dev;
    }
    if (last == &b->dev)
        netdev_receive(last, p);
    else if (last)
        netdev_transmit(last, p);
    else
        packet_free(p);
}

static void port_receive(struct netdev *d, struct packet *p)
{
    struct bridge_port *port = d->receiver;
    struct bridge *b = port->bridge;
    if (!b->dev.up || !mac_learn(port, p->data + ETH_ALEN)) {
        d->rx_dropped++;
        packet_free(p);
        return;
    }
    if (p->data[0] & 1) {
        flood(b, p, port, true);
        return;
    }
    struct mac_entry *e = mac_find(b, p->data);
    if (!e)
        flood(b, p, port, false);
    else if (e == &b->own)
        netdev_receive(&b->dev, p);
    else if (e->port != port)                           /* B3 */
        netdev_transmit(e->port->dev, p);
    else
        packet_free(p);
}

static void bridge_transmit(struct netdev *d, struct packet *p)
{
    struct bridge *b = d->private;
    struct mac_entry *e = p->data[0] & 1 ? 0 : mac_find(b, p->data);
    if (!e)
        flood(b, p, 0, false);
    else if (e == &b->own)
        netdev_receive(d, p);
    else
        netdev_transmit(e->port->dev, p);
}

/* What went to the ports waits in the batch. */
static void bridge_kick(struct netdev *d) { netdev_receive_done(d); }

static const struct netdev_ops bridge_ops = { .transmit = bridge_transmit, .kick = bridge_kick };

/* ---- Bridges and ports come and go ---- */
static void own_address(struct bridge *b, const uint8_t *mac)
{
    list_remove(&b->own.chain);
    struct mac_entry *e = mac_find(b, mac);
    if (e)
        mac_forget(e);
    memcpy(b->dev.mac, mac, ETH_ALEN);
    memcpy(b->own.mac, mac, ETH_ALEN);
    list_prepend(bucket_of(b, mac), &b->own.chain);
}

int bridge_create(const char *name)
{
    if (!*name || strlen(name) >= sizeof(((struct netdev *)0)->name))
        return -EINVAL;
    if (netdev_find(name))
        return -EEXIST;
    struct bridge *b = kmalloc(sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->dev = (struct netdev){ .carrier = true, .csum_tx = true, .ops = &bridge_ops, .private = b };
    strlcpy(b->dev.name, name, sizeof(b->dev.name));
    list_init(&b->ports);
    for (int i = 0; i < BUCKETS; i++)
        list_init(&b->bucket[i]);
    b->seed = plat_clock_ns() ^ plat_wall_ns() << 20;
    b->own.fixed = true;
    list_init(&b->own.chain);
    list_init(&b->own.age);
    uint32_t r = b->seed * 0x9e3779b1u;
    own_address(b, (uint8_t[]){ 0x02, 0xeb, (uint8_t)(r >> 24), (uint8_t)(r >> 16), (uint8_t)(r >> 8), (uint8_t)r });
    list_append(&bridges, &b->link);
    return netdev_register(&b->dev);
}

int bridge_destroy(const char *name)
{
    struct bridge *b = bridge_find(name);
    if (!b)
        return netdev_find(name) ? -EINVAL : -ENODEV;
    list_for(port, &b->ports, struct bridge_port, link)
        bridge_remove(port->dev);
    netdev_unregister(&b->dev);
    list_remove(&b->link);
    kfree(b);
    return 0;
}

/* B3: bridges are no ports; nor is the loopback, which has no addresses. */
int bridge_add(const char *name, struct netdev *d)
{
    struct bridge *b = bridge_find(name);
    if (!b)
        return -ENODEV;
    if (d->ops == &bridge_ops || !strcmp(d->name, "lo"))
        return -EINVAL;
    if (d->receive)
        return port_of(d) && port_of(d)->bridge == b ? -EEXIST : -EBUSY;
    struct bridge_port *port = kmalloc(sizeof(*port));
    if (!port)
        return -ENOMEM;
    *port = (struct bridge_port){ .dev = d, .bridge = b };
    list_init(&port->macs);
    list_append(&b->ports, &port->link);
    d->receiver = port;
    d->receive = port_receive;
    netdev_up(d);
    netdev_up(&b->dev);
    netdev_changed(d);
    return 0;
}

int bridge_remove(struct netdev *d)
{
    struct bridge_port *port = port_of(d);
    if (!port)
        return -ENODEV;
    port_forget_macs(port);
    d->receive = 0;
    d->receiver = 0;
    list_remove(&port->link);
    kfree(port);
    netdev_changed(d);
    return 0;
}

/* ---- For brctl ---- */
struct text { char *buf; size_t size, len; };

static void __printf(2, 3) add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (t->len < t->size) {
        int n = kvsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
        t->len = MIN(t->len + (size_t)n, t->size - 1);
    }
    va_end(ap);
}

static void list_ports(struct text *t, struct bridge *b)
{
    const uint8_t *m = b->dev.mac;
    add(t, "%-15s %02x:%02x:%02x:%02x:%02x:%02x", b->dev.name, m[0], m[1], m[2], m[3], m[4], m[5]);
    const char *before = "  ";
    list_for(port, &b->ports, struct bridge_port, link) {
        add(t, "%s%s\n", before, port->dev->name);
        before = "                                   ";
    }
    if (list_empty(&b->ports))
        add(t, "\n");
}

static void list_macs(struct text *t, struct bridge *b)
{
    uint64_t now = plat_clock_ns();
    add(t, "%-15s %-17s  %s\n", "port", "address", "seen");
    for (int i = 0; i < BUCKETS; i++)
        list_for(e, &b->bucket[i], struct mac_entry, chain) {
            const uint8_t *m = e->mac;
            if (!e->fixed && now - e->seen >= AGE_NS)
                continue;
            add(t, "%-15s %02x:%02x:%02x:%02x:%02x:%02x  ", e->port ? e->port->dev->name : b->dev.name, m[0], m[1], m[2], m[3], m[4], m[5]);
            if (e->fixed)
                add(t, "%s\n", e->port ? "claimed" : "own");
            else
                add(t, "%u s ago\n", (unsigned)((now - e->seen) / NSEC_PER_SEC));
        }
}

long bridge_list(const char *name, char *buf, size_t size)
{
    struct text t = { buf, size, 0 };
    if (name) {
        struct bridge *b = bridge_find(name);
        if (!b)
            return -ENODEV;
        list_macs(&t, b);
        return (long)t.len;
    }
    add(&t, "%-15s %-17s  %s\n", "bridge", "address", "interfaces");
    list_for(b, &bridges, struct bridge, link)
        list_ports(&t, b);
    return (long)t.len;
}

/* The next word of *line, ended by a zero; null when there is none. */
static char *word(char **line)
{
    char *w = *line;
    while (*w == ' ' || *w == '\n' || *w == '\t')
        w++;
    if (!*w)
        return 0;
    char *end = w;
    while (*end && *end != ' ' && *end != '\n' && *end != '\t')
        end++;
    *line = *end ? end + 1 : end;
    *end = 0;
    return w;
}

long bridge_command(char *line)
{
    char *verb = word(&line), *bridge = word(&line), *port = word(&line);
    if (!verb || !bridge)
        return -EINVAL;
    if (!port && !strcmp(verb, "addbr"))
        return bridge_create(bridge);
    if (!port && !strcmp(verb, "delbr"))
        return bridge_destroy(bridge);
    struct netdev *d = port ? netdev_find(port) : 0;
    if (!port)
        return -EINVAL;
    if (!bridge_find(bridge) || !d)
        return -ENODEV;
    if (!strcmp(verb, "addif"))
        return bridge_add(bridge, d);
    if (!strcmp(verb, "delif"))
        return bridge_of(d) == &bridge_find(bridge)->dev ? bridge_remove(d) : -EINVAL;
    return -EINVAL;
}
