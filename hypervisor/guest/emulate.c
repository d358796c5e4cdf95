/* SPDX-License-Identifier: MIT */
/* emulate.c: privileged instructions that PV guests still execute.                            [read 78]
 *
 * A guest kernel that was ported calls hypercalls, but not everywhere: it reads ports to see whether a device is there, asks
 * cpuid, touches a control register or an MSR (pitfalls B1 to B4). Each such instruction faults in ring 3 with #GP and
 * error code 0; here it is fetched, decoded and done on the vCPU's virtual state, or refused, and then the guest
 * sees the #GP. Stores to page tables are in emulate_store.c. SPEC 7.5.                                       */
#include "hypervisor/guest/guest.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/guest/emulate.h"
#include "hypervisor/guest/insn_decode.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/insn.h"

/* ---- registers by number ----------------------------------------------------------------------- */

uint64_t *insn_gpr(struct guest_regs *r, unsigned n)
{
    uint64_t *const map[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
                                &r->r8, &r->r9, &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15 };
    return map[n & 15];
}

void insn_gpr_write(uint64_t *reg, uint64_t value, unsigned bytes)
{
    switch (bytes) {
    case 1: *reg = (*reg & ~0xffUL) | (value & 0xff); break;
    case 2: *reg = (*reg & ~0xffffUL) | (value & 0xffff); break;
    case 4: *reg = (uint32_t)value; break;
    default: *reg = value; break;
    }
}

/* The bytes at rip, as many as can be read; two pages at most. */
static unsigned fetch(const struct guest_regs *r, uint8_t bytes[INSN_MAX])
{
    if (copy_from_guest(bytes, gva(r->rip), INSN_MAX) == 0)
        return INSN_MAX;
    unsigned in_page = PAGE_SIZE - (r->rip & (PAGE_SIZE - 1));
    if (in_page < INSN_MAX && copy_from_guest(bytes, gva(r->rip), in_page) == 0)
        return in_page;
    return 0;
}

/* The code segment may be the guest's own. */
static bool runs_64bit_code(struct vcpu *v, const struct guest_regs *r)
{
    uint64_t desc;

    if (r->cs == FLAT_RING3_CS64)
        return true;
    return descriptor_read(v, r->cs, &desc) && (desc >> 53 & 1);
}

bool insn_at(struct vcpu *v, const struct guest_regs *r, struct insn *i)
{
    uint8_t bytes[INSN_MAX];
    unsigned n = runs_64bit_code(v, r) ? fetch(r, bytes) : 0;

    return n && insn_decode(i, bytes, n);
}

/* ---- ports ------------------------------------------------------------------------------------- */

/* A guest kernel counts as ring 1 against its virtual IOPL, its user mode as ring 3, as on Xen. */
static bool iopl_permits(const struct vcpu *v)
{
    return v->iopl >= (v->in_kernel ? 1U : 3U);
}

/* May the guest execute in and out at all? Its virtual IOPL decides, else its I/O bitmap; what it owns is another question. */
static bool port_permitted(struct vcpu *v, uint16_t port, unsigned bytes)
{
    if (iopl_permits(v))
        return true;
    if (!v->iobmp || v->iobmp_limit == 0)
        return false;
    for (unsigned i = 0; i < bytes; i++) {
        uint32_t bit = port + i;
        uint8_t b;
        if (bit >= v->iobmp_limit || copy_from_guest(&b, gva(v->iobmp + bit / 8), 1) || b >> (bit & 7) & 1)
            return false;
    }
    return true;
}

static uint32_t port_in(struct vcpu *v, uint16_t port, unsigned bytes)
{
    if (!physdev_port_allowed(v->domain, port, bytes))
        return 0xffffffffU;           /* a port that is not there */
    return pciconf_port(port, bytes) ? pciconf_in(port, bytes) : port_read(port, bytes);
}

static void port_out(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value)
{
    if (!physdev_port_allowed(v->domain, port, bytes))
        return;
    if (pciconf_port(port, bytes))
        pciconf_out(port, bytes, value);
    else
        port_write(port, bytes, value);
}

static bool emulate_in_out(struct vcpu *v, struct guest_regs *r, const struct insn *i)
{
    uint16_t port = i->opcode & 8 ? r->rdx : (uint8_t)i->imm;
    unsigned bytes = i->opsize == 8 ? 4 : i->opsize;

    if (!port_permitted(v, port, bytes))
        return false;
    if (i->opcode & 2)
        port_out(v, port, bytes, r->rax);
    else
        insn_gpr_write(&r->rax, port_in(v, port, bytes), bytes);
    return true;
}

/* Can [at, at + n) be written, n at most a page? Its ends are touched by a locked store that changes nothing, so that no other
 * vCPU's store is lost. *fault: where it cannot. */
