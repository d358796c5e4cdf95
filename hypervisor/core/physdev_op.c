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
#include "hypervisor/mm/copy.h"
#include "hypervisor/x86/ioapic.h"

static long op_eoi(struct vcpu *v, gva_t arg)
{
    uint32_t irq;
    return copy_from_guest_4(&irq, arg) ? -XEN_EFAULT : pirq_eoi(v->domain, irq);
}

static long op_status_query(struct vcpu *v, gva_t arg)
{
    struct physdev_irq_status_query q;
    long rc;

    if (copy_from_guest(&q, arg, sizeof(q)))
        return -XEN_EFAULT;
    rc = pirq_status(v->domain, q.irq, &q.flags);
    if (rc)
        return rc;
    return copy_to_guest(arg, &q, sizeof(q)) ? -XEN_EFAULT : 0;
}

static long op_set_iopl(struct vcpu *v, gva_t arg)
{
    uint32_t iopl;

    if (copy_from_guest_4(&iopl, arg))
        return -XEN_EFAULT;
    if (iopl > 3)
        return -XEN_EINVAL;
    v->iopl = iopl;
    return 0;
}

static long op_set_iobitmap(struct vcpu *v, gva_t arg)
{
    struct physdev_set_iobitmap b;

    if (copy_from_guest(&b, arg, sizeof(b)))
        return -XEN_EFAULT;
    if (b.nr_ports > 65536 || (b.nr_ports && !gva_range_ok(gva(b.bitmap), b.nr_ports / 8)))
        return -XEN_EINVAL;
    v->iobmp = b.bitmap;
    v->iobmp_limit = b.nr_ports;
    return 0;
}

static long op_apic(struct vcpu *v, gva_t arg, bool write)
{
    struct physdev_apic a;
    long rc;

    if (!v->domain->privileged)
        return -XEN_EPERM;
    if (copy_from_guest(&a, arg, sizeof(a)))
        return -XEN_EFAULT;
    if (write)
        return ioapic_guest_write(a.apic_physbase, a.reg, a.value);
    rc = ioapic_guest_read(a.apic_physbase, a.reg, &a.value);
    if (rc)
        return rc;
    return copy_to_guest(arg, &a, sizeof(a)) ? -XEN_EFAULT : 0;
}

/* The vector is only a token to the guest: the hypervisor chooses its own when the interrupt is bound. */
static long op_alloc_vector(struct vcpu *v, gva_t arg)
{
    struct physdev_irq i;

    if (!v->domain->privileged)
        return -XEN_EPERM;
    if (copy_from_guest(&i, arg, sizeof(i)))
        return -XEN_EFAULT;
    if (i.irq >= NR_PIRQS)
        return -XEN_EINVAL;
    i.vector = i.irq;
    return copy_to_guest(arg, &i, sizeof(i)) ? -XEN_EFAULT : 0;
}

