/* SPDX-License-Identifier: MIT */
/* attack_devices.c: claim: dom0 cannot map a device's MSI-X table writable: not before any message is programmed, not by way of a
 * read-only mapping, not behind a bridge, not after it has moved the table's BAR and said so; the registers around the table are its
 * own (SPEC 12.1, pitfalls A10). A failure means that dom0 chooses vectors. Runs as dom0. */
#include "hypercall-abi/physdev.h"
#include "tests/hostile/hostile.h"

#define FLAGS    (PTE_P | PTE_U | PTE_A | PTE_D)
#define CAP_MSIX 0x11
#define MOVE_BY  0x4000000UL

static void out32(unsigned port, uint32_t v) { __asm__ volatile("outl %0, %w1" :: "a"(v), "Nd"(port)); }
static uint32_t in32(unsigned port) { uint32_t v; __asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(port)); return v; }

static uint32_t config(uint16_t bdf, uint32_t reg)
{
    out32(0xcf8, 1U << 31 | (uint32_t)bdf << 8 | reg);
    return in32(0xcfc);
}

static void config_set(uint16_t bdf, uint32_t reg, uint32_t v)
{
    out32(0xcf8, 1U << 31 | (uint32_t)bdf << 8 | reg);
    if (in32(0xcf8) != (1U << 31 | (uint32_t)bdf << 8 | reg))
        TEST_ERROR("the address of configuration space does not read back");
    out32(0xcfc, v);
}

static uint32_t capability(uint16_t bdf)
{
    uint32_t at = config(bdf, 4) >> 20 & 1 ? config(bdf, 0x34) & 0xfc : 0;

    for (unsigned i = 0; at && i < 48; i++) {
        uint32_t head = config(bdf, at);
        if ((head & 0xff) == CAP_MSIX)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

/* Can we write to the frame, by any of the ways to make an entry? */
static bool writable(uint64_t frame)
{
    uint64_t *slot = table_at(1, (uint64_t)pool[0]), ours = *slot, e = frame << 12 | FLAGS;
    bool yes = false;

    if (map_at(pool[0], e | PTE_RW) == 0)
        yes |= *slot & PTE_RW;
    map_at(pool[0], e);
    map_at(pool[0], e | PTE_RW);
    yes |= *slot >> 12 == e >> 12 && *slot & PTE_RW;
    map_at(pool[0], e);
    set_entry(slot, e | PTE_RW);
    yes |= *slot & PTE_RW;
    map_at(pool[0], ours);
    return yes;
}

static void try_pages(uint16_t bdf, uint64_t table, uint32_t entries, uint64_t bar)
{
    uint64_t first = table >> 12, last = (table + 16 * entries - 1) >> 12;

    for (uint64_t frame = first; frame <= last; frame++)
        if (writable(frame))
            BROKE_OUT("the MSI-X table of device %x, frame %x, was mapped writable", bdf, frame);
    if (bar >> 12 < first && !writable(bar >> 12))
        TEST_ERROR("the registers of device %x cannot be written", bdf);
}

/* True: the device has a table. */
static bool try_device(uint16_t bdf)
{
    uint32_t cap = capability(bdf), where, low, high, reg;
    struct physdev_pci_device_add add = { .bus = bdf >> 8, .devfn = bdf & 0xff };

    if (!cap)
        return false;
    where = config(bdf, cap + 4);
    reg = 0x10 + 4 * (where & 7);
    low = config(bdf, reg);
    high = (low & 6) == 4 ? config(bdf, reg + 4) : 0;
    uint64_t bar = (uint64_t)high << 32 | (low & ~0xfU);
    uint32_t entries = (config(bdf, cap) >> 16 & 0x7ff) + 1;
    try_pages(bdf, bar + (where & ~7U), entries, bar);
    config_set(bdf, reg, low - MOVE_BY);
    hypercall_physdev_op(PHYSDEVOP_pci_device_add, gva(&add));
    try_pages(bdf, bar - MOVE_BY + (where & ~7U), entries, bar - MOVE_BY);
    config_set(bdf, reg, low);
    hypercall_physdev_op(PHYSDEVOP_pci_device_add, gva(&add));
    return true;
}

void attack_msix(void)
{
    struct physdev_set_iopl iopl = { 1 };
    unsigned found[2] = { 0, 0 };

    if (hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&iopl)) || hypercall_physdev_op(PHYSDEVOP_pci_device_add, gva(0)) != -XEN_EFAULT)
        TEST_ERROR("not dom0");
    for (unsigned bdf = 0; bdf < 0x400; bdf++)
        if ((config(bdf, 0) & 0xffff) != 0xffff && try_device(bdf))
            found[bdf > 0xff]++;
    say("%u tables on the root bus, %u behind bridges", found[0], found[1]);
    if (!found[0] || !found[1])
        TEST_ERROR("no table to try");
}
