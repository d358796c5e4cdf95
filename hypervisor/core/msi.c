/* SPDX-License-Identifier: MIT */
/* msi.c: writing a PCI device's interrupt message, and keeping it.                              [read 59]
 *
 * An MSI is a memory write that the device makes, and its content chooses vector and pCPU; so the hypervisor writes it,
 * in the MSI capability or in the entry of an MSI-X table. The tables lie among the devices' registers, which are dom0's to
 * map: so they are looked for before dom0 begins (and again when it announces a device), and their pages may only be read.
 *
 * Configuration space is reached by ports 0xcf8 and 0xcfc, which dom0 uses too, perhaps on another pCPU: the address that it
 * writes is kept here, and set for each of its accesses under the lock. (PCI Local Bus 3.0, 3.2.2.3.2 and 6.8.)      */
#include "hypercall-abi/errno.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/insn.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CAP_MSI        0x05
#define CAP_MSIX       0x11
#define MSI_ENABLE     (1U << 16)
#define MSI_64BIT      (1U << 23)
#define MSI_MULTI      (7U << 20)        /* how many messages are enabled: one */
#define MSIX_ENABLE    (1U << 31)
#define MSIX_MASK_ALL  (1U << 30)

static struct {
    struct spinlock lock;                /* rank pciconf: the two ports */
    uint32_t guest_address;              /* what dom0 wrote to CONFIG_ADDRESS */
} conf = { .lock = SPINLOCK_INIT(pciconf) };

static uint32_t config_read(uint16_t bdf, uint32_t reg)
{
    uint32_t value;

    spin_lock(&conf.lock);
    outl(CONFIG_ADDRESS, 1U << 31 | (uint32_t)bdf << 8 | reg);
    value = inl(CONFIG_DATA);
    spin_unlock(&conf.lock);
    return value;
}

static void config_write(uint16_t bdf, uint32_t reg, uint32_t value)
{
    spin_lock(&conf.lock);
    outl(CONFIG_ADDRESS, 1U << 31 | (uint32_t)bdf << 8 | reg);
    outl(CONFIG_DATA, value);
    spin_unlock(&conf.lock);
}

/* Is it the address as a whole, or data within its four bytes? All else near by is another device's (0xcf9 resets the PC). */
bool pciconf_port(uint16_t port, unsigned bytes)
{
    return (port == CONFIG_ADDRESS && bytes == 4) || (port >= CONFIG_DATA && port + bytes <= CONFIG_DATA + 4);
}

uint32_t pciconf_in(uint16_t port, unsigned bytes)
{
    uint32_t value;

    if (port == CONFIG_ADDRESS)
        return READ_ONCE(conf.guest_address);
    spin_lock(&conf.lock);
    outl(CONFIG_ADDRESS, conf.guest_address);
    value = port_read(port, bytes);
    spin_unlock(&conf.lock);
    return value;
}

void pciconf_out(uint16_t port, unsigned bytes, uint32_t value)
{
    spin_lock(&conf.lock);
    if (port == CONFIG_ADDRESS) {
        conf.guest_address = value;
    } else {
        outl(CONFIG_ADDRESS, conf.guest_address);
        port_write(port, bytes, value);
    }
    spin_unlock(&conf.lock);
}

