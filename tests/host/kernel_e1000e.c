/* SPDX-License-Identifier: MIT */
/* Claim: a network card that misbehaves costs frames, and no more: one that is silent or gone is told in one sentence and holds no more than
 * its rings, a descriptor that says nonsense is a dropped frame, an interrupt that is lost is made up for by the next, and what goes
 * well is sent and received once, whole and in order. A failure would mean memory that the card chose, read or leaked, or a machine
 * that hangs. The card is played by this file, in memory, from the datasheet (82574, chapters 7 and 10).           */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest-kernel/drivers/dma.h"
#include "guest-kernel/drivers/drivers.h"
#include "guest-kernel/kernel/netdev.h"

void *calloc(size_t n, size_t size);
void *aligned_alloc(size_t align, size_t n);
void free(void *p);
int vsnprintf(char *s, size_t n, const char *f, va_list ap);
char *strstr(const char *in, const char *what);
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }   /* each test leaves its card behind; packets are counted */

/* ---- the card ---------------------------------------------------------------------------------------- */

enum { R_CTRL = 0x0000, R_STATUS = 0x0008, R_ICR = 0x00c0, R_RCTL = 0x0100, R_TCTL = 0x0400, R_RDBAL = 0x2800, R_RDLEN = 0x2808, R_RDH = 0x2810,
       R_RDT = 0x2818, R_TDBAL = 0x3800, R_TDLEN = 0x3808, R_TDH = 0x3810, R_TDT = 0x3818, R_RAL = 0x5400, R_RAH = 0x5404 };
#define RESET      (1u << 26)
#define LINK       2u
#define CAUSE_SENT 1u
#define CAUSE_LINK 4u
#define CAUSE_CAME 0x80u
#define DONE       1
#define WHOLE      2                               /* status: the frame's end */

#define RX_RING    256

static uint8_t regs[0x6000] __attribute__((aligned(4096)));
static enum { FINE, VANISHED, NEVER_RESET } mood;
static bool silent;                                /* it sends, and does not write back */
static bool blind;                                 /* tests/fuzz: it does not look at the frames, which it called sent before */
static struct { uint32_t len; uint8_t first, last, start, offset; bool sum; } wire[1024];
static unsigned sent;
static uint8_t sum_start, sum_offset;              /* of the last context */

static uint32_t *reg(unsigned at) { return (uint32_t *)(regs + at); }
static uint8_t *descriptor(unsigned base, unsigned i) { return (uint8_t *)(*(uint64_t *)reg(base) + 16ul * i); }

/* One descriptor of the transmit ring: a context's (DTYP 0), or a frame's. */
static void send_one(uint8_t *d)
{
    uint32_t command = *(uint32_t *)(d + 8);
    if (!(command >> 29 & 1))                      /* the driver uses extended ones only */
        fail();
    if (command >> 20 & 15 && !blind) {
        const uint8_t *frame = *(uint8_t **)d;
        uint32_t len = command & 0xfffff;
        wire[sent % 1024].len = len;
        wire[sent % 1024].first = frame[0];
        wire[sent % 1024].last = frame[len - 1];
        wire[sent % 1024].sum = d[13] & 2;
        wire[sent % 1024].start = sum_start;
        wire[sent % 1024].offset = sum_offset;
        sent++;
    } else if (!blind) {
        sum_start = d[4];
        sum_offset = d[5];
    }
    if (!silent && command >> 27 & 1)
        d[12] |= DONE;
}

static void step(void)
{
    if (mood == VANISHED) {
        memset(regs, 0xff, sizeof(regs));
        return;
    }
    if (*reg(R_CTRL) & RESET && mood != NEVER_RESET)
        *reg(R_CTRL) &= ~RESET;
    while (*reg(R_TCTL) & 2 && *reg(R_TDH) != *reg(R_TDT)) {
        send_one(descriptor(R_TDBAL, *reg(R_TDH)));
        *reg(R_TDH) = (*reg(R_TDH) + 1) % (*reg(R_TDLEN) / 16);
        *reg(R_ICR) |= CAUSE_SENT;
    }
}

