/* SPDX-License-Identifier: MIT */
/* emulate.h: what the emulation's files share. */
#ifndef ENSO_EMULATE_H
#define ENSO_EMULATE_H

#include "hypervisor/model.h"
#include "hypervisor/guest/insn_decode.h"

uint64_t *insn_gpr(struct guest_regs *r, unsigned n);
/* A write of so many bytes, as the CPU does it: 4 clear the upper half. */
void insn_gpr_write(uint64_t *reg, uint64_t value, unsigned bytes);
/* The instruction at rip. False: it cannot be read, is none that is emulated, or is not 64-bit code: 32-bit user programs get their fault. */
bool insn_at(struct vcpu *v, const struct guest_regs *r, struct insn *i);
/* msr.c: false: #GP. */
bool msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
/* iret.c: 0 or -errno. */
long debugreg_set(struct vcpu *v, uint64_t reg, uint64_t value);

#endif
