/* SPDX-License-Identifier: MIT */
/* procfs.c: /proc, where the kernel's state reads as files. An inode is made when its name is looked up; a file's text
 * when it is opened. */
#include "guest-kernel/drivers/irq.h"
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/image_loop.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/swap.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/system.h"
#include "guest-kernel/kernel/tty.h"

#define TEXT_SIZE (PAGE_SIZE - 16)

struct text {
    size_t n;
    char   data[TEXT_SIZE];
};

struct entry {
    const char *name;
    void      (*fill)(struct text *t, struct proc *p);
};

static void __printf(2, 3) say(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    t->n += kvsnprintf(t->data + t->n, TEXT_SIZE - t->n, fmt, ap);
    t->n = MIN(t->n, TEXT_SIZE - 1);
    va_end(ap);
}

/* ---- Files of a process ---- */

static char state_letter(const struct proc *p)
{
    return p == current || p->state == PROC_RUNNABLE ? 'R' : p->state == PROC_SLEEPING ? 'S' : p->state == PROC_STOPPED ? 'T' : 'Z';
}

static const char *state_word(char letter)
{
    return letter == 'R' ? "running" : letter == 'S' ? "sleeping" : letter == 'T' ? "stopped" : "zombie";
}

static void fill_status(struct text *t, struct proc *p)
{
    char s = state_letter(p);
    say(t, "Name:\t%s\nState:\t%c (%s)\nPid:\t%d\nPPid:\t%d\nPGid:\t%d\nSid:\t%d\n", p->name, s, state_word(s), p->pid,
        p->parent ? p->parent->pid : 0, p->pgid, p->sid);
    say(t, "Tty:\t%s\n", !p->tty ? "-" : p->tty == &console_tty ? "console" : tty_name(p->tty));
    say(t, "Size:\t%lu KiB\nRss:\t%lu KiB\nSwap:\t%lu KiB\n", p->vm ? p->vm->total * 4 : 0ul,
        p->vm ? p->vm->resident * 4 : 0ul, p->vm ? p->vm->swapped * 4 : 0ul);
    say(t, "Time:\t%lu ms\n", proc_cpu_ns(p) / NSEC_PER_MS);
    say(t, "SigPnd:\t%lx\nSigBlk:\t%lx\n", p->sig.pending, p->sig.blocked);
}

/* The argument strings, out of the process's own memory, as far as they are there. */
static void fill_cmdline(struct text *t, struct proc *p)
{
    for (uintptr_t va = p->arg_start; p->vm && va < p->arg_end && t->n < TEXT_SIZE - 1;) {
        pte_t *slot = vm_slot(p->vm, va, false);
        struct page *page = slot ? pte_page(*slot) : 0;
        size_t in = va & (PAGE_SIZE - 1), n = MIN(MIN(PAGE_SIZE - in, p->arg_end - va), TEXT_SIZE - 1 - t->n);
        if (!page)
            return;
        memcpy(t->data + t->n, (char *)page_va(page) + in, n);
        t->n += n;
        va += n;
    }
}

static void fill_maps(struct text *t, struct proc *p)
{
    if (!p->vm)
        return;
    list_for (a, &p->vm->areas, struct vm_area, link)
        say(t, "%012lx-%012lx %c%c%c%c %lx %s\n", a->start, a->end, a->flags & VM_READ ? 'r' : '-', a->flags & VM_WRITE ? 'w' : '-',
            a->flags & VM_EXEC ? 'x' : '-', a->flags & VM_SHARED ? 's' : 'p', a->offset,
            a->flags & VM_STACK ? "[stack]" : a->flags & VM_HEAP ? "[heap]" : a->flags & VM_DEVICE ? "[device]" : "");
}

static const struct entry proc_entries[] = { { "status", fill_status }, { "cmdline", fill_cmdline }, { "maps", fill_maps } };

/* ---- Files of the system ---- */

