/* SPDX-License-Identifier: MIT */
/* physdev_op.c: physdev_op: how a domain with devices asks for them.                            [read 60]
 *
 * set_iopl and set_iobitmap are every domain's (they are about its own virtual flags); the rest is for who was given
 * interrupts. What Xen needs to hear about PCI devices Enso finds out by itself; an announced one is looked at again, and
 * the other such calls succeed and do nothing. SPEC 12.2.                               */
#include "hypercall-abi/physdev.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/subop.h"
#include "hypervisor/x86/ioapic.h"

static long op_eoi(struct vcpu *v, gva_t arg)
{
    uint32_t irq;
    return copy_from_guest_4(&irq, arg) ? -XEN_EFAULT : pirq_eoi(v->domain, irq);
}

static long op_status_query(struct vcpu *v, void *op, gva_t arg)
{
    struct physdev_irq_status_query *q = op;
    return pirq_status(v->domain, q->irq, &q->flags);
}

static long op_set_iopl(struct vcpu *v, void *op, gva_t arg)
{
    const struct physdev_set_iopl *s = op;

    if (s->iopl > 3)
        return -XEN_EINVAL;
    v->iopl = s->iopl;
    return 0;
}

static long op_set_iobitmap(struct vcpu *v, void *op, gva_t arg)
{
    const struct physdev_set_iobitmap *b = op;

    if (b->nr_ports > 65536 || (b->nr_ports && !gva_range_ok(gva(b->bitmap), b->nr_ports / 8)))
        return -XEN_EINVAL;
    v->iobmp = b->bitmap;
    v->iobmp_limit = b->nr_ports;
    return 0;
}

static long op_apic_read(struct vcpu *v, void *op, gva_t arg)
{
    struct physdev_apic *a = op;
    return ioapic_guest_read(a->apic_physbase, a->reg, &a->value);
}

static long op_apic_write(struct vcpu *v, void *op, gva_t arg)
{
    const struct physdev_apic *a = op;
    return ioapic_guest_write(a->apic_physbase, a->reg, a->value);
}

/* The vector is only a token to the guest: the hypervisor chooses its own when the interrupt is bound. */
static long op_alloc_vector(struct vcpu *v, void *op, gva_t arg)
{
    struct physdev_irq *i = op;

    if (i->irq >= NR_PIRQS)
        return -XEN_EINVAL;
    i->vector = i->irq;
    return 0;
}

static int map(struct domain *d, const struct physdev_map_pirq *m)
{
    switch (m->type) {
    case MAP_PIRQ_TYPE_GSI:
        return m->index < 0 ? -XEN_EINVAL : pirq_map_gsi(d, m->index, m->pirq);
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
        if (m->type == MAP_PIRQ_TYPE_MSI_SEG && m->bus >> 16)
            return -XEN_ENODEV;          /* segments beyond the first are not reached by ports */
        return pirq_map_msi(d, m->pirq, (m->bus & 0xff) << 8 | (m->devfn & 0xff), m->entry_nr, m->table_base);
    case MAP_PIRQ_TYPE_MULTI_MSI:
        return -XEN_EOPNOTSUPP;
    default:
        return -XEN_EINVAL;
    }
}

static long op_map_pirq(struct vcpu *v, void *op, gva_t arg)
{
    struct physdev_map_pirq *m = op;
    long rc;
    struct domain *d = domain_get_for(v, m->domid, &rc);
    bool mapped_before = m->pirq >= 0;
    int n;

    if (!d)
        return rc;
    n = map(d, m);
    rc = n < 0 ? n : 0;
    m->pirq = n;
    if (!rc && copy_to_guest(arg, m, sizeof(*m))) {
        if (!mapped_before)
            pirq_unmap(d, n);            /* a number that it was never told */
        rc = -XEN_EFAULT;
    }
    domain_put(d);
    return rc;
}

static long op_unmap_pirq(struct vcpu *v, void *op, gva_t arg)
{
    const struct physdev_unmap_pirq *u = op;
    long rc;
    struct domain *d = domain_get_for(v, u->domid, &rc);

    if (!d)
        return rc;
    rc = u->pirq < 0 ? -XEN_EINVAL : pirq_unmap(d, u->pirq);
    domain_put(d);
    return rc;
}

static long op_setup_gsi(struct vcpu *v, void *op, gva_t arg)
{
    const struct physdev_setup_gsi *s = op;
    return s->gsi < 0 ? -XEN_EINVAL : pirq_setup_gsi(s->gsi, s->triggering, s->polarity);
}

