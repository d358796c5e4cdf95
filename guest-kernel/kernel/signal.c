/* SPDX-License-Identifier: MIT */
/* signal.c: telling a process something, whatever it is doing.
 *
 * Sending sets a bit and wakes the process; on its way out to user mode the process looks at its bits and acts: it ends,
 * stops, or enters its handler on a frame that sigreturn takes back (uapi/signal.h draws it).                    */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"

#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define STOPPERS    (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define IGNORED     (SIGBIT(SIGCHLD) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) | SIGBIT(SIGCONT))
#define ALL_SIGNALS (0xfffffffful & ~1ul)
#define FLAGS_USER  0x8d5ul                         /* CF PF AF ZF SF OF: what sigreturn may set; DF too */

static bool ignored(const struct proc *p, int sig)
{
    uint64_t h = p->sig.action[sig].handler;
    return h == SIG_IGN || (h == SIG_DFL && (IGNORED & SIGBIT(sig)));
}

bool signal_waiting(const struct proc *p)
{
    return p->killed || (p->sig.pending & ~p->sig.blocked);
}

static void prod(struct proc *p)
{
    if (p->state == PROC_SLEEPING && p->interruptible && signal_waiting(p))
        sched_wake(p);
}

/* What init was sent before it listened, which may be before there is an init: it hears it as soon as it listens. */
static uint64_t early;

static bool init_is_deaf(const struct proc *init, int sig)
{
    if (init && init->vm && init->sig.action[sig].handler > SIG_IGN)
        return false;
    if ((!init || init->sig.action[sig].handler == SIG_DFL) && !(IGNORED & SIGBIT(sig)))
        early |= SIGBIT(sig);
    return true;
}

void signal_init(int sig)
{
    struct proc *init = proc_find(1);
    if (!init_is_deaf(init, sig))
        signal_send(init, sig);
}

int signal_send(struct proc *p, int sig)
{
    if (sig < 0 || sig >= NSIG)
        return -EINVAL;
    if (sig == 0 || p->state == PROC_ZOMBIE)
        return 0;
    if (p->pid == 1 ? init_is_deaf(p, sig) : !p->vm)        /* init hears only what it handles, kernel threads nothing */
        return 0;
    if (sig == SIGCONT || sig == SIGKILL) {
        p->sig.pending &= ~STOPPERS;
        if (p->state == PROC_STOPPED) {
            if (sig == SIGCONT) {
                p->cont_pending = true;
                wake_all(&p->parent->child_event);
            }
            sched_wake(p);
        }
    }
    if (STOPPERS & SIGBIT(sig))
        p->sig.pending &= ~SIGBIT(SIGCONT);
    if (ignored(p, sig) && !(p->sig.blocked & SIGBIT(sig)))
        return 0;
    p->sig.pending |= SIGBIT(sig);
    prod(p);
    return 0;
}

int signal_send_group(int pgid, int sig)
{
    int rc = -ESRCH;
    list_for (p, &all_procs, struct proc, all)
        if (p->pgid == pgid && p->vm && p->state != PROC_ZOMBIE)
            rc = signal_send(p, sig);
    return rc;
}

/* A fault cannot be put off: if its signal is blocked or ignored the default action takes place. */
void signal_fault(int sig, uintptr_t address)
{
    struct signals *s = &current->sig;
    current->fault_address = address;
    if ((s->blocked & SIGBIT(sig)) || s->action[sig].handler == SIG_IGN) {
        s->action[sig].handler = SIG_DFL;
        s->blocked &= ~SIGBIT(sig);
    }
    s->pending |= SIGBIT(sig);
}

void signal_exec(struct proc *p)
{
    for (int i = 1; i < NSIG; i++)
        if (p->sig.action[i].handler != SIG_IGN)
            p->sig.action[i] = (struct ksigaction){ 0 };
}

/* ---- Delivery ---- */

static void stop(int sig)
{
    struct proc *p = current;
    p->exit_status = 0x7f | sig << 8;
    p->stop_reported = false;
    p->state = PROC_STOPPED;
    if (!(p->parent->sig.action[SIGCHLD].flags & K_SA_NOCLDSTOP))
        signal_send(p->parent, SIGCHLD);
    wake_all(&p->parent->child_event);
    schedule();
}

