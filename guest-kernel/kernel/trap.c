/* SPDX-License-Identifier: MIT */
/* trap.c: why the kernel was entered, and what remains to be done before it is left.
 *
 * The platform builds a struct trapframe and calls trap(). A system call goes to syscall.c, a page fault to vm.c, an
 * interrupt back to the platform. What a user program did wrong ends as a signal to it; what the kernel did wrong
 * ends in a panic, unless it was usercopy.S following a user's bad pointer.                                    */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/usercopy.h"

uint64_t syscall_count, fault_count, interrupt_count;

static const char *const exception_name[] = {
    "divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode", "no FPU", "double fault", "",
    "invalid TSS", "segment not present", "stack fault", "general protection", "page fault", "", "x87 error",
    "alignment check", "machine check", "SIMD error",
};

static const uint8_t exception_signal[] = {
    SIGFPE, SIGTRAP, 0, SIGTRAP, SIGSEGV, SIGSEGV, SIGILL, SIGFPE, 0, SIGSEGV,
    SIGSEGV, SIGBUS, SIGBUS, SIGSEGV, SIGSEGV, SIGSEGV, SIGFPE, SIGBUS, 0, SIGFPE,
};

static void print_frame(const struct trapframe *tf, uintptr_t address)
{
    kprintf("  rip %p rsp %p rflags %lx cs %lx address %lx\n", (void *)tf->rip, (void *)tf->rsp, tf->rflags, tf->cs, address);
    kprintf("  rax %p rbx %p rcx %p rdx %p\n", (void *)tf->rax, (void *)tf->rbx, (void *)tf->rcx, (void *)tf->rdx);
    kprintf("  rsi %p rdi %p rbp %p r8  %p\n", (void *)tf->rsi, (void *)tf->rdi, (void *)tf->rbp, (void *)tf->r8);
}

static void kernel_fault(struct trapframe *tf, uintptr_t address)
{
    const char *name = tf->vector < ARRAY_SIZE(exception_name) ? exception_name[tf->vector] : "";
    kprintf("novice: %s (vector %lu, error %lx) in the kernel, process %s (%d)\n", name, tf->vector, tf->error,
            current ? current->name : "none", current ? current->pid : -1);
    print_frame(tf, address);
    if (tf->rsp >= DIRECT_BASE)
        for (unsigned i = 0; i < 16 && (tf->rsp + 8 * i) % PAGE_SIZE != 0; i++)
            kprintf("  stack +%x: %p\n", 8 * i, (void *)((uint64_t *)tf->rsp)[i]);
    panic("the kernel cannot go on");
}

static bool in_user_copy(uintptr_t rip)
{
    return rip >= (uintptr_t)user_copy && rip < (uintptr_t)user_copy_fault;
}

static void page_fault(struct trapframe *tf)
{
    uintptr_t va = plat_fault_address();
    bool user = frame_from_user(tf);
    fault_count++;
    plat_user_close();                              /* resolving it may sleep; the way back restores a copy's right */
    if (!user && (!in_user_copy(tf->rip) || !current->vm || va >= USER_END))
        kernel_fault(tf, va);
    int rc = va < USER_END && current->vm ? vm_fault(current->vm, va, (unsigned)tf->error) : -SIGSEGV;
    if (rc == 0)
        return;
    if (rc == -SIGKILL)
        current->killed = true;
    if (!user)
        tf->rip = (uintptr_t)user_copy_fault;
    else if (rc != -SIGKILL)
        signal_fault(-rc, va);
}

static void exception(struct trapframe *tf)
{
    uint64_t v = tf->vector;
    int sig = v < ARRAY_SIZE(exception_signal) ? exception_signal[v] : 0;
    if (v == 2) {
        kprintf("novice: an NMI, for nobody\n");
        return;
    }
    if (!frame_from_user(tf) || !sig)
        kernel_fault(tf, 0);
    signal_fault(sig, tf->rip);
}

/* The way out to user mode: until nothing is left to do. */
static void way_out(struct trapframe *tf)
{
    for (;;) {
        if (need_resched)
            schedule();
        if (current->killed)
            proc_exit(SIGKILL);
        if (!signal_waiting(current) && !current->sig.restore_saved && !signal_call_interrupted(tf))
            break;
        signal_deliver(tf);
    }
}

void trap(struct trapframe *tf)
{
    switch (tf->vector) {
    case TRAP_SYSCALL:
        syscall(tf);
        break;
    case TRAP_INTERRUPT:
        interrupt_count++;
        plat_interrupt(tf);
        break;
    case 14:
        page_fault(tf);
        break;
    default:
        exception(tf);
    }
    if (frame_from_user(tf))
        way_out(tf);
}
