/* SPDX-License-Identifier: MIT */
/* sched.h: who runs next. The framework (sched.c) and the operations that a scheduler answers (sched_credit.c, sched_rr.c, sched_null.c). */
#ifndef ENSO_SCHED_H
#define ENSO_SCHED_H

#include "hypervisor/model.h"

struct sched_decision { struct vcpu *next; uint64_t slice_ns; /* 0: until something happens */ };

/* A scheduler. Each is called with the sched lock of the pCPU concerned held (pick excepted, which may lock others in order of id). */
struct scheduler {
    const char *name;                /* sched= on the boot line */
    uint32_t abi_id;                 /* XEN_SCHEDULER_CREDIT, ... */
    int  (*init_pcpu)(struct pcpu *p);
    int  (*init_domain)(struct domain *d);
    void (*free_domain)(struct domain *d);
    int  (*init_vcpu)(struct vcpu *v);
    void (*free_vcpu)(struct vcpu *v);
    uint32_t (*choose_pcpu)(struct vcpu *v);          /* where v should go when it wakes; within its affinity */
    void (*wake)(struct vcpu *v);                     /* became runnable: queue it on v->processor */
    void (*sleep)(struct vcpu *v);                    /* no longer runnable: off the queue */
    void (*yield)(struct vcpu *v);
    bool (*preempts)(struct vcpu *woken, struct vcpu *running);   /* kick the pCPU? */
    struct sched_decision (*pick)(struct pcpu *p, uint64_t now);  /* next for p; the previous one is p->info->curr, still accounted by it */
    int  (*adjust)(struct domain *d, uint32_t *weight, uint32_t *cap, bool set);   /* credit's parameters; -EOPNOTSUPP */
    void (*dump)(struct pcpu *p);                     /* debug key r */
};
extern const struct scheduler sched_credit, sched_rr, sched_null;

int  sched_select(const char *name);                  /* boot line; -ENOENT names it in a message and keeps credit */
const struct scheduler *sched_current(void);
int  sched_init_pcpu(struct pcpu *p);                 /* makes its idle vCPU too */
int  sched_init_vcpu(struct vcpu *v);
void sched_free_vcpu(struct vcpu *v);
int  sched_init_domain(struct domain *d);
void sched_free_domain(struct domain *d);

/* A pause reason is set or cleared (atomic); on the last cleared one v becomes runnable and may preempt. */
void vcpu_pause_set(struct vcpu *v, uint32_t reason);
void vcpu_pause_clear(struct vcpu *v, uint32_t reason);
/* Sets a reason and waits until v's state is off its pCPU (v is not current). */
void vcpu_pause_sync(struct vcpu *v, uint32_t reason);
/* Something for v to see: wakes it when blocked, kicks its pCPU when it runs elsewhere. Any context, any lock above sched. */
void vcpu_kick(struct vcpu *v);
void vcpu_yield(struct vcpu *v);
int  vcpu_set_affinity(struct vcpu *v, uint64_t hard);   /* -EINVAL: no online pCPU in it */

/* WORK_SCHED: chooses and switches; does not return to its caller when it switches (switch op). */
void sched_run(void);
/* How a switch is done: registered by guest/switch.c. Called with IF=0, no lock held, from is current; never returns. */
void sched_set_switch_op(void (*fn)(struct vcpu *from, struct vcpu *to) __attribute__((noreturn)));
/* Called by guest/switch.c once from's state is saved: from may now run elsewhere (on_pcpu is cleared). */
void sched_switch_done(struct vcpu *from);
/* The body of an idle vCPU. */
__attribute__((noreturn)) void idle_loop(void);
/* Work between hypercall pieces: true when the running hypercall should save its place and return (interrupts are let in meanwhile). */
bool preempt_needed(void);

#endif
