/* SPDX-License-Identifier: MIT */
/* pirq.c: a device's interrupt becomes an event.                                                [read 58]
 *
 * A domain knows a physical interrupt by a number of its own, the pirq: for a line its GSI, for an MSI any free one.
 * Mapping reserves it and its vector, binding joins it to a port and opens it. A level line stays masked from the
 * interrupt until the guest's EOI, so a device that keeps shouting costs one interrupt and no storm; an edge or an MSI
 * is over when it has been taken. SPEC 12.2.                                                                        */
#include "hypercall-abi/errno.h"
#include "hypercall-abi/physdev.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/ioapic.h"
#include "hypervisor/x86/irq.h"
#include "hypervisor/x86/serial.h"

enum pirq_kind { PIRQ_FREE, PIRQ_LINE, PIRQ_MSI };

struct pirq {
    struct domain *d;
    uint8_t  kind;
    uint8_t  vector;                     /* 0: none yet */
    bool     allowed, level, low, waits_eoi;
    uint16_t bdf;                        /* MSI: bus, device, function */
    uint32_t gsi;
    uint32_t entry;                      /* MSI-X */
    uint64_t table;
    uint32_t port;                       /* 0: not bound */
};

static struct {
    struct spinlock lock;                /* rank pirq: all of these, of every domain */
    struct domain *line_owner[NR_PIRQS];
    uint8_t line_set[NR_PIRQS];          /* PHYSDEVOP_setup_gsi: 0x80 | active low << 1 | level */
} pirqs = { .lock = SPINLOCK_INIT(pirq) };

static struct pirq *pirq_of(struct domain *d, uint32_t n)
{
    struct pirq *table = d->pirqs;
    return table && n < NR_PIRQS ? &table[n] : NULL;
}

int physdev_set_irq(struct domain *d, uint32_t n, bool allow)
{
    struct pirq *table = d->pirqs;

    if (n >= NR_PIRQS)
        return -XEN_EINVAL;
    if (!table) {
        table = kalloc(NR_PIRQS * sizeof(*table));
        if (!table)
            return -XEN_ENOMEM;
        for (unsigned i = 0; i < NR_PIRQS; i++)
            table[i] = (struct pirq){ .d = d, .allowed = d->privileged };
        d->pirqs = table;
    }
    table[n].allowed = allow;
    return 0;
}

/* ---- the interrupt ----------------------------------------------------------------------------- */

static void on_interrupt(uint32_t vector, void *arg)
{
    struct pirq *p = arg;
    uint32_t port;

    spin_lock(&pirqs.lock);
    port = p->port;
    if (p->kind == PIRQ_LINE && p->level) {
        ioapic_mask(p->gsi, true);
        p->waits_eoi = true;
    }
    spin_unlock(&pirqs.lock);
    apic_eoi();
    if (port)
        evtchn_raise_pirq(p->d, port);
}

int pirq_eoi(struct domain *d, uint32_t n)
{
    struct pirq *p = pirq_of(d, n);

    if (!p)
        return -XEN_EINVAL;
    spin_lock(&pirqs.lock);
    if (p->waits_eoi && p->port)
        ioapic_mask(p->gsi, false);
    p->waits_eoi = false;
    spin_unlock(&pirqs.lock);
    return 0;
}

int pirq_status(struct domain *d, uint32_t n, uint32_t *flags)
{
    struct pirq *p = pirq_of(d, n);

    if (n >= NR_PIRQS)
        return -XEN_EINVAL;
    *flags = p && p->kind == PIRQ_LINE && p->level ? XENIRQSTAT_needs_eoi : 0;
    return 0;
}

/* ---- mapping ----------------------------------------------------------------------------------- */

/* Trigger and polarity: as the guest said by setup_gsi, else ISA lines as the MADT says, PCI lines level and low. */
static void line_mode(uint32_t gsi, bool *level, bool *low)
{
    *level = *low = true;
    for (uint32_t irq = 0; irq < 16; irq++) {
        bool l, a;
        if (ioapic_isa_gsi(irq, &l, &a) == gsi) {
            *level = l;
            *low = a;
        }
    }
    if (pirqs.line_set[gsi]) {
        *level = pirqs.line_set[gsi] & 1;
        *low = pirqs.line_set[gsi] & 2;
    }
}

static bool gsi_is_ours(uint32_t gsi)
{
    bool level, low;
    return serial_port() && serial_gsi(&level, &low) == gsi;
}

int pirq_setup_gsi(uint32_t gsi, bool level, bool active_low)
{
    if (gsi >= ioapic_nr_gsis() || gsi >= NR_PIRQS)
        return -XEN_EINVAL;
    spin_lock(&pirqs.lock);
    pirqs.line_set[gsi] = 0x80 | active_low << 1 | level;
    spin_unlock(&pirqs.lock);
    return 0;
}

static int map_line(struct domain *d, uint32_t gsi, struct pirq *p, uint32_t n)
{
    if (p->kind == PIRQ_LINE && p->gsi == gsi)
        return n;                        /* mapped so already */
    if (p->kind != PIRQ_FREE)
        return -XEN_EEXIST;
    if (!p->allowed)
        return -XEN_EPERM;
    if (pirqs.line_owner[gsi] && pirqs.line_owner[gsi] != d)
        return -XEN_EBUSY;
    pirqs.line_owner[gsi] = d;
    *p = (struct pirq){ .d = d, .allowed = true, .kind = PIRQ_LINE, .gsi = gsi };
    return n;
}

