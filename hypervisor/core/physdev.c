/* SPDX-License-Identifier: MIT */
/* physdev.c: which ports and which frames outside RAM a domain may touch.                       [read 57]
 *
 * dom0 drives the PC's devices, so it starts with everything but what the hypervisor drives itself: local APIC,
 * IO-APICs, HPET (which it may read), the interrupt controllers and timers of old, the serial port in use (pitfalls A10). Any other domain
 * starts with nothing and is given ranges by domctl. A port that a domain may not have reads all ones. SPEC 12.     */
#include "hypervisor/core/physdev.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/x86/acpi.h"
#include "hypervisor/x86/serial.h"

#define PORT_BYTES 8192

struct iomem_range {
    struct list_node link;
    uint64_t first, n;
};

/* Ports of the hypervisor's: both 8259s with their edge/level registers, the 8254, and QEMU's exit. */
static const struct { uint16_t first, n; } own_ports[] = { { 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 }, { 0x40, 4 }, { 0xf4, 4 } };

static bool port_is_ours(uint32_t port)
{
    for (unsigned i = 0; i < sizeof(own_ports) / sizeof(own_ports[0]); i++) {
        if (port - own_ports[i].first < own_ports[i].n)
            return true;
    }
    return serial_port() && port - serial_port() < 8;
}

static bool frame_is_ours(uint64_t mfn)
{
    if (mfn == acpi.lapic_base >> PAGE_SHIFT)
        return true;
    for (uint32_t i = 0; i < acpi.nr_ioapics; i++) {
        if (mfn == acpi.ioapic[i].base >> PAGE_SHIFT)
            return true;
    }
    return false;
}

/* Firmware's own code reads the HPET (QEMU's _STA of it does), and drivers look at MSI-X tables. */
static bool frame_is_to_read(uint64_t mfn)
{
    return (acpi.hpet_base && mfn == acpi.hpet_base >> PAGE_SHIFT) || msi_table_frame(mfn);
}

int physdev_init_domain(struct domain *d, bool all_devices)
{
    if (!all_devices)
        return 0;
    d->ioport_bitmap = kalloc(PORT_BYTES);
    if (!d->ioport_bitmap)
        return -XEN_ENOMEM;
    for (uint32_t port = 0; port < 8 * PORT_BYTES; port++) {
        if (!port_is_ours(port))
            d->ioport_bitmap[port / 8] |= 1 << port % 8;
    }
    msi_scan();
    return physdev_set_irq(d, 0, true);  /* makes the table of interrupts; dom0 may map them all */
}

void physdev_free_domain(struct domain *d)
{
    list_for_each_safe(n, next, &d->iomem_ranges) {
        list_remove(n);
        kfree(container_of(n, struct iomem_range, link));
    }
    kfree(d->ioport_bitmap);
    d->ioport_bitmap = NULL;
    pirq_free_all(d);
}

bool physdev_port_allowed(const struct domain *d, uint16_t port, unsigned bytes)
{
    if (!d->ioport_bitmap || port + bytes > 8 * PORT_BYTES)
        return false;
    for (unsigned i = 0; i < bytes; i++) {
        if (!(d->ioport_bitmap[(port + i) / 8] >> (port + i) % 8 & 1))
            return false;
    }
    return true;
}

int physdev_set_ports(struct domain *d, uint32_t first, uint32_t n, bool allow)
{
    if (n > 8 * PORT_BYTES || first > 8 * PORT_BYTES - n)
        return -XEN_EINVAL;
    for (uint32_t i = 0; i < n && allow; i++) {
        if (port_is_ours(first + i))
            return -XEN_EPERM;
    }
    if (!d->ioport_bitmap) {
        uint8_t *bitmap = kalloc(PORT_BYTES);
        if (!bitmap)
            return -XEN_ENOMEM;
        __atomic_store_n(&d->ioport_bitmap, bitmap, __ATOMIC_RELEASE);
    }
    for (uint32_t port = first; port < first + n; port++) {
        if (allow)
            d->ioport_bitmap[port / 8] |= 1 << port % 8;
        else
            d->ioport_bitmap[port / 8] &= ~(1 << port % 8);
    }
    return 0;
}

/* Called with a page table locked: it only reads, and ranges are only ever added while a domain lives (withdrawing makes one
 * empty), so that no lock is needed. */
bool physdev_iomem_allowed(struct domain *d, uint64_t mfn, bool write)
{
    if (frame_is_ours(mfn) || (write && frame_is_to_read(mfn)))
        return false;
    if (d->privileged)
        return true;
    list_for_each(n, &d->iomem_ranges) {
        const struct iomem_range *r = container_of(n, struct iomem_range, link);
        if (mfn - r->first < r->n)
            return true;
    }
    return false;
}

static int add_iomem(struct domain *d, uint64_t first, uint64_t n)
{
    struct iomem_range *r = kalloc(sizeof(*r));

    if (!r)
        return -XEN_ENOMEM;
    r->first = first;
    r->n = n;
    spin_lock(&d->lock);
    r->link.next = d->iomem_ranges.next;
    r->link.prev = &d->iomem_ranges;
    d->iomem_ranges.next->prev = &r->link;
    __atomic_store_n(&d->iomem_ranges.next, &r->link, __ATOMIC_RELEASE);
    spin_unlock(&d->lock);
    return 0;
}

int physdev_set_iomem(struct domain *d, uint64_t first, uint64_t n, bool allow)
{
    if (!n || first + n < first || (first + n) >> 40)
        return -XEN_EINVAL;
    if (allow)
        return add_iomem(d, first, n);
    /* Only a range as it was given can be taken back. */
    list_for_each(node, &d->iomem_ranges) {
        struct iomem_range *r = container_of(node, struct iomem_range, link);
        if (r->first == first && r->n == n) {
            r->n = 0;
            return 0;
        }
    }
    return -XEN_ENOENT;
}
