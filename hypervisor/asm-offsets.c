/* SPDX-License-Identifier: MIT */
/* asm-offsets.c: tells entry.S where the fields lie. [read 70]
 * Compiled to assembly only; the Makefile picks the "->" lines out. */
#include "hypervisor/model.h"

#define OFFSET(sym, type, field) __asm__ volatile("\n.ascii \"->" #sym " %0\"" :: "i"(offsetof(type, field)))
#define VALUE(sym, v)            __asm__ volatile("\n.ascii \"->" #sym " %0\"" :: "i"(v))

void asm_offsets(void);
void asm_offsets(void)
{
    OFFSET(REGS_r15, struct guest_regs, r15);
    OFFSET(REGS_r14, struct guest_regs, r14);
    OFFSET(REGS_r13, struct guest_regs, r13);
    OFFSET(REGS_r12, struct guest_regs, r12);
    OFFSET(REGS_rbp, struct guest_regs, rbp);
    OFFSET(REGS_rbx, struct guest_regs, rbx);
    OFFSET(REGS_r10, struct guest_regs, r10);
    OFFSET(REGS_r9, struct guest_regs, r9);
    OFFSET(REGS_r8, struct guest_regs, r8);
    OFFSET(REGS_rax, struct guest_regs, rax);
    OFFSET(REGS_rdx, struct guest_regs, rdx);
    OFFSET(REGS_rsi, struct guest_regs, rsi);
    OFFSET(REGS_rdi, struct guest_regs, rdi);
    OFFSET(REGS_rip, struct guest_regs, rip);
    OFFSET(REGS_cs, struct guest_regs, cs);
    OFFSET(REGS_rflags, struct guest_regs, rflags);
    OFFSET(REGS_rsp, struct guest_regs, rsp);
    VALUE(REGS_size, sizeof(struct guest_regs));
    OFFSET(INFO_current, struct cpu_info, curr);
    OFFSET(INFO_work, struct cpu_info, work);
    VALUE(INFO_size, sizeof(struct cpu_info));
    VALUE(STACK_BLOCK_SIZE, STACK_BLOCK);
    OFFSET(VCPU_info, struct vcpu, info);
    OFFSET(VCPU_in_kernel, struct vcpu, in_kernel);
    OFFSET(VCPU_hypercalls, struct vcpu, hypercalls);
    OFFSET(VCPU_last_hypercall, struct vcpu, last_hypercall);
}
