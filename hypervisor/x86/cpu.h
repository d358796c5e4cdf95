/* SPDX-License-Identifier: MIT */
/* cpu.h: what this machine's CPUs are and how each is set up: features, control registers, per-pCPU start. */
#ifndef ENSO_CPU_H
#define ENSO_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_features {
    bool smep, smap, fsgsbase, xsave, xsaveopt, avx, x2apic, tsc_deadline, invariant_tsc, rdtscp, pge;
    uint64_t xcr0;               /* x87|SSE|AVX as the CPU has them              */
    uint32_t max_leaf, max_ext_leaf;
    uint32_t phys_bits;
};
extern struct cpu_features cpu_features;   /* written once at boot, before other pCPUs start */

/* Fills cpu_features; panics in one sentence when the CPU lacks what Enso needs (long mode, NX, SYSCALL, FXSR). */
void cpu_detect(void);
/* Control registers, EFER, PAT (0x050100070406), SYSCALL MSRs, per-pCPU descriptor tables, FPU: on the pCPU itself. */
void cpu_init_this(void);

/* The pCPUs that are up, as a mask: those that cross calls may name. */
uint64_t cpus_online(void);

/* CPUID as v sees it, in r[4] (eax ebx ecx edx): the CPU's answer, filtered by the policy (pitfalls A14). The APIC id is by vCPU; Xen leaves 0x40000000.. are answered too (signature "XenVMMXenVMM", version 4.17, hypercall page). */
struct vcpu;
void cpuid_for_guest(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4]);

#endif
