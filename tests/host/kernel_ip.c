/* SPDX-License-Identifier: MIT */
/* kernel_ip.c: claim: the IP stack as Novice runs it (guest-kernel/kernel/net/ip.c, clock.c, memory.c around lwIP) answers what it should,
 * leaves checksums to the driver rightly, and survives whatever frames the wire brings: no panic, nothing read or written outside
 * its memory, no more than its share of memory taken, and all of it given back once the senders are quiet. A failure means
 * that another guest, or the network, can end or starve this machine.                                                */
#define timespec host_timespec              /* Novice has its own */
#define timeval  host_timeval
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
#undef timespec
#undef timeval

#include "guest-kernel/kernel/net/net.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/system.h"
#include "guest-kernel/kernel/timer.h"
#include "lwip/dhcp.h"
#include "lwip/raw.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

/* ---- The kernel beneath ---- */
static uint64_t now = 1000 * NSEC_PER_SEC;
static struct list timers = LIST_INIT(timers);
struct utsname system_name;
uint64_t plat_clock_ns(void) { return now; }
uint64_t plat_wall_ns(void) { return now; }
/* Never at a page's start, as in the kernel: kfree knows blocks of pages by that. */
void *kmalloc(size_t n)
{
    void *p = calloc(1, n), *other = (uintptr_t)p & (PAGE_SIZE - 1) ? 0 : kmalloc(n);
    if (other)
        free(p);
    return other ? other : p;
}
void pages_free(void *p);
void kfree(void *p)
{
    if (((uintptr_t)p & (PAGE_SIZE - 1)) == 0 && p)
        pages_free(p);
    else
        free(p);
}
/* The page before a block holds its struct page. */
void *pages_alloc_raw(unsigned order)
{
    uint8_t *p = aligned_alloc(PAGE_SIZE, PAGE_SIZE + (PAGE_SIZE << order));
    ((struct page *)p)->refs = 1;
    return p + PAGE_SIZE;
}
struct page *page_of(const void *va) { return (struct page *)((uint8_t *)va - PAGE_SIZE); }
void pages_free(void *p)
{
    assert_true(page_of(p)->refs > 0);
    if (--page_of(p)->refs == 0)
        free(page_of(p));
}
bool pages_low(void) { return false; }
bool pages_scarce(void) { return true; }
size_t pages_free_count(void) { return 4096; }
void kprintf(const char *fmt, ...) { }
void panic(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    abort();
}
size_t strlcpy(char *to, const char *from, size_t size)
{
    snprintf(to, size, "%s", from);
    return strlen(from);
}
unsigned long parse_number(const char *s, const char **end) { return strtoul(s, (char **)end, 0); }
struct netdev *bridge_of(const struct netdev *d) { return 0; }
int bridge_remove(struct netdev *d) { return 0; }
void bridge_boot(void) { }
void net_appeared(void) { }
void timer_init(struct timer *t, void (*fire)(struct timer *t)) { list_init(&t->link); t->fire = fire; }
void timer_cancel(struct timer *t) { list_remove(&t->link); }
void timer_set(struct timer *t, uint64_t deadline)
{
    t->deadline = deadline;
    list_remove(&t->link);
    list_append(&timers, &t->link);
}

static struct timer *armed(void)                    /* the first to fire, or null */
{
    struct timer *first = 0;
    list_for(t, &timers, struct timer, link)
        if (!first || t->deadline < first->deadline)
            first = t;
    return first;
}

static void pass(uint64_t ns)
{
    uint64_t end = now + ns;
    for (struct timer *t; (t = armed()) && t->deadline <= end;) {
        now = t->deadline > now ? t->deadline : now;
        timer_cancel(t);
        t->fire(t);
    }
    now = end;
}

/* ---- A card ---- */
static struct { struct netdev dev; unsigned sent; uint8_t last[PAGE_SIZE]; uint32_t len; struct packet flags; } card;