static bool push_frame(struct trapframe *tf, int sig, const struct ksigaction *a)
{
    struct signals *s = &current->sig;
    uintptr_t at = ROUND_DOWN(tf->rsp - 128 - sizeof(struct sigframe), 16);
    uintptr_t ret = at - 8;
    struct sigframe f = {
        .magic = SIGFRAME_MAGIC, .mask = s->restore_saved ? s->saved : s->blocked,
        .r15 = tf->r15, .r14 = tf->r14, .r13 = tf->r13, .r12 = tf->r12, .rbp = tf->rbp, .rbx = tf->rbx, .r11 = tf->r11,
        .r10 = tf->r10, .r9 = tf->r9, .r8 = tf->r8, .rax = tf->rax, .rcx = tf->rcx, .rdx = tf->rdx, .rsi = tf->rsi,
        .rdi = tf->rdi, .rip = tf->rip, .rflags = tf->rflags, .rsp = tf->rsp, .fault_address = current->fault_address,
    };
    plat_fpu_save(current->fpu);
    memcpy(f.fpu, current->fpu, sizeof(f.fpu));
    if (copy_to_user(at, &f, sizeof(f)) || copy_to_user(ret, &a->restorer, 8))
        return false;
    s->restore_saved = false;
    tf->rsp = ret;
    tf->rip = a->handler;
    tf->rdi = sig;
    tf->rsi = 0;
    tf->rdx = at;
    tf->vector = TRAP_INTERRUPT;                    /* every register is to be restored */
    return true;
}

static void enter_handler(struct trapframe *tf, int sig)
{
    struct signals *s = &current->sig;
    struct ksigaction a = s->action[sig];
    if (a.handler >= USER_END || !push_frame(tf, sig, &a))
        proc_exit(SIGSEGV);
    s->blocked |= a.mask | (a.flags & K_SA_NODEFER ? 0 : SIGBIT(sig));
    s->blocked &= ALL_SIGNALS & ~UNBLOCKABLE;
    if (a.flags & K_SA_RESETHAND)
        s->action[sig] = (struct ksigaction){ 0 };
}

bool signal_call_interrupted(const struct trapframe *tf)
{
    return tf->vector == TRAP_SYSCALL && (tf->rax == (uint64_t)-ERESTART || tf->rax == (uint64_t)-ERESTART_QUIET);
}

/* An interrupted slow call: again, or -EINTR. Its `syscall` instruction is two bytes long. */
static void finish_call(struct trapframe *tf, bool handler, bool restart)
{
    if (!signal_call_interrupted(tf))
        return;
    if (handler)
        current->sleep_deadline = 0;
    if (!handler || (restart && tf->rax == (uint64_t)-ERESTART)) {
        tf->rax = tf->error;
        tf->rip -= 2;
        tf->vector = TRAP_INTERRUPT;
    } else {
        tf->rax = -EINTR;
    }
}

static void default_action(int sig)
{
    if (IGNORED & SIGBIT(sig))
        return;
    if (STOPPERS & SIGBIT(sig)) {
        stop(sig);
        return;
    }
    if (sig == SIGSEGV || sig == SIGILL || sig == SIGBUS || sig == SIGFPE)
        klog("novice: %s (%d) ended by signal %d at %lx, address %lx\n", current->name, current->pid, sig,
                proc_frame(current)->rip, current->fault_address);
    proc_exit(sig);
}

static int next_signal(struct signals *s)
{
    uint64_t ready = s->pending & ~s->blocked;
    if (!ready)
        return 0;
    int sig = ready & SIGBIT(SIGKILL) ? SIGKILL : __builtin_ctzl(ready);
    s->pending &= ~SIGBIT(sig);
    return sig;
}

void signal_deliver(struct trapframe *tf)
{
    struct signals *s = &current->sig;
    int sig = next_signal(s);
    if (sig == 0) {
        finish_call(tf, false, true);
        if (s->restore_saved) {
            s->blocked = s->saved;
            s->restore_saved = false;
        }
    } else if (s->action[sig].handler > SIG_IGN) {
        finish_call(tf, true, s->action[sig].flags & K_SA_RESTART);
        enter_handler(tf, sig);
    } else if (s->action[sig].handler == SIG_DFL) {
        default_action(sig);
    }
}

/* ---- Calls ---- */

