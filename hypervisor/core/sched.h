/* SPDX-License-Identifier: MIT */
/* sched.h: who runs next. The framework (sched.c) and the operations that a scheduler answers (sched_credit.c, sched_rr.c, sched_null.c).
 *
 * A vCPU belongs to the run queue of one pCPU (v->processor), changed only under that pCPU's sched_lock while v is on no queue
 * and off every pCPU. It is runnable when v->pause is 0.                                                                          */
#ifndef ENSO_SCHED_H
#define ENSO_SCHED_H

#include "hypervisor/model.h"

struct sched_decision { struct vcpu *next; uint64_t slice_ns; /* 0: until something happens */ };

/* A scheduler. wake, sleep, preempts and pick are called with the sched_lock of v's (p's) pCPU held; a scheduler that looks at other
 * queues meanwhile may only try their locks. NULL where it says "may be NULL".                                                      */
struct scheduler {
    const char *name;                /* sched= on the boot line */
    uint32_t abi_id;                 /* XEN_SCHEDULER_CREDIT, ... */
    uint64_t slice_ns;               /* how long one that ran alone goes on when another begins to wait; 0: for ever */
    int  (*init_pcpu)(struct pcpu *p);
    int  (*init_domain)(struct domain *d);            /* may be NULL */
    void (*free_domain)(struct domain *d);            /* may be NULL */
    int  (*init_vcpu)(struct vcpu *v);                /* may be NULL */
    void (*free_vcpu)(struct vcpu *v);                /* may be NULL; v is on no queue */
    uint32_t (*choose_pcpu)(struct vcpu *v);          /* where v should go when it wakes; within its affinity; no lock held */
    void (*wake)(struct vcpu *v, uint64_t now);       /* became runnable and is on no queue: queue it on v->processor */
    void (*sleep)(struct vcpu *v);                    /* no longer runnable, or to be moved: off the queue if it is on it */
    bool (*yield)(struct vcpu *v);                    /* current wants others to run: false when nobody waits. No lock held. */
    bool (*preempts)(struct vcpu *woken, struct vcpu *running, uint64_t now);   /* kick the pCPU? */
    /* Next for p, taken off its queue; p->idle when there is none. prev ran until now: it is charged, and queued again if it
     * stays (requeue). */
    struct sched_decision (*pick)(struct pcpu *p, struct vcpu *prev, bool requeue, uint64_t now);
    int  (*adjust)(struct domain *d, uint32_t *weight, uint32_t *cap, bool set);   /* credit's parameters; -EOPNOTSUPP. May be NULL. */
    void (*dump)(struct pcpu *p);                     /* debug key r */
    bool (*anybody_waits)(void);                      /* for a pCPU that falls idle: is there something to take? NULL: ask pick. No lock. */
};
extern const struct scheduler sched_credit, sched_rr, sched_null;

int  sched_select(const char *name);                  /* boot line; -ENOENT names it in a message and keeps credit */
const struct scheduler *sched_current(void);
int  sched_init_pcpu(struct pcpu *p);                 /* makes its idle vCPU too; on the boot pCPU, before p starts */
int  sched_init_vcpu(struct vcpu *v);
void sched_free_vcpu(struct vcpu *v);
int  sched_init_domain(struct domain *d);
void sched_free_domain(struct domain *d);
uint64_t sched_online_mask(void);                     /* pCPUs that run vCPUs */

/* A pause reason is set or cleared (atomic); on the last cleared one v becomes runnable and may preempt. */
void vcpu_pause_set(struct vcpu *v, uint32_t reason);
void vcpu_pause_clear(struct vcpu *v, uint32_t reason);
/* The same for the running vCPU: it stops on its way out. */
void vcpu_pause_self(uint32_t reason);
/* Sets a reason and waits until v's state is off its pCPU (v is not current). Holds no lock that v's hypercalls may take. */
void vcpu_pause_sync(struct vcpu *v, uint32_t reason);
/* Something for v to see: wakes it when blocked or polling, kicks its pCPU when it runs elsewhere. Any context, any lock before sched. */
void vcpu_kick(struct vcpu *v);
void vcpu_yield(struct vcpu *v);
int  vcpu_set_affinity(struct vcpu *v, uint64_t hard);   /* -EINVAL: no online pCPU in it */
static inline bool vcpu_runnable(const struct vcpu *v) { return *(const volatile uint32_t *)&v->pause == 0; }

/* WORK_SCHED: chooses and switches; does not return to its caller when it switches (switch op). */
void sched_run(void);
/* How a switch is done: registered by guest/switch.c. Called with IF=0, no lock held, from is current; never returns. */
void sched_set_switch_op(void (*fn)(struct vcpu *from, struct vcpu *to) __attribute__((noreturn)));
/* Called by guest/switch.c once from's state is saved, or left in pcpu.lazy: from may now run elsewhere (on_pcpu is cleared). */
void sched_switch_done(struct vcpu *from);
/* Does everything that WORK_* bits ask for but WORK_VCPU, scheduling last: it returns only when no switch took place. */
void pcpu_run_work(void);
/* The body of an idle vCPU. */
__attribute__((noreturn)) void idle_loop(void);
/* Between the pieces of long work, no lock held: true when the running hypercall should save its place and return (interrupts are let
 * in meanwhile). */
bool preempt_needed(void);
/* Of the framework, for schedulers: wakes an idle pCPU that v may run on, so that it comes to take v. */
void sched_tickle_idle(const struct vcpu *v);
uint64_t sched_idle_mask(void);
/* Of the framework: a runnable vCPU that is nowhere gets a queue; harmless otherwise. No lock of rank sched held. */
void sched_place(struct vcpu *v);
/* Locks the run queue that v belongs to: its pCPU, whose sched_lock the caller unlocks. */
struct pcpu *sched_lock_of(const struct vcpu *v);
void sched_dump(void);                                /* debug key r */
bool sched_look_again(void);
/* Of idle_loop.c: p runs its idle vCPU and takes work. */
void sched_pcpu_idles(struct pcpu *p);

#endif
