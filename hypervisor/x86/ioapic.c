/* SPDX-License-Identifier: MIT */
/* ioapic.c: interrupt lines.                                                                            [read 12]
 *
 * The hypervisor owns the IO-APICs: dom0 sees register files that remember what it wrote and change nothing, and binds
 * its lines by physdev_op. All lines are masked until somebody routes them; the old 8259s are silenced for good. */
#include "hypervisor/x86/ioapic.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/acpi.h"
#include "hypervisor/x86/insn.h"

#define REG_VERSION  1
#define REG_REDIR    0x10
#define REDIR_MASKED 0x10000U
#define REDIR_LEVEL  0x08000U
#define REDIR_LOW    0x02000U
#define MAX_LINES    240

struct ioapic {
    volatile uint32_t *page;
    uint64_t base;
    uint32_t gsi_base, lines;
    uint32_t guest_redir[2 * MAX_LINES];   /* what dom0 wrote */
    uint32_t guest_id;
};

static struct {
    struct spinlock lock;                  /* index and data registers are a pair */
    struct ioapic chip[8];
    uint32_t n, gsis;
} ioapics = { .lock = SPINLOCK_INIT(irq) };

static uint32_t reg_read(struct ioapic *io, uint32_t reg)
{
    io->page[0] = reg;
    return io->page[4];
}

static void reg_write(struct ioapic *io, uint32_t reg, uint32_t v)
{
    io->page[0] = reg;
    io->page[4] = v;
}

/* Masked, vectors out of the way, told to no CPU: they answer nothing from now on. */
void ioapic_silence_8259(void)
{
    outb(0x20, 0x11); outb(0xa0, 0x11);
    outb(0x21, 0x20); outb(0xa1, 0x28);
    outb(0x21, 4);    outb(0xa1, 2);
    outb(0x21, 1);    outb(0xa1, 1);
    outb(0x21, 0xff); outb(0xa1, 0xff);
}

static void chip_init(struct ioapic *io, uint64_t base, uint32_t gsi_base)
{
    io->base = base;
    io->page = hypmap_io(base, 32);
    io->gsi_base = gsi_base;
    io->lines = (reg_read(io, REG_VERSION) >> 16 & 0xff) + 1;
    if (io->lines > MAX_LINES)
        io->lines = MAX_LINES;
    for (uint32_t i = 0; i < io->lines; i++) {
        reg_write(io, REG_REDIR + 2 * i, REDIR_MASKED);
        io->guest_redir[2 * i] = REDIR_MASKED;
    }
    if (gsi_base + io->lines > ioapics.gsis)
        ioapics.gsis = gsi_base + io->lines;
}

void ioapic_init(void)
{
    for (uint32_t i = 0; i < acpi.nr_ioapics; i++)
        chip_init(&ioapics.chip[ioapics.n++], acpi.ioapic[i].base, acpi.ioapic[i].gsi_base);
}

uint32_t ioapic_nr_gsis(void)
{
    return ioapics.gsis;
}

/* MADT flags: polarity in bits 0-1 (3: active low), trigger in 2-3 (3: level); 0 means the bus's own: ISA is edge, high. */
uint32_t ioapic_isa_gsi(uint32_t irq, bool *level, bool *active_low)
{
    *level = *active_low = false;
    for (uint32_t i = 0; i < acpi.nr_overrides; i++)
        if (acpi.override[i].irq == irq) {
            *active_low = (acpi.override[i].flags & 3) == 3;
            *level = (acpi.override[i].flags >> 2 & 3) == 3;
            return acpi.override[i].gsi;
        }
    return irq;
}

static struct ioapic *chip_of(uint32_t gsi)
{
    for (uint32_t i = 0; i < ioapics.n; i++)
        if (gsi >= ioapics.chip[i].gsi_base && gsi - ioapics.chip[i].gsi_base < ioapics.chip[i].lines)
            return &ioapics.chip[i];
    return NULL;
}

int ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool level, bool active_low)
{
    struct ioapic *io = chip_of(gsi);
    uint32_t reg;

    if (!io || apic_id > 0xff)
        return -XEN_EINVAL;
    reg = REG_REDIR + 2 * (gsi - io->gsi_base);
    spin_lock(&ioapics.lock);
    reg_write(io, reg, REDIR_MASKED);
    reg_write(io, reg + 1, apic_id << 24);
    reg_write(io, reg, vector | (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_LOW : 0));
    spin_unlock(&ioapics.lock);
    return 0;
}

int ioapic_mask(uint32_t gsi, bool masked)
{
    struct ioapic *io = chip_of(gsi);
    uint32_t reg, v;

    if (!io)
        return -XEN_EINVAL;
    reg = REG_REDIR + 2 * (gsi - io->gsi_base);
    spin_lock(&ioapics.lock);
    v = reg_read(io, reg);
    reg_write(io, reg, masked ? v | REDIR_MASKED : v & ~REDIR_MASKED);
    spin_unlock(&ioapics.lock);
    return 0;
}

/* ---- dom0's view ---- */

static struct ioapic *chip_at(uint64_t base)
{
    for (uint32_t i = 0; i < ioapics.n; i++)
        if (ioapics.chip[i].base == base)
            return &ioapics.chip[i];
    return NULL;
}

int ioapic_guest_read(uint64_t base, uint32_t reg, uint32_t *value)
{
    struct ioapic *io = chip_at(base);

    if (!io)
        return -XEN_EINVAL;
    if (reg >= REG_REDIR && reg - REG_REDIR < 2 * io->lines) {
        *value = io->guest_redir[reg - REG_REDIR];
        return 0;
    }
    spin_lock(&ioapics.lock);
    *value = reg <= 2 ? reg_read(io, reg) : 0;
    spin_unlock(&ioapics.lock);
    return 0;
}

int ioapic_guest_write(uint64_t base, uint32_t reg, uint32_t value)
{
    struct ioapic *io = chip_at(base);

    if (!io)
        return -XEN_EINVAL;
    if (reg >= REG_REDIR && reg - REG_REDIR < 2 * io->lines)
        io->guest_redir[reg - REG_REDIR] = value;
    return 0;
}