/* Every frame that leaves is whole, and its sums are right once the driver has done its part. */
static void card_transmit(struct netdev *d, struct packet *p)
{
    card.sent++;
    card.flags = *p;
    if (p->flags & PACKET_CSUM_PARTIAL) {
        assert_true(p->csum_start >= ETH_HLEN + 20 && (uint32_t)p->csum_start + p->csum_offset + 2 <= p->len);
        assert_true(packet_checksum(p));
    }
    memcpy(card.last, p->data, p->len);
    card.len = p->len;
    packet_free(p);
}

static const struct netdev_ops card_ops = { .transmit = card_transmit };

static void receive(const void *frame, size_t n, uint8_t flags)
{
    struct packet *p = packet_alloc();
    memcpy(p->data, frame, n);
    p->len = n;
    p->flags = flags;
    netdev_receive(&card.dev, p);
    netdev_receive_done(&card.dev);
}

#define OURS  10, 0, 0, 1
#define THEIR 10, 0, 0, 2
#define ETHER(type) 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (type) >> 8, (type) & 255
#define IP(proto, length) 0x45, 0, 0, (length), 0, 1, 0, 0, 64, (proto), 0, 0, THEIR, OURS

static const uint8_t arp_request[] = { ETHER(0x806), 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, THEIR, 0, 0, 0, 0, 0, 0, OURS };
static const uint8_t ping[] = { ETHER(0x800), IP(1, 32), 8, 0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd' };
static const uint8_t syn[] = { ETHER(0x800), IP(6, 48), 0x30, 0x39, 0, 80, 0, 0, 1, 0, 0, 0, 0, 0, 0x70, 2, 0xff, 0xff, 0, 0, 0, 0,
                               2, 4, 5, 0xb4, 1, 3, 3, 7 };
static const uint8_t udp[] = { ETHER(0x800), IP(17, 36), 0x30, 0x39, 0, 53, 0, 16, 0, 0, 'q', 'u', 'e', 'r', 'y', '?', '?', '?' };
static const uint8_t dhcp_ack[300] = { ETHER(0x800), 0x45, 0, 1, 30, 0, 1, 0, 0, 64, 17, 0, 0, THEIR, OURS, 0, 67, 0, 68, 1, 10, 0, 0,
                                       2, 1, 6, 0, [14 + 28 + 236] = 0x63, 0x82, 0x53, 0x63, 53, 1, 5, 54, 4, THEIR };

/* Sums made good, so that mutated frames get further than the first check. */
static void mend(uint8_t *f, size_t n)
{
    uint16_t sum;
    size_t header = (f[14] & 15) * 4u;
    if (n < 34 || f[12] != 8 || f[13] != 0 || header < 20 || 14 + header > n)
        return;
    f[24] = f[25] = 0;
    sum = (uint16_t)~net_sum(f + 14, header, 0);
    memcpy(f + 24, &sum, 2);
    if (f[23] == 1 && 14 + header + 8 <= n) {
        f[14 + header + 2] = f[14 + header + 3] = 0;
        sum = (uint16_t)~net_sum(f + 14 + header, n - 14 - header, 0);
        memcpy(f + 14 + header + 2, &sum, 2);
    }
}

static void receive_mended(const uint8_t *frame, size_t n, uint8_t flags)
{
    uint8_t f[PAGE_SIZE];
    memcpy(f, frame, n);
    mend(f, n);
    receive(f, n, flags);
}

/* ---- A server on the stack, which answers everything ---- */

static err_t serve_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    if (!p)
        return tcp_close(pcb);
    tcp_recved(pcb, p->tot_len);
    for (struct pbuf *q = p; q; q = q->next)
        tcp_write(pcb, q->payload, q->len, TCP_WRITE_FLAG_COPY);
    pbuf_free(p);
    tcp_output(pcb);
    return ERR_OK;
}

static err_t serve_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    if (!pcb || err != ERR_OK)
        return ERR_VAL;
    tcp_recv(pcb, serve_receive);
    return ERR_OK;
}

static void serve_udp(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    udp_sendto(pcb, p, from, port);
    pbuf_free(p);
}

