/* SPDX-License-Identifier: MIT */
/* guest.h: what the files of this floor call of one another, and what assembly calls of them. */
#ifndef ENSO_GUEST_H
#define ENSO_GUEST_H

#include "hypervisor/model.h"

typedef long (*hypercall_fn)(struct vcpu *v, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);
extern const hypercall_fn hypercall_table[];
const char *hypercall_name(uint32_t nr);

/* ---- bounce.c: guest frames (SPEC 7.2). Each works on current's frame in cpu_info; one that cannot be delivered crashes the domain. */
#define BOUNCE_NO_ERROR_CODE (~0U)
/* Exception `vector` with error_code or BOUNCE_NO_ERROR_CODE goes to current's trap table. */
void bounce_trap(struct vcpu *v, uint32_t vector, uint32_t error_code);
/* As bounce_trap(14): cr2 to vcpu_info, the U bit of the error code as the guest must see it. r: current's, as in cpu_info. */
void bounce_page_fault(struct vcpu *v, struct guest_regs *r, uint64_t cr2, uint32_t error_code);
void bounce_event(struct vcpu *v);
void bounce_syscall(struct vcpu *v, struct guest_regs *r);
void bounce_syscall32(struct vcpu *v);
void bounce_sysenter(struct vcpu *v);
void bounce_failsafe(struct vcpu *v);
bool bounce_nmi(struct vcpu *v);          /* false: it cannot be taken now */

/* ---- emulate.c: true: done, rip moved on (or a fault was delivered); false: it is not for us, deliver the fault. */
bool emulate_privileged(struct vcpu *v, struct guest_regs *r);
bool emulate_forced(struct vcpu *v, struct guest_regs *r);
bool emulate_pt_store(struct vcpu *v, struct guest_regs *r, uint64_t cr2);

/* ---- switch.c */
/* Reads the running vCPU's bases and selectors into the struct (another may then look at them). */
void switch_save_segments(struct vcpu *v);

/* ---- called by entry.S */
long do_iret(struct vcpu *v, struct guest_regs *r);
bool guest_trap_quick(struct vcpu *v, struct guest_regs *r);
void guest_trap(struct guest_regs *r);
void hv_trap(struct guest_regs *r);
void exit_work(void);
void exit_fault(struct guest_regs *r);

/* ---- entry.S */
__attribute__((noreturn)) void exit_to_guest(void);
__attribute__((noreturn)) void stack_reset_and_call(void (*fn)(void));
extern const uint64_t trap_entry_table[256];

/* ---- dump.c */
void dump_vcpu(struct vcpu *v);
/* "not mapped", or at which level the walk for va ended, as words for a message. */
const char *walk_words(struct vcpu *v, uint64_t va, char *buf, size_t size);

/* switch.c: hands the floor's operations down: once, at boot. */
void guest_init(void);

#endif
