/* SPDX-License-Identifier: MIT */
/* pci_irq.c: how a PCI device gets the kernel's attention. (PCI Local Bus 3.0, 2.2.6 "Interrupt Pins" and 6.8 "Message Signaled Interrupts".)
 *
 * Best is MSI-X: a table of messages in the device's memory, one a queue. Then MSI, one message in configuration space. Else the
 * device pulls one of four pins, which bridges turn by the device's number on their bus, and the board leads to a line of the
 * I/O APIC: where, only the board knows, and it says so in AML, which we do not read. We know one board, Intel's Q35. On any other a
 * device without messages is polled. Under a hypervisor the messages are written by it (plat_msi_message).         */
#include "guest-kernel/drivers/pci.h"
#include "guest-kernel/kernel/vm.h"

#define Q35_BRIDGE       0x29188086u               /* ICH9's LPC bridge: device 31 of bus 0 */
#define Q35_FIRST_LINE   20                         /* PIRQ E; F, G and H follow */
#define Q35_PLAIN_SLOTS  25                         /* devices from here on are ICH9's own, wired by its registers */
#define LINES            24
#define MSIX_ENABLE      0x8000
#define MSIX_MASK_ALL    0x4000
#define MSI_ENABLE       1
#define MSI_MULTI        0x70
#define MSI_WIDE         0x80
#define MSI_MASKABLE     0x100

static int irq_of_line[LINES];
static bool is_q35;

/* ---- lines ------------------------------------------------------------------------------------------- */

/* The line that d's pin leads to; -1: none, or not known. A bridge turns the pins of what is behind it. */
static int line_of(const struct pci_dev *d)
{
    unsigned pin = d->line_pin;
    if (!pin || pin > 4 || !is_q35)
        return -1;
    for (; d->bridge; d = d->bridge)
        pin = (pin - 1 + (d->bdf >> 3 & 31)) % 4 + 1;
    unsigned slot = d->bdf >> 3 & 31;
    return slot < Q35_PLAIN_SLOTS ? (int)(Q35_FIRST_LINE + (slot + pin - 1) % 4) : -1;
}