static int setup(void **state)
{
    net_boot();
    card.dev = (struct netdev){ .name = "eth0", .mac = { 2, 0, 0, 0, 0, 1 }, .ops = &card_ops, .carrier = true, .csum_tx = true };
    netdev_register(&card.dev);
    netdev_up(&card.dev);
    assert_int_equal(ip_attach(&card.dev), 0);
    ip4_addr_t a = { PP_HTONL(0x0a000001) }, m = { PP_HTONL(0xffffff00) }, g = { PP_HTONL(0x0a000002) };
    netif_set_addr(&ip_interface_of(&card.dev)->netif, &a, &m, &g);
    struct tcp_pcb *l = tcp_new();
    tcp_bind(l, IP4_ADDR_ANY, 80);
    l = tcp_listen(l);
    tcp_accept(l, serve_accept);
    struct udp_pcb *u = udp_new();
    udp_bind(u, IP4_ADDR_ANY, 53);
    udp_recv(u, serve_udp, 0);
    return 0;
}

/* ---- Claims ---- */

static void answers(void **state)
{
    unsigned before = card.sent;
    receive(arp_request, sizeof(arp_request), 0);
    assert_int_equal(card.sent, before + 1);
    assert_int_equal(card.last[21], 2);
    receive_mended(ping, sizeof(ping), 0);
    assert_int_equal(card.sent, before + 2);
    assert_int_equal(card.last[34], 0);
    assert_memory_equal(card.last + 42, "abcd", 4);
    receive_mended(udp, sizeof(udp), PACKET_CSUM_GOOD);
    assert_int_equal(card.sent, before + 3);
    assert_memory_equal(card.last + 42, "query???", 8);
}

static uint16_t transport_sum(void)
{
    unsigned length = (unsigned)(card.last[16] << 8 | card.last[17]) - 20;
    uint8_t pseudo[12] = { OURS, THEIR, 0, card.last[23], length >> 8, length & 255 };
    return net_sum(card.last + 34, length, net_sum(pseudo, 12, 0));
}

/* lwIP leaves the sum to the driver, and what the driver makes of it is right. */
static void sums_are_left_to_the_driver(void **state)
{
    receive_mended(udp, sizeof(udp), PACKET_CSUM_GOOD);
    assert_true(card.flags.flags & PACKET_CSUM_PARTIAL);
    assert_int_equal(transport_sum(), 0xffff);
    receive_mended(syn, sizeof(syn), PACKET_CSUM_GOOD);
    assert_int_equal(card.last[47], 0x12);
    assert_int_equal(transport_sum(), 0xffff);
}

/* Without anybody's word for it, a wrong sum is a lost frame. */
static void wrong_sums_are_dropped(void **state)
{
    uint8_t f[sizeof(syn)];
    memcpy(f, syn, sizeof(f));
    f[35] = 77;
    unsigned before = card.sent;
    receive_mended(f, sizeof(f), 0);
    assert_int_equal(card.sent, before);
    receive_mended(f, sizeof(f), PACKET_CSUM_PARTIAL);
    assert_int_equal(card.sent, before + 1);
}

static uint64_t seed = 1;
static uint32_t dice(uint32_t n)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (uint32_t)(seed >> 33) % n;
}

