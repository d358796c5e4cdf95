/* SPDX-License-Identifier: MIT */
/* physdev.h: dom0's devices: interrupt lines and MSIs as event channels, I/O ports, I/O memory. */
#ifndef ENSO_PHYSDEV_H
#define ENSO_PHYSDEV_H

#include "hypervisor/model.h"

#define NR_PIRQS 256                 /* a domain; a line's number is its GSI, MSIs are counted from the top */

int  physdev_init_domain(struct domain *d, bool all_devices);   /* dom0: every port and frame but the hypervisor's own (pitfalls A10) */
void physdev_free_domain(struct domain *d);
bool physdev_port_allowed(const struct domain *d, uint16_t port, unsigned bytes);
bool physdev_iomem_allowed(struct domain *d, uint64_t mfn, bool write);
/* -EINVAL: beyond the last; -EPERM: the hypervisor's own; -ENOMEM. */
int  physdev_set_ports(struct domain *d, uint32_t first, uint32_t n, bool allow);
int  physdev_set_iomem(struct domain *d, uint64_t first, uint64_t n, bool allow);
int  physdev_set_irq(struct domain *d, uint32_t pirq, bool allow);

/* pirq.c. Binding of a pirq to an event channel (EVTCHNOP_bind_pirq; d's evtchn_lock held) and its end. */
int  physdev_bind_pirq(struct domain *d, uint32_t pirq, uint32_t port);
void physdev_unbind_pirq(struct domain *d, uint32_t pirq);
/* A level line that was taken is unmasked again. -EINVAL: not mapped. */
int  pirq_eoi(struct domain *d, uint32_t pirq);
int  pirq_status(struct domain *d, uint32_t pirq, uint32_t *flags);
/* The pirq (wished, or -1: any), or -errno. */
int  pirq_map_gsi(struct domain *d, uint32_t gsi, int wish);
int  pirq_map_msi(struct domain *d, int wish, uint16_t bdf, uint32_t entry, uint64_t table);
int  pirq_unmap(struct domain *d, uint32_t pirq);
int  pirq_find_free(struct domain *d);
int  pirq_setup_gsi(uint32_t gsi, bool level, bool active_low);
void pirq_free_all(struct domain *d);
void pirq_announce(uint16_t bdf);         /* dom0 says that this device is there */

/* msi.c: a device's message goes to vector on the pCPU apic_id; vector 0: off. -ENODEV: no such device or capability. */
bool msi_table_frame(uint64_t mfn);       /* a device's MSI-X table is in it */
void msi_scan(void);                      /* finds them all, at boot */
void msi_look_for_table(uint16_t bdf);    /* one device's, which may be new or may have moved; under pirq.c's lock */
/* The ports of configuration space, for who may use them. */
bool pciconf_port(uint16_t port, unsigned bytes);
uint32_t pciconf_in(uint16_t port, unsigned bytes);
void pciconf_out(uint16_t port, unsigned bytes, uint32_t value);
int  msi_program(uint16_t bdf, uint32_t entry, uint64_t table, uint32_t apic_id, uint8_t vector);

#endif
