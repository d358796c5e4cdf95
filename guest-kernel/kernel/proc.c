/* SPDX-License-Identifier: MIT */
/* proc.c: how processes begin and end.
 *
 * fork copies the caller, sharing memory copy-on-write; exit gives everything back but a record for the parent to read by
 * wait; orphans become init's. A kernel thread is a process that never leaves the kernel.                         */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/tty.h"

#define PID_MAX 30000

struct list all_procs = LIST_INIT(all_procs);
static int last_pid;
static struct proc *init_proc;

struct proc *proc_find(int pid)
{
    list_for (p, &all_procs, struct proc, all)
        if (p->pid == pid)
            return p;
    return 0;
}

/* A number that names neither a process nor a group or session still in use. */
static int new_pid(void)
{
    for (;;) {
        bool used = false;
        last_pid = last_pid >= PID_MAX ? 2 : last_pid + 1;
        list_for (p, &all_procs, struct proc, all)
            used |= p->pid == last_pid || p->pgid == last_pid || p->sid == last_pid;
        if (!used)
            return last_pid;
    }
}

void proc_free(struct proc *p)
{
    list_remove(&p->all);
    list_remove(&p->sibling);
    kfree(p->fpu);
    if (p->kstack)
        pages_free(p->kstack);
    kfree(p);
}

/* Pages side by side may be rare where single ones are not: what reclaim frees joins some. */
static void *stack_alloc(void)
{
    void *stack = pages_alloc_raw(KSTACK_ORDER);
    for (unsigned tries = 0; !stack && tries < 8 && reclaim(128); tries++)
        stack = pages_alloc_raw(KSTACK_ORDER);
    return stack;
}

static struct proc *proc_alloc(const char *name)
{
    void *stack = reclaim_room() ? stack_alloc() : 0;      /* may sleep: before anybody can find the process */
    struct proc *p = stack ? kmalloc(sizeof(*p)) : 0;
    if (!p) {
        if (stack)
            pages_free(stack);
        return 0;
    }
    p->kstack = stack;
    strlcpy(p->name, name, COMM_LEN);
    list_init(&p->run);
    list_init(&p->children);
    list_init(&p->sibling);
    wait_init(&p->child_event);
    timer_init(&p->alarm, alarm_fired);
    timer_init(&p->sleep_timer, sleep_timer_fired);
    p->state = PROC_SLEEPING;
    p->umask = 022;
    p->started = plat_clock_ns();
    p->pid = new_pid();
    list_append(&all_procs, &p->all);
    sched_stack_init(p);
    return p;
}

/* The thread's first switch finds six registers and a return address below where its trap frame will be. */
static void first_stack(struct proc *p, void (*entry)(void))
{
    uint64_t *sp = (uint64_t *)proc_frame(p) - 2;
    *sp = (uintptr_t)entry;
    p->ksp = (uintptr_t)(sp - 6);
}

static void adopt(struct proc *parent, struct proc *p)
{
    p->parent = parent;
    list_remove(&p->sibling);
    list_append(&parent->children, &p->sibling);
}

static void thread_entry(void)
{
    sched_arrived();
    current->start(current->start_arg);
    proc_exit(0);
}

struct proc *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
    struct proc *p = proc_alloc(name);
    if (!p)
        return 0;
    p->start = fn;
    p->start_arg = arg;
    adopt(init_proc ? init_proc : current, p);
    first_stack(p, thread_entry);
    sched_wake(p);
    return p;
}

/* The boot thread becomes a process so that it can be switched from; it ends by exiting. */
void proc_boot(void)
{
    static struct proc boot_proc;
    current = &boot_proc;
    struct proc *p = proc_alloc("boot");
    BUG_ON(!p);
    list_init(&boot_proc.all);
    p->pid = 0;
    last_pid = 1;                                   /* init's, whatever threads are made before it */
    p->state = PROC_RUNNABLE;
    p->parent = p;
    current = p;
}

static void child_entry(void)
{
    sched_arrived();
    plat_user_return(proc_frame(current));
}

