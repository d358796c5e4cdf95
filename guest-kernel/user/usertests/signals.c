/* SPDX-License-Identifier: MIT */
/* signals.c: sending, blocking, catching and returning. */
#include "guest-kernel/user/usertests/usertests.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-kernel/uapi/signal.h"
#include "guest-kernel/uapi/syscall.h"

static volatile int seen[NSIG], order[16], ordered;

static void note(int sig)
{
    if (ordered < 16)
        order[ordered++] = sig;
    seen[sig]++;
}

static void catch(int sig, void (*handler)(int), int flags, sigset_t mask)
{
    struct sigaction act = { .sa_handler = handler, .sa_mask = mask, .sa_flags = flags };

    CHECK(sigaction(sig, &act, NULL) == 0);
}

static void sleeper(void *arg)
{
    (void)arg;
    for (;;)
        pause();
}

static void raise_it(void *arg)
{
    kill(getpid(), (int)(size_t)arg);
    _exit(0);
}

static void signal_defaults(void)
{
    static const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM,
                                  SIGUSR1, SIGUSR2 };
    static const int harmless[] = { SIGCHLD, SIGWINCH, SIGURG, SIGCONT };

    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
        CHECK(dies_of(deadly[i], raise_it, (void *)(size_t)deadly[i]));
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        CHECK(in_child(raise_it, (void *)(size_t)harmless[i]) == 0);
}

static void signal_errors(void)
{
    struct sigaction act = { .sa_handler = note };

    CHECK_ERRNO(kill(getpid(), 32), EINVAL);
    CHECK_ERRNO(kill(getpid(), -1), EINVAL);
    CHECK_ERRNO(kill(99999, SIGTERM), ESRCH);
    CHECK_ERRNO(kill(-99999, SIGTERM), ESRCH);
    CHECK_ERRNO(sigaction(SIGKILL, &act, NULL), EINVAL);
    CHECK_ERRNO(sigaction(SIGSTOP, &act, NULL), EINVAL);
    CHECK_ERRNO(sigaction(0, &act, NULL), EINVAL);
    CHECK_ERRNO(sigaction(32, &act, NULL), EINVAL);
    CHECK_ERRNO(sigprocmask(9, &(sigset_t){ 0 }, NULL), EINVAL);
    CHECK(kill(getpid(), 0) == 0);
}

static void signal_handler(void)
{
    struct sigaction old;

    catch(SIGUSR1, note, 0, 0);
    CHECK(raise(SIGUSR1) == 0 && seen[SIGUSR1] == 1);
    CHECK(raise(SIGUSR1) == 0 && seen[SIGUSR1] == 2);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == note);
    CHECK(signal(SIGUSR1, SIG_IGN) == note);
    CHECK(raise(SIGUSR1) == 0 && seen[SIGUSR1] == 2);
}

static void signal_mask(void)
{
    sigset_t set, old, pending;

    catch(SIGUSR1, note, 0, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR1));
    CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0 && seen[SIGUSR1] == 0);
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2));
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    CHECK(seen[SIGUSR1] == 1);           /* two of a kind are one */
    CHECK(sigpending(&pending) == 0 && pending == 0);
}

static void nested(int sig)
{
    note(sig);
    raise(SIGUSR2);                      /* blocked by sa_mask: comes after */
    note(sig);
}

