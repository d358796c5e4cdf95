/* SPDX-License-Identifier: MIT */
/* e1000e.c: Intel's 82574 Ethernet controller, the card of QEMU's q35.
 *
 * Two rings of descriptors in memory, one a direction; the card and we chase each other round them. Packets are
 * neither copied to be sent nor when they come in: a descriptor names the packet's own page. Checksums are the card's work. What
 * was sent is looked for right after the doorbell, where an emulated card has finished already; only if something is left is
 * an interrupt asked for. Names of registers and bits: Intel 82574 GbE Controller Family Datasheet, chapter 10.          */
#include "guest-kernel/drivers/dma.h"
#include "guest-kernel/drivers/drivers.h"
#include "guest-kernel/kernel/netdev.h"
#include "guest-kernel/kernel/page.h"

enum { CTRL = 0x0000, STATUS = 0x0008, CTRL_EXT = 0x0018, ICR = 0x00c0, ITR = 0x00c4, IMS = 0x00d0, IMC = 0x00d8, IVAR = 0x00e4,
       EITR = 0x00e8, RCTL = 0x0100, TCTL = 0x0400, TIPG = 0x0410, RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808, RDH = 0x2810,
       RDT = 0x2818, TDBAL = 0x3800, TDBAH = 0x3804, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818, RXCSUM = 0x5000, MTA = 0x5200,
       RAL = 0x5400, RAH = 0x5404 };

#define CTRL_SLU      (1u << 6)      /* set link up                 */
#define CTRL_RST      (1u << 26)
#define STATUS_LU     (1u << 1)
#define INT_TXDW      (1u << 0)      /* causes, as ICR, IMS and IMC have them */
#define INT_LSC       (1u << 2)
#define INT_RXDMT0    (1u << 4)
#define INT_RXO       (1u << 6)
#define INT_RXT0      (1u << 7)
#define INT_RXQ0      (1u << 20)     /* these three with MSI-X      */
#define INT_TXQ0      (1u << 22)
#define INT_OTHER     (1u << 24)
#define INT_TX        (INT_TXDW | INT_TXQ0)
#define INT_ALWAYS    (INT_LSC | INT_RXDMT0 | INT_RXO | INT_RXT0 | INT_RXQ0 | INT_OTHER)
#define IVAR_ALL_0    (8u | 8u << 8 | 8u << 16)      /* all causes: vector 0, valid */
#define RCTL_EN       (1u << 1)
#define RCTL_UPE      (1u << 3)      /* a bridge's port wants everybody's frames */
#define RCTL_MPE      (1u << 4)
#define RCTL_BAM      (1u << 15)
#define RCTL_SECRC    (1u << 26)     /* without the FCS             */
#define TCTL_EN       (1u << 1)
#define TCTL_PSP      (1u << 3)
#define RXCSUM_IPOFLD (1u << 8)
#define RXCSUM_TUOFLD (1u << 9)
#define RAH_AV        (1u << 31)

struct rx_desc { uint64_t address; uint16_t length, checksum; uint8_t status, errors; uint16_t special; };
#define RX_DD    1
#define RX_EOP   2
#define RX_IXSM  4                    /* checksums were not looked at */
#define RX_UDPCS 0x10
#define RX_TCPCS 0x20

/* A data descriptor, and a context descriptor, which tells where checksums of the data behind it go. */
struct tx_desc { uint64_t address; uint32_t command; uint8_t status, options; uint16_t special; };
struct tx_context { uint8_t ipcss, ipcso; uint16_t ipcse; uint8_t tucss, tucso; uint16_t tucse; uint32_t command; uint8_t status, hdrlen; uint16_t mss; };
#define TX_DTYP_DATA (1u << 20)
#define TX_EOP       (1u << 24)
#define TX_IFCS      (1u << 25)
#define TX_RS        (1u << 27)
#define TX_DEXT      (1u << 29)
#define TX_DD        1
#define TX_TXSM      2

#define RING     256                  /* descriptors: one page      */
#define REGISTERS 0x6000               /* bytes of them, the receive address table included */
#define RX_SIZE  2048                 /* RCTL's BSIZE 0             */
#define ITR_20US (20000 / 256)