/* Writes the next receive descriptor back as if a frame of `len` bytes of `with` had come; false: the driver left it none. */
static bool write_back(uint16_t len, uint8_t with, uint8_t status, uint8_t errors)
{
    uint32_t i = *reg(R_RDH);
    if (!(*reg(R_RCTL) & 2) || i == *reg(R_RDT))
        return false;
    uint8_t *d = descriptor(R_RDBAL, i);
    memset(*(uint8_t **)d, with, MIN(len, 2048));
    memcpy(d + 8, &len, 2);
    d[13] = errors;
    d[12] = status;
    *reg(R_RDH) = (i + 1) % (*reg(R_RDLEN) / 16);
    *reg(R_ICR) |= CAUSE_CAME;
    return true;
}
static bool frame_comes(uint16_t len, uint8_t with) { return write_back(len, with, DONE | WHOLE, 0); }

/* ---- the kernel around the driver ---------------------------------------------------------------------- */

static uint64_t now;
static char said[4096];
static struct netdev *card;
static unsigned packets, forgotten, told, batches;
static bool no_memory, bus_master, msix, no_registers, no_name;
static bool flood;                                 /* each frame that is taken makes the whole ring come anew */
static irq_fn irq;
static void *irq_arg;
static struct pci_dev pci = { .name = "e1000e test" };
static struct { uint32_t len; uint8_t first, flags; } got[1024];
static unsigned received;

void *kmalloc(size_t n) { return calloc(1, n); }
void kfree(void *p) { free(p); }
void *dma_alloc(unsigned order, uint64_t *address)
{
    void *p = memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE << order), 0, PAGE_SIZE << order);
    *address = (uintptr_t)p;
    return p;
}
uint64_t plat_pfn_to_frame(uint64_t pfn) { return (uintptr_t)pfn_to_virt(pfn) >> PAGE_SHIFT; }
uint64_t plat_clock_ns(void)
{
    step();
    return now += 1000;
}
static void say(const char *f, va_list ap)
{
    size_t n = strlen(said);
    vsnprintf(said + n, sizeof(said) - n, f, ap);
}
void kprintf(const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    say(f, ap);
    va_end(ap);
}
void klog(const char *f, ...) { }
int ksnprintf(char *b, size_t n, const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    int rc = vsnprintf(b, n, f, ap);
    va_end(ap);
    return rc;
}

struct packet *packet_alloc(void)
{
    if (no_memory)
        return 0;
    struct packet *p = calloc(1, sizeof(*p));
    p->page = memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
    p->data = (uint8_t *)p->page + PACKET_HEADROOM;
    packets++;
    return p;
}
void packet_free(struct packet *p)
{
    packets--;
    free(p->page);
    free(p);
}
bool packet_checksum(struct packet *p)
{
    p->flags &= (uint8_t)~PACKET_CSUM_PARTIAL;
    return true;
}
int netdev_register(struct netdev *d)
{
    if (no_name)
        return -EEXIST;
    card = d;
    return 0;
}
static void all_come(void)
{
    for (unsigned i = 0; i < RX_RING; i++) {
        uint8_t *d = descriptor(R_RDBAL, i);
        *(uint16_t *)(d + 8) = 60;
        d[12] = DONE | WHOLE;
    }
}
void netdev_receive(struct netdev *d, struct packet *p)
{
    if (p->len < ETH_HLEN || p->len > 2048)        /* no receiver need expect such */
        fail();
    got[received % 1024].len = p->len;
    got[received % 1024].first = p->data[0];
    got[received++ % 1024].flags = p->flags;
    packet_free(p);
    if (flood && received < 100000)
        all_come();
}
void netdev_receive_done(struct netdev *d) { batches++; }
void netdev_changed(struct netdev *d) { told++; }
void pci_enable(struct pci_dev *d) { bus_master = true; }
void pci_disable(struct pci_dev *d) { bus_master = false; }
void *pci_map_bar(struct pci_dev *d, unsigned bar, size_t *size) { return no_registers ? 0 : regs; }
int pci_irqs(struct pci_dev *d, unsigned most, irq_fn fn, void **args)
{
    irq = fn;
    irq_arg = args[0];
    d->msix_enabled = msix;
    return 1;
}
void irq_forget(irq_fn fn, void *arg) { forgotten++; }

