/* SPDX-License-Identifier: MIT */
/* ifconfig.c: ifconfig shows and sets interfaces, route the way to elsewhere.
 *
 *     ifconfig [NAME]
 *     ifconfig [-b] NAME ADDRESS/LENGTH[,GATEWAY[,DNS]] | ADDRESS netmask MASK | up | down | dhcp
 *     route [add default GATEWAY | del default]
 * The words of the first form are those of ip= on the kernel's command line. Name servers go to /etc/resolv.conf.
 * -b: once now, and from then on in the background for each card of that name that appears (by enso network-attach, say).   */
#include "guest-kernel/user/net/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LEASE_SECONDS 60

static bool background;

static const char *text_of(uint32_t address)
{
    return inet_ntoa((struct in_addr){ address });
}

static int mask_length(uint32_t mask)
{
    return mask ? 32 - __builtin_ctz(ntohl(mask)) : 0;
}

static void show(const struct net_interface *n)
{
    static const struct { unsigned bit; const char *word; } words[] = {
        { NET_UP, "up" }, { NET_CARRIER, "carrier" }, { NET_LOOP, "loopback" }, { NET_PORT, "in a bridge" }, { NET_DHCP, "dhcp" },
        { NET_LEASED, "leased" }, { NET_DEFAULT, "default" },
    };

    iprintf("%-8s", n->name);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (n->flags & words[i].bit)
            iprintf(" %s", words[i].word);
    if (!(n->flags & NET_UP))
        iprintf(" down");
    if (!(n->flags & NET_LOOP))
        iprintf("  mtu %u", (unsigned)n->mtu);
    if (n->flags & NET_IP) {
        iprintf("\n         inet %s/%d", text_of(n->address), mask_length(n->mask));
        if (n->gateway && !(n->flags & NET_LOOP))
            iprintf("  gateway %s", text_of(n->gateway));
    }
    if (n->flags & NET_LOOP) {
        iprintf("\n");
        return;
    }
    iprintf("\n         ether %02x:%02x:%02x:%02x:%02x:%02x\n", n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4], n->mac[5]);
    iprintf("         received %lu packets, %lu bytes, %lu dropped\n", n->rx_packets, n->rx_bytes, n->rx_dropped);
    iprintf("         sent     %lu packets, %lu bytes, %lu dropped\n", n->tx_packets, n->tx_bytes, n->tx_dropped);
}

static void write_resolv(const uint32_t *dns, int count)
{
    FILE *f = fopen("/etc/resolv.conf", "w");

    for (int i = 0; f && i < count; i++)
        if (dns[i])
            fiprintf(f, "nameserver %s\n", text_of(dns[i]));
    if (f)
        fclose(f);
}

static int set(int fd, struct net_interface *n, const char *what)
{
    int rc = ioctl(fd, SIOCNETSET, n);

    if (rc < 0 && errno == ENODEV)
        fiprintf(stderr, "%s: %s: there is no such interface\n", box_name, n->name);
    else if (rc < 0 && errno == EBUSY)
        fiprintf(stderr, "%s: %s is in a bridge: give the bridge the address\n", box_name, n->name);
    else if (rc < 0 && errno == EINVAL)
        fiprintf(stderr, "%s: %s: not an address for a machine in that network\n", box_name, what);
    else if (rc < 0)
        fail(n->name);
    return rc < 0;
}

/* Asks, and waits for the answer, so that who needs the network next may simply come next. */
static int use_dhcp(int fd, struct net_interface *n)
{
    n->change = NET_SET_DHCP;
    n->flags = NET_DHCP;
    if (set(fd, n, "dhcp"))
        return 1;
    for (int tenths = 0; tenths < 10 * LEASE_SECONDS; tenths++) {
        if (!net_interface_named(fd, n->name, n))
            return 1;
        if (n->flags & NET_LEASED) {
            write_resolv(n->dns, 2);
            return 0;
        }
        usleep(100000);
    }
    if (!background)
        fiprintf(stderr, "%s: %s: no DHCP server answers; it will be asked on\n", box_name, n->name);
    return 1;
}

static bool length_mask(const char *text, uint32_t *mask)
{
    char *end;
    long n = strtol(text, &end, 10);

    *mask = n > 0 && n <= 32 ? htonl(0xffffffffu << (32 - n)) : 0;
    return end != text && !*end && n >= 0 && n <= 32;
}

/* ADDRESS/LENGTH[,GATEWAY[,DNS[,DNS]]] */
static bool parse_words(struct net_interface *n, const char *words)
{
    char copy[128], *rest, *slash;
    uint32_t *const to[] = { &n->address, &n->gateway, &n->dns[0], &n->dns[1] };
    int i = 0;

    strlcpy(copy, words, sizeof(copy));
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest), i++) {
        slash = i == 0 ? strchr(word, '/') : NULL;
        if (slash)
            *slash = '\0';
        if (i > 3 || !inet_pton(AF_INET, word, to[i]) || (slash && !length_mask(slash + 1, &n->mask)))
            return false;
    }
    n->change = NET_SET_ADDRESS | (i > 1 ? NET_SET_GATEWAY : 0) | (i > 2 ? NET_SET_DNS : 0);
    return i > 0;
}

