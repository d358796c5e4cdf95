/* SPDX-License-Identifier: MIT */
/* cpuid.c: the processor that guests see.                                                               [read 17]
 *
 * An allow-list (pitfalls A14): a feature that is not named here does not exist for a guest, so that a newer CPU
 * brings nothing that Enso does not switch, save or check. Superpages, PCID, LA57, PKU, MPX, SMEP, SMAP, UMIP,
 * virtualization and performance monitoring stay away from guests. Leaves from 0x40000000 are the hypervisor's
 * own. SPEC 4.                                                                                             */
#include "hypervisor/x86/cpu.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/fpu.h"
#include "hypervisor/x86/insn.h"

#define B(n) (1U << (n))

/* Leaf 1, ecx: SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND. */
#define LEAF1_ECX (B(0) | B(1) | B(9) | B(12) | B(13) | B(19) | B(20) | B(22) | B(23) | B(25) | B(26) | B(28) | B(29) | B(30))
#define LEAF1_ECX_OSXSAVE    B(27)
#define LEAF1_ECX_HYPERVISOR B(31)
/* Leaf 1, edx: FPU DE TSC MSR PAE CX8 APIC SEP CMOV PAT CLFLUSH MMX FXSR SSE SSE2; not VME, PSE, MTRR, PGE, nor MCE and MCA:
 * machine checks are the hypervisor's. */
#define LEAF1_EDX (B(0) | B(2) | B(4) | B(5) | B(6) | B(8) | B(9) | B(11) | B(15) | B(16) | B(19) | \
                   B(23) | B(24) | B(25) | B(26))
/* Leaf 7, ebx: FSGSBASE BMI1 AVX2 BMI2 ERMS RDSEED ADX CLFLUSHOPT SHA. */
#define LEAF7_EBX (B(0) | B(3) | B(5) | B(8) | B(9) | B(18) | B(19) | B(23) | B(29))
/* Leaf 0x80000001, ecx: LAHF ABM SSE4A MISALIGNSSE PREFETCHW; edx: SYSCALL NX MMXEXT RDTSCP LM and leaf 1's repeats. */
#define EXT1_ECX  (B(0) | B(5) | B(6) | B(7) | B(8))
#define EXT1_EDX  (B(11) | B(20) | B(22) | B(27) | B(29) | (LEAF1_EDX & 0x0183f3ff & ~(B(11) | B(17))))

#define SIGNATURE(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define XEN_LEAF       0x40000000
#define XEN_LEAF_LAST  (XEN_LEAF + 2)

static void nothing(uint32_t r[4])
{
    r[0] = r[1] = r[2] = r[3] = 0;
}

static void leaf_1(const struct vcpu *v, uint32_t r[4])
{
    r[1] = (r[1] & 0x0000ffff) | (v->id * 2) << 24;       /* initial APIC id: by vCPU, one thread each */
    r[2] &= LEAF1_ECX;
    r[2] |= LEAF1_ECX_HYPERVISOR;
    if (cpu_features.xsave && (v->cr4 & CR4_OSXSAVE))
        r[2] |= LEAF1_ECX_OSXSAVE;
    if (!cpu_features.xsave)
        r[2] &= ~(B(26) | B(28) | B(29) | B(12));
    r[3] &= LEAF1_EDX;
}

static void leaf_7(uint32_t sub, uint32_t r[4])
{
    uint32_t ebx = sub == 0 ? r[1] & LEAF7_EBX : 0;

    if (!cpu_features.avx)
        ebx &= ~B(5);
    r[0] = r[2] = r[3] = 0;
    r[1] = ebx;
}

/* XSAVE areas: only the states that Enso switches. */
static void leaf_d(uint32_t sub, uint32_t r[4])
{
    switch (sub) {
    case 0:
        r[0] = (uint32_t)cpu_features.xcr0;
        r[1] = r[2] = fpu_area_size();
        r[3] = 0;
        break;
    case 1:
        r[0] &= B(0);                    /* XSAVEOPT alone */
        r[1] = r[2] = r[3] = 0;
        break;
    case 2:
        if (cpu_features.avx)
            break;
        /* fall through */
    default:
        nothing(r);
    }
}

/* Leaf 4, caches: as they are, but one vCPU shares with nobody. */
static void leaf_4(uint32_t r[4])
{
    r[0] &= 0x3fff;
}

static void leaf_xen(uint32_t leaf, uint32_t r[4])
{
    nothing(r);
    switch (leaf - XEN_LEAF) {
    case 0:
        r[0] = XEN_LEAF_LAST;
        r[1] = SIGNATURE('X', 'e', 'n', 'V');       /* "XenVMMXenVMM" */
        r[2] = SIGNATURE('M', 'M', 'X', 'e');
        r[3] = SIGNATURE('n', 'V', 'M', 'M');
        break;
    case 1:
        r[0] = 4 << 16 | 17;             /* the interface is Xen 4.17's */
        break;
    case 2:
        r[0] = 1;                        /* one hypercall page            */
        r[1] = XEN_LEAF;                 /* the MSR that asks for it      */
        break;
    }
}

static void basic_leaf(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    switch (leaf) {
    case 0:
        if (r[0] > 0xd)
            r[0] = 0xd;
        break;
    case 1: leaf_1(v, r); break;
    case 2: break;
    case 4: leaf_4(r); break;
    case 7: leaf_7(sub, r); break;
    case 0xd: leaf_d(sub, r); break;
    default: nothing(r);
    }
}

static void extended_leaf(uint32_t leaf, uint32_t r[4])
{
    switch (leaf) {
    case 0x80000000:
        if (r[0] > 0x80000008)
            r[0] = 0x80000008;
        break;
    case 0x80000001:
        r[2] &= EXT1_ECX;
        r[3] &= EXT1_EDX;
        break;
    case 0x80000002: case 0x80000003: case 0x80000004:
    case 0x80000005: case 0x80000006:
        break;
    case 0x80000007:
        r[0] = r[1] = r[2] = 0;
        r[3] &= B(8);                    /* invariant TSC */
        break;
    case 0x80000008:
        r[0] &= 0xffff;
        r[1] = r[2] = r[3] = 0;
        break;
    default:
        nothing(r);
    }
}

void cpuid_for_guest(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    cpuid(leaf, sub, r);
    if (leaf < XEN_LEAF)
        basic_leaf(v, leaf, sub, r);
    else if (leaf < XEN_LEAF + 0x100)
        leaf_xen(leaf, r);
    else
        extended_leaf(leaf, r);
}