/* The domain whose interrupts the caller may map: its own, or for dom0 any. Put by domain_put. */
static struct domain *target(struct vcpu *v, domid_t id, long *rc)
{
    *rc = -XEN_ESRCH;
    if (id == DOMID_SELF || id == v->domain->id)
        return domain_get(v->domain->id);
    if (v->domain->privileged)
        return domain_get(id);
    *rc = -XEN_EPERM;
    return NULL;
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

static long op_map_pirq(struct vcpu *v, gva_t arg)
{
    struct physdev_map_pirq m;
    struct domain *d;
    bool mapped_before;
    long rc;
    int n;

    if (copy_from_guest(&m, arg, sizeof(m)))
        return -XEN_EFAULT;
    d = target(v, m.domid, &rc);
    if (!d)
        return rc;
    mapped_before = m.pirq >= 0;
    n = map(d, &m);
    rc = n < 0 ? n : 0;
    m.pirq = n;
    if (!rc && copy_to_guest(arg, &m, sizeof(m))) {
        if (!mapped_before)
            pirq_unmap(d, n);            /* a number that it was never told */
        rc = -XEN_EFAULT;
    }
    domain_put(d);
    return rc;
}

static long op_unmap_pirq(struct vcpu *v, gva_t arg)
{
    struct physdev_unmap_pirq u;
    struct domain *d;
    long rc;

    if (copy_from_guest(&u, arg, sizeof(u)))
        return -XEN_EFAULT;
    d = target(v, u.domid, &rc);
    if (!d)
        return rc;
    rc = u.pirq < 0 ? -XEN_EINVAL : pirq_unmap(d, u.pirq);
    domain_put(d);
    return rc;
}

static long op_setup_gsi(struct vcpu *v, gva_t arg)
{
    struct physdev_setup_gsi s;

    if (!v->domain->privileged)
        return -XEN_EPERM;
    if (copy_from_guest(&s, arg, sizeof(s)))
        return -XEN_EFAULT;
    return s.gsi < 0 ? -XEN_EINVAL : pirq_setup_gsi(s.gsi, s.triggering, s.polarity);
}

static long op_get_free_pirq(struct vcpu *v, gva_t arg)
{
    struct physdev_get_free_pirq f;
    int n;

    if (copy_from_guest(&f, arg, sizeof(f)))
        return -XEN_EFAULT;
    n = pirq_find_free(v->domain);
    if (n < 0)
        return n;
    f.pirq = n;
    return copy_to_guest(arg, &f, sizeof(f)) ? -XEN_EFAULT : 0;
}

/* A device that was not there when the hypervisor looked, or that dom0 has given other addresses. */
static long op_device_add(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    struct physdev_manage_pci old;
    struct physdev_pci_device dev;        /* as a physdev_pci_device_add begins */

    if (!v->domain->privileged)
        return -XEN_EPERM;
    if (cmd != PHYSDEVOP_pci_device_add) {    /* bus and devfn, which the longer structure begins with too */
        if (copy_from_guest(&old, arg, sizeof(old)))
            return -XEN_EFAULT;
        dev = (struct physdev_pci_device){ 0, old.bus, old.devfn };
    } else if (copy_from_guest(&dev, arg, sizeof(dev))) {
        return -XEN_EFAULT;
    }
    if (dev.seg == 0)                     /* others are not reached by ports */
        pirq_announce(dev.bus << 8 | dev.devfn);
    return 0;
}

long hc_physdev_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    switch (cmd) {
    case PHYSDEVOP_eoi:
        return op_eoi(v, arg);
    case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
        return 0;
    case PHYSDEVOP_irq_status_query:
        return op_status_query(v, arg);
    case PHYSDEVOP_set_iopl:
        return op_set_iopl(v, arg);
    case PHYSDEVOP_set_iobitmap:
        return op_set_iobitmap(v, arg);
    case PHYSDEVOP_apic_read:
        return op_apic(v, arg, false);
    case PHYSDEVOP_apic_write:
        return op_apic(v, arg, true);
    case PHYSDEVOP_alloc_irq_vector:
        return op_alloc_vector(v, arg);
    case PHYSDEVOP_free_irq_vector:
        return v->domain->privileged ? 0 : -XEN_EPERM;
    case PHYSDEVOP_map_pirq:
        return op_map_pirq(v, arg);
    case PHYSDEVOP_unmap_pirq:
        return op_unmap_pirq(v, arg);
    case PHYSDEVOP_setup_gsi:
        return op_setup_gsi(v, arg);
    case PHYSDEVOP_get_free_pirq:
        return op_get_free_pirq(v, arg);
    case PHYSDEVOP_manage_pci_add:
    case PHYSDEVOP_manage_pci_add_ext:
    case PHYSDEVOP_pci_device_add:
        return op_device_add(v, cmd, arg);
    case PHYSDEVOP_manage_pci_remove:
    case PHYSDEVOP_pci_device_remove:
    case PHYSDEVOP_pci_mmcfg_reserved:
    case PHYSDEVOP_prepare_msix:
    case PHYSDEVOP_release_msix:
    case PHYSDEVOP_restore_msi:
    case PHYSDEVOP_restore_msi_ext:
    case PHYSDEVOP_dbgp_op:
        return v->domain->privileged ? 0 : -XEN_EPERM;
    default:
        /* pirq_eoi_gmfn: guests then ask by irq_status_query. */
        return -XEN_ENOSYS;
    }
}
