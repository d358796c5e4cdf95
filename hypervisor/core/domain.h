/* SPDX-License-Identifier: MIT */
/* domain.h: births, deaths and what lies between. */
#ifndef ENSO_DOMAIN_H
#define ENSO_DOMAIN_H

#include "hypervisor/model.h"

extern struct domain *dom0;
extern struct domain *idle_domain;

/* Once at boot, before the first domain: hands core's operations to the floors below. */
void core_init(void);
/* The domain of the idle vCPUs: never listed. -ENOMEM. */
int  domain_make_idle(void);

/* A new domain, paused, without memory (max_pages 0: the builder sets it) and without vCPUs (vcpu_create). id DOMID_INVALID: the next
 * free. config may be NULL: defaults, 1 vCPU. *rc: -EEXIST, -ENOMEM, -EINVAL. The caller ends the pause by domain_unpause. */
struct domain *domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged, int *rc);
struct domain *domain_get(domid_t id);       /* reference, or NULL; put: domain_put */
struct domain *domain_get_from(uint32_t id);  /* the first with that number or a higher one */
/* The same for an id that v's hypercall names: its own domain's, or dom0's any. NULL: *rc is -EPERM or -ESRCH. */
struct domain *domain_get_for(struct vcpu *v, domid_t id, long *rc);
void domain_put(struct domain *d);           /* no lock of rank kalloc or later held */
/* Calls fn with each domain, in order of id, each referenced during the call; stops when fn returns non-zero. */
int  domain_for_each(int (*fn)(struct domain *d, void *arg), void *arg);
/* -EEXIST: another living domain has that name. Non-printable bytes become '?'. */
int  domain_set_name(struct domain *d, const char *name);

void domain_pause(struct domain *d);          /* counted; returns when no vCPU of it runs (current excepted) */
void domain_pause_nosync(struct domain *d);   /* the same, without waiting */
void domain_unpause(struct domain *d);
/* A shutdown by itself or the toolstack: vCPUs stop, dom0 gets VIRQ_DOM_EXC; dom0's own ends the machine. No lock held. */
void domain_shutdown(struct domain *d, uint32_t reason);
/* -EINVAL: not shut down. Its vCPUs go on (SCHEDOP_shutdown returns in the guest). */
int  domain_resume(struct domain *d);
/* A guest broke its own machine. Prints "(enso) dN NAME CRASHED: why" and the dump; the shutdown with SHUTDOWN_crash follows when this
 * pCPU holds no lock any more. Returns; the vCPU does not run guest code again. Idempotent. Any context. */
void domain_crash(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* XEN_DOMCTL_destroydomain: 0, -ERESTART (call again). The END line is printed when the last frame has gone. */
int  domain_kill(struct domain *d);
/* Every domain is brought to rest (current excepted), the frame table recounted, and the result printed as one line. No lock held. */
struct audit_result;
void domain_audit(struct audit_result *r);
/* The machine ends with this code (tests), after an audit in debug builds. */
__attribute__((noreturn)) void domain_machine_exit(int code);
void domain_dump_vcpu(struct vcpu *v);
/* What the dump prints: registers, stack, walk; registered by guest/dump.c. */
void domain_set_dump_op(void (*fn)(struct vcpu *v));

/* Between domain.c and domain_end.c */
void domain_apply_pause(struct domain *d);    /* every vCPU stops or may go on, as d's state asks; d->lock is held */
void domain_init_end(struct domain *d);
void domain_last_frame_gone(struct domain *d);
void domain_unlist(struct domain *d);
uint64_t domain_hypercalls(const struct domain *d);

#endif
