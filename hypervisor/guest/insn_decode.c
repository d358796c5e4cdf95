/* SPDX-License-Identifier: MIT */
/* insn_decode.c: taking an instruction apart.                                                 [read 77]
 *
 * Only what a PV guest is known to execute although it has no right to (pitfalls B1 to B3) is decoded, some thirty
 * opcodes in one table; everything else is refused, and the guest gets its fault. Pure: no memory but the bytes given,
 * tested on the host against every opcode and every truncation. Source: SDM vol. 2, "Instruction Format".       */
#include "hypervisor/guest/insn_decode.h"

/* What follows an opcode. */
#define KNOWN 1U      /* in the set                                   */
#define MODRM 2U      /* a ModRM byte, perhaps SIB and displacement   */
#define IMM8  4U
#define IMMZ  8U      /* 2 or 4 bytes, by operand size                */
#define BYTE  16U     /* works on bytes                               */

static const uint8_t one_byte[256] = {
    [0x08] = KNOWN | MODRM | BYTE, [0x09] = KNOWN | MODRM,             /* or r -> m          */
    [0x20] = KNOWN | MODRM | BYTE, [0x21] = KNOWN | MODRM,             /* and r -> m         */
    [0x6c] = KNOWN | BYTE, [0x6d] = KNOWN,                             /* ins                */
    [0x6e] = KNOWN | BYTE, [0x6f] = KNOWN,                             /* outs               */
    [0x80] = KNOWN | MODRM | IMM8 | BYTE, [0x81] = KNOWN | MODRM | IMMZ, [0x83] = KNOWN | MODRM | IMM8,
    [0x86] = KNOWN | MODRM | BYTE, [0x87] = KNOWN | MODRM,             /* xchg               */
    [0x88] = KNOWN | MODRM | BYTE, [0x89] = KNOWN | MODRM,             /* mov r -> m         */
    [0xc6] = KNOWN | MODRM | IMM8 | BYTE, [0xc7] = KNOWN | MODRM | IMMZ,
    [0xe4] = KNOWN | IMM8 | BYTE, [0xe5] = KNOWN | IMM8,               /* in imm             */
    [0xe6] = KNOWN | IMM8 | BYTE, [0xe7] = KNOWN | IMM8,               /* out imm            */
    [0xec] = KNOWN | BYTE, [0xed] = KNOWN,                             /* in dx              */
    [0xee] = KNOWN | BYTE, [0xef] = KNOWN,                             /* out dx             */
    [0xfa] = KNOWN, [0xfb] = KNOWN,                                    /* cli, sti           */
};

static const uint8_t two_byte[256] = {
    [0x01] = KNOWN | MODRM,                                            /* xsetbv, rdtscp, lmsw */
    [0x06] = KNOWN,                                                    /* clts               */
    [0x08] = KNOWN, [0x09] = KNOWN,                                    /* invd, wbinvd       */
    [0x20] = KNOWN | MODRM, [0x21] = KNOWN | MODRM,                    /* mov cr, dr -> r    */
    [0x22] = KNOWN | MODRM, [0x23] = KNOWN | MODRM,                    /* mov r -> cr, dr    */
    [0x30] = KNOWN, [0x31] = KNOWN, [0x32] = KNOWN,                    /* wrmsr, rdtsc, rdmsr */
    [0xa2] = KNOWN,                                                    /* cpuid              */
    [0xab] = KNOWN | MODRM, [0xb3] = KNOWN | MODRM,                    /* bts, btr r -> m    */
    [0xb0] = KNOWN | MODRM | BYTE, [0xb1] = KNOWN | MODRM,             /* cmpxchg            */
    [0xba] = KNOWN | MODRM | IMM8,                                     /* bts, btr imm       */
};

struct reader {
    const uint8_t *p, *end;
    bool short_;             /* ran out of bytes */
};

static uint8_t next(struct reader *r)
{
    if (r->p == r->end) {
        r->short_ = true;
        return 0;
    }
    return *r->p++;
}

static int64_t next_signed(struct reader *r, unsigned bytes)
{
    uint64_t v = 0;

    if (!bytes)
        return 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)next(r) << (8 * i);
    unsigned spare = 64 - 8 * bytes;
    return (int64_t)(v << spare) >> spare;
}

/* Legacy prefixes in any order, then REX right before the opcode. Returns the first opcode byte. */
static uint8_t take_prefixes(struct insn *i, struct reader *r, bool *opsize16)
{
    for (;;) {
        uint8_t b = next(r);
        switch (b) {
        case 0x66: *opsize16 = true; break;
        case 0x67: i->addr32 = true; break;
        case 0xf0: i->lock = true; break;
        case 0xf2: i->repne = true; break;
        case 0xf3: i->rep = true; break;
        case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: i->seg_override = true; break;
        default:
            if ((b & 0xf0) != 0x40 || r->short_)
                return b;
            i->rex = b;
            return next(r);
        }
        if (r->short_)
            return 0;
    }
}

/* mov to and from control and debug registers takes the register form whatever mod says; no SIB, no displacement. */
static bool always_register_form(uint16_t opcode)
{
    return opcode >= 0x0f20 && opcode <= 0x0f23;
}

static void skip_memory_operand(struct insn *i, struct reader *r)
{
    unsigned mod = insn_mod(i), rm = i->modrm & 7;

    if (mod == 3 || always_register_form(i->opcode))
        return;
    if (rm == 4) {
        uint8_t sib = next(r);
        if (mod == 0 && (sib & 7) == 5)
            mod = 2;
    } else if (mod == 0 && rm == 5) {
        mod = 2;                        /* rip-relative */
    }
    next_signed(r, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

bool insn_decode(struct insn *i, const uint8_t *bytes, unsigned n)
{
    struct reader r = { bytes, bytes + (n < INSN_MAX ? n : INSN_MAX), false };
    bool opsize16 = false;

    *i = (struct insn){ 0 };
    uint8_t b = take_prefixes(i, &r, &opsize16);
    uint8_t kind;
    if (b == 0x0f) {
        b = next(&r);
        i->opcode = 0x0f00 | b;
        kind = two_byte[b];
    } else {
        i->opcode = b;
        kind = one_byte[b];
    }
    if (r.short_ || !(kind & KNOWN))
        return false;
    i->opsize = kind & BYTE ? 1 : i->rex & 8 ? 8 : opsize16 ? 2 : 4;
    if (kind & MODRM) {
        i->has_modrm = true;
        i->modrm = next(&r);
        skip_memory_operand(i, &r);
    }
    if (kind & IMM8)
        i->imm = next_signed(&r, 1);
    if (kind & IMMZ)
        i->imm = next_signed(&r, opsize16 && !(i->rex & 8) ? 2 : 4);
    i->len = r.p - bytes;
    return !r.short_;
}
