/* SPDX-License-Identifier: MIT */
/* fpu.h: x87, SSE and AVX state, saved and restored eagerly at each vCPU switch (pitfalls A14). */
#ifndef ENSO_FPU_H
#define ENSO_FPU_H

#include <stdint.h>

struct vcpu;
uint32_t fpu_area_size(void);              /* bytes, 64-aligned area; XSAVE or FXSAVE form */
void fpu_init_area(void *area);            /* as after FNINIT, MXCSR 0x1f80 */
void fpu_save(struct vcpu *v);             /* v's registers are in this pCPU */
void fpu_restore(struct vcpu *v);          /* sets XCR0 of v; a bad area (toolstack made) is replaced by the initial one */
/* The FXSAVE image of vcpu_guest_context (512 bytes) in and out. */
void fpu_from_fxsave(struct vcpu *v, const void *fx);
void fpu_to_fxsave(const struct vcpu *v, void *fx);

#endif
