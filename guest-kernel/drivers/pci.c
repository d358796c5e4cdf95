/* SPDX-License-Identifier: MIT */
/* pci.c: what is on the bus, and whose it is. (PCI Local Bus 3.0; PCI Express Base, "Enhanced Configuration Access Mechanism".)
 *
 * Buses are walked from 0, each bridge's secondary bus in turn. Configuration space is reached by ports 0xcf8 and 0xcfc, or, where
 * ACPI's MCFG table tells of it, as memory. A driver is a row of the table at the end: another card is another row. */
#include "guest-kernel/drivers/pci.h"
#include "guest-kernel/drivers/acpi.h"
#include "guest-kernel/drivers/drivers.h"
#include "guest-kernel/kernel/vm.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc

#define REG_COMMAND  0x04
#define REG_STATUS   0x06
#define REG_CLASS    0x08
#define REG_HEADER   0x0e
#define REG_BAR      0x10
#define REG_BUSES    0x18
#define REG_CAPS     0x34
#define REG_PIN      0x3d
#define COMMAND_MEMORY 2
#define COMMAND_MASTER 4
#define COMMAND_NO_INTX 0x400
#define STATUS_CAPS  0x10
#define CAP_MSI      0x05
#define CAP_MSIX     0x11
#define CLASS_BRIDGE 0x0604

struct list all_pci_devs = LIST_INIT(all_pci_devs);
static struct acpi_mcfg ecam;                        /* base 0: none */

/* ---- configuration space ---------------------------------------------------------------------- */

/* The page of a function's registers, its bus (1 MiB, of which 8 pages a device are looked at) mapped a function at a time. */
static volatile uint8_t *ecam_page(uint16_t bdf)
{
    static struct { uint16_t bdf; volatile uint8_t *at; } kept[32];
    unsigned bus = bdf >> 8;
    if (!ecam.base || bus < ecam.first_bus || bus > ecam.last_bus)
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(kept) && kept[i].at; i++)
        if (kept[i].bdf == bdf)
            return kept[i].at;
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        if (!kept[i].at) {
            uint64_t frame = (ecam.base >> PAGE_SHIFT) + bdf - (uint64_t)ecam.first_bus * 256;
            kept[i].bdf = bdf;
            return kept[i].at = kmap_frames(&frame, 1, PTE_W | PTE_PCD | PTE_PWT | PTE_NX);
        }
    return 0;
}

/* Devices that a driver has are reached by memory; the walk over what may not be there uses the ports. */
static uint32_t config_read(const struct pci_dev *d, uint16_t bdf, unsigned offset, unsigned size)
{
    volatile uint8_t *page = d && d->driver ? ecam_page(bdf) : 0;
    if (page)
        return size == 1 ? page[offset] : size == 2 ? *(volatile uint16_t *)(page + offset) : *(volatile uint32_t *)(page + offset);
    plat_out(CONFIG_ADDRESS, 4, 1u << 31 | (uint32_t)bdf << 8 | (offset & 0xfc));
    return plat_in(CONFIG_DATA + (offset & 3), size);
}

uint32_t pci_read(const struct pci_dev *d, unsigned offset, unsigned size) { return config_read(d, d->bdf, offset, size); }

void pci_write(const struct pci_dev *d, unsigned offset, unsigned size, uint32_t value)
{
    plat_out(CONFIG_ADDRESS, 4, 1u << 31 | (uint32_t)d->bdf << 8 | (offset & 0xfc));
    plat_out(CONFIG_DATA + (offset & 3), size, value);
}

void pci_enable(struct pci_dev *d)
{
    pci_write(d, REG_COMMAND, 2, pci_read(d, REG_COMMAND, 2) | COMMAND_MEMORY | COMMAND_MASTER);
}

/* ---- BARs ---------------------------------------------------------------------------------------- */

