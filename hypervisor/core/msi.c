/* SPDX-License-Identifier: MIT */
/* msi.c: writing a PCI device's interrupt message.                                              [read 59]
 *
 * An MSI is a memory write that the device makes, and its content chooses vector and pCPU; so the hypervisor writes it,
 * in the MSI capability or in the entry of an MSI-X table. Configuration space is reached by ports 0xcf8 and 0xcfc,
 * which dom0 uses too: the address it left there is put back. (PCI Local Bus 3.0, "Message Signaled Interrupts".)    */
#include "hypercall-abi/errno.h"
#include "hypervisor/core/physdev.h"
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

static uint32_t config_read(uint16_t bdf, uint32_t reg)
{
    uint32_t kept = inl(CONFIG_ADDRESS), value;

    outl(CONFIG_ADDRESS, 1U << 31 | (uint32_t)bdf << 8 | reg);
    value = inl(CONFIG_DATA);
    outl(CONFIG_ADDRESS, kept);
    return value;
}

static void config_write(uint16_t bdf, uint32_t reg, uint32_t value)
{
    uint32_t kept = inl(CONFIG_ADDRESS);

    outl(CONFIG_ADDRESS, 1U << 31 | (uint32_t)bdf << 8 | reg);
    outl(CONFIG_DATA, value);
    outl(CONFIG_ADDRESS, kept);
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

/* Pages of tables, mapped for good: devices are few and come back. Filled under pirq.c's lock, a page last. */
static struct { uint64_t frame; char *page; } mapped[32];

bool msi_table_frame(uint64_t mfn)
{
    for (unsigned i = 0; i < sizeof(mapped) / sizeof(mapped[0]) && mapped[i].page; i++) {
        if (mapped[i].frame == mfn)
            return true;
    }
    return false;
}

static volatile uint32_t *msix_entry(uint64_t phys)
{
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

/* Where BAR `bir` of the device lies; 0: it is not a memory BAR. */
static uint64_t bar_address(uint16_t bdf, uint32_t bir)
{
    uint32_t low = config_read(bdf, 0x10 + 4 * bir);

    if (bir > 5 || (low & 1))
        return 0;
    return (low & ~0xfU) | ((low & 6) == 4 ? (uint64_t)config_read(bdf, 0x14 + 4 * bir) << 32 : 0);
}

/* The table's place comes from the device, not from the guest, which might point it at RAM. */
static int program_msix(uint16_t bdf, uint32_t entry, uint32_t apic_id, uint8_t vector)
{
    uint32_t cap = find_capability(bdf, CAP_MSIX), control, where;
    volatile uint32_t *e;
    uint64_t bar;

    if (!cap)
        return -XEN_ENODEV;
    control = config_read(bdf, cap);
    where = config_read(bdf, cap + 4);
    bar = bar_address(bdf, where & 7);
    if (entry > (control >> 16 & 0x7ff) || !bar || bar >> PAGE_SHIFT < max_mfn)
        return -XEN_EINVAL;
    e = msix_entry(bar + (where & ~7U) + entry * 16);
    if (!e)
        return -XEN_ENOSPC;
    e[3] |= 1;
    if (vector) {
        e[0] = message_address(apic_id);
        e[1] = 0;
        e[2] = vector;
        e[3] &= ~1U;
        config_write(bdf, cap, (control & ~MSIX_MASK_ALL) | MSIX_ENABLE);
    }
    return 0;
}

int msi_program(uint16_t bdf, uint32_t entry, uint64_t table, uint32_t apic_id, uint8_t vector)
{
    return table ? program_msix(bdf, entry, apic_id, vector) : program_msi(bdf, apic_id, vector);
}