/* ---- what the tests do with them ------------------------------------------------------------------------- */

static int begin(bool messages, int as)
{
    memset(regs, 0, sizeof(regs));
    *reg(R_RAL) = 0x00545200 | 0x12u << 24;
    *reg(R_RAH) = 0x5634;
    *reg(R_STATUS) = LINK;
    mood = as;
    msix = messages;
    silent = no_memory = no_registers = no_name = flood = false;
    packets = forgotten = told = batches = sent = received = 0;
    said[0] = 0;
    card = 0;
    int rc = e1000e_driver.probe(&pci);
    if (rc == 0)
        card->ops->up(card);
    told = 0;
    return rc;
}

/* The card pulls its interrupt, with all causes there are; whether the driver called it its own. */
static bool interrupts(void)
{
    step();
    bool mine = irq(irq_arg);
    if (mood != VANISHED)
        *reg(R_ICR) = 0;
    return mine;
}

static struct packet *frame(uint32_t len, uint8_t with)
{
    struct packet *p = packet_alloc();
    p->len = len;
    memset(p->data, with, len);
    return p;
}

static void starts(void **state)
{
    static const uint8_t mac[] = { 0x00, 0x52, 0x54, 0x12, 0x34, 0x56 };
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(begin(i, FINE), 0);
        assert_memory_equal(card->mac, mac, ETH_ALEN);
        assert_true(card->carrier && bus_master);
        assert_int_equal(packets, RX_RING);
        assert_true(*reg(R_RDT) == RX_RING - 1 && *reg(R_RDLEN) == 16 * RX_RING);
    }
    assert_int_equal(begin(true, NEVER_RESET), -ENODEV);       /* a card without an answer; what it was given is given back */
    assert_non_null(strstr(said, "does not come back from its reset"));
    assert_true(!bus_master && forgotten && packets == 0 && !card);
    assert_int_equal(begin(true, VANISHED), -ENODEV);
    assert_true(!bus_master && packets == 0 && !card);
    no_registers = true;
    assert_int_equal(e1000e_driver.probe(&pci), -ENODEV);
    assert_non_null(strstr(said, "not where BAR 0 says"));
    no_registers = false;
    mood = FINE;
    memset(regs, 0, sizeof(regs));
    no_memory = true;
    assert_int_equal(e1000e_driver.probe(&pci), -ENODEV);
    assert_non_null(strstr(said, "no memory for its rings"));
    assert_int_equal(packets, 0);
    no_memory = false;
    no_name = true;
    assert_int_equal(e1000e_driver.probe(&pci), -ENODEV);
    assert_non_null(strstr(said, "no name left"));
    assert_int_equal(packets, 0);
}