static void fill_meminfo(struct text *t, struct proc *p)
{
    size_t swap, swap_free;
    swap_totals(&swap, &swap_free);
    say(t, "MemTotal: %lu kB\nMemFree: %lu kB\nMemAvailable: %lu kB\nPageSize: %lu\n", pages_total() * 4, pages_free_count() * 4,
        reclaim_available() * 4, PAGE_SIZE);
    struct cache_totals c = cache_totals();
    say(t, "Cached: %lu kB\nDirty: %lu kB\nWriteback: %lu kB\n", c.pages * 4, c.dirty * 4, c.writing * 4);
    say(t, "SwapTotal: %lu kB\nSwapFree: %lu kB\n", swap * 4, swap_free * 4);
}

static void fill_vmstat(struct text *t, struct proc *p)
{
    const struct reclaim_stats *s = &reclaim_stats;
    say(t, "pswpin %lu\npswpout %lu\npgscan %lu\npgsteal %lu\nallocstall %lu\nkswapd_runs %lu\noom_kill %lu\n", s->swap_in, s->swap_out,
        s->scanned, s->freed, s->direct, s->background, s->oom);
}

static void fill_loops(struct text *t, struct proc *p) { t->n += loops_list(t->data + t->n, TEXT_SIZE - t->n); }

static void fill_interrupts(struct text *t, struct proc *p) { t->n = irq_list(t->data, TEXT_SIZE); }

static void fill_swaps(struct text *t, struct proc *p)
{
    say(t, "Filename\tType\tSize\tUsed\n");
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        const struct swap_area *a = &swap_areas[i];
        if (a->used)
            say(t, "%s\t%s\t%lu\t%lu\n", a->path, a->file ? "file" : "partition", (a->slots.count - 1) * 4ul, (a->slots.used - 1) * 4ul);
    }
}