int pirq_map_gsi(struct domain *d, uint32_t gsi, int wish)
{
    uint32_t n = wish < 0 ? gsi : (uint32_t)wish;
    struct pirq *p = pirq_of(d, n);
    int rc;

    if (!p)
        return d->pirqs ? -XEN_EINVAL : -XEN_EPERM;
    if (gsi >= ioapic_nr_gsis() || gsi >= NR_PIRQS)
        return -XEN_EINVAL;
    if (gsi_is_ours(gsi))
        return -XEN_EBUSY;
    spin_lock(&pirqs.lock);
    rc = map_line(d, gsi, p, n);
    spin_unlock(&pirqs.lock);
    return rc;
}

/* From the top, where no line's number is. The lock is held. */
static int find_free(struct domain *d)
{
    for (uint32_t n = NR_PIRQS - 1; n >= ioapic_nr_gsis(); n--) {
        if (pirq_of(d, n)->kind == PIRQ_FREE)
            return n;
    }
    return -XEN_ENOSPC;
}

int pirq_find_free(struct domain *d)
{
    int n = -XEN_EPERM;

    spin_lock(&pirqs.lock);
    if (d->pirqs)
        n = find_free(d);
    spin_unlock(&pirqs.lock);
    return n;
}

static int map_msi(struct domain *d, int n, uint16_t bdf, uint32_t entry, uint64_t table)
{
    struct pirq *p;
    int vector, rc;

    if (n < 0)
        n = find_free(d);
    if (n < 0)
        return n;
    p = pirq_of(d, n);
    if (!p)
        return -XEN_EINVAL;
    if (p->kind != PIRQ_FREE)
        return -XEN_EEXIST;
    vector = irq_alloc_vector();
    if (vector < 0)
        return vector;
    *p = (struct pirq){ .d = d, .allowed = true, .kind = PIRQ_MSI, .vector = vector, .bdf = bdf, .entry = entry, .table = table };
    irq_set_handler(vector, on_interrupt, p);
    rc = msi_program(bdf, entry, table, pcpus[0]->apic_id, vector);
    if (rc) {
        irq_free_vector(vector);
        *p = (struct pirq){ .d = d, .allowed = true };
        return rc;
    }
    return n;
}

/* The hypervisor writes the message, because whoever chooses a vector could raise any (pitfalls A10). dom0 only. */
int pirq_map_msi(struct domain *d, int wish, uint16_t bdf, uint32_t entry, uint64_t table)
{
    int rc;

    if (!d->privileged || !d->pirqs)
        return -XEN_EPERM;
    spin_lock(&pirqs.lock);
    rc = map_msi(d, wish, bdf, entry, table);
    spin_unlock(&pirqs.lock);
    return rc;
}

void pirq_announce(uint16_t bdf)
{
    spin_lock(&pirqs.lock);
    msi_look_for_table(bdf);
    spin_unlock(&pirqs.lock);
}

/* ---- binding ----------------------------------------------------------------------------------- */

static int open_line(struct pirq *p)
{
    int vector;

    if (p->vector)
        return 0;
    vector = irq_alloc_vector();
    if (vector < 0)
        return vector;
    line_mode(p->gsi, &p->level, &p->low);
    p->vector = vector;
    p->waits_eoi = false;
    irq_set_handler(vector, on_interrupt, p);
    return ioapic_route(p->gsi, vector, pcpus[0]->apic_id, p->level, p->low);
}

static void close_line(struct pirq *p)
{
    ioapic_mask(p->gsi, true);
    if (p->vector)
        irq_free_vector(p->vector);
    p->vector = 0;
    p->waits_eoi = false;
}

int physdev_bind_pirq(struct domain *d, uint32_t n, uint32_t port)
{
    struct pirq *p = pirq_of(d, n);
    int rc = -XEN_EINVAL;

    if (!p)
        return rc;
    spin_lock(&pirqs.lock);
    if (p->kind != PIRQ_FREE && !p->port) {
        p->port = port;
        rc = p->kind == PIRQ_LINE ? open_line(p) : 0;
        if (rc) {
            p->port = 0;
            close_line(p);
        }
    } else if (p->kind != PIRQ_FREE) {
        rc = -XEN_EEXIST;
    }
    spin_unlock(&pirqs.lock);
    return rc;
}

void physdev_unbind_pirq(struct domain *d, uint32_t n)
{
    struct pirq *p = pirq_of(d, n);

    if (!p)
        return;
    spin_lock(&pirqs.lock);
    p->port = 0;
    if (p->kind == PIRQ_LINE)
        close_line(p);
    spin_unlock(&pirqs.lock);
}

static int unmap(struct pirq *p)
{
    if (p->kind == PIRQ_FREE)
        return -XEN_EINVAL;
    if (p->port)
        return -XEN_EBUSY;
    if (p->kind == PIRQ_LINE) {
        pirqs.line_owner[p->gsi] = NULL;
    } else {
        msi_program(p->bdf, p->entry, p->table, 0, 0);
        irq_free_vector(p->vector);
    }
    *p = (struct pirq){ .d = p->d, .allowed = p->allowed };
    return 0;
}

int pirq_unmap(struct domain *d, uint32_t n)
{
    struct pirq *p = pirq_of(d, n);
    int rc;

    if (!p)
        return -XEN_EINVAL;
    spin_lock(&pirqs.lock);
    rc = unmap(p);
    spin_unlock(&pirqs.lock);
    return rc;
}

/* The domain's ports are closed already, so nothing is bound. */
void pirq_free_all(struct domain *d)
{
    for (uint32_t n = 0; n < NR_PIRQS && d->pirqs; n++)
        pirq_unmap(d, n);
    kfree(d->pirqs);
    d->pirqs = NULL;
}