static int copy_resources(struct proc *p, const struct proc *from)
{
    p->fpu = kmalloc(sizeof(*p->fpu));
    if (!p->fpu || fd_table_copy(&p->fds, &from->fds))
        return -ENOMEM;
    plat_fpu_save(from->fpu);
    *p->fpu = *from->fpu;
    p->vm = vm_fork(from->vm);
    return p->vm ? 0 : -ENOMEM;
}

int proc_fork(const struct trapframe *tf)
{
    struct proc *p = proc_alloc(current->name);
    if (!p)
        return -ENOMEM;
    if (copy_resources(p, current)) {
        fd_table_close(&p->fds, false);
        proc_free(p);
        return -ENOMEM;
    }
    p->cwd = current->cwd;
    inode_get(p->cwd);
    p->pgid = current->pgid;
    p->sid = current->sid;
    p->tty = current->tty;
    p->umask = current->umask;
    p->fs_base = current->fs_base;
    p->arg_start = current->arg_start;
    p->arg_end = current->arg_end;
    p->sig.blocked = current->sig.blocked;
    memcpy(p->sig.action, current->sig.action, sizeof(p->sig.action));
    struct trapframe *child = proc_frame(p);
    *child = *tf;
    child->rax = 0;
    child->vector = TRAP_INTERRUPT;
    first_stack(p, child_entry);
    adopt(current, p);
    sched_wake(p);
    return p->pid;
}

/* ---- The end ---- */

static void leave_memory(struct proc *p)
{
    struct plat_context c = { &plat_kernel_space, kstack_top(p), 0 };
    struct vm_space *vm = p->vm;
    if (!vm)
        return;
    plat_context_load(&c);
    p->vm = 0;
    vm_destroy(vm);
}

static void leave_session(struct proc *p)
{
    if (p->sid != p->pid || !p->tty)
        return;
    struct tty *t = p->tty;
    list_for (q, &all_procs, struct proc, all)
        if (q->tty == t)
            q->tty = 0;
    if (t->pgrp)
        signal_send_group(t->pgrp, SIGHUP);
    t->session = t->pgrp = 0;
}

static bool parent_cares(const struct proc *p)
{
    return p->parent != p && p->parent->vm && p->parent->sig.action[SIGCHLD].handler != SIG_IGN;
}

static void orphan_children(struct proc *p)
{
    list_for (c, &p->children, struct proc, sibling) {
        adopt(init_proc, c);
        if (c->state == PROC_STOPPED) {
            signal_send(c, SIGHUP);
            signal_send(c, SIGCONT);
        }
        if (c->state == PROC_ZOMBIE && !parent_cares(c)) {
            proc_free(c);
        } else if (c->state == PROC_ZOMBIE) {
            signal_send(init_proc, SIGCHLD);
            wake_all(&init_proc->child_event);
        }
    }
}

static void __attribute__((noreturn)) init_ended(int status)
{
    if (status & 0x7f)
        kprintf("novice: init was ended by signal %d\n", status & 0x7f);
    else if (status)
        kprintf("novice: init ended with code %d\n", status >> 8);
    plat_poweroff(status & 0x7f ? 128 + (status & 0x7f) : status >> 8);
}

void proc_exit(int status)
{
    struct proc *p = current;
    if (p == init_proc)
        init_ended(status);
    timer_cancel(&p->alarm);
    fd_table_close(&p->fds, false);
    if (p->cwd)
        inode_put(p->cwd);
    p->cwd = 0;
    bool was_user = p->vm;
    leave_session(p);
    leave_memory(p);
    orphan_children(p);
    p->exit_status = status;
    p->state = PROC_ZOMBIE;
    kfree(p->fpu);
    p->fpu = 0;
    if (was_user && parent_cares(p)) {
        signal_send(p->parent, SIGCHLD);
        wake_all(&p->parent->child_event);
    } else {
        wake_all(&p->parent->child_event);          /* it may be waiting for the last child to vanish */
        sched_bury(p);
    }
    schedule();
    panic("a dead process ran");
}

/* ---- Waiting ---- */

