/* SPDX-License-Identifier: MIT */
/* domain.h: births, deaths and what lies between. */
#ifndef ENSO_DOMAIN_H
#define ENSO_DOMAIN_H

#include "hypervisor/model.h"

extern struct domain *dom0;
extern struct domain *idle_domain;

/* A new domain, paused, without memory. id DOMID_INVALID: the next free. *rc: -EEXIST, -ENOMEM, -EINVAL. */
struct domain *domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged, int *rc);
struct domain *domain_get(domid_t id);       /* reference, or NULL; put: domain_put */
void domain_put(struct domain *d);
/* Calls fn with each domain, in order of id, each referenced during the call; stops when fn returns non-zero. */
int  domain_for_each(int (*fn)(struct domain *d, void *arg), void *arg);
void domain_set_name(struct domain *d, const char *name);   /* non-printable bytes become '?' */

void domain_pause(struct domain *d);          /* counted; returns when no vCPU of it runs (current excepted) */
void domain_unpause(struct domain *d);
/* A shutdown by itself or the toolstack: vCPUs stop, dom0 gets VIRQ_DOM_EXC; dom0's own ends the machine. */
void domain_shutdown(struct domain *d, uint32_t reason);
/* A guest broke its own machine. Prints "(enso) dN NAME CRASHED: why" and the dump, then shuts it down with SHUTDOWN_crash.
 * Returns; the vCPU does not run guest code again. Idempotent. */
void domain_crash(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* XEN_DOMCTL_destroydomain: 0, -ERESTART (call again). The END line is printed when the last frame has gone. */
int  domain_kill(struct domain *d);
/* What the dump prints: registers, stack, walk; registered by guest/dump.c. */
void domain_set_dump_op(void (*fn)(struct vcpu *v));
/* What vcpu destruction needs of the floor above: none. */

#endif
