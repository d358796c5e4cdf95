/* SPDX-License-Identifier: MIT */
/* proc.h: processes and kernel threads, and who runs.
 *
 * A process has one thread; a kernel thread is a process without a vm_space. One CPU: `current` is a variable.  */
#ifndef NOVICE_PROC_H
#define NOVICE_PROC_H

#include "guest-kernel/kernel/base.h"
#include "guest-kernel/kernel/file.h"
#include "guest-kernel/kernel/timer.h"
#include "guest-kernel/kernel/vm.h"
#include "guest-kernel/kernel/wait.h"
#include "guest-kernel/uapi/signal.h"

struct tty;

enum proc_state { PROC_RUNNABLE, PROC_SLEEPING, PROC_STOPPED, PROC_ZOMBIE };

#define KSTACK_ORDER 1
#define KSTACK_SIZE  (PAGE_SIZE << KSTACK_ORDER)
#define SLICE_NS     (10 * NSEC_PER_MS)
#define COMM_LEN     16
#define SIGBIT(s)    (1ul << (s))

struct signals {
    uint64_t          pending, blocked;
    uint64_t          saved;           /* mask to restore after sigsuspend        */
    bool              restore_saved;
    struct ksigaction action[NSIG];
};

struct proc {
    struct list       all;             /* every process                            */
    struct list       run;             /* the run queue, when runnable and not current */
    enum proc_state   state;
    int               pid, pgid, sid;
    struct proc      *parent;
    struct list       children, sibling;
    struct wait_queue child_event;     /* a child ended, stopped or went on        */
    char              name[COMM_LEN];

    void             *kstack;          /* KSTACK_SIZE, the lowest word a canary    */
    uintptr_t         ksp;             /* saved stack pointer while not running    */
    struct vm_space  *vm;              /* null: a kernel thread                    */
    uintptr_t         fs_base;
    struct plat_fpu  *fpu;             /* saved user FPU state; null: kernel thread */
    void            (*start)(void *);  /* kernel thread                            */
    void             *start_arg;

    struct fd_table   fds;
    struct inode     *cwd;
    uint32_t          umask;
    struct tty       *tty;             /* controlling terminal                     */

    struct signals    sig;
    struct timer      alarm;           /* ITIMER_REAL                              */
    uint64_t          alarm_interval;
    struct timer      sleep_timer;
    uint64_t          sleep_deadline;  /* of a nanosleep that is to go on           */
    bool              timed_out, interruptible;
    bool              confined;        /* only syscall.c's short list of calls     */
    bool              killed;          /* out of memory or fatal: ends at the next way out */
    uint64_t          doomed;          /* the clock when memory was out and it was chosen to end */

    uintptr_t         fault_address;   /* of the last fault signal                 */
    int               exit_status;     /* as wait reports                          */
    bool              reclaiming;      /* reclaim.c: frees memory just now         */
    bool              stop_reported, cont_pending;
    uint64_t          started;         /* plat_clock_ns                            */
    uint64_t          cpu_ns, child_cpu_ns;      /* time on the CPU, own and of waited-for children */
    uint64_t          vtime;           /* sched.c: who has the least runs next     */
    uint64_t          switched_in;     /* when it last got the CPU                 */
    uintptr_t         arg_start, arg_end;      /* where argv's strings lie, for /proc */
};

extern struct proc *current;
extern struct list  all_procs;
extern bool         need_resched;

/* proc.c */
struct proc *proc_find(int pid);
/* A kernel thread, runnable at once; null when out of memory. */
struct proc *kthread_create(const char *name, void (*fn)(void *), void *arg);
void proc_exit(int status) __attribute__((noreturn));        /* status as wait reports */
void proc_boot(void);                /* makes the calling thread pid 0 */
void proc_free(struct proc *p);      /* a zombie that nobody runs on or waits for any more */
int  proc_fork(const struct trapframe *tf);
struct exec_args;
void init_start(struct exec_args *env);      /* makes pid 1, which execs init with this environment */

/* sched.c */
void schedule(void);                 /* gives the CPU away; returns when it is ours again */
void sched_wake(struct proc *p);     /* PROC_SLEEPING or new -> runnable */
void sched_yield_now(void);
/* For long work in the kernel, which nothing else interrupts: lets interrupts in, and others run if it is their turn. */
void breathe(void);
uintptr_t kstack_top(const struct proc *p);
static inline struct trapframe *proc_frame(const struct proc *p) { return (struct trapframe *)kstack_top(p) - 1; }
void sched_arrived(void);
void sched_bury(struct proc *p);
void sched_stack_init(struct proc *p);
void sleep_timer_fired(struct timer *t);
uint64_t proc_cpu_ns(const struct proc *p);
uint64_t slice_end(void);            /* when the running thread should make way; FOREVER if nobody waits */
bool sched_idle(void);
extern uint64_t idle_ns, switch_count;
/* switch.S: saves the callee-saved registers and *from, goes on where `to` was saved. */
void context_switch(uintptr_t *from, uintptr_t to);

/* signal.c */
int  signal_send(struct proc *p, int sig);
void signal_init(int sig);                                   /* init, even one that is yet to come */
int  signal_send_group(int pgid, int sig);                   /* -ESRCH if nobody */
bool signal_waiting(const struct proc *p);                   /* one that would interrupt a sleep */
bool signal_call_interrupted(const struct trapframe *tf);      /* its frame waits for signal_deliver's decision */
void signal_deliver(struct trapframe *tf);                   /* before the way out to user mode; may not return */
void signal_fault(int sig, uintptr_t address);               /* the current process did it: cannot be blocked or ignored */
void signal_exec(struct proc *p);                            /* handlers back to default */

/* exec.c */
/* The argument strings lie one after another, argc of them and then envc, `size` bytes in all (zeros included). */
struct exec_args { char *text; size_t size, capacity; unsigned argc, envc; };
int  exec_load(const char *path, struct exec_args *args, struct trapframe *tf);

#endif
