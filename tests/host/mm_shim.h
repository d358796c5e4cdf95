/* SPDX-License-Identifier: MIT */
/* mm_shim.h: hypervisor/mm inside a Linux program. Included before every .c file of it: machine memory is an array, the
 * privileged instructions are functions of mm_shim.c that keep a model of the TLB, and the current vCPU is a variable. */
#ifndef MM_SHIM_H
#define MM_SHIM_H

#include "tests/host/faults.h"

#include "hypervisor/model.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/smpcall.h"

#undef current
#undef this_pcpu
#define current     host_current
#define this_pcpu() host_pcpu
#define read_cr3()  host_read_cr3()
#define write_cr3(v) host_write_cr3(v)
#define invlpg(va)  host_invlpg(va)
#define wbinvd()    host_wbinvd()
#define tlb_epoch() host_tlb_epoch()
#define stac()      ((void)0)
#define clac()      ((void)0)
#define frame_table    host_frames
#define directmap_base ((uint64_t)host_memory)

#define HOST_FRAMES 1024UL             /* of machine memory: 4 MiB */

struct frame;
#define HOST_PCPUS 2                   /* each is a thread of the test */
extern _Thread_local struct vcpu *host_current;
extern _Thread_local struct pcpu *host_pcpu;
extern struct frame host_frames[];
extern uint8_t host_memory[];
uint64_t host_read_cr3(void);
void host_write_cr3(uint64_t v);
void host_invlpg(uint64_t va);
void host_wbinvd(void);
uint32_t host_tlb_epoch(void);

/* ---- what the tests use ---- */

/* Once a process: memory [first, end) given to the heap; everything else as after boot. The caller is pCPU 0. */
void host_boot(uint64_t first, uint64_t end);
#define HOST_GRANT_FRAMES 2UL
#define HOST_TRACK_PAGES  1UL
struct domain *host_domain(domid_t id, bool privileged, uint64_t max_pages);
struct vcpu *host_vcpu(struct domain *d, unsigned id);
void host_domain_free(struct domain *d);
/* Runs v: its root is loaded. */
void host_run(struct vcpu *v);
void host_rest(void);
/* Each further preempt_needed() is true with probability 1/n; 0: never. */
extern _Thread_local unsigned host_preempt_one_in;
/* Called in each preempt_needed(): what another vCPU does just then. */
extern _Thread_local void (*host_preempt_hook)(void);
/* Called once, before this pCPU's TLB is flushed: what another vCPU does just then. */
extern _Thread_local void (*host_flush_hook)(void);
/* Called once, after the epoch was read, for a stamp as a rule. */
extern _Thread_local void (*host_epoch_hook)(void);
/* What was flushed, how often, and with which argument last; which descriptor tables were loaded. */
extern _Thread_local struct host_flushed { unsigned cr3, invlpg, cache, smp_tlb, smp_invlpg, ldt_loads, ldt_entries; uint64_t mask, va, gdt, ldt; }
    host_flushed;
/* The calling thread becomes pCPU id. */
void host_pcpu_start(unsigned id);
/* What a pCPU does whenever it waits: serves the flushes and calls that others ask of it. */
void host_serve(void);
uint32_t host_random(void);
extern uint32_t (*host_random_op)(void);    /* in place of ours: a fuzzer's */
void host_seed(uint64_t seed);

/* A hypercall that asks for its continuation returns this, with its arguments in host_again. */
#define HOST_AGAIN 0x7fffffff12345678L
extern _Thread_local struct host_again { unsigned nr, nargs; uint64_t a[5]; } host_again;
long host_hypercall(struct vcpu *v, unsigned nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);

/* The TLB: frames that this pCPU may still write, or read, by an entry it once read. */
extern _Thread_local bool *host_tlb_writable, *host_tlb_readable;
/* Puts every mapping of the loaded address space into it, as a processor may at any time. */
void host_tlb_fill(void);
/* The last line that was logged. */
extern _Thread_local char host_log[512];
extern bool host_verbose;
extern uint64_t host_last_gone;

#endif