static size_t make_frame(uint8_t *f)
{
    static const struct { const uint8_t *frame; size_t n; } seeds[] = {
        { arp_request, sizeof(arp_request) }, { ping, sizeof(ping) }, { syn, sizeof(syn) }, { udp, sizeof(udp) }, { dhcp_ack, sizeof(dhcp_ack) },
    };
    unsigned k = dice(5);
    size_t n = seeds[k].n;
    memcpy(f, seeds[k].frame, n);
    for (size_t i = n; i < 1514; i++)
        f[i] = (uint8_t)dice(256);
    if (dice(2))
        n = dice(3) ? n + dice(1400) : 14 + dice((uint32_t)n - 13);
    n = n > 1514 ? 1514 : n;
    if (f[12] == 8 && f[13] == 0 && dice(4)) {          /* a length that fits, mostly */
        f[16] = (uint8_t)((n - 14) >> 8);
        f[17] = (uint8_t)(n - 14);
    }
    if (k == 2 && dice(2)) {                             /* the next steps of a connection that may be open */
        f[47] = (uint8_t)dice(64);
        memcpy(f + 42, card.last + 38, 4);
        f[45] += (uint8_t)dice(3);
    }
    for (uint32_t flips = dice(4); flips > 0; flips--)
        f[14 + dice((uint32_t)n - 14 + 1)] = (uint8_t)dice(256);
    if (dice(10) == 0)
        f[20] = (uint8_t)dice(64);                       /* fragments */
    return n;
}

static void any_frames(void **state)
{
    static uint8_t f[PAGE_SIZE];
    pass(400 * NSEC_PER_SEC);
    size_t before = net_memory.used;
    for (int i = 0; i < 45000; i++) {
        size_t n = make_frame(f);
        if (dice(8))
            mend(f, n);
        receive(f, n, dice(2) ? PACKET_CSUM_GOOD : 0);
        assert_true(net_memory.used <= net_memory.limit);
        if (dice(50) == 0)
            pass(dice(400) * NSEC_PER_MS);
        if (i == 15000)
            assert_int_equal(dhcp_start(&ip_interface_of(&card.dev)->netif), ERR_OK);
        if (i == 30000)
            dhcp_stop(&ip_interface_of(&card.dev)->netif);
    }
    dhcp_cleanup(&ip_interface_of(&card.dev)->netif);
    pass(3600 * NSEC_PER_SEC);
    assert_true(net_memory.used <= before + 2048);
    answers(state);
}

static void put32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* A segment of the connection whose SYN was answered last: a byte at `offset` of the stream. */
static void send_crumb(const uint8_t *their_seq, uint32_t offset, uint8_t flags)
{
    uint8_t f[14 + 20 + 20 + 6] = { ETHER(0x800), IP(6, 41), 0x30, 0x3a, 0, 80 };
    put32(f + 38, 0x101 + offset);
    uint32_t seq = (uint32_t)their_seq[0] << 24 | their_seq[1] << 16 | their_seq[2] << 8 | their_seq[3];
    put32(f + 42, seq + 1);
    f[46] = 0x50;
    f[47] = flags;
    f[48] = f[49] = 0xff;
    receive_mended(f, sizeof(f), PACKET_CSUM_GOOD);
}

/* A peer who fills every second byte of the window only: what is kept of it is bounded by what a window of full segments costs. */
static void crumbs_out_of_order_are_bounded(void **state)
{
    uint8_t f[sizeof(syn)], theirs[4];
    memcpy(f, syn, sizeof(f));
    f[35] = 0x3a;
    receive_mended(f, sizeof(f), PACKET_CSUM_GOOD);
    assert_int_equal(card.last[47], 0x12);
    memcpy(theirs, card.last + 38, 4);
    send_crumb(theirs, 0, 0x10);
    size_t before = net_memory.used;
    for (uint32_t i = 2; i < 60000; i += 2)
        send_crumb(theirs, i, 0x10);
    assert_true(net_memory.used > before + 20000);       /* some of it is kept */
    assert_true(net_memory.used < before + 300000);
    send_crumb(theirs, 1, 0x14);                         /* reset: all of it is given back */
    assert_true(net_memory.used < before);
}

/* Nothing to do, no timer: an idle machine has no tick. */
static void no_tick_when_idle(void **state)
{
    pass(3600 * NSEC_PER_SEC);
    assert_null(armed());
    receive(arp_request, sizeof(arp_request), 0);
    assert_non_null(armed());
    pass(60 * NSEC_PER_SEC);
    assert_null(armed());
}

