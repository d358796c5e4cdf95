/* SPDX-License-Identifier: MIT */
/* kernel_bridge.c: claim: the bridge (guest-kernel/kernel/net/) brings each frame where its address was seen and nowhere else, floods
 * what it does not know, and keeps B1 to B4 whatever its ports send: no port fills the table of another, takes another's claimed
 * address or the bridge's, and no frame is lost twice or leaked. A failure means that a guest can starve, read or be another. */
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

#include "guest-kernel/kernel/netdev.h"
#include "guest-kernel/kernel/page.h"

/* ---- The kernel beneath ---- */
static uint64_t now = 1000 * NSEC_PER_SEC;
static struct page fake_page = { .refs = 1 };
uint64_t plat_clock_ns(void) { return now; }
uint64_t plat_wall_ns(void) { return now; }
void *kmalloc(size_t n) { return calloc(1, n); }
void kfree(void *p) { free(p); }
void *pages_alloc_raw(unsigned order) { return aligned_alloc(PAGE_SIZE, PAGE_SIZE << order); }
void pages_free(void *p) { free(p); }
struct page *page_of(const void *va) { return &fake_page; }
static bool poor = true;                     /* so that each packet is really freed: ASan sees all */
bool pages_low(void) { return false; }
bool pages_scarce(void) { return poor; }
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap) { return vsnprintf(buf, size, fmt, ap); }
int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
size_t strlcpy(char *to, const char *from, size_t size)
{
    snprintf(to, size, "%s", from);
    return strlen(from);
}

void ip_detach(struct netdev *d) { }

/* ---- Interfaces that count ---- */
struct card {
    struct netdev dev;
    unsigned      sent, kicked;
    uint8_t       last[64];
    uint8_t       last_flags;
    uint32_t      last_len;
};

static void card_transmit(struct netdev *d, struct packet *p)
{
    struct card *c = d->private;
    c->sent++;
    c->last_len = p->len;
    c->last_flags = p->flags;
    memcpy(c->last, p->data, p->len < 64 ? p->len : 64);
    packet_free(p);
}

static void card_kick(struct netdev *d) { ((struct card *)d->private)->kicked++; }
static const struct netdev_ops card_ops = { .transmit = card_transmit, .kick = card_kick };

#define CARDS 4
static struct card card[CARDS];
static unsigned up_count;
static void up_receive(struct netdev *d, struct packet *p)
{
    up_count++;
    packet_free(p);
}

static void mac(uint8_t *m, unsigned who)
{
    memset(m, 0, 6);
    m[0] = 2;
    m[2] = (uint8_t)(who >> 16);
    m[4] = (uint8_t)(who >> 8);
    m[5] = (uint8_t)who;
}

static struct packet *frame(const uint8_t *to, const uint8_t *from)
{
    struct packet *p = packet_alloc();
    assert_non_null(p);
    memcpy(p->data, to, 6);
    memcpy(p->data + 6, from, 6);
    memset(p->data + 12, 0x55, 48);
    p->len = 60;
    return p;
}

static void send_macs(unsigned port, const uint8_t *to, const uint8_t *from)
{
    netdev_receive(&card[port].dev, frame(to, from));
    netdev_receive_done(&card[port].dev);
}

static void send(unsigned port, unsigned to, unsigned from)
{
    uint8_t t[6], f[6];
    mac(t, to);
    mac(f, from);
    send_macs(port, t, f);
}

static unsigned sent_and_forget(unsigned port)
{
    unsigned n = card[port].sent;
    card[port].sent = 0;
    return n;
}

static int setup(void **state)
{
    assert_int_equal(bridge_create("br0"), 0);
    netdev_find("br0")->receive = up_receive;
    up_count = 0;
    for (unsigned i = 0; i < CARDS; i++) {
        card[i] = (struct card){ .dev = { .ops = &card_ops, .private = &card[i], .carrier = true, .csum_tx = i < 2 } };
        snprintf(card[i].dev.name, 16, "card%u", i);
        assert_int_equal(netdev_register(&card[i].dev), 0);
        assert_int_equal(bridge_add("br0", &card[i].dev), 0);
    }
    return 0;
}

static int teardown(void **state)
{
    for (unsigned i = 0; i < CARDS; i++)
        netdev_unregister(&card[i].dev);
    return bridge_destroy("br0");
}

static const uint8_t everyone[6] = { 255, 255, 255, 255, 255, 255 };

