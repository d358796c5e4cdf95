/* SPDX-License-Identifier: MIT */
/* asm-offsets.c: tells entry.S where the fields lie. Compiled to assembly only; the Makefile picks the "->" lines out. */
#include "hypervisor/model.h"

#define OFFSET(sym, type, field) __asm__ volatile("\n.ascii \"->" #sym " %0\"" :: "i"(offsetof(type, field)))
#define VALUE(sym, v)            __asm__ volatile("\n.ascii \"->" #sym " %0\"" :: "i"(v))

void asm_offsets(void);
void asm_offsets(void)
{
    OFFSET(REGS_r15, struct guest_regs, r15);
    OFFSET(REGS_r11, struct guest_regs, r11);
    OFFSET(REGS_rax, struct guest_regs, rax);
    OFFSET(REGS_rcx, struct guest_regs, rcx);
    OFFSET(REGS_rdi, struct guest_regs, rdi);
    OFFSET(REGS_error_code, struct guest_regs, error_code);
    OFFSET(REGS_vector, struct guest_regs, vector);
    OFFSET(REGS_rip, struct guest_regs, rip);
    OFFSET(REGS_cs, struct guest_regs, cs);
    OFFSET(REGS_rflags, struct guest_regs, rflags);
    OFFSET(REGS_rsp, struct guest_regs, rsp);
    VALUE(REGS_size, sizeof(struct guest_regs));
    OFFSET(INFO_current, struct cpu_info, current);
    OFFSET(INFO_work, struct cpu_info, work);
    OFFSET(INFO_scratch, struct cpu_info, scratch);
    VALUE(INFO_size, sizeof(struct cpu_info));
    VALUE(STACK_BLOCK_SIZE, STACK_BLOCK);
    OFFSET(VCPU_info, struct vcpu, info);
    OFFSET(VCPU_in_kernel, struct vcpu, in_kernel);
}
