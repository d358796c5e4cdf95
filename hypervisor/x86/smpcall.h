/* SPDX-License-Identifier: MIT */
/* smpcall.h: running a function on other pCPUs, and flushing their TLBs. Waiting serves others' requests meanwhile. */
#ifndef ENSO_SMPCALL_H
#define ENSO_SMPCALL_H

#include <stdint.h>

/* Runs fn(arg) on every pCPU in mask (self included, directly) and waits. fn takes no locks. */
void smp_call(uint64_t mask, void (*fn)(void *arg), void *arg);
/* Flushes all TLB entries (global ones included) of the pCPUs in mask and waits. Each sets its flushed_epoch to the
 * current epoch read before its flush. */
void smp_flush_tlb(uint64_t mask);
void smp_invlpg(uint64_t mask, uint64_t va);
void flush_tlb_this(void);
/* The global epoch: epoch_next() before a stamp; see mm/frame.h. Never 0. */
extern uint32_t tlb_epoch_now;
static inline uint32_t tlb_epoch(void) { return __atomic_load_n(&tlb_epoch_now, __ATOMIC_SEQ_CST); }
uint32_t tlb_epoch_advance(void);
void smpcall_init(void);                   /* registers VEC_CALL, VEC_WAKE, and spin_relax's operation */

#endif
