/* SPDX-License-Identifier: MIT */
/* calls.h: the toolstack's hypercalls, each with a type.
 *
 * Every function returns 0 or a positive result, or -XEN_E*. call_error()
 * turns the latter into words. One call at a time: they share one bounce area. */
#ifndef ENSO_CALLS_H
#define ENSO_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "hypercall-abi/abi.h"
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/enso.h"
#include "hypercall-abi/grant.h"
#include "hypercall-abi/sysctl.h"

/* What an -XEN_E* means, in words. */
const char *call_error(long rc);

/* ---- one domain (calls_domain.c) */
int dom_create(const uint8_t handle[16], uint32_t vcpus, uint16_t *domid);
int dom_destroy(uint16_t domid);
int dom_pause(uint16_t domid);
int dom_unpause(uint16_t domid);
int dom_info(uint16_t domid, struct xen_domctl_getdomaininfo *info);   /* -XEN_ESRCH: no such */
int dom_max_memory(uint16_t domid, uint64_t kib);
int dom_hypercall_page(uint16_t domid, uint64_t mfn);
int dom_set_context(uint16_t domid, uint32_t vcpu, const struct vcpu_guest_context *ctx);
int dom_vcpu_info(uint16_t domid, uint32_t vcpu, struct xen_domctl_getvcpuinfo *info);
int dom_get_affinity(uint16_t domid, uint32_t vcpu, uint64_t *cpus);
int dom_set_affinity(uint16_t domid, uint32_t vcpu, uint64_t cpus);
int dom_get_share(uint16_t domid, uint32_t *weight, uint32_t *cap);
int dom_set_share(uint16_t domid, uint32_t weight, uint32_t cap);
int dom_shutdown_now(uint16_t domid, uint32_t reason);

/* Frames for PFNs [first, first + n), their MFNs into mfns; how many it got. */
int dom_populate(uint16_t domid, uint64_t first, unsigned n, uint64_t *mfns);
/* What the domain finds when it asks for its memory map: RAM from 0 to so much, which is the most that it can ever use. */
int dom_memory_map(uint16_t domid, uint64_t kib);
int dom_pin_root(uint16_t domid, uint64_t mfn);
int dom_grant_frame(uint16_t domid, uint64_t *mfn);                     /* the first of its table */
int dom_granted(uint16_t domid, uint32_t ref, uint64_t *mfn);           /* what it lets dom0 write to by this reference */
int dom_unbound_port(uint16_t domid, uint16_t remote);

/* ---- the machine (calls_machine.c) */
int machine_domains(uint16_t first, struct xen_domctl_getdomaininfo *list, unsigned most);
int machine_info(struct xen_sysctl_physinfo *info);
int machine_scheduler(uint32_t *id);
int machine_cpu_idle(uint64_t *idle_ns, unsigned most);
int machine_log(bool clear, uint32_t *index, char *buf, unsigned size);
int machine_debug_keys(const char *keys, unsigned n);
int machine_version(int *major, int *minor, char *extra, size_t size);
int machine_commandline(char *buf, size_t size);      /* the hypervisor's, from the boot line */

/* ---- what only Enso has (calls_machine.c too); -XEN_ENOSYS on Xen */
int enso_get_name(uint16_t domid, char name[32]);
int enso_set_name(uint16_t domid, const char *name);
int enso_get_console(uint16_t domid, uint64_t *mfn, uint32_t *port);
int enso_get_store(uint16_t domid, uint64_t *mfn, uint32_t *port);      /* of a domain from GRUB's modules */
int enso_set_console(uint16_t domid, uint64_t mfn, uint32_t port);
int enso_audit(struct enso_audit *result);
int enso_echo_times(uint64_t *ns, unsigned most);

#endif
