/* SPDX-License-Identifier: MIT */
/* emulate.h: what the emulation's files share. */
#ifndef ENSO_EMULATE_H
#define ENSO_EMULATE_H

#include "hypervisor/model.h"
#include "hypervisor/guest/insn_decode.h"

uint64_t *insn_gpr(struct guest_regs *r, unsigned n);
/* How many bytes of the instruction at rip could be read: 0..15. */
unsigned insn_fetch(struct guest_regs *r, uint8_t bytes[INSN_MAX]);
/* Emulation knows 64-bit code only; 32-bit user programs get their fault. The code segment may be the guest's own. */
bool runs_64bit_code(struct vcpu *v, const struct guest_regs *r);
/* msr.c: false: #GP. */
bool msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
/* iret.c: 0 or -errno. */
long debugreg_set(struct vcpu *v, uint64_t reg, uint64_t value);

#endif