/* Writing all ones shows which bits are address. Decoding is off meanwhile, so that nothing answers at a wrong place. */
uint64_t pci_bar(const struct pci_dev *d, unsigned bar, uint64_t *size)
{
    unsigned reg = REG_BAR + 4 * bar;
    uint32_t command = pci_read(d, REG_COMMAND, 2), low = pci_read(d, reg, 4), high = 0;
    *size = 0;
    if (low & 1 || bar > 5)
        return 0;
    bool wide = (low & 6) == 4 && bar < 5;
    pci_write(d, REG_COMMAND, 2, command & ~COMMAND_MEMORY);
    pci_write(d, reg, 4, ~0u);
    uint64_t mask = pci_read(d, reg, 4) & ~0xfu;
    pci_write(d, reg, 4, low);
    if (wide) {
        high = pci_read(d, reg + 4, 4);
        pci_write(d, reg + 4, 4, ~0u);
        mask |= (uint64_t)pci_read(d, reg + 4, 4) << 32;
        pci_write(d, reg + 4, 4, high);
    } else if (mask) {
        mask |= ~0ul << 32;
    }
    pci_write(d, REG_COMMAND, 2, command);
    *size = mask ? -mask : 0;
    return (uint64_t)high << 32 | (low & ~0xfu);
}

void *pci_map_bar(struct pci_dev *d, unsigned bar, size_t *size)
{
    uint64_t bytes, at = pci_bar(d, bar, &bytes);
    size_t pages = MIN(ROUND_UP(bytes, PAGE_SIZE) >> PAGE_SHIFT, 64ul);
    uint64_t frames[64];
    if (!at || !pages)
        return 0;
    for (size_t i = 0; i < pages; i++)
        frames[i] = (at >> PAGE_SHIFT) + i;
    char *va = kmap_frames(frames, pages, PTE_W | PTE_PCD | PTE_PWT | PTE_NX);
    *size = bytes;
    return va ? va + (at & (PAGE_SIZE - 1)) : 0;
}

/* ---- interrupts ------------------------------------------------------------------------------------ */

/* On Intel's Q35 with the I/O APIC: PIRQ E to H of devices 0 to 24, in turn by device and pin, are lines 20 to 23. Only for a device without
 * messages; a machine that wires it otherwise says so in AML, which we do not read. */
static int line_of(const struct pci_dev *d)
{
    return d->line_pin ? (int)(20 + (((d->bdf >> 3 & 31) + d->line_pin - 1) & 3)) : -1;
}

static void msix_begin(struct pci_dev *d)
{
    pci_write(d, d->msix_cap + 2, 2, pci_read(d, d->msix_cap + 2, 2) | 0x8000);
    pci_write(d, REG_COMMAND, 2, pci_read(d, REG_COMMAND, 2) | COMMAND_NO_INTX);
    d->msix_enabled = true;
}

static int msix_irqs(struct pci_dev *d, unsigned most, irq_fn fn, void **args)
{
    uint32_t where = pci_read(d, d->msix_cap + 4, 4);
    unsigned have = (pci_read(d, d->msix_cap + 2, 2) & 0x7ff) + 1, n;
    uint64_t size, table = pci_bar(d, where & 7, &size) + (where & ~7u);
    for (n = 0; n < MIN(most, have); n++) {
        int irq = plat_irq_msi(d->bdf, (int)n, table);
        if (irq < 0)
            break;
        uint64_t address;
        uint32_t data;
        if (plat_msi_message(irq, &address, &data)) {
            uint64_t frame = (table + 16 * n) >> PAGE_SHIFT;
            char *page = kmap_frames(&frame, 1, PTE_W | PTE_PCD | PTE_PWT | PTE_NX);
            if (!page)
                break;
            volatile uint32_t *e = (volatile uint32_t *)(page + ((table + 16 * n) & (PAGE_SIZE - 1)));
            e[0] = (uint32_t)address;
            e[1] = (uint32_t)(address >> 32);
            e[2] = data;
            e[3] = 0;
            kmap_release(page, 1);
        }
        if (irq_handle(irq, fn, args[n]))
            break;
    }
    if (n)
        msix_begin(d);
    return n ? (int)n : -ENODEV;
}

static int msi_irq(struct pci_dev *d, irq_fn fn, void *arg)
{
    uint64_t address;
    uint32_t data, control = pci_read(d, d->msi_cap + 2, 2);
    int irq = plat_irq_msi(d->bdf, 0, 0);
    if (irq < 0 || irq_handle(irq, fn, arg))
        return -ENODEV;
    if (plat_msi_message(irq, &address, &data)) {
        pci_write(d, d->msi_cap + 4, 4, (uint32_t)address);
        if (control & 0x80)
            pci_write(d, d->msi_cap + 8, 4, (uint32_t)(address >> 32));
        pci_write(d, d->msi_cap + (control & 0x80 ? 12 : 8), 2, data);
        pci_write(d, d->msi_cap + 2, 2, (control & ~0x70u) | 1);
    }
    d->msi_enabled = true;
    return 1;
}

