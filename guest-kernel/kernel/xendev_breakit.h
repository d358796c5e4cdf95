/* SPDX-License-Identifier: MIT */
/* xendev_breakit.h: what the attacks share. Each prints by attack_say what came of it. */
#ifndef NOVICE_XENDEV_BREAKIT_H
#define NOVICE_XENDEV_BREAKIT_H

#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/pv/cpu.h"

struct attack {
    const char *word;
    void      (*run)(uint64_t arg);
    const char *what;
};

/* Runs fn(arg) with trap handlers that recover: the vector that came, or -1 for none. Inside an attack only. */
int  attack_try(void (*fn)(uint64_t), uint64_t arg);
void attack_say(const char *fmt, ...) __printf(1, 2);
/* A repeatable sequence of numbers: one in four a random word, else an interesting one. */
uint64_t attack_number(void);
/* One mmu_update request; the error. */
long attack_update(uint64_t machine_address, uint64_t val);
long attack_hypercall(uint64_t nr, const uint64_t arg[5]);

extern const struct attack attacks_cpu[], attacks_mm[], attacks_calls[];    /* a null word ends each */

extern char attack_stubs[], attack_landed[], attack_ints[];
extern const struct attack_insn { const char *name; void *code; } attack_insns[], attack_insns_end[];
extern uint64_t attack_value;
void attack_insn(uint64_t code);
void attack_iret(struct iret_context *frame) __attribute__((noreturn));
void attack_lret(uint64_t cs);
void attack_sysenter(uint64_t unused);

#endif