static long op_get_free_pirq(struct vcpu *v, void *op, gva_t arg)
{
    int n = pirq_find_free(v->domain);

    ((struct physdev_get_free_pirq *)op)->pirq = n;
    return n < 0 ? n : 0;
}

/* A device that was not there when the hypervisor looked, or that dom0 has given other addresses. */
static long op_device_add(struct vcpu *v, void *op, gva_t arg)
{
    const struct physdev_pci_device *dev = op;   /* as a physdev_pci_device_add begins */

    if (dev->seg == 0)                    /* others are not reached by ports */
        pirq_announce(dev->bus << 8 | dev->devfn);
    return 0;
}

static long op_manage_pci_add(struct vcpu *v, void *op, gva_t arg)
{
    const struct physdev_manage_pci *p = op;     /* which the longer structure begins with too */

    pirq_announce(p->bus << 8 | p->devfn);
    return 0;
}

static long op_nothing(struct vcpu *v, void *op, gva_t arg)
{
    return 0;
}

/* Not pirq_eoi_gmfn: guests then ask by irq_status_query. */
static const struct subop ops[] = {
    [PHYSDEVOP_IRQ_UNMASK_NOTIFY] = { op_nothing, 0, 0 },
    [PHYSDEVOP_irq_status_query] = { op_status_query, sizeof(struct physdev_irq_status_query), SUBOP_BACK },
    [PHYSDEVOP_set_iopl] = { op_set_iopl, sizeof(struct physdev_set_iopl), 0 },
    [PHYSDEVOP_set_iobitmap] = { op_set_iobitmap, sizeof(struct physdev_set_iobitmap), 0 },
    [PHYSDEVOP_apic_read] = { op_apic_read, sizeof(struct physdev_apic), SUBOP_DOM0 | SUBOP_BACK },
    [PHYSDEVOP_apic_write] = { op_apic_write, sizeof(struct physdev_apic), SUBOP_DOM0 },
    [PHYSDEVOP_alloc_irq_vector] = { op_alloc_vector, sizeof(struct physdev_irq), SUBOP_DOM0 | SUBOP_BACK },
    [PHYSDEVOP_free_irq_vector] = { op_nothing, 0, SUBOP_DOM0 },
    [PHYSDEVOP_map_pirq] = { op_map_pirq, sizeof(struct physdev_map_pirq), 0 },
    [PHYSDEVOP_unmap_pirq] = { op_unmap_pirq, sizeof(struct physdev_unmap_pirq), 0 },
    [PHYSDEVOP_setup_gsi] = { op_setup_gsi, sizeof(struct physdev_setup_gsi), SUBOP_DOM0 },
    [PHYSDEVOP_get_free_pirq] = { op_get_free_pirq, sizeof(struct physdev_get_free_pirq), SUBOP_BACK },
    [PHYSDEVOP_manage_pci_add] = { op_manage_pci_add, sizeof(struct physdev_manage_pci), SUBOP_DOM0 },
    [PHYSDEVOP_manage_pci_add_ext] = { op_manage_pci_add, sizeof(struct physdev_manage_pci), SUBOP_DOM0 },
    [PHYSDEVOP_pci_device_add] = { op_device_add, sizeof(struct physdev_pci_device), SUBOP_DOM0 },
    [PHYSDEVOP_manage_pci_remove] = { op_nothing, 0, SUBOP_DOM0 },
    [PHYSDEVOP_pci_device_remove] = { op_nothing, 0, SUBOP_DOM0 },
    [PHYSDEVOP_pci_mmcfg_reserved] = { op_nothing, 0, SUBOP_DOM0 },
    [PHYSDEVOP_prepare_msix] = { op_nothing, 0, SUBOP_DOM0 },
    [PHYSDEVOP_release_msix] = { op_nothing, 0, SUBOP_DOM0 },
    [PHYSDEVOP_restore_msi] = { op_nothing, 0, SUBOP_DOM0 },
    [PHYSDEVOP_restore_msi_ext] = { op_nothing, 0, SUBOP_DOM0 },
    [PHYSDEVOP_dbgp_op] = { op_nothing, 0, SUBOP_DOM0 },
};

long hc_physdev_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    return cmd == PHYSDEVOP_eoi ? op_eoi(v, arg) : subop_run(v, ops, sizeof(ops) / sizeof(ops[0]), cmd, arg);
}