static int line_irq(struct pci_dev *d, irq_fn fn, void *arg)
{
    int line = line_of(d), irq = line < 0 ? -ENODEV : plat_irq_line((unsigned)line);
    if (irq < 0)
        return irq;
    return irq_handle(irq, fn, arg) ? -ENOMEM : 1;
}

int pci_irqs(struct pci_dev *d, unsigned most, irq_fn fn, void **args)
{
    int n = d->msix_cap && !cmdline_word("nomsi") ? msix_irqs(d, most, fn, args) : -ENODEV;
    if (n < 0 && d->msi_cap && !cmdline_word("nomsi"))
        n = msi_irq(d, fn, args[0]);
    return n < 0 ? line_irq(d, fn, args[0]) : n;
}

/* ---- the walk ------------------------------------------------------------------------------------- */

static void find_capabilities(struct pci_dev *d)
{
    if (!(pci_read(d, REG_STATUS, 2) & STATUS_CAPS))
        return;
    unsigned at = pci_read(d, REG_CAPS, 1) & 0xfc;
    for (unsigned i = 0; at && i < 48; i++) {
        unsigned id = pci_read(d, at, 1);
        if (id == CAP_MSI)
            d->msi_cap = (uint8_t)at;
        else if (id == CAP_MSIX)
            d->msix_cap = (uint8_t)at;
        at = pci_read(d, at + 1, 1) & 0xfc;
    }
}

static void walk_bus(unsigned bus, unsigned depth);

static void found(uint16_t bdf, uint32_t id, unsigned header, unsigned depth)
{
    struct pci_dev *d = kmalloc(sizeof(*d));
    if (!d)
        return;
    *d = (struct pci_dev){ .bdf = bdf, .vendor = (uint16_t)id, .device = (uint16_t)(id >> 16) };
    d->class = pci_read(d, REG_CLASS, 4) >> 8;
    list_append(&all_pci_devs, &d->link);
    find_capabilities(d);
    if ((header & 0x7f) == 0)
        d->line_pin = (uint8_t)pci_read(d, REG_PIN, 1) & 7;
    if ((header & 0x7f) == 1 && d->class >> 8 == CLASS_BRIDGE && depth < 8) {
        unsigned below = pci_read(d, REG_BUSES, 4) >> 8 & 0xff;
        if (below > (unsigned)bdf >> 8)
            walk_bus(below, depth + 1);
    }
}

static void walk_bus(unsigned bus, unsigned depth)
{
    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned fn = 0; fn < 8; fn++) {
            uint16_t bdf = (uint16_t)(bus << 8 | slot << 3 | fn);
            uint32_t id = config_read(0, bdf, 0, 4);
            if ((id & 0xffff) == 0xffff && fn == 0)
                break;
            if ((id & 0xffff) == 0xffff)
                continue;
            unsigned header = config_read(0, bdf, REG_HEADER, 1);
            found(bdf, id, header, depth);
            if (fn == 0 && !(header & 0x80))
                break;
        }
}

/* ---- drivers ---------------------------------------------------------------------------------------- */

static const struct pci_driver *const drivers[] = { &nvme_driver, &e1000e_driver };

static bool wants(const struct pci_driver *drv, const struct pci_dev *d)
{
    for (const struct pci_id *id = drv->ids; id->vendor || id->class_mask; id++)
        if (id->vendor ? id->vendor == d->vendor && id->device == d->device : (d->class & id->class_mask) == id->class)
            return true;
    return false;
}

static void offer(struct pci_dev *d)
{
    for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (!wants(drivers[i], d))
            continue;
        d->driver = drivers[i];
        if (drivers[i]->probe(d) == 0)
            return;
        d->driver = 0;
    }
}

void pci_boot(void)
{
    if (!plat_has_pci())
        return;
    acpi_find_mcfg(&ecam);
    walk_bus(0, 0);
    list_for (d, &all_pci_devs, struct pci_dev, link)
        offer(d);
}
