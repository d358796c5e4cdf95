/* SPDX-License-Identifier: MIT */
/* insn_decode.h: the length and parts of an x86-64 instruction, for the few that are emulated. */
#ifndef ENSO_INSN_DECODE_H
#define ENSO_INSN_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#define INSN_MAX 15

struct insn {
    uint8_t  len;            /* bytes of the whole instruction               */
    uint16_t opcode;         /* 0x00..0xff, or 0x0f00 | second byte          */
    uint8_t  modrm;          /* valid when has_modrm                         */
    bool     has_modrm;
    bool     rep, repne, lock;
    uint8_t  opsize;         /* 2, 4 or 8; 1 for opcodes that work on bytes  */
    bool     addr32;
    bool     seg_override;
    uint8_t  rex;            /* 0: none                                      */
    int64_t  imm;            /* sign-extended                                */
};
static inline unsigned insn_mod(const struct insn *i) { return i->modrm >> 6; }
static inline unsigned insn_reg(const struct insn *i) { return (i->modrm >> 3 & 7) | (i->rex & 4) << 1; }
static inline unsigned insn_rm(const struct insn *i)  { return (i->modrm & 7) | (i->rex & 1) << 3; }

/* Decodes the instruction at the start of bytes[0..n), 64-bit mode. False: truncated, or none of those that Enso emulates. */
bool insn_decode(struct insn *i, const uint8_t *bytes, unsigned n);

#endif
