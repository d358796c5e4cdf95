/* SPDX-License-Identifier: MIT */
/* irq.c: devices' interrupts as event channels. The hypervisor owns the I/O APIC and writes the messages; we ask it to map a line or
 * a message to a number (a pirq), and bind a port to that. A line that drivers/irq.c has masked gets no EOI, so it stays masked in the
 * hypervisor too. Only dom0 has devices. SPEC 12.2.                                                            */
#include "guest-kernel/drivers/irq.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/physdev.h"

static int used;
static struct { bool line; unsigned gsi, pirq; evtchn_port_t port; } source[IRQS];

/* A line stays masked in the hypervisor from its interrupt to this. */
static void eoi(int irq)
{
    struct physdev_eoi eoi = { source[irq].pirq };
    if (source[irq].line)
        hypercall_physdev_op(PHYSDEVOP_eoi, gva(&eoi));
}

/* The events of a device. A storm ends by our not giving the EOI. */
static void raised(evtchn_port_t port, void *arg)
{
    int irq = (int)(uintptr_t)arg;
    if (!irq_raised(irq))
        eoi(irq);
}

static int map_and_bind(struct physdev_map_pirq *map)
{
    struct evtchn_bind_pirq bind = { .flags = map->type == MAP_PIRQ_TYPE_GSI ? BIND_PIRQ__WILL_SHARE : 0 };
    long rc = used == IRQS ? -ENOSPC : hypercall_physdev_op(PHYSDEVOP_map_pirq, gva(map));
    if (rc < 0)
        return (int)rc;
    bind.pirq = source[used].pirq = (unsigned)map->pirq;
    rc = hypercall_event_channel_op(EVTCHNOP_bind_pirq, gva(&bind));
    if (rc < 0)
        return (int)rc;
    source[used].port = bind.port;
    rc = event_handle(bind.port, raised, (void *)(uintptr_t)used);
    return rc < 0 ? (int)rc : used++;
}

/* The rights to configuration space's ports come with the virtual IOPL. */
bool plat_has_pci(void)
{
    struct physdev_set_iopl iopl = { 1 };
    return pv_is_dom0() && hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&iopl)) == 0;
}

uint32_t plat_in(unsigned port, unsigned size)
{
    uint32_t v = 0;
    if (size == 1)
        __asm__ volatile("inb %w1, %b0" : "+a"(v) : "Nd"(port));
    else if (size == 2)
        __asm__ volatile("inw %w1, %w0" : "+a"(v) : "Nd"(port));
    else
        __asm__ volatile("inl %w1, %0" : "+a"(v) : "Nd"(port));
    return v;
}

void plat_out(unsigned port, unsigned size, uint32_t value)
{
    if (size == 1)
        __asm__ volatile("outb %b0, %w1" :: "a"(value), "Nd"(port));
    else if (size == 2)
        __asm__ volatile("outw %w0, %w1" :: "a"(value), "Nd"(port));
    else
        __asm__ volatile("outl %0, %w1" :: "a"(value), "Nd"(port));
}

int plat_irq_line(unsigned gsi)
{
    struct physdev_map_pirq map = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = (int)gsi, .pirq = (int)gsi };
    struct physdev_setup_gsi setup = { .gsi = (int)gsi, .triggering = 1, .polarity = 1 };
    for (int i = 0; i < used; i++)
        if (source[i].line && source[i].gsi == gsi)
            return i;
    hypercall_physdev_op(PHYSDEVOP_setup_gsi, gva(&setup));
    int irq = map_and_bind(&map);
    if (irq >= 0) {
        source[irq].line = true;
        source[irq].gsi = gsi;
    }
    return irq;
}

int plat_irq_msi(uint16_t bdf, int entry, uint64_t table)
{
    struct physdev_map_pirq map = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .index = -1, .pirq = -1, .bus = bdf >> 8,
                                    .devfn = bdf & 0xff, .entry_nr = entry, .table_base = table };
    return map_and_bind(&map);
}

bool plat_msi_message(int irq, uint64_t *address, uint32_t *data) { return false; }    /* the hypervisor wrote it */

void plat_irq_mask(int irq, bool mask)
{
    if (mask) {
        event_mask(source[irq].port);
        return;
    }
    event_unmask(source[irq].port);
    eoi(irq);
}

void plat_irq_name(int irq, char *buf, size_t size)
{
    ksnprintf(buf, size, "pirq %u, event channel %u", source[irq].pirq, source[irq].port);
}

size_t plat_irq_list(char *buf, size_t size) { return events_list(buf, size); }

/* What native/ needs from plat_interrupt: here events_deliver calls raised() itself. */
void irq_interrupt(int irq) { event_raise(source[irq].port); }