/* Where the capability stands; 0: the device has none. A broken list ends after 48 links. */
static uint32_t find_capability(uint16_t bdf, uint8_t id)
{
    uint32_t at;

    if ((config_read(bdf, 0) & 0xffff) == 0xffff || !(config_read(bdf, 4) >> 20 & 1))
        return 0;
    at = config_read(bdf, 0x34) & 0xfc;
    for (unsigned i = 0; at && i < 48; i++) {
        uint32_t head = config_read(bdf, at);
        if ((head & 0xff) == id)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

static uint32_t message_address(uint32_t apic_id)
{
    return 0xfee00000 | apic_id << 12;
}

static int program_msi(uint16_t bdf, uint32_t apic_id, uint8_t vector)
{
    uint32_t cap = find_capability(bdf, CAP_MSI), control;

    if (!cap)
        return -XEN_ENODEV;
    control = config_read(bdf, cap);
    config_write(bdf, cap, control & ~(MSI_ENABLE | MSI_MULTI));
    if (!vector)
        return 0;
    config_write(bdf, cap + 4, message_address(apic_id));
    if (control & MSI_64BIT)
        config_write(bdf, cap + 8, 0);
    config_write(bdf, cap + (control & MSI_64BIT ? 12 : 8), vector);
    config_write(bdf, cap, (control & ~MSI_MULTI) | MSI_ENABLE);
    return 0;
}

/* ---- MSI-X ------------------------------------------------------------------------------------- */

/* Where BAR `bir` of the device lies; 0: it is not a memory BAR. */
static uint64_t bar_address(uint16_t bdf, uint32_t bir)
{
    uint32_t low = config_read(bdf, 0x10 + 4 * bir);

    if (bir > 5 || (low & 1))
        return 0;
    return (low & ~0xfU) | ((low & 6) == 4 ? (uint64_t)config_read(bdf, 0x14 + 4 * bir) << 32 : 0);
}

/* The machine address of the device's table, *entries of 16 bytes. 0: none, or in a place where no device can be. It comes from the
 * device, not from the guest, which might point it at RAM. */
static uint64_t table_address(uint16_t bdf, uint32_t cap, uint32_t *entries)
{
    uint32_t where = config_read(bdf, cap + 4);
    uint64_t bar = bar_address(bdf, where & 7);

    *entries = (config_read(bdf, cap) >> 16 & 0x7ff) + 1;
    return bar && bar >> PAGE_SHIFT >= max_mfn ? bar + (where & ~7U) : 0;
}

/* Each table's first frame << 8 | how many. Written under pirq.c's lock (at boot: alone), read without: a page-table lock is held there. */
#define MAX_TABLES 64
static struct { uint16_t bdf; uint64_t frames; } tables[MAX_TABLES];
static unsigned nr_tables;

bool msi_table_frame(uint64_t mfn)
{
    unsigned n = atomic_load(&nr_tables);

    for (unsigned i = 0; i < n; i++) {
        uint64_t t = READ_ONCE(tables[i].frames);
        if (mfn - (t >> 8) < (t & 0xff))
            return true;
    }
    return false;
}

void msi_look_for_table(uint16_t bdf)
{
    uint32_t cap = find_capability(bdf, CAP_MSIX), entries;
    uint64_t at = cap ? table_address(bdf, cap, &entries) : 0, last;
    unsigned i = 0;

    if (!at)
        return;
    last = at + entries * 16 - 1;
    while (i < nr_tables && tables[i].bdf != bdf)
        i++;
    if (i == MAX_TABLES)
        return;                          /* dom0 is trusted with its devices; this guards against accidents */
    tables[i].bdf = bdf;
    WRITE_ONCE(tables[i].frames, (at >> PAGE_SHIFT) << 8 | ((last >> PAGE_SHIFT) - (at >> PAGE_SHIFT) + 1));
    if (i == nr_tables)
        atomic_store(&nr_tables, i + 1);
}

/* One device's functions; what is behind a bridge is marked in `buses`. */
static void scan_device(uint16_t bdf, uint8_t buses[32])
{
    for (unsigned fn = 0; fn < 8; fn++) {
        if ((config_read(bdf + fn, 0) & 0xffff) == 0xffff) {
            if (fn == 0)
                return;
            continue;
        }
        uint32_t header = config_read(bdf + fn, 0x0c) >> 16;
        if ((header & 0x7f) == 1) {
            uint32_t below = config_read(bdf + fn, 0x18) >> 8 & 0xff;
            buses[below / 8] |= 1 << below % 8;
        }
        msi_look_for_table(bdf + fn);
        if (fn == 0 && !(header & 0x80))
            return;
    }
}

/* Bridges lead to buses of higher numbers, as the firmware counted them. */
void msi_scan(void)
{
    uint8_t buses[32] = { 1 };

    for (unsigned bus = 0; bus < 256; bus++) {
        for (unsigned slot = 0; slot < 32 && (buses[bus / 8] >> bus % 8 & 1); slot++)
            scan_device(bus << 8 | slot << 3, buses);
    }
}

/* Pages of tables in use, mapped for good: devices are few and come back. Under pirq.c's lock. */
static volatile uint32_t *msix_entry(uint64_t phys)
{
    static struct { uint64_t frame; char *page; } mapped[32];

    for (unsigned i = 0; i < sizeof(mapped) / sizeof(mapped[0]); i++) {
        if (!mapped[i].page) {
            mapped[i].frame = phys >> PAGE_SHIFT;
            mapped[i].page = hypmap_io(phys & PAGE_MASK, PAGE_SIZE);
        }
        if (mapped[i].frame == phys >> PAGE_SHIFT)
            return (volatile uint32_t *)(mapped[i].page + (phys & ~PAGE_MASK));
    }
    return NULL;
}

static int program_msix(uint16_t bdf, uint32_t entry, uint32_t apic_id, uint8_t vector)
{
    uint32_t cap = find_capability(bdf, CAP_MSIX), entries;
    volatile uint32_t *e;
    uint64_t table;

    if (!cap)
        return -XEN_ENODEV;
    table = table_address(bdf, cap, &entries);
    if (!table || entry >= entries)
        return -XEN_EINVAL;
    msi_look_for_table(bdf);             /* its BAR may have moved since the scan */
    e = msix_entry(table + entry * 16);
    if (!e)
        return -XEN_ENOSPC;
    e[3] |= 1;
    if (vector) {
        e[0] = message_address(apic_id);
        e[1] = 0;
        e[2] = vector;
        e[3] &= ~1U;
        config_write(bdf, cap, (config_read(bdf, cap) & ~MSIX_MASK_ALL) | MSIX_ENABLE);
    }
    return 0;
}

int msi_program(uint16_t bdf, uint32_t entry, uint64_t table, uint32_t apic_id, uint8_t vector)
{
    return table ? program_msix(bdf, entry, apic_id, vector) : program_msi(bdf, apic_id, vector);
}
