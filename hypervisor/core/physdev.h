/* SPDX-License-Identifier: MIT */
/* physdev.h: dom0's devices: interrupt lines and MSIs as event channels, I/O ports, I/O memory. */
#ifndef ENSO_PHYSDEV_H
#define ENSO_PHYSDEV_H

#include "hypervisor/model.h"

int  physdev_init_domain(struct domain *d, bool all_devices);   /* dom0: every port and frame but the hypervisor's own (pitfalls A10) */
void physdev_free_domain(struct domain *d);
bool physdev_port_allowed(const struct domain *d, uint16_t port, unsigned bytes);
bool physdev_iomem_allowed(struct domain *d, uint64_t mfn);
int  physdev_set_ports(struct domain *d, uint16_t first, uint32_t n, bool allow);
int  physdev_set_iomem(struct domain *d, uint64_t first, uint64_t n, bool allow);
/* Binding of a pirq to an event channel (EVTCHNOP_bind_pirq) and its end. */
int  physdev_bind_pirq(struct domain *d, uint32_t pirq, bool share);
void physdev_unbind_pirq(struct domain *d, uint32_t pirq);
void physdev_eoi(struct domain *d, uint32_t pirq);

#endif