struct e1000e {
    struct netdev       dev;
    struct pci_dev     *pci;
    volatile uint32_t  *regs;
    struct rx_desc     *rx;
    union { struct tx_desc data; struct tx_context context; } *tx;
    uint64_t            rx_address, tx_address;
    struct packet      *rx_packet[RING], *tx_packet[RING];    /* tx: null for a context */
    unsigned            rx_next;
    unsigned            tx_head, tx_tail, tx_rung;            /* oldest not reaped, next free, what TDT says; free-running */
    uint32_t            context;                              /* start << 16 | offset of the last one; 0: none */
    uint32_t            wanted;                               /* causes that may interrupt: what IMS says */
    bool                msix, tx_irq, lost;                   /* lost: it answers no more */
    bool                rx_rest;                              /* what comes next belongs to a frame that was too long */
};

_Static_assert(sizeof(struct rx_desc) == 16 && sizeof(struct tx_desc) == 16 && sizeof(struct tx_context) == 16, "a descriptor");

static uint32_t rd(struct e1000e *e, unsigned reg) { return e->regs[reg / 4]; }
static void wr(struct e1000e *e, unsigned reg, uint32_t value) { e->regs[reg / 4] = value; }

/* ---- sending --------------------------------------------------------------------------------------- */

static void reap(struct e1000e *e)
{
    while (e->tx_head != e->tx_rung) {
        unsigned i = e->tx_head % RING;
        if (!(*(volatile uint8_t *)&e->tx[i].data.status & TX_DD))
            return;
        if (e->tx_packet[i])
            packet_free(e->tx_packet[i]);
        e->tx_packet[i] = 0;
        e->tx_head++;
    }
}

static void want_tx_irq(struct e1000e *e, bool want)
{
    if (want == e->tx_irq)
        return;
    e->tx_irq = want;
    e->wanted = want ? e->wanted | INT_TX : e->wanted & ~INT_TX;
    wr(e, want ? IMS : IMC, INT_TX);
}

static void ring_doorbell(struct netdev *d)
{
    struct e1000e *e = d->private;
    if (e->tx_tail != e->tx_rung) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);          /* the descriptors are in memory before the card looks */
        e->tx_rung = e->tx_tail;
        wr(e, TDT, e->tx_tail % RING);
    }
    reap(e);
    want_tx_irq(e, e->tx_head != e->tx_rung);
}

/* The checksum's place, unless the card knows it from the packet before. */
static void put_context(struct e1000e *e, const struct packet *p)
{
    uint32_t wanted = (uint32_t)p->csum_start << 16 | p->csum_offset;
    if (e->context == wanted)
        return;
    e->context = wanted;
    e->tx_packet[e->tx_tail % RING] = 0;
    e->tx[e->tx_tail++ % RING].context = (struct tx_context){
        .tucss = (uint8_t)p->csum_start, .tucso = (uint8_t)(p->csum_start + p->csum_offset), .command = TX_DEXT | TX_RS };
}

static void transmit(struct netdev *d, struct packet *p)
{
    struct e1000e *e = d->private;
    bool sum = p->flags & PACKET_CSUM_PARTIAL;
    if (e->tx_tail - e->tx_head > RING - 4)
        ring_doorbell(d);
    /* A checksum further in than a context can say is summed by hand. */
    if (sum && p->csum_start + p->csum_offset > 255) {
        packet_checksum(p);
        sum = false;
    }
    if (e->tx_tail - e->tx_head > RING - 4) {
        d->tx_dropped++;
        packet_free(p);
        return;
    }
    if (sum)
        put_context(e, p);
    unsigned i = e->tx_tail++ % RING;
    e->tx_packet[i] = p;
    e->tx[i].data = (struct tx_desc){ .address = dma_address(p->data), .options = sum ? TX_TXSM : 0,
                                      .command = p->len | TX_DTYP_DATA | TX_EOP | TX_IFCS | TX_RS | TX_DEXT };
}

/* ---- receiving ------------------------------------------------------------------------------------- */

static void rx_arm(struct e1000e *e, unsigned i, struct packet *p)
{
    e->rx_packet[i] = p;
    e->rx[i] = (struct rx_desc){ .address = dma_address(p->data) };
}