static bool can_write(uint64_t at, unsigned n, uint64_t *fault)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t end = i ? at + n - 1 : at;
        *fault = i ? end & PAGE_MASK : at;           /* the last byte is missing where the first is not: its page is */
        if (!gva_off_hypervisor(gva(end), 1))
            return false;
        stac();
        __asm__ goto("1: lock orb $0, %0\n" EXTABLE("1b", "%l[no]") :: "m"(*(uint8_t *)end) : "memory", "cc" : no);
        clac();
    }
    return true;
no:
    clac();
    return false;
}

/* ins and outs: one element, and with rep the guest comes back for the next, so that no count of its own keeps us here.
 * *again: rip stays. A buffer that cannot be reached is the guest's page fault, before the port is read: that may be a deed. */
static bool emulate_string_io(struct vcpu *v, struct guest_regs *r, const struct insn *i, bool *again)
{
    bool out = i->opcode >= 0x6e;
    unsigned bytes = i->opsize == 8 ? 4 : i->opsize;
    uint64_t *index = out ? &r->rsi : &r->rdi;
    uint64_t step = r->rflags & FLAG_DF ? -(uint64_t)bytes : bytes;
    uint32_t value = 0;
    uint64_t cr2 = *index;

    if (i->addr32 || i->seg_override || !port_permitted(v, r->rdx, bytes))
        return false;
    bool rep = i->rep || i->repne;
    if (rep && r->rcx == 0)
        return true;
    if (out) {
        if (copy_from_guest(&value, gva(*index), bytes))
            goto fault;
        port_out(v, r->rdx, bytes, value);
    } else {
        if (!can_write(*index, bytes, &cr2))
            goto fault;
        value = port_in(v, r->rdx, bytes);
        if (copy_to_guest(gva(*index), &value, bytes))
            goto fault;
    }
    *index += step;
    if (rep)
        *again = --r->rcx != 0;
    return true;
fault:
    bounce_page_fault(v, r, cr2, out ? 0 : 2);
    *again = true;                    /* rip is the handler's now */
    return true;
}

/* ---- control and debug registers --------------------------------------------------------------- */

#define CR0_GUEST 0x80050033UL        /* PG AM WP NE ET MP PE */
#define CR4_GUEST_WRITABLE (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)
#define CR4_GUEST_FIXED    (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT)

static bool read_control(struct vcpu *v, unsigned n, uint64_t *value)
{
    switch (n) {
    case 0: *value = CR0_GUEST | (v->ts ? CR0_TS : 0); return true;
    case 2: *value = v->info->arch.cr2; return true;
    case 3: *value = v->guest_root.raw << PAGE_SHIFT; return true;
    case 4: *value = CR4_GUEST_FIXED | v->cr4; return true;
    default: return false;
    }
}

/* Bits that are not the guest's to set are dropped, as Xen does: Linux writes CR4 freely. */
static void write_control4(struct vcpu *v, uint64_t value)
{
    uint64_t mask = CR4_GUEST_WRITABLE;

    if (!cpu_features.fsgsbase)
        mask &= ~CR4_FSGSBASE;
    if (!cpu_features.xsave)
        mask &= ~CR4_OSXSAVE;
    v->cr4 = value & mask;
    uint64_t real = CR4_TSD | CR4_DE | CR4_FSGSBASE;
    write_cr4((read_cr4() & ~real) | (v->cr4 & real));
}

static bool write_control(struct vcpu *v, unsigned n, uint64_t value, bool *again)
{
    switch (n) {
    case 0:
        if ((value ^ CR0_GUEST) & ~CR0_TS)
            return false;
        v->ts = value & CR0_TS;
        write_cr0(v->ts ? read_cr0() | CR0_TS : read_cr0() & ~CR0_TS);
        return true;
    case 2: v->info->arch.cr2 = value; return true;
    case 3: {
        int rc = root_set(v, gfn(value >> PAGE_SHIFT), false);
        *again = rc == -XEN_ERESTART;               /* the guest executes it again, validation goes on */
        return rc == 0 || *again;
    }
    case 4: write_control4(v, value); return true;
    default: return false;
    }
}