/* After a rest, what is said first to a neighbour who is not known yet waits for ARP, and then leaves. */
static void first_words_are_not_lost(void **state)
{
    static const uint8_t reply[] = { ETHER(0x806), 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 7, 10, 0, 0, 77, 2, 0, 0, 0, 0, 1, OURS };
    ip_addr_t to = { PP_HTONL(0x0a00004d) };
    pass(3600 * NSEC_PER_SEC);
    struct udp_pcb *u = udp_new();
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 5, PBUF_RAM);
    memcpy(p->payload, "hello", 5);
    assert_int_equal(udp_sendto(u, p, &to, 7), ERR_OK);
    pbuf_free(p);
    assert_int_equal(card.last[13], 6);              /* ARP's question */
    unsigned before = card.sent;
    receive(reply, sizeof(reply), 0);
    assert_int_equal(card.sent, before + 1);
    assert_memory_equal(card.last + 42, "hello", 5);
    udp_remove(u);
}

/* A peer that is gone, and of whom even ARP hears no more: its connection ends by itself, and all it held is given back. */
static void a_peer_that_is_gone_is_given_up(void **state)
{
    uint8_t f[sizeof(syn)], theirs[4];
    pass(3600 * NSEC_PER_SEC);
    size_t before = net_memory.used;
    receive(arp_request, sizeof(arp_request), 0);
    memcpy(f, syn, sizeof(f));
    f[35] = 0x3a;
    receive_mended(f, sizeof(f), PACKET_CSUM_GOOD);
    assert_int_equal(card.last[47], 0x12);
    memcpy(theirs, card.last + 38, 4);
    send_crumb(theirs, 0, 0x10);                     /* answered with as much, which nobody acknowledges */
    assert_true(net_memory.used > before);
    memcpy(f, arp_request, sizeof(arp_request));
    f[11] = f[27] = f[31] = 9;                       /* somebody else, until ARP has forgotten the peer */
    for (int i = 0; i < 20; i++) {
        receive(f, sizeof(arp_request), 0);
        pass(20 * NSEC_PER_SEC);
    }
    pass(6 * 3600 * NSEC_PER_SEC);
    assert_null(armed());
    assert_true(net_memory.used <= before + 512);    /* ARP's last question may keep what it was asked for */
}

static void carrier(bool on)
{
    card.dev.carrier = on;
    netdev_changed(&card.dev);
}

/* A backend that is started again takes the carrier away for a moment: routes stay, and who is at the other end hears of us anew. */
static void a_short_loss_of_carrier_is_nothing(void **state)
{
    struct netif *n = &ip_interface_of(&card.dev)->netif;
    ip4_addr_t their = { PP_HTONL(0x0a000002) };
    carrier(false);
    pass(9 * NSEC_PER_SEC);
    assert_ptr_equal(ip4_route(&their), n);
    unsigned before = card.sent;
    carrier(true);
    assert_int_equal(card.sent, before + 1);
    assert_int_equal(card.last[13], 6);              /* ARP */
    carrier(false);
    pass(11 * NSEC_PER_SEC);
    assert_null(ip4_route(&their));
    carrier(true);
    assert_ptr_equal(ip4_route(&their), n);
}

static void detach_takes_all(void **state)
{
    receive_mended(syn, sizeof(syn), PACKET_CSUM_GOOD);
    carrier(false);
    netdev_unregister(&card.dev);
    assert_null(ip_interface_of(&card.dev));
    assert_null(card.dev.receive);
    pass(3600 * NSEC_PER_SEC);
    assert_null(armed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers), cmocka_unit_test(sums_are_left_to_the_driver), cmocka_unit_test(wrong_sums_are_dropped),
        cmocka_unit_test(any_frames), cmocka_unit_test(crumbs_out_of_order_are_bounded),
        cmocka_unit_test(no_tick_when_idle), cmocka_unit_test(first_words_are_not_lost), cmocka_unit_test(a_peer_that_is_gone_is_given_up),
        cmocka_unit_test(a_short_loss_of_carrier_is_nothing),
        cmocka_unit_test(detach_takes_all),
    };
    return cmocka_run_group_tests(tests, setup, 0);
}
