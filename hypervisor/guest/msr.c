/* SPDX-License-Identifier: MIT */
/* msr.c: the model-specific registers that a PV guest kernel finds.                           [read 79]
 *
 * An allow-list: what stock guests read (pitfalls B4), with values of the vCPU's own or fixed ones, and the three base
 * registers, which are real. Everything else is #GP, as an absent MSR is on a real CPU. Nothing that a guest writes
 * reaches an MSR unchecked (XSA-333). SPEC 7.5.                                                             */
#include "hypervisor/guest/emulate.h"
#include "hypervisor/core/misc.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/insn.h"

#define MSR_TSC            0x10
#define MSR_UCODE_REV      0x8b
#define MSR_MCG_CAP        0x179
#define MSR_MISC_ENABLE    0x1a0
#define MSR_MC0_CTL        0x400
#define MSR_MC_LAST        0x47f
#define MSR_PLATFORM_INFO  0xce
#define MSR_HYPERCALL_PAGE 0x40000000
#define MSR_AMD_FIRST      0xc0010000
#define MSR_AMD_LAST       0xc001ffff

bool msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_TSC:            *value = rdtsc(); return true;
    case MSR_FS_BASE:        *value = rdmsr(MSR_FS_BASE); return true;
    case MSR_GS_BASE:        *value = rdmsr(MSR_GS_BASE); return true;
    case MSR_KERNEL_GS_BASE: *value = rdmsr(MSR_KERNEL_GS_BASE); return true;
    case MSR_EFER:           *value = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX; return true;
    case MSR_TSC_AUX:        *value = v->tsc_aux; return cpu_features.rdtscp;
    case MSR_PAT:            *value = PAT_VALUE; return true;      /* guests write PAT bits straight into entries: one for all */
    case MSR_APIC_BASE:      *value = 0xfee00000UL | 1UL << 11 | (v->id == 0 ? 1UL << 8 : 0); return true;
    case MSR_MISC_ENABLE:    *value = 1; return true;
    case MSR_UCODE_REV:
    case MSR_MCG_CAP:
    case MSR_PLATFORM_INFO:
    case MSR_MC0_CTL ... MSR_MC_LAST:
    case MSR_AMD_FIRST ... MSR_AMD_LAST: *value = 0; return true;
    default: return false;
    }
}

bool msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
        if (!canonical(value))
            return false;
        wrmsr(msr, value);
        return true;
    case MSR_TSC_AUX:
        if (!cpu_features.rdtscp || value >> 32)
            return false;
        v->tsc_aux = this_pcpu()->tsc_aux = value;
        wrmsr(MSR_TSC_AUX, value);
        return true;
    case MSR_EFER:           return value == (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX);
    case MSR_PAT:            return value == PAT_VALUE;
    case MSR_HYPERCALL_PAGE:             /* of a frame that the guest names, as CPUID leaf 0x40000002 promises */
        return !(value & (PAGE_SIZE - 1)) && !hypercall_page_give(v->domain, value >> PAGE_SHIFT);
    case MSR_UCODE_REV:
    case MSR_MISC_ENABLE:
    case MSR_MC0_CTL ... MSR_MC_LAST:
    case MSR_AMD_FIRST ... MSR_AMD_LAST: return true;      /* dropped */
    default: return false;
    }
}