/* The devices that pull irq's line now, whether they have a driver or not. */
static size_t holders(int irq, char *buf, size_t size)
{
    size_t n = 0;
    list_for (d, &all_pci_devs, struct pci_dev, link) {
        int line = line_of(d);
        if (line < 0 || irq_of_line[line] != irq || !(pci_read(d, PCI_STATUS, 2) & PCI_STATUS_INTX))
            continue;
        if (!(pci_read(d, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX) && n < size)
            n += ksnprintf(buf + n, size - n, "%s%s", n ? ", " : "", d->name);
    }
    return n;
}

static int line_irq(struct pci_dev *d, irq_fn fn, void *arg)
{
    int line = line_of(d), irq = line < 0 ? -ENODEV : plat_irq_line((unsigned)line);
    if (irq < 0) {
        kprintf("pci: %s has no messages, and its line is %s: polled each millisecond instead\n", d->name, irq == -ENODEV && d->line_pin ?
                "known to this machine's AML alone" : d->line_pin ? "not to be had" : "none");
        irq = irq_handle(IRQ_POLLED, IRQ_INTX, 0, d->name, fn, arg);
        return irq ? irq : 1;
    }
    irq_of_line[line] = irq;
    int rc = irq_handle(irq, IRQ_INTX, (unsigned)line, d->name, fn, arg);
    return rc ? rc : 1;
}

/* ---- messages ------------------------------------------------------------------------------------------ */

struct pci_bar pci_msix_table(struct pci_dev *d)
{
    if (!d->msix_cap)
        return (struct pci_bar){ 0, 0 };
    uint32_t where = pci_read(d, d->msix_cap + 4, 4), bytes = 16 * ((pci_read(d, d->msix_cap + 2, 2) & 0x7ff) + 1);
    struct pci_bar b = pci_bar(d, where & 7);
    if (!b.address || b.size < (where & ~7u) || b.size - (where & ~7u) < bytes)
        return (struct pci_bar){ 0, 0 };            /* a table outside of its BAR is none */
    return (struct pci_bar){ b.address + (where & ~7u), bytes };
}

/* Writes entry n of the table, if that is ours to do. */
static bool msix_write(uint64_t table, unsigned n, int irq)
{
    uint64_t address, at = table + 16 * n, frame = at >> PAGE_SHIFT;
    uint32_t data;
    if (!plat_msi_message(irq, &address, &data))
        return true;
    char *page = kmap_frames(&frame, 1, PTE_W | PTE_PCD | PTE_PWT | PTE_NX);
    if (!page)
        return false;
    volatile uint32_t *e = (volatile uint32_t *)(page + (at & (PAGE_SIZE - 1)));
    e[0] = (uint32_t)address;
    e[1] = (uint32_t)(address >> 32);
    e[2] = data;
    e[3] = 0;
    kmap_release(page, 1);
    return true;
}

static int msix_irqs(struct pci_dev *d, unsigned most, irq_fn fn, void **args)
{
    struct pci_bar table = pci_msix_table(d);
    unsigned n;
    for (n = 0; n < MIN(most, table.size / 16); n++) {
        int irq = plat_irq_msi(d->bdf, (int)n, table.address);
        if (irq < 0 || !msix_write(table.address, n, irq) || irq_handle(irq, IRQ_MSIX, n, d->name, fn, args[n]))
            break;
        d->irqs |= 1ul << irq;
    }
    if (!n)
        return -ENODEV;
    pci_write(d, d->msix_cap + 2, 2, (pci_read(d, d->msix_cap + 2, 2) | MSIX_ENABLE) & ~MSIX_MASK_ALL);
    pci_write(d, PCI_COMMAND, 2, pci_read(d, PCI_COMMAND, 2) | PCI_COMMAND_NO_INTX);
    d->msix_enabled = true;
    return (int)n;
}

static int msi_irq(struct pci_dev *d, irq_fn fn, void *arg)
{
    uint64_t address;
    uint32_t data, control = pci_read(d, d->msi_cap + 2, 2);
    int irq = plat_irq_msi(d->bdf, 0, 0);
    if (irq < 0 || irq_handle(irq, IRQ_MSI, 0, d->name, fn, arg))
        return -ENODEV;
    d->irqs |= 1ul << irq;
    if (plat_msi_message(irq, &address, &data)) {
        pci_write(d, d->msi_cap + 4, 4, (uint32_t)address);
        if (control & MSI_WIDE)
            pci_write(d, d->msi_cap + 8, 4, (uint32_t)(address >> 32));
        pci_write(d, d->msi_cap + (control & MSI_WIDE ? 12 : 8), 2, data);
        pci_write(d, d->msi_cap + 2, 2, (control & ~MSI_MULTI) | MSI_ENABLE);
    }
    pci_write(d, PCI_COMMAND, 2, pci_read(d, PCI_COMMAND, 2) | PCI_COMMAND_NO_INTX);
    return 1;
}

/* Keeps back the messages of the device whose irq is: all of them, since one bit does it, and who storms is not to be trusted. An MSI
 * without mask bits cannot be kept back. */
static void mask_messages(int irq, bool mask)
{
    list_for (d, &all_pci_devs, struct pci_dev, link) {
        if (!(d->irqs >> irq & 1))
            continue;
        if (d->msix_enabled) {
            uint32_t control = pci_read(d, d->msix_cap + 2, 2);
            pci_write(d, d->msix_cap + 2, 2, mask ? control | MSIX_MASK_ALL : control & ~MSIX_MASK_ALL);
        } else {
            uint32_t control = pci_read(d, d->msi_cap + 2, 2);
            if (control & MSI_MASKABLE)
                pci_write(d, d->msi_cap + (control & MSI_WIDE ? 16 : 12), 4, mask);
        }
    }
}

int pci_irqs(struct pci_dev *d, unsigned most, irq_fn fn, void **args)
{
    bool messages = !cmdline_word("nomsi");
    int n = d->msix_cap && messages ? msix_irqs(d, most, fn, args) : -ENODEV;
    if (n < 0 && d->msi_cap && messages)
        n = msi_irq(d, fn, args[0]);
    return n < 0 ? line_irq(d, fn, args[0]) : n;
}

void pci_irq_boot(void)
{
    static const struct irq_bus bus = { holders, mask_messages };
    for (unsigned i = 0; i < LINES; i++)
        irq_of_line[i] = -1;
    list_for (d, &all_pci_devs, struct pci_dev, link)
        is_q35 |= d->bdf == 31 << 3 && (d->vendor | (uint32_t)d->device << 16) == Q35_BRIDGE;
    irq_bus_is(&bus);
}
