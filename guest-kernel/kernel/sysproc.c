/* SPDX-License-Identifier: MIT */
/* sysproc.c: small calls about processes, groups and the machine. */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/system.h"
#include "guest-kernel/uapi/reboot.h"
#include "guest-kernel/uapi/utsname.h"

struct utsname system_name = { "Novice", "novice", "1.0", "", "x86_64" };

long sys_exit(int code) { proc_exit((code & 0xff) << 8); }
long sys_fork(void) { return proc_fork(proc_frame(current)); }
long sys_getpid(void) { return current->pid; }
long sys_getppid(void) { return current->parent->pid; }
long sys_getuid(void) { return 0; }
long sys_nice(int pid, int increment) { return 0; }

long sys_confine(void)
{
    current->confined = true;
    return 0;
}

long sys_sched_yield(void)
{
    sched_yield_now();
    return 0;
}

long sys_set_tls(uptr_t base)
{
    if (base >= USER_END)
        return -EINVAL;
    current->fs_base = base;
    plat_fs_base(base);
    return 0;
}

static struct proc *self_or_child(int pid)
{
    struct proc *p = pid == 0 ? current : proc_find(pid);
    return p && (p == current || p->parent == current) ? p : 0;
}

long sys_setpgid(int pid, int pgid)
{
    struct proc *p = self_or_child(pid);
    if (!p)
        return -ESRCH;
    if (pgid < 0)
        return -EINVAL;
    if (p->sid == p->pid || p->sid != current->sid)
        return -EPERM;
    bool exists = pgid == 0 || pgid == p->pid;
    list_for (q, &all_procs, struct proc, all)
        exists |= q->pgid == pgid && q->sid == p->sid;
    if (!exists)
        return -EPERM;
    p->pgid = pgid ? pgid : p->pid;
    return 0;
}

long sys_getpgid(int pid)
{
    struct proc *p = pid == 0 ? current : proc_find(pid);
    return p ? p->pgid : -ESRCH;
}

long sys_getsid(int pid)
{
    struct proc *p = pid == 0 ? current : proc_find(pid);
    return p ? p->sid : -ESRCH;
}

long sys_setsid(void)
{
    list_for (p, &all_procs, struct proc, all)
        if (p->pgid == current->pid)
            return -EPERM;
    current->sid = current->pgid = current->pid;
    current->tty = 0;
    return current->pid;
}

long sys_uname(uptr_t out) { return copy_to_user(out, &system_name, sizeof(system_name)); }

long sys_sethostname(uptr_t name, size_t len)
{
    char host[_UTSNAME_LENGTH] = "";
    if (len >= sizeof(host))
        return -EINVAL;
    if (copy_from_user(host, name, len))
        return -EFAULT;
    memcpy(system_name.nodename, host, sizeof(host));
    return 0;
}

long sys_sysinfo(uptr_t out)
{
    struct sysinfo s = {
        .uptime_ns = plat_clock_ns(), .idle_ns = idle_ns, .total_pages = pages_total(), .free_pages = pages_free_count(),
        .page_size = PAGE_SIZE, .context_switches = switch_count, .interrupts = interrupt_count,
        .page_faults = fault_count, .system_calls = syscall_count,
    };
    list_for (p, &all_procs, struct proc, all)
        s.processes++;
    return copy_to_user(out, &s, sizeof(s));
}

long sys_reboot(int how, int code)
{
    if (how == REBOOT_RESTART || how == REBOOT_POWEROFF || how == REBOOT_HALT)
        fs_shutdown();
    switch (how) {
    case REBOOT_RESTART:
        plat_reboot();
    case REBOOT_POWEROFF:
        plat_poweroff(code & 0xff);
    case REBOOT_HALT:
        kprintf("novice: halted\n");
        plat_poweroff(0);
    case REBOOT_CRASH:
        panic("asked for by process %s (%d)", current->name, current->pid);
    default:
        return -EINVAL;
    }
}

long sys_syslog(int cmd, uptr_t buf, size_t len)
{
    char chunk[256];
    size_t have = dmesg_size(), skip = have > len ? have - len : 0, done = 0;
    if (cmd == 1)
        return have;
    if (cmd == 2) {
        dmesg_clear();
        return 0;
    }
    if (cmd != 0)
        return -EINVAL;
    while (done < len) {
        long n = dmesg_read(skip + done, chunk, MIN(sizeof(chunk), len - done));
        if (n == 0)
            break;
        if (copy_to_user(buf + done, chunk, n))
            return -EFAULT;
        done += n;
    }
    return done;
}
