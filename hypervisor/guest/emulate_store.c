/* SPDX-License-Identifier: MIT */
/* emulate_store.c: a guest kernel's store to one of its own L1 tables.                        [read 80]
 *
 * A table in use is mapped read-only, so the store faults. Guests that know the interface make a hypercall instead; some do
 * not everywhere (pitfalls B2 has the list that stock Linux produces). The instruction is decoded and done by
 * compare-exchange on the entry, through the same checks as mmu_update. CR2 names the operand, so no address has
 * to be computed; what the guest's other vCPUs change meanwhile can only make the exchange fail. SPEC 5.8.        */
#include "hypervisor/guest/emulate.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/insn.h"

#define FLAG_PF (1UL << 2)
#define FLAG_AF (1UL << 4)
#define FLAG_ZF (1UL << 6)
#define FLAG_SF (1UL << 7)
#define FLAG_OF (1UL << 11)
#define ARITH_FLAGS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static uint64_t size_mask(unsigned size)
{
    return size == 8 ? ~0UL : (1UL << (8 * size)) - 1;
}

/* A register operand; bytes without REX are al..bl, ah..bh. */
static uint64_t reg_value(struct guest_regs *r, const struct insn *i, unsigned n)
{
    if (i->opsize == 1 && !i->rex && n >= 4)
        return *insn_gpr(r, n - 4) >> 8 & 0xff;
    return *insn_gpr(r, n) & size_mask(i->opsize);
}

static void reg_store(struct guest_regs *r, const struct insn *i, unsigned n, uint64_t value)
{
    uint64_t *high = insn_gpr(r, n - 4);

    if (i->opsize == 1 && !i->rex && n >= 4)
        *high = (*high & ~0xff00UL) | (value & 0xff) << 8;
    else
        insn_gpr_write(insn_gpr(r, n), value, i->opsize);
}

static uint64_t logic_flags(uint64_t value, unsigned size)
{
    uint64_t f = 0;

    if (!(value & size_mask(size)))
        f |= FLAG_ZF;
    if (value >> (8 * size - 1) & 1)
        f |= FLAG_SF;
    if (!(__builtin_popcount(value & 0xff) & 1))
        f |= FLAG_PF;
    return f;
}

/* The value to store, given what is there; *flags: the arithmetic flags to set, or ~0 to leave them. False: not ours. */
static bool new_value(struct guest_regs *r, const struct insn *i, uint64_t old, uint64_t *value, uint64_t *flags)
{
    unsigned group = i->modrm >> 3 & 7;

    *flags = ~0UL;
    switch (i->opcode) {
    case 0x88: case 0x89:
    case 0x86: case 0x87:
    case 0x0fb0: case 0x0fb1: *value = reg_value(r, i, insn_reg(i)); return true;
    case 0xc6: case 0xc7:     *value = i->imm; return group == 0;
    case 0x08: case 0x09:     *value = old | reg_value(r, i, insn_reg(i)); break;
    case 0x20: case 0x21:     *value = old & reg_value(r, i, insn_reg(i)); break;
    case 0x80: case 0x81: case 0x83:
        if (group != 1 && group != 4)
            return false;
        *value = group == 1 ? old | i->imm : old & i->imm;
        break;
    case 0x0fba: case 0x0fab: case 0x0fb3: {
        uint64_t bit = i->opcode == 0x0fba ? (uint64_t)i->imm & 0xff : reg_value(r, i, insn_reg(i));
        bool set = i->opcode == 0x0fab || (i->opcode == 0x0fba && group == 5);
        if (bit >= 8U * i->opsize || (i->opcode == 0x0fba && group != 5 && group != 6))
            return false;               /* an operand elsewhere than at CR2 */
        *value = set ? old | 1UL << bit : old & ~(1UL << bit);
        *flags = (r->rflags & (ARITH_FLAGS & ~FLAG_CF)) | (old >> bit & 1);
        return true;
    }
    default: return false;
    }
    *flags = logic_flags(*value, i->opsize);
    return true;
}

static bool is_cmpxchg(const struct insn *i) { return i->opcode == 0x0fb0 || i->opcode == 0x0fb1; }
static bool is_xchg(const struct insn *i)    { return i->opcode == 0x86 || i->opcode == 0x87; }

/* cmpxchg whose comparison fails, or succeeds: the register side. Comparison flags as of acc - old. */
static void finish_cmpxchg(struct guest_regs *r, const struct insn *i, uint64_t old)
{
    uint64_t mask = size_mask(i->opsize), acc = r->rax & mask, diff = (acc - old) & mask;
    uint64_t sign = 1UL << (8 * i->opsize - 1);
    uint64_t f = logic_flags(diff, i->opsize);

    f |= acc < old ? FLAG_CF : 0;
    f |= (acc ^ old ^ diff) & FLAG_AF;
    f |= (acc ^ old) & (acc ^ diff) & sign ? FLAG_OF : 0;
    r->rflags = (r->rflags & ~ARITH_FLAGS) | f;
    if (acc != old)
        reg_store(r, i, 0, old);
}

/* The exchange is tried again when another CPU (its accessed and dirty bits) changed the entry; not for ever. */
#define MAX_TRIES 8

bool emulate_pt_store(struct vcpu *v, struct guest_regs *r, uint64_t cr2)
{
    struct insn i;

    if (!insn_at(v, r, &i) || !i.has_modrm || insn_mod(&i) == 3 || cr2 & (i.opsize - 1))
        return false;
    for (unsigned try = 0; try < MAX_TRIES; try++) {
        uint64_t old = 0, seen, value, flags;

        if (copy_from_guest(&old, gva(cr2), i.opsize) || !new_value(r, &i, old, &value, &flags))
            return false;
        if (is_cmpxchg(&i) && (r->rax & size_mask(i.opsize)) != old) {
            finish_cmpxchg(r, &i, old);
            r->rip += i.len;
            return true;
        }
        int rc = table_emulate_store(v, cr2, i.opsize, old, value & size_mask(i.opsize), &seen);
        if (rc == -XEN_EAGAIN)
            continue;
        if (rc)
            return false;               /* the guest gets its page fault */
        if (is_cmpxchg(&i))
            finish_cmpxchg(r, &i, old);
        else if (is_xchg(&i))
            reg_store(r, &i, insn_reg(&i), old);
        if (flags != ~0UL)
            r->rflags = (r->rflags & ~ARITH_FLAGS) | flags;
        r->rip += i.len;
        return true;
    }
    return true;                        /* lost every race: the guest executes it again */
}
