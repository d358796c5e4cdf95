/* SPDX-License-Identifier: MIT */
/* pci.c: what is on the bus, and whose it is. (PCI Local Bus 3.0; PCI Express Base, "Enhanced Configuration Access Mechanism".)
 *
 * Buses are walked from 0, each bridge's secondary bus in turn, as the firmware numbered them. Configuration space is reached by ports
 * 0xcf8 and 0xcfc, or, where ACPI's MCFG table tells of it, as memory. Interrupts are pci_irq.c's. A driver is a row of the table at
 * the end: another card is another row.                                                                          */
#include "guest-kernel/drivers/pci.h"
#include "guest-kernel/drivers/acpi.h"
#include "guest-kernel/drivers/drivers.h"
#include "guest-kernel/kernel/vm.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc

#define REG_CLASS    0x08
#define REG_HEADER   0x0e
#define REG_BAR      0x10
#define REG_BUSES    0x18
#define REG_CAPS     0x34
#define REG_PIN      0x3d
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
    for (; d; d = d->bridge)
        pci_write(d, PCI_COMMAND, 2, pci_read(d, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void pci_disable(struct pci_dev *d)
{
    pci_write(d, PCI_COMMAND, 2, (pci_read(d, PCI_COMMAND, 2) & ~PCI_COMMAND_MASTER) | PCI_COMMAND_NO_INTX);
}

/* ---- BARs ---------------------------------------------------------------------------------------- */

/* Writing all ones shows which bits are address. Decoding is off meanwhile, so that nothing answers at a wrong place. */
static struct pci_bar bar_read(const struct pci_dev *d, unsigned bar)
{
    unsigned reg = REG_BAR + 4 * bar;
    uint32_t command = pci_read(d, PCI_COMMAND, 2), low = pci_read(d, reg, 4), high = 0;
    if (low & 1)
        return (struct pci_bar){ 0, 0 };            /* ports */
    bool wide = (low & 6) == 4 && bar < 5;
    pci_write(d, PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
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
    pci_write(d, PCI_COMMAND, 2, command);
    return (struct pci_bar){ (uint64_t)high << 32 | (low & ~0xfu), mask ? -mask : 0 };
}

/* Asked for once: a device at work should not lose its addresses, however briefly. */
struct pci_bar pci_bar(struct pci_dev *d, unsigned bar)
{
    if (bar > 5)
        return (struct pci_bar){ 0, 0 };
    if (!(d->bars_known >> bar & 1)) {
        d->bar[bar] = bar_read(d, bar);
        d->bars_known |= 1u << bar;
    }
    return d->bar[bar];
}

void *pci_map_bar(struct pci_dev *d, unsigned bar, size_t *size)
{
    struct pci_bar b = pci_bar(d, bar), table = pci_msix_table(d);
    *size = MIN(*size, b.size);
    uint64_t first = b.address >> PAGE_SHIFT, offset = b.address & (PAGE_SIZE - 1);
    size_t pages = ROUND_UP(offset + *size, PAGE_SIZE) >> PAGE_SHIFT;
    char *va = b.address && *size ? kmap_reserve(pages) : 0;
    if (!va)
        return 0;
    plat_batch_begin();
    for (uint64_t i = 0; i < pages; i++) {
        bool of_table = table.size && first + i >= table.address >> PAGE_SHIFT && first + i <= (table.address + table.size - 1) >> PAGE_SHIFT;
        plat_pte_write(&plat_kernel_space, 1, kmap_slot(va + i * PAGE_SIZE), plat_pte_make_frame(first + i,
            PTE_P | PTE_A | PTE_D | (of_table ? 0 : PTE_W) | PTE_PCD | PTE_PWT | PTE_NX | PTE_SPECIAL));
    }
    plat_batch_end();
    return va + offset;
}

/* ---- the walk ------------------------------------------------------------------------------------- */

static void find_capabilities(struct pci_dev *d)
{
    if (!(pci_read(d, PCI_STATUS, 2) & STATUS_CAPS))
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

static void walk_bus(unsigned bus, struct pci_dev *bridge, unsigned depth);

static void found(uint16_t bdf, uint32_t id, unsigned header, struct pci_dev *bridge, unsigned depth)
{
    struct pci_dev *d = kmalloc(sizeof(*d));
    if (!d)
        return;
    *d = (struct pci_dev){ .bdf = bdf, .bridge = bridge, .vendor = (uint16_t)id, .device = (uint16_t)(id >> 16) };
    d->class = pci_read(d, REG_CLASS, 4) >> 8;
    ksnprintf(d->name, sizeof(d->name), "%02x:%02x.%u (%04x:%04x)", bdf >> 8, bdf >> 3 & 31, bdf & 7, d->vendor, d->device);
    list_append(&all_pci_devs, &d->link);
    find_capabilities(d);
    if ((header & 0x7f) == 0)
        d->line_pin = (uint8_t)pci_read(d, REG_PIN, 1) & 7;
    if ((header & 0x7f) == 1 && d->class >> 8 == CLASS_BRIDGE && depth < 8) {
        unsigned below = pci_read(d, REG_BUSES, 4) >> 8 & 0xff;
        if (below > (unsigned)bdf >> 8)
            walk_bus(below, d, depth + 1);
    }
}

/* A bus that several bridges name (wrong firmware, or a device that plays a bridge) is walked once. */
static void walk_bus(unsigned bus, struct pci_dev *bridge, unsigned depth)
{
    static uint64_t walked[256 / 64];

    if (walked[bus / 64] >> bus % 64 & 1)
        return;
    walked[bus / 64] |= 1ul << bus % 64;
    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned fn = 0; fn < 8; fn++) {
            uint16_t bdf = (uint16_t)(bus << 8 | slot << 3 | fn);
            uint32_t id = config_read(0, bdf, 0, 4);
            if ((id & 0xffff) == 0xffff && fn == 0)
                break;
            if ((id & 0xffff) == 0xffff)
                continue;
            unsigned header = config_read(0, bdf, REG_HEADER, 1);
            found(bdf, id, header, bridge, depth);
            if (fn == 0 && !(header & 0x80))
                break;
        }
}

/* ---- drivers ---------------------------------------------------------------------------------------- */

static const struct pci_driver *const drivers[] = { &nvme_driver, &e1000e_driver, &edu_driver };

static bool wants(const struct pci_driver *drv, const struct pci_dev *d)
{
    for (const struct pci_id *id = drv->ids; id->vendor || id->class_mask; id++)
        if (id->vendor ? id->vendor == d->vendor && id->device == d->device : (d->class & id->class_mask) == id->class)
            return true;
    return false;
}

static void offer(struct pci_dev *d)
{
    char name[sizeof(d->name)];
    for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (!wants(drivers[i], d))
            continue;
        strlcpy(name, d->name, sizeof(name));
        ksnprintf(d->name, sizeof(d->name), "%s %02x:%02x.%u", drivers[i]->name, d->bdf >> 8, d->bdf >> 3 & 31, d->bdf & 7);
        d->driver = drivers[i];
        if (drivers[i]->probe(d) == 0)
            return;
        d->driver = 0;
        strlcpy(d->name, name, sizeof(name));
    }
}

void pci_boot(void)
{
    if (!plat_has_pci())
        return;
    acpi_find_mcfg(&ecam);
    walk_bus(0, 0, 0);
    pci_irq_boot();
    list_for (d, &all_pci_devs, struct pci_dev, link)
        offer(d);
}