static void signal_mask_in_handler(void)
{
    sigset_t mask = 0;

    sigaddset(&mask, SIGUSR2);
    catch(SIGUSR1, nested, 0, mask);
    catch(SIGUSR2, note, 0, 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(ordered == 3 && order[0] == SIGUSR1 && order[1] == SIGUSR1 && order[2] == SIGUSR2);
}

static int rounds;

static void again(int sig)
{
    note(sig);
    if (--rounds > 0)
        raise(sig);
    note(0);
}

static void signal_nodefer(void)
{
    rounds = 3;
    catch(SIGUSR1, again, SA_NODEFER, 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(ordered == 6 && order[2] == SIGUSR1 && order[3] == 0);       /* three deep */
    ordered = 0;
    rounds = 3;
    catch(SIGUSR1, again, 0, 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(order[0] == SIGUSR1 && order[1] == 0);                       /* one after the other */
}

static void raise_twice(void *arg)
{
    (void)arg;
    catch(SIGUSR1, note, SA_RESETHAND, 0);
    raise(SIGUSR1);
    if (seen[SIGUSR1] == 1)
        raise(SIGUSR1);
}

static void signal_resethand(void)
{
    CHECK(dies_of(SIGUSR1, raise_twice, NULL));
}

static void signal_suspend(void)
{
    sigset_t block = 0, none = 0, now;

    catch(SIGUSR1, note, 0, 0);
    sigaddset(&block, SIGUSR1);
    CHECK(sigprocmask(SIG_SETMASK, &block, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK(seen[SIGUSR1] == 1);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && now == block);
}

static void poke_parent(void *arg)
{
    pause_ms(30);
    kill(getppid(), (int)(size_t)arg);
}

static void signal_pause(void)
{
    catch(SIGUSR1, note, 0, 0);
    pid_t pid = start_child(poke_parent, (void *)SIGUSR1);

    CHECK_ERRNO(pause(), EINTR);
    CHECK(seen[SIGUSR1] == 1 && exits_with(0, pid));
}

static void just_exit(void *arg)
{
    (void)arg;
}

static void signal_child(void)
{
    int status;

    catch(SIGCHLD, note, 0, 0);
    pid_t pid = start_child(just_exit, NULL);

    for (int i = 0; i < 100 && !seen[SIGCHLD]; i++)
        pause_ms(10);
    CHECK(seen[SIGCHLD] == 1);
    CHECK(waitpid(pid, &status, WNOHANG) == pid && status == 0);
}

static void signal_alarm(void)
{
    struct itimerval fast = { { 0, 20000 }, { 0, 20000 } }, off = { 0 };

    catch(SIGALRM, note, 0, 0);
    CHECK(alarm(100) > 0);               /* the case's own limit was running */
    CHECK(alarm(1) >= 99 && alarm(1) <= 1);
    long start = now_ms();

    CHECK(pause() == -1 && seen[SIGALRM] == 1);
    CHECK(now_ms() - start >= 900);
    CHECK(setitimer(ITIMER_REAL, &fast, NULL) == 0);
    for (int i = 0; i < 500 && seen[SIGALRM] < 6; i++)
        pause_ms(5);
    CHECK(seen[SIGALRM] >= 6);
    CHECK(setitimer(ITIMER_REAL, &off, &fast) == 0 && fast.it_interval.tv_usec > 0);
    int count = seen[SIGALRM];

    pause_ms(100);
    CHECK(seen[SIGALRM] == count);
    alarm(30);
}

static void broken_pipe(void *arg)
{
    int fds[2];

    (void)arg;
    CHECK(pipe(fds) == 0 && close(fds[0]) == 0);
    (void)!write(fds[1], "x", 1);
}

static void signal_pipe(void)
{
    int fds[2];

    CHECK(dies_of(SIGPIPE, broken_pipe, NULL));
    signal(SIGPIPE, SIG_IGN);
    CHECK(pipe(fds) == 0 && close(fds[0]) == 0);
    CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
}

static void count_up(void *arg)
{
    for (;;)
        (*(volatile long *)arg)++;
}

static void signal_stop(void)
{
    int status;
    pid_t pid = start_child(sleeper, NULL);

    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK(kill(pid, SIGTERM) == 0);
    pause_ms(30);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);      /* a stopped process dies when it goes on */
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    pid = start_child(count_up, (void *)(size_t)&seen[0]);
    CHECK(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
}

static void blocks_all(void *arg)
{
    sigset_t all;

    (void)arg;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGKILL);
}

static void signal_kill(void)
{
    CHECK(dies_of(SIGKILL, blocks_all, NULL));
}

static void signal_group(void)
{
    pid_t pids[3];
    int fds[2];
    char c;

    CHECK(pipe(fds) == 0);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            setpgid(0, i ? pids[0] : 0);
            CHECK(write(fds[1], "x", 1) == 1);
            sleeper(NULL);
        }
        CHECK(read(fds[0], &c, 1) == 1);
    }
    CHECK(kill(-pids[0], SIGTERM) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(WTERMSIG(wait_status(pids[i])) == SIGTERM);
}

/* A timer interrupts a loop that keeps values in all kinds of registers; the handler spoils them. */
static void spoiler(int sig)
{
    note(sig);
    __asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm9, %%xmm9; std; cld" ::: "xmm0", "xmm1", "xmm9");
}

static void signal_keeps_registers(void)
{
    struct itimerval fast = { { 0, 3000 }, { 0, 3000 } }, off = { 0 };
    long bad = 0;

    catch(SIGALRM, spoiler, 0, 0);
    CHECK(setitimer(ITIMER_REAL, &fast, NULL) == 0);
    for (int turn = 0; turn < 3000 && seen[SIGALRM] < 20; turn++) {
        __asm__ volatile("mov $0x1234567, %%rbx; mov %%rbx, %%r8; mov %%rbx, %%r11; mov %%rbx, %%rcx; movq %%rbx, %%xmm1; movq %%rbx, %%xmm9;"
                         "mov $20000, %%rax; 1: dec %%rax; jnz 1b;"
                         "xor %%rbx, %%r8; add %%r8, %0; xor %%rbx, %%r11; add %%r11, %0; xor %%rbx, %%rcx; add %%rcx, %0;"
                         "movq %%xmm1, %%rax; xor %%rbx, %%rax; add %%rax, %0; movq %%xmm9, %%rax; xor %%rbx, %%rax; add %%rax, %0"
                         : "+r"(bad) : : "rax", "rbx", "rcx", "r8", "r11", "xmm1", "xmm9", "cc");
    }
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    CHECK(seen[SIGALRM] >= 5 && bad == 0);
    alarm(30);
}

static jmp_buf escape;

static void jump_out(int sig)
{
    note(sig);
    longjmp(escape, 1);
}

static void signal_longjmp(void)
{
    volatile int tries = 0, *volatile nowhere = NULL;
    sigset_t none = 0;

    catch(SIGSEGV, jump_out, SA_NODEFER, 0);
    setjmp(escape);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (tries++ < 5)
        *nowhere = 1;
    CHECK(seen[SIGSEGV] == 5);
}

static char *protected_page;

static void repair(int sig)
{
    note(sig);
    mprotect(protected_page, 4096, PROT_READ | PROT_WRITE);
}

static void signal_repairs_fault(void)
{
    protected_page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(protected_page != MAP_FAILED);
    catch(SIGSEGV, repair, 0, 0);
    protected_page[100] = 'r';           /* faults, is repaired, is done again */
    CHECK(protected_page[100] == 'r' && seen[SIGSEGV] == 1);
}

static void signal_interrupts_read(void)
{
    int fds[2];
    char c;

    CHECK(pipe(fds) == 0);
    catch(SIGUSR1, note, 0, 0);
    pid_t pid = start_child(poke_parent, (void *)SIGUSR1);

    CHECK_ERRNO(read(fds[0], &c, 1), EINTR);
    CHECK(exits_with(0, pid));
    catch(SIGUSR1, note, SA_RESTART, 0);
    pid = fork();
    if (pid == 0) {
        poke_parent((void *)SIGUSR1);
        pause_ms(50);
        _exit(write(fds[1], "y", 1) == 1 ? 0 : 1);
    }
    CHECK(read(fds[0], &c, 1) == 1 && c == 'y' && seen[SIGUSR1] == 2);
    CHECK(exits_with(0, pid));
}

/* ---- sigreturn with a forged frame ---- */

static void forge(void *arg)
{
    static struct sigframe frame __attribute__((aligned(16)));
    long how = (long)arg;

    frame = (struct sigframe){ .magic = SIGFRAME_MAGIC, .rip = (uint64_t)(size_t)exit, .rsp = (uint64_t)(size_t)&frame, .rflags = 0x202, .rdi = 3 };
    switch (how) {
    case 0: frame.magic = 0; break;
    case 1: frame.rip = 0xffff800000001000; break;
    case 2: frame.rip = 0x8000000000000000; break;
    case 3: frame.rsp = 0xffffffff80000000; frame.rip = 0x10; break;
    case 4: frame.rflags = ~0ul; break;              /* IOPL, NT, VM, TF: cleared, or killed by them */
    case 5: memset(frame.fpu, 0xff, sizeof(frame.fpu)); break;
    }
    if (how == 6)
        __asm__ volatile("mov $0xffffffff80000000, %%rsp; mov %0, %%eax; syscall" : : "i"(SYS_sigreturn));
    if (how == 7)
        __asm__ volatile("mov $0x7ffffffffff0, %%rsp; mov %0, %%eax; syscall" : : "i"(SYS_sigreturn));
    __asm__ volatile("mov %0, %%rsp; mov %1, %%eax; syscall; ud2" : : "r"(&frame), "i"(SYS_sigreturn));
}

static void signal_forged_return(void)
{
    for (long how = 0; how < 8; how++) {
        int status = in_child(forge, (void *)how);

        CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 3);
        if (how < 4 || how > 5)
            CHECK(WIFSIGNALED(status));
    }
}

static void bad_stack(void *arg)
{
    catch(SIGUSR1, note, 0, 0);
    __asm__ volatile("mov %%rdx, %%rsp; syscall; ud2" : : "d"(arg), "a"((long)SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR1));
}

static void signal_without_stack(void)
{
    CHECK(dies_of(SIGSEGV, bad_stack, (void *)0x10));
    CHECK(dies_of(SIGSEGV, bad_stack, (void *)0xffff800000002000));
    CHECK(dies_of(SIGSEGV, bad_stack, (void *)0x8000000000000000));
}

const struct test signal_tests[] = {
    { "signal_defaults", signal_defaults }, { "signal_errors", signal_errors }, { "signal_handler", signal_handler },
    { "signal_mask", signal_mask }, { "signal_mask_in_handler", signal_mask_in_handler }, { "signal_nodefer", signal_nodefer },
    { "signal_resethand", signal_resethand }, { "signal_suspend", signal_suspend }, { "signal_pause", signal_pause },
    { "signal_child", signal_child }, { "signal_alarm", signal_alarm }, { "signal_pipe", signal_pipe },
    { "signal_stop", signal_stop }, { "signal_kill", signal_kill }, { "signal_group", signal_group },
    { "signal_keeps_registers", signal_keeps_registers }, { "signal_longjmp", signal_longjmp },
    { "signal_repairs_fault", signal_repairs_fault }, { "signal_interrupts_read", signal_interrupts_read },
    { "signal_forged_return", signal_forged_return }, { "signal_without_stack", signal_without_stack }, { 0 },
};
