/* SPDX-License-Identifier: MIT */
/* vcpu.h: a virtual CPU's life, and vcpu_op. */
#ifndef ENSO_VCPU_H
#define ENSO_VCPU_H

#include "hypervisor/mm/copy.h"
#include "hypervisor/model.h"

struct vcpu *vcpu_create(struct domain *d, unsigned id);        /* down; NULL: no memory, or it exists */
void vcpu_destroy(struct vcpu *v);                              /* roots, descriptors already dropped */
/* Loads a context (VCPUOP_initialise, setvcpucontext, builders) into a vCPU that does not run: every field checked; roots and
 * descriptors referenced. -EINVAL: nothing has changed but that roots and descriptor tables may be gone; -ERESTART. */
int  vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c);
/* Drops roots, descriptor tables, registered areas; preemptible, for teardown. */
int  vcpu_relinquish(struct vcpu *v);
void vcpu_timers_stop(struct vcpu *v);
void vcpu_send_nmi(struct vcpu *v);
void vcpu_stop_polling(void *v);         /* SCHEDOP_poll ends: found something, or by its timer */
/* May a guest have value in debug register reg (0-3, 6, 7)? Then *value is what the register gets. -EINVAL, -ENODEV, -EPERM (an address
 * of the hypervisor's, a breakpoint that no guest may have). */
int  debugreg_check(unsigned reg, uint64_t *value);
/* Flags that a guest may have: no IOPL, NT, VM, RF; IF always set. */
static inline uint64_t guest_flags(uint64_t flags) { return (flags & 0x240dd5UL) | 0x202; }
static inline bool canonical(uint64_t va) { return (uint64_t)((int64_t)(va << 16) >> 16) == va; }
/* Selectors raised to RPL 3; null ones stay. */
static inline uint16_t guest_selector(uint64_t sel) { return (sel & 0xffff) >= 4 ? (sel & 0xffff) | 3 : 0; }
/* A trap table's entry, whose address is canonical. */
static inline struct trap_bounce_entry trap_entry(const struct trap_info *t)
{
    return (struct trap_bounce_entry){ .address = t->address, .cs = guest_selector(t->cs), .dpl = t->flags & TI_DPL_MASK,
                                       .mask_events = !!(t->flags & TI_IF) };
}
/* Where the guest wants its frames when its user mode is interrupted. Checked here once, so that no entry has to: v->kernel_stack is
 * aligned, and a frame below it is off the hypervisor; for another sp it is an address that is not canonical, where each store faults. */
static inline void vcpu_set_kernel_stack(struct vcpu *v, uint64_t ss, uint64_t sp)
{
    const uint64_t frame = 64, top = sp & ~15UL;

    v->kernel_ss = (ss & 0xffff) | 3;
    v->kernel_sp = sp;
    v->kernel_stack = top && gva_off_hypervisor(gva(top - frame), frame) ? top : 1UL << 63;
}
/* One-shot timer of v for system time t: set_timer_op and vcpu_op. 0 disarms. */
void vcpu_set_timer(struct vcpu *v, uint64_t t);

#endif
