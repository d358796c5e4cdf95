/* SPDX-License-Identifier: MIT */
/* judge.h: what the questions are asked with. See judge.c. */
#ifndef ENSO_TESTS_JUDGE_H
#define ENSO_TESTS_JUDGE_H

#include "hypercall-abi/callback.h"
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/grant.h"
#include "hypercall-abi/physdev.h"
#include "hypercall-abi/platform.h"
#include "hypercall-abi/sched.h"
#include "hypercall-abi/sysctl.h"
#include "hypercall-abi/vcpu.h"
#include "hypercall-abi/version.h"
#include "tests/hostile/hostile.h"

#define NOBODY      77                    /* a domain that there is not */
#define UNMAPPED    0x500000000000UL
#define THEIRS      0xffff830000000000UL  /* an address of the hypervisor's */
#define ODD         0x0000900000000000UL  /* not canonical */
#define NO_FRAME    0x3ffffffffUL         /* past all memory */
#define LEAF(p)     (va_to_mfn(p) * PAGE | PTE_P | PTE_U | PTE_A | PTE_D)

/* The first words of each label; an answer is a line `J family label = value`. */
extern const char *family;
void answer(const char *label, long value);
#define ASK(label, question) answer(label, question)

extern char trap_stubs[], failsafe_entry[], event_entry[];
void set_up_traps(void);                  /* every vector to where try_call() expects it */
void ask_page_tables(void);
void ask_memory(void);
void ask_processor(void);
void ask_general(void);
void ask_events(void);
void ask_waiting(void);
void ask_grant_tables(void);
void ask_control(void);
void ask_bad_arguments(void);

#endif