static bool wanted(const struct proc *c, int pid)
{
    return pid > 0 ? c->pid == pid : pid == -1 ? true : pid == 0 ? c->pgid == current->pgid : c->pgid == -pid;
}

/* What c has to report, 0 if nothing, and *status; a zombie is taken off. */
static int report(struct proc *c, int options, int *status, struct rusage *usage)
{
    if (c->state == PROC_ZOMBIE) {
        int pid = c->pid;
        uint64_t ns = c->cpu_ns + c->child_cpu_ns;
        *status = c->exit_status;
        usage->ru_utime = (struct timeval){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000 };
        current->child_cpu_ns += ns;
        proc_free(c);
        return pid;
    }
    if (c->state == PROC_STOPPED && (options & WUNTRACED) && !c->stop_reported) {
        c->stop_reported = true;
        *status = c->exit_status;
        return c->pid;
    }
    if (c->cont_pending && (options & WCONTINUED)) {
        c->cont_pending = false;
        *status = 0xffff;
        return c->pid;
    }
    return 0;
}

static int wait_once(int pid, int options, int *status, struct rusage *usage)
{
    int rc = -ECHILD;
    list_for (c, &current->children, struct proc, sibling) {
        if (!c->vm && c->state != PROC_ZOMBIE)      /* a kernel thread */
            continue;
        if (!wanted(c, pid))
            continue;
        int got = report(c, options, status, usage);
        if (got)
            return got;
        rc = 0;
    }
    return rc;
}

long sys_wait4(int pid, uptr_t status_out, int options, uptr_t usage_out)
{
    struct rusage usage = { 0 };
    int status = 0, rc;
    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED))
        return -EINVAL;
    while ((rc = wait_once(pid, options, &status, &usage)) == 0) {
        if (options & WNOHANG)
            return 0;
        if (sleep_on(&current->child_event, FOREVER, true))
            return -EINTR;
    }
    if (rc > 0 && status_out && copy_to_user(status_out, &status, sizeof(status)))
        return -EFAULT;
    if (rc > 0 && usage_out && copy_to_user(usage_out, &usage, sizeof(usage)))
        return -EFAULT;
    return rc;
}

/* ---- Init ---- */

static const char *const init_paths[] = { "/init", "/sbin/init", "/bin/init", "/bin/sh" };

static bool try_exec(const char *path, const struct exec_args *env)
{
    size_t n = strlen(path) + 1;
    struct exec_args args = { kmalloc(n + env->size), n + env->size, n + env->size, 1, env->envc };
    struct inode *i;
    if (!args.text)
        return false;
    memcpy(args.text, path, n);
    memcpy(args.text + n, env->text, env->size);
    if (path_lookup(path, WALK_FOLLOW, &i) != 0)
        return false;
    inode_put(i);
    int rc = exec_load(path, &args, proc_frame(current));
    kfree(args.text);
    if (rc)
        kprintf("novice: %s cannot be run: error %d\n", path, -rc);
    return rc == 0;
}

static void init_main(void *env)
{
    struct file *f;
    char path[128];
    struct proc *p = current;
    p->fpu = kmalloc(sizeof(*p->fpu));
    p->pgid = p->sid = p->pid;
    path_lookup("/", 0, &p->cwd);
    if (file_open("/dev/console", O_RDWR, 0, &f) == 0) {
        file_get(f);
        file_get(f);
        for (int i = 0; i < 3; i++)
            fd_install(f, i, false);
    }
    if (cmdline_value("init", path, sizeof(path))) {
        if (try_exec(path, env))
            plat_user_return(proc_frame(p));
        kprintf("novice: init=%s of the command line is not to be had; trying the usual ones\n", path);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(init_paths); i++)
        if (try_exec(init_paths[i], env))
            plat_user_return(proc_frame(p));
    panic("no init in the initrd; say init=/path on the command line, or pack an initrd that has /init");
}

void init_start(struct exec_args *env)
{
    init_proc = kthread_create("init", init_main, env);
    BUG_ON(!init_proc);
    init_proc->pid = 1;
    list_remove(&init_proc->sibling);               /* nobody's child: its own parent */
    init_proc->parent = init_proc;
}