long sys_sigreturn(void)
{
    struct trapframe *tf = proc_frame(current);
    struct sigframe f;
    if (copy_from_user(&f, tf->rsp, sizeof(f)) || f.magic != SIGFRAME_MAGIC || f.rip >= USER_END || f.rsp >= USER_END)
        proc_exit(SIGSEGV);
    tf->r15 = f.r15, tf->r14 = f.r14, tf->r13 = f.r13, tf->r12 = f.r12, tf->rbp = f.rbp, tf->rbx = f.rbx;
    tf->r11 = f.r11, tf->r10 = f.r10, tf->r9 = f.r9, tf->r8 = f.r8, tf->rax = f.rax, tf->rcx = f.rcx;
    tf->rdx = f.rdx, tf->rsi = f.rsi, tf->rdi = f.rdi, tf->rip = f.rip, tf->rsp = f.rsp;
    tf->rflags = (tf->rflags & ~(FLAGS_USER | 0x400)) | (f.rflags & (FLAGS_USER | 0x400));
    tf->vector = TRAP_INTERRUPT;
    memcpy(current->fpu, f.fpu, sizeof(f.fpu));
    current->fpu->area[26] = current->fpu->area[27] = 0;    /* reserved MXCSR bits would fault */
    current->fpu->area[25] &= 0xff;
    plat_fpu_load(current->fpu);
    current->sig.blocked = f.mask & ALL_SIGNALS & ~UNBLOCKABLE;
    return 0;
}

static int kill_many(int pid, int sig)
{
    if (pid != -1)
        return signal_send_group(pid == 0 ? current->pgid : -pid, sig);
    int rc = -ESRCH;
    list_for (p, &all_procs, struct proc, all)
        if (p->pid > 1 && p != current && p->vm)
            rc = signal_send(p, sig);
    return rc;
}

long sys_kill(int pid, int sig)
{
    if (sig < 0 || sig >= NSIG)
        return -EINVAL;
    if (pid <= 0)
        return kill_many(pid, sig);
    struct proc *p = proc_find(pid);
    return p ? signal_send(p, sig) : -ESRCH;
}

long sys_sigaction(int sig, uptr_t act, uptr_t old)
{
    struct ksigaction a;
    if (sig <= 0 || sig >= NSIG)
        return -EINVAL;
    if (act && copy_from_user(&a, act, sizeof(a)))
        return -EFAULT;
    if (old && copy_to_user(old, &current->sig.action[sig], sizeof(a)))
        return -EFAULT;
    if (!act)
        return 0;
    if (UNBLOCKABLE & SIGBIT(sig))
        return -EINVAL;
    current->sig.action[sig] = a;
    if (ignored(current, sig))
        current->sig.pending &= ~SIGBIT(sig);
    if (current->pid == 1 && a.handler > SIG_IGN) {
        current->sig.pending |= early & SIGBIT(sig);
        early &= ~SIGBIT(sig);
    }
    return 0;
}

long sys_sigprocmask(int how, uptr_t set, uptr_t old)
{
    struct signals *s = &current->sig;
    uint64_t mask, before = s->blocked;
    if (set && copy_from_user(&mask, set, sizeof(mask)))
        return -EFAULT;
    if (set && how != SIG_SETMASK && how != SIG_BLOCK && how != SIG_UNBLOCK)
        return -EINVAL;
    if (old && copy_to_user(old, &before, sizeof(before)))
        return -EFAULT;
    if (!set)
        return 0;
    s->blocked = how == SIG_SETMASK ? mask : how == SIG_BLOCK ? before | mask : before & ~mask;
    s->blocked &= ALL_SIGNALS & ~UNBLOCKABLE;
    return 0;
}

long sys_sigpending(uptr_t set)
{
    uint64_t waiting = current->sig.pending & current->sig.blocked;
    return copy_to_user(set, &waiting, sizeof(waiting));
}

long sys_pause(void)
{
    while (sleep_until(FOREVER, true) == 0)
        ;
    return -EINTR;
}

long sys_sigsuspend(uptr_t mask)
{
    struct signals *s = &current->sig;
    uint64_t m;
    if (copy_from_user(&m, mask, sizeof(m)))
        return -EFAULT;
    s->saved = s->blocked;
    s->blocked = m & ALL_SIGNALS & ~UNBLOCKABLE;
    s->restore_saved = true;
    return sys_pause();
}