/* Hands descriptor i's packet up and puts a fresh one into its place; without memory for one the frame is lost instead. */
static void rx_take(struct e1000e *e, unsigned i)
{
    __asm__ volatile("" ::: "memory");                        /* the descriptor's rest is read after its DD bit */
    struct rx_desc got = e->rx[i];
    struct packet *p = e->rx_packet[i], *fresh = packet_alloc();
    bool whole = got.status & RX_EOP && !e->rx_rest;
    e->rx_rest = !(got.status & RX_EOP);
    if (!fresh || !whole || got.errors & 0x9f || got.length < ETH_HLEN || got.length > RX_SIZE) {
        e->dev.rx_dropped++;
        if (fresh)
            packet_free(fresh);
        rx_arm(e, i, p);
        return;
    }
    p->len = got.length;
    p->flags = !(got.status & RX_IXSM) && got.status & (RX_TCPCS | RX_UDPCS) && !(got.errors & 0x60) ? PACKET_CSUM_GOOD : 0;
    rx_arm(e, i, fresh);
    netdev_receive(&e->dev, p);
}

static void receive_all(struct e1000e *e)
{
    unsigned taken = 0;
    while (taken < RING && *(volatile uint8_t *)&e->rx[e->rx_next].status & RX_DD) {
        rx_take(e, e->rx_next);
        e->rx_next = (e->rx_next + 1) % RING;
        taken++;
    }
    if (!taken)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    wr(e, RDT, (e->rx_next + RING - 1) % RING);               /* all but one are the card's */
    netdev_receive_done(&e->dev);
}

/* Registers of a card that is no longer there read as ones. One that comes back has forgotten its rings: it stays lost. */
static void card_lost(struct e1000e *e)
{
    if (e->lost)
        return;
    e->lost = true;
    e->dev.carrier = false;
    kprintf("%s: the card does not answer any more\n", e->dev.name);
    netdev_changed(&e->dev);
}

static void look_at_link(struct e1000e *e)
{
    uint32_t status = rd(e, STATUS);
    bool up = status & STATUS_LU;
    if (status == ~0u || e->lost) {
        card_lost(e);
        return;
    }
    if (up == e->dev.carrier)
        return;
    e->dev.carrier = up;
    kprintf("%s: link %s\n", e->dev.name, up ? "up" : "down");
    netdev_changed(&e->dev);
}

/* ICR shows causes that may not interrupt as well; on a shared line those are no reason to call an interrupt ours. */
static bool interrupt(void *arg)
{
    struct e1000e *e = arg;
    uint32_t cause = rd(e, ICR);
    if (cause == ~0u)
        card_lost(e);
    if (cause == ~0u || (!e->msix && !(cause & e->wanted)))
        return false;
    if (e->msix)
        wr(e, ICR, cause);                                    /* reading does not clear them then */
    if (cause & INT_LSC)
        look_at_link(e);
    receive_all(e);
    ring_doorbell(&e->dev);
    return cause;
}

/* ---- beginning ------------------------------------------------------------------------------------- */

static int up(struct netdev *d)
{
    struct e1000e *e = d->private;
    wr(e, RCTL, RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM | RCTL_SECRC);
    wr(e, RDT, (e->rx_next + RING - 1) % RING);
    wr(e, TCTL, TCTL_EN | TCTL_PSP | 0x0f << 4 | 0x3f << 12);
    rd(e, ICR);
    e->wanted = INT_ALWAYS;
    wr(e, IMS, INT_ALWAYS);
    look_at_link(e);
    return 0;
}

static void down(struct netdev *d)
{
    struct e1000e *e = d->private;
    wr(e, IMC, ~0u);
    wr(e, RCTL, 0);
    e->wanted = 0;
    e->tx_irq = false;
}

static const struct netdev_ops ops = { .transmit = transmit, .kick = ring_doorbell, .up = up, .down = down };

static bool reset(struct e1000e *e)
{
    wr(e, IMC, ~0u);
    wr(e, CTRL, rd(e, CTRL) | CTRL_RST);
    uint64_t limit = plat_clock_ns() + 100 * NSEC_PER_MS;
    while (rd(e, CTRL) & CTRL_RST)
        if (plat_clock_ns() > limit)
            return false;
    wr(e, IMC, ~0u);
    rd(e, ICR);
    wr(e, CTRL, rd(e, CTRL) | CTRL_SLU);
    for (unsigned i = 0; i < 128; i++)
        wr(e, MTA + 4 * i, 0);
    return true;
}

