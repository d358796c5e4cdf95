/* SPDX-License-Identifier: MIT */
/* irq.c: devices' interrupts, by the I/O APIC's lines and by messages to the local APIC (SDM vol. 3, "Message Signalled Interrupts").
 *
 * An irq is a vector of ours, counted from the first. Lines are level-triggered and active low, as PCI's are; the local APIC's
 * EOI, after the handlers, lets a line come again, unless drivers/irq.c has masked it meanwhile.                */
#include "guest-kernel/drivers/irq.h"
#include "guest-kernel/native/cpu.h"

#define IOAPIC_ADDRESS 0xfec00000
#define IOAPIC_LINES   24
#define IOAPIC_LEVEL   (1u << 15)
#define IOAPIC_LOW     (1u << 13)
#define IOAPIC_MASKED  (1u << 16)
#define MSI_ADDRESS    0xfee00000

static volatile uint32_t *ioapic;
static int used;                                    /* vectors given out  */
static struct { bool line; unsigned gsi; } source[VECTOR_DEVICES];

static uint32_t boot_cpu(void)
{
    uint32_t r[4];
    cpuid(1, 0, r);
    return r[1] >> 24;
}

static void ioapic_write(unsigned reg, uint32_t value)
{
    if (!ioapic)
        ioapic = mmio_map(IOAPIC_ADDRESS);
    ioapic[0] = reg;
    ioapic[4] = value;
}

bool plat_has_pci(void) { return true; }

uint32_t plat_in(unsigned port, unsigned size)
{
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

void plat_out(unsigned port, unsigned size, uint32_t value)
{
    if (size == 1)
        outb(port, value);
    else if (size == 2)
        outw(port, value);
    else
        outl(port, value);
}

int plat_irq_line(unsigned gsi)
{
    for (int i = 0; i < used; i++)
        if (source[i].line && source[i].gsi == gsi)
            return i;
    if (used == VECTOR_DEVICES || gsi >= IOAPIC_LINES)
        return -ENOSPC;
    source[used].line = true;
    source[used].gsi = gsi;
    ioapic_write(0x10 + 2 * gsi + 1, boot_cpu() << 24);
    ioapic_write(0x10 + 2 * gsi, (VECTOR_DEVICE + used) | IOAPIC_LEVEL | IOAPIC_LOW);
    return used++;
}

int plat_irq_msi(uint16_t bdf, int entry, uint64_t table)
{
    return used == VECTOR_DEVICES ? -ENOSPC : used++;
}

bool plat_msi_message(int irq, uint64_t *address, uint32_t *data)
{
    *address = MSI_ADDRESS | boot_cpu() << 12;
    *data = VECTOR_DEVICE + irq;
    return true;
}

/* A message comes when the device sends one: its bus can keep it back, we cannot. */
void plat_irq_mask(int irq, bool mask)
{
    if (source[irq].line)
        ioapic_write(0x10 + 2 * source[irq].gsi, (VECTOR_DEVICE + irq) | IOAPIC_LEVEL | IOAPIC_LOW | (mask ? IOAPIC_MASKED : 0));
}

void plat_irq_name(int irq, char *buf, size_t size) { ksnprintf(buf, size, "vector %u", VECTOR_DEVICE + irq); }

size_t plat_irq_list(char *buf, size_t size)
{
    return MIN((size_t)ksnprintf(buf, size, "%lu\ttimer\tvector %u\topen\tlocal APIC\n%lu\tline 4\tvector %u\topen\tserial port\n",
                                 native_timer_count, VECTOR_TIMER, native_serial_count, VECTOR_SERIAL), size - 1);
}

/* From plat_interrupt. */
void irq_interrupt(int irq)
{
    irq_raised(irq);
    timer_eoi();
}