static int configure(int fd, const char *name, int argc, char **argv)
{
    struct net_interface n = { .mask = htonl(0xffffff00) };

    strlcpy(n.name, name, sizeof(n.name));
    if (argc == 1 && strcmp(argv[0], "up") == 0) {
        n.change = NET_SET_UP;
        return set(fd, &n, name);
    }
    if (argc == 1 && strcmp(argv[0], "down") == 0)
        return ioctl(fd, SIOCNETDOWN, &n) < 0 ? fail(name) : 0;
    if (argc == 1 && strcmp(argv[0], "dhcp") == 0)
        return use_dhcp(fd, &n);
    bool good = parse_words(&n, argv[0]);

    if (argc > 2 && strcmp(argv[1], "netmask") == 0) {
        good = good && inet_pton(AF_INET, argv[2], &n.mask) == 1;
        argc -= 2;
        argv += 2;
    }
    if (!good || argc > 2 || (argc == 2 && strcmp(argv[1], "up"))) {
        fiprintf(stderr, "%s: %s: dhcp or ADDRESS/LENGTH[,GATEWAY[,DNS]] or up or down\n", box_name, argv[argc - 1]);
        return 2;
    }
    int rc = set(fd, &n, argv[0]);

    if (rc == 0 && (n.change & NET_SET_DNS))
        write_resolv(n.dns, 2);
    return rc;
}

/* The card is there, and nobody has given it an address. */
static bool waiting(int fd, const char *name)
{
    struct net_interface n;

    for (unsigned i = 0; net_interface(fd, i, &n); i++)
        if (strcmp(n.name, name) == 0)
            return !(n.flags & NET_IP);
    return false;
}

/* A fixed address is set before this returns, if the card is there; all else is done by a process of its own. */
static int keep(int fd, const char *name, int argc, char **argv)
{
    struct net_interface n = { 0 };
    bool now = waiting(fd, name), dhcp = strcmp(argv[0], "dhcp") == 0;
    int rc = now && !dhcp ? configure(fd, name, argc, argv) : 0;

    if (rc)
        return rc;
    if (daemon(1, 1) < 0)
        return fail("fork");
    background = true;
    if (now)
        ioctl(fd, SIOCNETWAIT, &n);      /* it has been counted */
    if (now && dhcp)
        configure(fd, name, argc, argv);
    while (ioctl(fd, SIOCNETWAIT, &n) == 0 || errno == EINTR)
        if (waiting(fd, name))
            configure(fd, name, argc, argv);
    return fail(name);
}

int ifconfig_main(int argc, char **argv)
{
    struct net_interface n;
    int fd = net_socket(), status = 0;

    if (fd < 0)
        return 1;
    if (argc > 3 && strcmp(argv[1], "-b") == 0)
        return keep(fd, argv[2], argc - 3, argv + 3);
    if (argc > 2)
        return configure(fd, argv[1], argc - 2, argv + 2);
    if (argc == 2)
        status = !net_interface_named(fd, argv[1], &n);
    if (argc == 2 && status == 0)
        show(&n);
    for (unsigned i = 0; argc == 1 && net_interface(fd, i, &n); i++)
        show(&n);
    return status;
}

static int show_routes(int fd)
{
    struct net_interface n;

    iprintf("%-18s %-15s %s\n", "to", "by", "interface");
    for (unsigned i = 0; net_interface(fd, i, &n); i++) {
        char net[24];

        if (!(n.flags & NET_IP) || !n.address)
            continue;
        sniprintf(net, sizeof(net), "%s/%d", text_of(n.address & n.mask), mask_length(n.mask));
        iprintf("%-18s %-15s %s\n", net, "-", n.name);
        if (n.flags & NET_DEFAULT)
            iprintf("%-18s %-15s %s\n", "default", n.gateway ? text_of(n.gateway) : "-", n.name);
    }
    return 0;
}

/* The interface whose network holds the gateway, or for deletion the one that has a gateway. */
static int set_default(int fd, uint32_t gateway)
{
    struct net_interface n;

    for (unsigned i = 0; net_interface(fd, i, &n); i++) {
        bool this = gateway ? n.address && (n.address & n.mask) == (gateway & n.mask) : n.gateway != 0;

        if (!(n.flags & NET_IP) || (n.flags & NET_LOOP) || !this)
            continue;
        n.change = NET_SET_GATEWAY;
        n.gateway = gateway;
        return set(fd, &n, n.name);
    }
    fiprintf(stderr, gateway ? "%s: no interface is in the gateway's network\n" : "%s: there is no gateway\n", box_name);
    return 1;
}

int route_main(int argc, char **argv)
{
    struct in_addr gateway = { 0 };
    int fd = net_socket();

    if (fd < 0)
        return 1;
    if (argc == 1)
        return show_routes(fd);
    bool add = strcmp(argv[1], "add") == 0, del = strcmp(argv[1], "del") == 0;

    if ((!add && !del) || argc < 3 || strcmp(argv[2], "default") || argc > 5)
        return usage("[add default GATEWAY | del default]");
    const char *by = argc == 5 && strcmp(argv[3], "gw") == 0 ? argv[4] : argc == 4 ? argv[3] : NULL;

    if (add && (!by || !inet_pton(AF_INET, by, &gateway) || !gateway.s_addr))
        return usage("add default GATEWAY");
    return set_default(fd, gateway.s_addr);
}