static bool rings_make(struct e1000e *e)
{
    e->rx = dma_alloc(0, &e->rx_address);
    e->tx = dma_alloc(0, &e->tx_address);
    if (!e->rx || !e->tx)
        return false;
    for (unsigned i = 0; i < RING; i++) {
        struct packet *p = packet_alloc();
        if (!p)
            return false;
        rx_arm(e, i, p);
    }
    return true;
}

static void rings_tell(struct e1000e *e)
{
    wr(e, RDBAL, (uint32_t)e->rx_address);
    wr(e, RDBAH, (uint32_t)(e->rx_address >> 32));
    wr(e, RDLEN, RING * sizeof(struct rx_desc));
    wr(e, RDH, 0);
    wr(e, TDBAL, (uint32_t)e->tx_address);
    wr(e, TDBAH, (uint32_t)(e->tx_address >> 32));
    wr(e, TDLEN, RING * sizeof(struct tx_desc));
    wr(e, TDH, 0);
    wr(e, TDT, 0);
    wr(e, TIPG, 8 | 8 << 10 | 6 << 20);
    wr(e, RXCSUM, RXCSUM_IPOFLD | RXCSUM_TUOFLD);
    wr(e, ITR, ITR_20US);
    wr(e, EITR, ITR_20US);
    wr(e, IVAR, IVAR_ALL_0);
}

static void read_address(struct e1000e *e)
{
    uint32_t low = rd(e, RAL), high = rd(e, RAH);
    for (unsigned i = 0; i < 4; i++)
        e->dev.mac[i] = (uint8_t)(low >> 8 * i);
    e->dev.mac[4] = (uint8_t)high;
    e->dev.mac[5] = (uint8_t)(high >> 8);
}

static int name_and_register(struct e1000e *e)
{
    int rc = -EEXIST;
    for (unsigned n = 0; n < 8 && rc == -EEXIST; n++) {
        ksnprintf(e->dev.name, sizeof(e->dev.name), "eth%u", n);
        rc = netdev_register(&e->dev);
    }
    return rc;
}

static void give_up(struct e1000e *e)
{
    irq_forget(interrupt, e);
    pci_disable(e->pci);
    for (unsigned i = 0; i < RING; i++)
        if (e->rx_packet[i])
            packet_free(e->rx_packet[i]);
    kfree(e);                                                 /* the rings' two pages stay: the card may still know them */
}

/* Null, or what is wrong, in words. */
static const char *start(struct e1000e *e)
{
    void *arg[1] = { e };
    if (!reset(e))
        return "it does not come back from its reset";
    if (!rings_make(e))
        return "there is no memory for its rings";
    read_address(e);
    rings_tell(e);
    if (pci_irqs(e->pci, 1, interrupt, arg) < 0)
        return "there is no interrupt for it";
    e->msix = e->pci->msix_enabled;
    return name_and_register(e) ? "there is no name left for it" : 0;
}

static int probe(struct pci_dev *pci)
{
    struct e1000e *e = kmalloc(sizeof(*e));
    size_t size = REGISTERS;
    if (!e)
        return -ENOMEM;
    pci_enable(pci);
    e->pci = pci;
    e->regs = pci_map_bar(pci, 0, &size);
    e->dev.mtu = NET_MTU;
    e->dev.csum_tx = true;
    e->dev.ops = &ops;
    e->dev.private = e;
    const char *wrong = !e->regs || size < REGISTERS ? "its registers are not where BAR 0 says" : start(e);
    if (wrong) {
        kprintf("%s: cannot be used: %s\n", pci->name, wrong);
        give_up(e);
        return -ENODEV;
    }
    klog("%s: e1000e, %x:%x:%x:%x:%x:%x\n", e->dev.name, e->dev.mac[0], e->dev.mac[1], e->dev.mac[2], e->dev.mac[3], e->dev.mac[4],
         e->dev.mac[5]);
    return 0;
}

static const struct pci_id ids[] = { { .vendor = 0x8086, .device = 0x10d3 }, { .vendor = 0 } };
const struct pci_driver e1000e_driver = { .name = "e1000e", .ids = ids, .probe = probe };