static void learns_and_forgets(void **state)
{
    send(0, 2, 1);                                   /* 2 unknown: all but the sender */
    assert_int_equal(sent_and_forget(0), 0);
    for (unsigned i = 1; i < CARDS; i++)
        assert_int_equal(sent_and_forget(i), 1);
    assert_int_equal(up_count, 0);
    send(1, 1, 2);
    assert_int_equal(sent_and_forget(0), 1);
    assert_int_equal(card[0].kicked, 1);
    assert_int_equal(sent_and_forget(2) + sent_and_forget(3), 0);
    send(0, 2, 1);
    assert_int_equal(sent_and_forget(1), 1);
    assert_int_equal(sent_and_forget(2) + sent_and_forget(3), 0);
    send(2, 9, 1);                                   /* 1 moved to port 2 */
    sent_and_forget(0), sent_and_forget(1), sent_and_forget(3);
    send(1, 1, 2);
    assert_int_equal(sent_and_forget(2), 1);
    assert_int_equal(sent_and_forget(0), 0);
    send(2, 1, 1);                                   /* B3: to where it came from: nowhere */
    for (unsigned i = 0; i < CARDS; i++)
        assert_int_equal(sent_and_forget(i), 0);
    now += 301 * NSEC_PER_SEC;
    send(1, 1, 2);                                   /* too old: flooded */
    assert_int_equal(sent_and_forget(0) + sent_and_forget(2) + sent_and_forget(3), 3);
}

static void broadcast_reaches_all_and_the_bridge(void **state)
{
    uint8_t me[6];
    mac(me, 7);
    send_macs(3, everyone, me);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sent_and_forget(i), 1);
    assert_int_equal(sent_and_forget(3), 0);
    assert_int_equal(up_count, 1);
    assert_memory_equal(card[0].last + 6, me, 6);
    struct netdev *br = netdev_find("br0");
    send_macs(2, br->mac, me);                       /* for the bridge's own address */
    assert_int_equal(up_count, 2);
    netdev_transmit(br, frame(me, br->mac));         /* and its answer: 7 sits at 2 now */
    netdev_kick(br);
    assert_int_equal(sent_and_forget(2), 1);
    assert_int_equal(sent_and_forget(0) + sent_and_forget(1) + sent_and_forget(3), 0);
    netdev_transmit(br, frame(everyone, br->mac));
    netdev_kick(br);
    for (unsigned i = 0; i < CARDS; i++)
        assert_int_equal(sent_and_forget(i), 1);
    assert_int_equal(up_count, 2);
    netdev_transmit(br, frame(br->mac, br->mac));    /* to itself */
    assert_int_equal(up_count, 3);
}

/* B1: a port that invents a million addresses evicts nobody else's. */
static void a_flood_of_addresses_hurts_only_its_port(void **state)
{
    send(0, 500, 1);
    send(1, 500, 2);
    for (unsigned i = 0; i < 20000; i++)
        send(2, 1, 0x10000 + i);
    for (unsigned i = 0; i < CARDS; i++)
        sent_and_forget(i);
    send(0, 2, 1);
    send(1, 1, 2);
    assert_int_equal(sent_and_forget(0), 1);
    assert_int_equal(sent_and_forget(1), 1);
    assert_int_equal(sent_and_forget(2) + sent_and_forget(3), 0);
    send(3, 500, 77);                                /* others still learn */
    for (unsigned i = 0; i < CARDS; i++)
        sent_and_forget(i);
    send(0, 77, 1);
    assert_int_equal(sent_and_forget(3), 1);
    assert_int_equal(sent_and_forget(2), 0);
    static char text[1 << 20];
    long n = bridge_list("br0", text, sizeof(text));
    unsigned lines = 0;
    for (long i = 0; i < n; i++)
        lines += text[i] == '\n';
    assert_in_range(lines, 256, 256 + 8);
    assert_int_equal(bridge_list("br7", text, sizeof(text)), -ENODEV);
    assert_int_equal(bridge_list("br0", text, 10), 9);
}

/* B2 */
static void addresses_are_not_stolen(void **state)
{
    uint8_t a[6], b[6];
    struct netdev *br = netdev_find("br0");
    mac(a, 1);
    mac(b, 2);
    assert_int_equal(bridge_claim(&card[0].dev, a), 0);
    assert_int_equal(bridge_claim(&card[0].dev, a), 0);
    assert_int_equal(bridge_claim(&card[1].dev, a), -EEXIST);
    assert_int_equal(bridge_claim(&card[1].dev, br->mac), -EEXIST);
    assert_int_equal(bridge_claim(&card[1].dev, everyone), -EINVAL);
    send_macs(1, everyone, a);                       /* 1 pretends to be 0 */
    send_macs(1, b, br->mac);                        /* or the bridge */
    send_macs(1, b, everyone);                       /* or a group */
    assert_int_equal(sent_and_forget(0) + sent_and_forget(2) + sent_and_forget(3), 0);
    assert_int_equal(card[1].dev.rx_dropped, 3);
    now += 1000 * NSEC_PER_SEC;
    send_macs(1, a, b);                              /* a claim does not age */
    assert_int_equal(sent_and_forget(0), 1);
    assert_int_equal(sent_and_forget(2), 0);
    bridge_remove(&card[0].dev);                     /* it goes with its port */
    assert_int_equal(bridge_claim(&card[1].dev, a), 0);
    assert_int_equal(bridge_claim(&card[0].dev, a), -ENODEV);
}

