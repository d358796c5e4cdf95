/* SPDX-License-Identifier: MIT */
/* cpu.h: what pv/'s files share: the hypervisor's side of our machine, and event channels. */
#ifndef PV_CPU_H
#define PV_CPU_H

#include "guest-kernel/kernel/base.h"
#include "hypercall-abi/abi.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/guest_stubs.h"
#include "hypercall-abi/mm.h"

#define RFLAGS_IF 0x200

static inline uint64_t rdtsc(void) { uint32_t lo, hi; __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)); return (uint64_t)hi << 32 | lo; }

/* A hypercall that only a bug of ours can make fail. */
#define must(call) ({ long rc_ = (call); if (rc_ < 0) panic("%s: error %ld, at %s:%d", #call, rc_, __FILE__, __LINE__); rc_; })

extern volatile struct shared_info pv_shared;       /* the page shared with the hypervisor; kernel.ld has its address */
static inline volatile struct vcpu_info *pv_vcpu(void) { return &pv_shared.vcpu_info[0]; }

/* boot.c */
void pv_boot(struct start_info *si) __attribute__((noreturn));
extern uint32_t pv_flags;                           /* SIF_* */
extern uint64_t pv_console_mfn;
extern uint32_t pv_console_port;
extern uint64_t pv_store_mfn;                       /* 0: no store */
extern uint32_t pv_store_port;
static inline bool pv_is_dom0(void) { return pv_flags & SIF_INITDOMAIN; }

/* mmu.c */
void mmu_early(const struct start_info *si);       /* so that frames can be turned into pages */
void mmu_boot(const struct start_info *si, struct plat_boot *boot);
void mmu_map_kernel(uintptr_t va, uint64_t frame);  /* one page of the image's own addresses, read-write */
/* Adds a request to the running batch, or makes it at once; `ptr` as in struct mmu_update. */
void mmu_queue(uint64_t ptr, uint64_t val);
uint64_t mmu_machine(const void *direct);           /* machine address of something in the direct map */
/* The balloon: takes a page's memory away in p2m and direct map, in a batch that the caller ends; its frame. And gives it one again. */
uint64_t mmu_page_out(uint64_t pfn);
void mmu_page_in(uint64_t pfn, uint64_t frame);
uint64_t mmu_boot_pages(void);                      /* that there were at the start */
/* Prepares at most MMU_LOAD_CALLS calls that make s the loaded space. */
#define MMU_LOAD_CALLS 2
unsigned mmu_load_calls(struct plat_space *s, struct multicall_entry *call);
void mmu_loaded(struct plat_space *s);

/* trap.c */
void trap_boot(void);
/* Makes n calls by one entry; each must succeed. */
void pv_multicall(struct multicall_entry *call, unsigned n);

/* timer.c */
void timer_boot(void);
uint64_t pv_system_time(void);                      /* the hypervisor's clock: what its timeouts are measured by */

/* console.c */
void console_boot(void);

/* events.c: one function a port. It runs with events masked and its own port unmasked and clear. */
typedef void (*event_fn)(evtchn_port_t port, void *arg);
void events_boot(void);
int  event_handle(evtchn_port_t port, event_fn fn, void *arg);     /* and unmasks; -ENOMEM */
void event_forget(evtchn_port_t port);                             /* masks */
void *event_arg(evtchn_port_t port);                               /* as given to event_handle; null */
int  event_bind_virq(unsigned virq, event_fn fn, void *arg);       /* the port, or -errno */
void event_mask(evtchn_port_t port);
void event_unmask(evtchn_port_t port);
void event_clear(evtchn_port_t port);
void event_raise(evtchn_port_t port);                              /* as if it had been sent */
void event_send(evtchn_port_t port);
size_t events_list(char *buf, size_t size);                         /* a line a port that is no device's; for plat_irq_list */
void events_deliver(void);                                         /* one round of those that are pending */
static inline bool events_pending(void) { return pv_vcpu()->evtchn_upcall_pending; }

/* irq.c */
void irq_interrupt(int irq);
/* bench.c */
void bench_run(void);
/* devices: guest-kernel/kernel/xendev*.c */
void xendev_privcmd_boot(void);
void xendev_evtchn_boot(void);
void xendev_control_boot(void);
void xendev_xenbus_boot(void);
void hvc_boot(void);                                /* hvc_glue.c */
void xendev_breakit_boot(void);

#endif
