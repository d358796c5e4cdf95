/* SPDX-License-Identifier: MIT */
/* cpu.c: what the CPUs can do, and how each is set up to run Enso.                                      [read 5]
 *
 * Features are read once, on the boot pCPU; a machine of unequal processors is not supported. Control registers
 * get known values, not firmware's values with bits added.                                                    */
#include "hypervisor/x86/cpu.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/insn.h"

struct cpu_features cpu_features;

/* CPUID leaf 1 */
#define L1C_X2APIC   21
#define L1C_DEADLINE 24
#define L1C_XSAVE    26
#define L1C_AVX      28
#define L1D_PGE      13
#define L1D_FXSR     24

static bool bit(uint32_t word, unsigned n)
{
    return word >> n & 1;
}

static void detect_basic(struct cpu_features *f)
{
    uint32_t r[4];

    cpuid(0, 0, r);
    f->max_leaf = r[0];
    cpuid(1, 0, r);
    if (!bit(r[3], L1D_FXSR))
        panic("this CPU has no FXSAVE, which Enso needs");
    f->pge = bit(r[3], L1D_PGE);
    f->x2apic = bit(r[2], L1C_X2APIC);
    f->tsc_deadline = bit(r[2], L1C_DEADLINE);
    f->xsave = bit(r[2], L1C_XSAVE) && f->max_leaf >= 0xd;
    f->avx = f->xsave && bit(r[2], L1C_AVX);
    if (f->max_leaf < 7)
        return;
    cpuid(7, 0, r);
    f->fsgsbase = bit(r[1], 0);
    f->smep = bit(r[1], 7);
    f->smap = bit(r[1], 20);
}

static void detect_extended(struct cpu_features *f)
{
    uint32_t r[4];

    cpuid(0x80000000, 0, r);
    f->max_ext_leaf = r[0];
    cpuid(0x80000001, 0, r);
    f->rdtscp = bit(r[3], 27);
    if (!bit(r[3], 20))
        panic("this CPU cannot forbid execution of data (NX), which Enso needs; is it switched off in the firmware?");
    if (!bit(r[3], 11))
        panic("this CPU has no SYSCALL in 64-bit mode, which Enso needs");
    f->phys_bits = 36;
    if (f->max_ext_leaf >= 0x80000008) {
        cpuid(0x80000008, 0, r);
        f->phys_bits = r[0] & 0xff;
    }
    if (f->max_ext_leaf >= 0x80000007) {
        cpuid(0x80000007, 0, r);
        f->invariant_tsc = bit(r[3], 8);
    }
}

/* x87 and SSE always, AVX where the CPU has it: what XCR0 may ever hold (pitfalls A14). */
static void detect_xsave(struct cpu_features *f)
{
    uint32_t r[4];

    f->xcr0 = 3;
    if (!f->xsave)
        return;
    cpuid(0xd, 0, r);
    f->xcr0 = r[0] & (f->avx ? 7 : 3);
    f->avx = f->xcr0 & 4;
    cpuid(0xd, 1, r);
    f->xsaveopt = bit(r[0], 0);
}

void cpu_detect(void)
{
    detect_basic(&cpu_features);
    detect_extended(&cpu_features);
    detect_xsave(&cpu_features);
}

void cpu_init_this(void)
{
    const struct cpu_features *f = &cpu_features;

    wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NX);
    write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_MP | 0x11);   /* and ET, PE; CD, NW, AM, TS off */
    write_cr4(CR4_PAE | CR4_DE | CR4_PSE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | (f->pge ? CR4_PGE : 0) |
              (f->fsgsbase ? CR4_FSGSBASE : 0) | (f->xsave ? CR4_OSXSAVE : 0) |
              (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0));
    wrmsr(MSR_PAT, PAT_VALUE);
    if (f->xsave)
        xsetbv(0, f->xcr0);
    if (f->rdtscp)
        wrmsr(MSR_TSC_AUX, this_pcpu()->id);
    write_dr7(DR7_FIXED);
    write_dr6(DR6_FIXED);
}

uint64_t cpus_online(void)
{
    uint64_t mask = 0;

    for (uint32_t i = 0; i < nr_pcpus; i++)
        if (pcpus[i] && atomic_read(&pcpus[i]->online))
            mask |= 1UL << i;
    return mask;
}