static void fill_uptime(struct text *t, struct proc *p)
{
    uint64_t up = plat_clock_ns() / 10000000, idle = idle_ns / 10000000;
    say(t, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
}

static void fill_stat(struct text *t, struct proc *none)
{
    unsigned processes = 0, running = 0;
    list_for (p, &all_procs, struct proc, all) {
        processes++;
        running += p == current || p->state == PROC_RUNNABLE;
    }
    say(t, "ctxt %lu\nintr %lu\nsyscalls %lu\nfaults %lu\nprocesses %u\nprocs_running %u\nbtime %lu\n", switch_count, interrupt_count,
        syscall_count, fault_count, processes, running, (wall_ns() - plat_clock_ns()) / NSEC_PER_SEC);
}

static void fill_mounts(struct text *t, struct proc *p)
{
    list_for (m, &all_mounts, struct mount, link)
        say(t, "%s %s %s %s 0 0\n", m->source, m->target, m->type->name, m->read_only ? "ro" : "rw");
}

static void fill_version(struct text *t, struct proc *p)
{
    say(t, "%s version %s (%s)\n", system_name.sysname, system_name.release, system_name.version);
}

static void fill_boot_line(struct text *t, struct proc *p) { say(t, "%s\n", cmdline()); }

static const struct entry root_entries[] = {
    { "meminfo", fill_meminfo }, { "uptime", fill_uptime }, { "stat", fill_stat }, { "vmstat", fill_vmstat }, { "swaps", fill_swaps }, { "loops", fill_loops }, { "mounts", fill_mounts },
    { "interrupts", fill_interrupts },
    { "version", fill_version }, { "cmdline", fill_boot_line }, { "self", 0 },
};

/* ---- The tree. An inode number says all: pid * 16 + (0: the directory, n: its n-th file); pid 0 is /proc itself. ---- */

static const struct inode_ops proc_ops;
static const struct file_ops proc_file_ops;

static uint64_t number_of(unsigned pid, unsigned n) { return (pid + 1ul) * 16 + n; }
static unsigned pid_of(uint64_t ino) { return ino / 16 - 1; }

static int make(struct inode *dir, uint32_t mode, uint64_t ino, struct inode **out)
{
    struct inode *i = inode_alloc(dir->mount, mode, &proc_ops);
    if (!i)
        return -ENOMEM;
    i->ino = ino;
    i->parent = S_ISDIR(mode) ? dir->mount->root : i;
    i->nlink = S_ISDIR(mode) ? 2 : 1;
    if (S_ISREG(mode))
        i->fops = &proc_file_ops;
    *out = i;
    return 0;
}

static int proc_lookup(struct inode *dir, const char *name, struct inode **out)
{
    bool root = dir == dir->mount->root;
    unsigned pid = pid_of(dir->ino), count = root ? ARRAY_SIZE(root_entries) : ARRAY_SIZE(proc_entries);
    const struct entry *e = root ? root_entries : proc_entries;
    if (!root && !proc_find(pid))
        return -ENOENT;
    for (unsigned n = 0; n < count; n++)
        if (strcmp(e[n].name, name) == 0)
            return make(dir, e[n].fill ? S_IFREG | 0444 : S_IFLNK | 0777, number_of(root ? 0 : pid, n + 1), out);
    const char *end;
    unsigned long wanted = parse_number(name, &end);
    if (!root || *end || *name < '1' || *name > '9' || wanted > 1000000 || !proc_find(wanted))
        return -ENOENT;
    return make(dir, S_IFDIR | 0555, number_of(wanted, 0), out);
}

/* Cookies: 0 and 1 the dots, then the fixed names, then 100 + pid. */
static int proc_entry(struct inode *dir, uint64_t *cookie, char *name, uint64_t *ino, uint8_t *type)
{
    bool root = dir == dir->mount->root;
    unsigned count = root ? ARRAY_SIZE(root_entries) : ARRAY_SIZE(proc_entries);
    const struct entry *e = root ? root_entries : proc_entries;
    uint64_t at = (*cookie)++;
    if (at < 2) {
        strlcpy(name, at ? ".." : ".", NAME_MAX);
        *ino = at ? dir->parent->ino : dir->ino;
        *type = DT_DIR;
        return 0;
    }
    if (at < count + 2) {
        strlcpy(name, e[at - 2].name, NAME_MAX);
        *ino = number_of(root ? 0 : pid_of(dir->ino), at - 1);
        *type = e[at - 2].fill ? DT_REG : DT_LNK;
        return 0;
    }
    struct proc *next = 0;
    int from = at < 101 ? 1 : (int)(at - 100);
    list_for (p, &all_procs, struct proc, all)
        if (p->pid >= from && (!next || p->pid < next->pid))
            next = p;
    if (!root || !next)
        return -ENOENT;
    ksnprintf(name, NAME_MAX, "%d", next->pid);
    *ino = number_of(next->pid, 0);
    *type = DT_DIR;
    *cookie = 101 + next->pid;
    return 0;
}

static long proc_readlink(struct inode *i, char *buf, size_t n) { return ksnprintf(buf, n, "%d", current->pid); }

static const struct inode_ops proc_ops = { .lookup = proc_lookup, .entry = proc_entry, .readlink = proc_readlink };

static int proc_open(struct file *f)
{
    unsigned pid = pid_of(f->inode->ino), n = f->inode->ino % 16 - 1;
    struct proc *p = pid ? proc_find(pid) : 0;
    if ((f->flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    if (pid && !p)
        return -ENOENT;
    struct text *t = kmalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    (pid ? proc_entries : root_entries)[n].fill(t, p);
    f->private = t;
    return 0;
}

static long proc_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct text *t = f->private;
    if (*pos >= t->n)
        return 0;
    n = MIN(n, t->n - *pos);
    if (copy_to_user(buf, t->data + *pos, n))
        return -EFAULT;
    *pos += n;
    return n;
}

static void proc_close(struct file *f) { kfree(f->private); }

static const struct file_ops proc_file_ops = { .open = proc_open, .read = proc_read, .close = proc_close };

static int procfs_mount(struct mount *m)
{
    m->root = inode_alloc(m, S_IFDIR | 0555, &proc_ops);
    if (!m->root)
        return -ENOMEM;
    m->root->ino = number_of(0, 0);
    m->root->nlink = 2;
    return 0;
}

static struct fs_type proc_type = { .name = "proc", .mount = procfs_mount };

void procfs_boot(void) { fs_register(&proc_type); }