static bool emulate_cr_dr(struct vcpu *v, struct guest_regs *r, const struct insn *i, bool *again)
{
    uint64_t *reg = insn_gpr(r, insn_rm(i));
    unsigned n = insn_reg(i);

    switch (i->opcode) {
    case 0x0f20: return read_control(v, n, reg);
    case 0x0f22: return write_control(v, n, *reg, again);
    case 0x0f21:
        if (n > 7)
            return false;
        *reg = n == 4 || n == 6 ? v->dr[6] : n == 5 || n == 7 ? v->dr[7] | DR7_FIXED : v->dr[n];
        return true;
    default:
        return n <= 7 && debugreg_set(v, n, *reg) == 0;
    }
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static void emulate_cpuid(struct vcpu *v, struct guest_regs *r)
{
    uint32_t out[4];

    cpuid_for_guest(v, r->rax, r->rcx, out);
    r->rax = out[0];
    r->rbx = out[1];
    r->rcx = out[2];
    r->rdx = out[3];
}

static void set_edx_eax(struct guest_regs *r, uint64_t value)
{
    r->rax = (uint32_t)value;
    r->rdx = value >> 32;
}

static bool emulate_xsetbv(struct vcpu *v, struct guest_regs *r)
{
    uint64_t value = (uint32_t)r->rax | r->rdx << 32;

    if (!cpu_features.xsave || !(v->cr4 & CR4_OSXSAVE) || (uint32_t)r->rcx != 0)
        return false;
    /* x87 always; AVX only with SSE; nothing that the policy hides. */
    if (!(value & 1) || value & ~cpu_features.xcr0 || (value & 6) == 4)
        return false;
    v->xcr0 = value;
    xsetbv(0, value);
    return true;
}

static bool emulate_group_0f01(struct vcpu *v, struct guest_regs *r, const struct insn *i)
{
    if (i->modrm == 0xd1)
        return emulate_xsetbv(v, r);
    if (i->modrm == 0xf9 && cpu_features.rdtscp) {       /* rdtscp, with CR4.TSD */
        set_edx_eax(r, rdtsc());
        r->rcx = v->tsc_aux;
        return true;
    }
    return false;
}

/* sti and cli do nothing where the virtual IOPL allows them: a guest masks events in memory, see SPEC 7.6. */
static bool emulate_one(struct vcpu *v, struct guest_regs *r, const struct insn *i, bool *again)
{
    uint64_t msr;

    switch (i->opcode) {
    case 0xe4 ... 0xe7:
    case 0xec ... 0xef: return emulate_in_out(v, r, i);
    case 0x6c ... 0x6f: return emulate_string_io(v, r, i, again);
    case 0xfa:
    case 0xfb:          return iopl_permits(v);
    case 0x0f31:
        if (!v->in_kernel && (v->cr4 & CR4_TSD))
            return false;
        set_edx_eax(r, rdtsc());
        return true;
    case 0x0fa2:        emulate_cpuid(v, r); return true;
    }
    if (!v->in_kernel)
        return false;
    switch (i->opcode) {
    case 0x0f06:
        v->ts = false;
        write_cr0(read_cr0() & ~CR0_TS);
        return true;
    case 0x0f09:
        if (v->domain->has_devices)
            wbinvd();
        return true;
    case 0x0f01: return emulate_group_0f01(v, r, i);
    case 0x0f20 ... 0x0f23: return emulate_cr_dr(v, r, i, again);
    case 0x0f30: return msr_write(v, r->rcx, (uint32_t)r->rax | r->rdx << 32);
    case 0x0f32:
        if (!msr_read(v, r->rcx, &msr))
            return false;
        set_edx_eax(r, msr);
        return true;
    default: return false;
    }
}

static void instruction_done(struct vcpu *v, struct guest_regs *r, unsigned length)
{
    r->rip += length;
    r->rflags &= ~FLAG_RF;
    if (__builtin_expect(r->rflags & FLAG_TF, 0)) {      /* a single step ends after this instruction too */
        v->dr[6] |= 0x4000;
        bounce_trap(v, 1, BOUNCE_NO_ERROR_CODE);
    }
}

bool emulate_privileged(struct vcpu *v, struct guest_regs *r)
{
    struct insn i;
    bool again = false;

    if (!insn_at(v, r, &i) || i.lock || !emulate_one(v, r, &i, &again))
        return false;
    if (!again)
        instruction_done(v, r, i.len);
    return true;
}

/* ud2, "xen", cpuid: a guest asks for the filtered cpuid although the CPU would have answered itself. The seven bytes are compared
 * where they lie, as two words that overlap: not one more is read, as the next page may not be there. */
#define FORCED_BYTES  7
#define FORCED_FIRST  0x65780b0f        /* ud2 x e */
#define FORCED_FROM_3 0xa20f6e65        /* e n cpuid */

static inline bool asks_for_cpuid(uint64_t rip)
{
    if (!gva_off_hypervisor(gva(rip), FORCED_BYTES))
        return false;
    stac();
    __asm__ goto("1: cmpl %1, (%0)\n jne %l[other]\n2: cmpl %2, 3(%0)\n jne %l[other]\n"
                 EXTABLE("1b", "%l[other]") EXTABLE("2b", "%l[other]")
                 :: "r"(rip), "i"((int32_t)FORCED_FIRST), "i"((int32_t)FORCED_FROM_3) : "cc", "memory" : other);
    clac();
    return true;
other:
    clac();
    return false;
}

bool emulate_forced(struct vcpu *v, struct guest_regs *r)
{
    if (!asks_for_cpuid(r->rip))
        return false;
    emulate_cpuid(v, r);
    instruction_done(v, r, FORCED_BYTES);
    return true;
}
