/* SPDX-License-Identifier: MIT */
/* fpu.c: x87, SSE and AVX state, eagerly.                                                               [read 15]
 *
 * Each vCPU switch saves and restores all of it; CR0.TS is only what the guest sees (XSA-267). A guest chooses XCR0,
 * but the save covers every state that the CPU has on, or a register could pass from one guest to the next
 * through a state that neither has enabled.                                                                     */
#include "hypervisor/x86/fpu.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/insn.h"

#define FXSAVE_SIZE   512
#define XSAVE_LEGACY  (FXSAVE_SIZE + 64)
#define FX_FCW        0
#define FX_MXCSR      24
#define FX_MXCSR_MASK 28
#define FCW_INITIAL   0x37f
#define MXCSR_INITIAL 0x1f80

/* Where AVX's part ends, by CPUID; not by leaf 0xd's ebx, which depends on the XCR0 that happens to be loaded. */
uint32_t fpu_area_size(void)
{
    uint32_t r[4];

    if (!cpu_features.xsave)
        return FXSAVE_SIZE;
    if (!cpu_features.avx)
        return XSAVE_LEGACY;
    cpuid(0xd, 2, r);
    return r[1] + r[0];
}

static void initial_image(uint8_t *fx)
{
    uint16_t fcw = FCW_INITIAL;
    uint32_t mxcsr = MXCSR_INITIAL;

    memset(fx, 0, FXSAVE_SIZE);
    memcpy(fx + FX_FCW, &fcw, sizeof(fcw));
    memcpy(fx + FX_MXCSR, &mxcsr, sizeof(mxcsr));
}

/* The XSAVE header behind the image: x87 and SSE are in it, the rest is in its initial state. */
static void initial_header(uint8_t *area)
{
    uint64_t xstate_bv = 3;

    memset(area + FXSAVE_SIZE, 0, XSAVE_LEGACY - FXSAVE_SIZE);
    memcpy(area + FXSAVE_SIZE, &xstate_bv, sizeof(xstate_bv));
}

void fpu_init_area(void *area)
{
    memset(area, 0, fpu_area_size());
    initial_image(area);
    if (cpu_features.xsave)
        initial_header(area);
}

static void clts(void)
{
    __asm__ volatile("clts");
}

/* XCR0 as the guest has it; 0: it has not said. */
static uint64_t xcr0_of(const struct vcpu *v)
{
    return v->xcr0 ? v->xcr0 : cpu_features.xcr0;
}

static void xcr0_all(const struct vcpu *v)
{
    if (cpu_features.xsave && xcr0_of(v) != cpu_features.xcr0)
        xsetbv(0, cpu_features.xcr0);
}

void fpu_save(struct vcpu *v)
{
    clts();
    xcr0_all(v);
    if (cpu_features.xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" :: "r"(v->fpu), "a"(~0U), "d"(~0U) : "memory");
    else if (cpu_features.xsave)
        __asm__ volatile("xsave64 (%0)" :: "r"(v->fpu), "a"(~0U), "d"(~0U) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" :: "r"(v->fpu) : "memory");
}

/* 0, or -1 when the CPU refuses the area (reserved bits: a toolstack made it). */
static int xrstor_safe(void *area)
{
    int rc;

    __asm__ volatile("1: xrstor64 (%1)\n xor %0, %0\n2:\n"
                     ".pushsection .text.fixup,\"ax\"\n3: mov $-1, %0\n jmp 2b\n.popsection\n"
                     EXTABLE("1b", "3b") : "=&r"(rc) : "r"(area), "a"(~0U), "d"(~0U) : "memory");
    return rc;
}

static int fxrstor_safe(void *area)
{
    int rc;

    __asm__ volatile("1: fxrstor64 (%1)\n xor %0, %0\n2:\n"
                     ".pushsection .text.fixup,\"ax\"\n3: mov $-1, %0\n jmp 2b\n.popsection\n"
                     EXTABLE("1b", "3b") : "=&r"(rc) : "r"(area) : "memory");
    return rc;
}

static int restore(void *area)
{
    return cpu_features.xsave ? xrstor_safe(area) : fxrstor_safe(area);
}

void fpu_restore(struct vcpu *v)
{
    clts();
    if (cpu_features.xsave)
        xsetbv(0, cpu_features.xcr0);
    if (restore(v->fpu)) {
        fpu_init_area(v->fpu);
        restore(v->fpu);
    }
    if (cpu_features.xsave && xcr0_of(v) != cpu_features.xcr0)
        xsetbv(0, xcr0_of(v));
    if (v->ts)
        write_cr0(read_cr0() | CR0_TS);
}

/* The MXCSR bits that this CPU has: SDM vol. 1, "Guidelines for Writing to the MXCSR Register". */
static uint32_t mxcsr_mask(void)
{
    static uint32_t mask;
    uint8_t image[FXSAVE_SIZE] __attribute__((aligned(16)));
    uint64_t cr0 = read_cr0();

    if (!mask) {
        clts();
        __asm__ volatile("fxsave64 %0" : "=m"(image));
        write_cr0(cr0);
        memcpy(&mask, image + FX_MXCSR_MASK, sizeof(mask));
        if (!mask)
            mask = 0xffbf;
    }
    return mask;
}

/* MXCSR bits that the CPU does not have would fault when they are loaded, so they go. */
void fpu_from_fxsave(struct vcpu *v, const void *fx)
{
    uint8_t *area = v->fpu;
    uint32_t mxcsr;

    memcpy(area, fx, FXSAVE_SIZE);
    memcpy(&mxcsr, area + FX_MXCSR, sizeof(mxcsr));
    mxcsr &= mxcsr_mask();
    memcpy(area + FX_MXCSR, &mxcsr, sizeof(mxcsr));
    if (cpu_features.xsave)
        initial_header(area);
}

void fpu_to_fxsave(const struct vcpu *v, void *fx)
{
    memcpy(fx, v->fpu, FXSAVE_SIZE);
}