static void frames_both_ways(void **state)
{
    for (unsigned messages = 0; messages < 2; messages++) {
        assert_int_equal(begin(messages, FINE), 0);
        for (unsigned i = 0; i < 1000; i++) {                  /* several times round both rings */
            assert_true(frame_comes((uint16_t)(60 + i), (uint8_t)i));
            assert_true(interrupts());
            assert_int_equal(received, i + 1);
            assert_true(got[i].len == 60 + i && got[i].first == (uint8_t)i);
            struct packet *p = frame(60 + i, (uint8_t)i);
            p->flags = i % 3 ? PACKET_CSUM_PARTIAL : 0;
            p->csum_start = i % 3 == 1 ? 34 : 54;
            p->csum_offset = 16;
            card->ops->transmit(card, p);
            card->ops->kick(card);
            step();
            assert_int_equal(sent, i + 1);
            assert_true(wire[i].len == 60 + i && wire[i].first == (uint8_t)i && wire[i].last == (uint8_t)i && wire[i].sum == (i % 3 != 0));
            if (i % 3)
                assert_true(wire[i].start == (i % 3 == 1 ? 34 : 54) && wire[i].offset == wire[i].start + 16);
            if (i % 7 == 0)
                interrupts();
        }
        card->ops->kick(card);
        assert_true(packets == RX_RING && !card->rx_dropped && !card->tx_dropped);
        struct packet *p = frame(400, 1);                      /* a sum too far in for the card is made by hand */
        p->flags = PACKET_CSUM_PARTIAL;
        p->csum_start = 250;
        p->csum_offset = 6;
        card->ops->transmit(card, p);
        card->ops->kick(card);
        step();
        assert_false(wire[sent - 1].sum);
    }
}

/* What the card writes back is believed in nothing that matters. */
static void nonsense(void **state)
{
    static const struct { uint16_t len; uint8_t status, errors; } bad[] = {
        { 0, DONE | WHOLE, 0 }, { 13, DONE | WHOLE, 0 }, { 2049, DONE | WHOLE, 0 }, { 0xffff, DONE | WHOLE, 0 }, { 60, DONE | WHOLE, 0x01 },
        { 60, DONE | WHOLE, 0x80 },
    };
    assert_int_equal(begin(true, FINE), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        write_back(bad[i].len, 0x55, bad[i].status, bad[i].errors);
        interrupts();
        assert_int_equal(received, 0);
        assert_int_equal(card->rx_dropped, i + 1);
        assert_int_equal(packets, RX_RING);
    }
    write_back(2048, 1, DONE, 0);                              /* a frame over three descriptors: none of it is a frame */
    write_back(2048, 2, DONE, 0);
    write_back(100, 3, DONE | WHOLE, 0);
    frame_comes(60, 4);
    interrupts();
    assert_true(received == 1 && got[0].first == 4 && got[0].len == 60);
    write_back(60, 5, DONE | WHOLE | 0x20, 0);                 /* a checksum is good if it was looked at and no error is told */
    write_back(60, 5, DONE | WHOLE | 0x24, 0);
    write_back(60, 5, DONE | WHOLE | 0x20, 0x20);
    write_back(60, 5, DONE | WHOLE, 0);
    interrupts();
    assert_true(received == 5 && got[1].flags == PACKET_CSUM_GOOD && !got[2].flags && !got[3].flags && !got[4].flags);
    all_come();                                                /* every descriptor at once, the one that is ours, too */
    interrupts();
    assert_int_equal(received, 5 + RX_RING);
    assert_int_equal(packets, RX_RING);
    unsigned before = received;                                /* and again while we look: an interrupt ends all the same */
    flood = true;
    all_come();
    interrupts();
    flood = false;
    assert_in_range(received - before, 0, 2 * RX_RING);
    interrupts();
    before = received;
    no_memory = true;                                          /* no memory: the frames are lost, the ring stays full */
    *reg(R_RDH) = (*reg(R_RDT) + 1) % RX_RING;
    for (unsigned i = 0; i < 10; i++)
        frame_comes(60, 6);
    interrupts();
    no_memory = false;
    assert_int_equal(received, before);
    assert_int_equal(packets, RX_RING);
    frame_comes(61, 7);
    interrupts();
    assert_true(received == before + 1 && got[before % 1024].len == 61);
}