/* B4 */
static void sums_are_made_only_for_the_wire(void **state)
{
    uint8_t a[6], b[6];
    mac(a, 1);
    mac(b, 2);
    for (unsigned to = 0; to < CARDS; to++) {
        send_macs(to, everyone, b);
        struct packet *p = frame(b, a);
        p->flags = PACKET_CSUM_PARTIAL;
        p->csum_start = 34;
        p->csum_offset = 6;
        memset(p->data + 34, 0, 26);
        p->data[34] = 0x12;
        p->data[41] = 0x01;                          /* the pseudo header's sum stands there */
        netdev_receive(&card[(to + 1) % CARDS].dev, p);
        assert_int_equal(card[to].last_flags, to < 2 ? PACKET_CSUM_PARTIAL : 0);
        assert_int_equal(card[to].last[40], to < 2 ? 0 : (uint8_t)~0x12);
        assert_int_equal(card[to].last[41], to < 2 ? 1 : (uint8_t)~0x01);
    }
    sent_and_forget(3);
    uint16_t bad[][2] = { { 60, 0 }, { 59, 0 }, { 0, 59 }, { 65535, 65535 }, { 34, 25 } };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct packet *p = frame(b, a);              /* b sits at 3 */
        p->flags = PACKET_CSUM_PARTIAL;
        p->csum_start = bad[i][0];
        p->csum_offset = bad[i][1];
        netdev_receive(&card[0].dev, p);
    }
    assert_int_equal(sent_and_forget(3), 0);
    assert_int_equal(card[3].dev.tx_dropped, ARRAY_SIZE(bad));
}

static uint16_t slow_sum(const uint8_t *b, size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += (uint64_t)b[i] << (i & 1 ? 8 : 0);
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

static void the_sum_is_the_internets(void **state)
{
    uint8_t b[2000];
    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        size_t n = (size_t)rand() % sizeof(b);
        for (size_t i = 0; i < n; i++)
            b[i] = round & 1 ? 0xff : (uint8_t)rand();
        assert_int_equal(net_sum(b, n, 0) % 0xffff, slow_sum(b, n) % 0xffff);
    }
}

static void commands_and_refusals(void **state)
{
    char line[8][40] = { "addbr br1\n", "addif br1 card0", "delif br1 card0", "addif br0 br1", "addif br7 card0", "delbr card1", "addbr br0", "frob br0" };
    int want[] = { 0, -EBUSY, -EINVAL, -EINVAL, -ENODEV, -EINVAL, -EEXIST, -EINVAL };
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(bridge_command(line[i]), want[i]);
    char empty[] = " \n", long_name[] = "addbr a-name-longer-than-any-interface", del[] = "delif br0 card0", to1[] = "addif br1 card0", delbr[] = "delbr br1";
    assert_int_equal(bridge_command(empty), -EINVAL);
    assert_int_equal(bridge_command(long_name), -EINVAL);
    assert_int_equal(bridge_command(del), 0);
    assert_int_equal(bridge_command(to1), 0);
    assert_ptr_equal(bridge_of(&card[0].dev), netdev_find("br1"));
    assert_int_equal(bridge_command(delbr), 0);
    assert_null(bridge_of(&card[0].dev));
}

/* Random traffic, ports that come and go; ASan is the judge. */
static void storm(void **state)
{
    srand(7);
    poor = false;
    for (unsigned i = 0; i < 30000; i++) {
        unsigned port = (unsigned)rand() % CARDS;
        if (rand() % 100 == 0) {
            if (bridge_of(&card[port].dev))
                bridge_remove(&card[port].dev);
            else
                bridge_add("br0", &card[port].dev);
        }
        uint8_t to[6], from[6];
        mac(to, (unsigned)rand() % 600);
        mac(from, (unsigned)rand() % 600);
        if (rand() % 7 == 0)
            to[0] = 1;
        if (rand() % 50 == 0)
            bridge_claim(&card[port].dev, from);
        send_macs(port, to, from);
        now += (uint64_t)(rand() % 100) * NSEC_PER_MS * 10;
    }
    poor = true;
    for (struct packet *p; (p = packet_alloc());) {   /* empties the pool */
        static unsigned n;
        packet_free(p);
        if (++n > 600)
            break;
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(learns_and_forgets), T(broadcast_reaches_all_and_the_bridge), T(a_flood_of_addresses_hurts_only_its_port), T(addresses_are_not_stolen),
        T(sums_are_made_only_for_the_wire), T(the_sum_is_the_internets), T(commands_and_refusals), T(storm),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