static void lost_interrupts(void **state)
{
    assert_int_equal(begin(true, FINE), 0);
    for (unsigned i = 0; i < RX_RING - 1; i++)                 /* nobody is told of these */
        assert_true(frame_comes(60, (uint8_t)i));
    assert_false(frame_comes(60, 0));                          /* and the card keeps to its part of the ring */
    *reg(R_ICR) = 0x40;                                        /* overrun: one cause, of all that were lost */
    interrupts();
    assert_int_equal(received, RX_RING - 1);
    assert_int_equal(batches, 1);
    for (unsigned i = 0; i < received; i++)
        assert_int_equal(got[i].first, (uint8_t)i);
    assert_true(frame_comes(60, 9));
    for (unsigned i = 0; i < 1000; i++) {                      /* sent ones are found at the next doorbell */
        card->ops->transmit(card, frame(60, 1));
        card->ops->kick(card);
        step();
    }
    assert_true(sent == 1000 && !card->tx_dropped);
    card->ops->kick(card);
    assert_int_equal(packets, RX_RING);
    assert_int_equal(begin(false, FINE), 0);                   /* on a line: what was not asked for is another device's */
    *reg(R_ICR) = CAUSE_SENT;
    assert_false(interrupts());
    *reg(R_ICR) = 0;
    assert_false(interrupts());
}

static void silence(void **state)
{
    assert_int_equal(begin(true, FINE), 0);
    silent = true;
    for (unsigned i = 0; i < 1000; i++) {
        card->ops->transmit(card, frame(60, (uint8_t)i));
        card->ops->kick(card);
        step();
    }
    assert_true(packets <= RX_RING + 256 && card->tx_dropped >= 1000 - 256);
    assert_int_equal(sent + card->tx_dropped, 1000);
    frame_comes(60, 8);                                        /* the other direction works */
    interrupts();
    assert_int_equal(received, 1);
    silent = false;                                            /* it takes heart, and writes back what it owes */
    for (unsigned i = 0; i < 256; i++)
        descriptor(R_TDBAL, i)[12] |= DONE;
    interrupts();
    assert_int_equal(packets, RX_RING);
    unsigned before = sent;
    card->ops->transmit(card, frame(60, 77));
    card->ops->kick(card);
    step();
    assert_true(sent == before + 1 && wire[before].first == 77);
    *reg(R_STATUS) = 0;                                        /* the cable goes, and comes */
    *reg(R_ICR) = CAUSE_LINK;
    interrupts();
    assert_true(!card->carrier && told == 1 && strstr(said, "link down"));
    *reg(R_STATUS) = LINK;
    *reg(R_ICR) = CAUSE_LINK;
    interrupts();
    assert_true(card->carrier && told == 2 && strstr(said, "link up"));
}

static void gone(void **state)
{
    for (unsigned messages = 0; messages < 2; messages++) {
        assert_int_equal(begin(messages, FINE), 0);
        frame_comes(60, 1);
        interrupts();
        mood = VANISHED;
        for (unsigned i = 0; i < 1000; i++) {
            assert_false(interrupts());
            card->ops->transmit(card, frame(60, 1));
            card->ops->kick(card);
        }
        assert_true(strstr(said, "does not answer any more") && strlen(said) < 200);
        assert_true(!card->carrier && told == 1 && received == 1);
        assert_true(packets <= RX_RING + 256 && card->tx_dropped >= 1000 - 256);
        card->ops->down(card);
        step();
        card->ops->up(card);                                   /* all ones are no link */
        assert_false(card->carrier);
        mood = FINE;                                           /* one that comes back has no rings */
        memset(regs, 0, sizeof(regs));
        *reg(R_STATUS) = LINK;
        card->ops->up(card);
        assert_true(!card->carrier && told == 1);
        begin(messages, FINE);
        mood = VANISHED;                                       /* found by who brings it up, not by an interrupt */
        step();
        card->ops->up(card);
        assert_true(!card->carrier && told == 1 && strstr(said, "does not answer any more"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(starts), cmocka_unit_test(frames_both_ways), cmocka_unit_test(nonsense),
                                        cmocka_unit_test(lost_interrupts), cmocka_unit_test(silence), cmocka_unit_test(gone) };
    return cmocka_run_group_tests(tests, 0, 0);
}
