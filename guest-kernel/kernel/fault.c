/* SPDX-License-Identifier: MIT */
/* fault.c: memory when it is first touched.
 *
 * An area is a promise; a page fault keeps it. Anonymous pages come zeroed, file pages are the file's own, shared
 * read-only until a private writer gets a copy. A page with one user left is simply made writable (P2).         */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/swap.h"
#include "guest-kernel/kernel/vm.h"

#define AGAIN     1                    /* nothing was done yet: let the instruction fault once more */
#define LINGER_NS (2 * NSEC_PER_SEC)

struct fault {
    struct vm_space *s;
    struct vm_area  *a;
    uintptr_t        va;                            /* of the page */
    bool             write;
    pte_t           *slot;
    pte_t            seen;                          /* what stood there: getting a page may sleep, and things change */
};

/* A quarter of a small machine's memory, so that a runaway recursion ends before all memory does. */
static uintptr_t stack_limit(void)
{
    return USER_STACK_TOP - MIN(USER_STACK_MAX, MAX(pages_total() / 4, 64ul) << PAGE_SHIFT);
}

/* The stack grows to what was touched, if it is within its limit and a page at least stays free below it. */
static struct vm_area *grow_stack(struct vm_space *s, uintptr_t va)
{
    struct list *at = s->areas.next;
    while (at != &s->areas && container_of(at, struct vm_area, link)->end <= va)
        at = at->next;
    if (at == &s->areas)
        return 0;
    struct vm_area *a = container_of(at, struct vm_area, link);
    if (!(a->flags & VM_STACK) || va < stack_limit())
        return 0;
    uintptr_t floor = at->prev == &s->areas ? 0 : container_of(at->prev, struct vm_area, link)->end;
    if (va < floor + PAGE_SIZE)
        return 0;
    s->total += (a->start - va) >> PAGE_SHIFT;
    a->start = va;
    return a;
}

static size_t has_memory(const struct proc *p) { return p->vm->resident + p->vm->swapped; }

static bool about_equal(size_t a, size_t b) { return MAX(a, b) - MIN(a, b) <= MAX(a, b) / 8; }

/* The larger of two, or, where they are about equal, the younger: a child that shares all with its parent goes before it. */
static bool rather(const struct proc *p, const struct proc *than)
{
    size_t a = has_memory(p), b = has_memory(than);
    return about_equal(a, b) ? p->started >= than->started : a > b;
}

/* One that was chosen and does not come to its end may wait for a lock that the asking one holds: another has to go. */
static bool lingers(const struct proc *p) { return p->killed && p->doomed && plat_clock_ns() - p->doomed > LINGER_NS; }

/* Who ends so that the others can go on: the largest, but not init; the one that asks unless another has twice as much, or is
 * about as large and younger: a parent that asks for a page while its child eats up memory is not to blame. */
static struct proc *victim(void)
{
    struct proc *found = 0;
    list_for (p, &all_procs, struct proc, all)
        if (p->vm && p->pid != 1 && !p->vm->locked && !lingers(p) && (!found || rather(p, found)))
            found = p;
    if (!found || current->pid == 1)
        return found;
    size_t theirs = has_memory(found), ours = has_memory(current);
    return theirs > 2 * ours || (about_equal(theirs, ours) && rather(found, current)) ? found : current;
}

/* Nothing could be reclaimed. One process ends, and says so once; who asked waits for its memory, and tries again. */
static int out_of_memory(const struct vm_space *s)
{
    struct proc *v = victim();
    if (!v)
        return -SIGKILL;
    if (!v->doomed)
        v->doomed = plat_clock_ns();
    if (!v->killed) {
        reclaim_stats.oom++;
        kprintf("novice: out of memory: %s (%d) is ended, it had %lu KiB\n", v->name, v->pid, has_memory(v) * 4);
    }
    v->killed = true;
    if (v == current)
        return -SIGKILL;
    if (v->state == PROC_STOPPED || (v->state == PROC_SLEEPING && v->interruptible))
        sched_wake(v);
    sleep_until(plat_clock_ns() + NSEC_PER_MS, false);
    return current->killed ? -SIGKILL : AGAIN;
}

/* Takes over the caller's reference on p, which goes if the entry is not any more what the fault was about. */
static int enter_as(struct fault *f, struct page *p, bool writable, bool dirty)
{
    if (*f->slot != f->seen) {
        page_put(p);
        return AGAIN;
    }
    uint64_t flags = PTE_P | PTE_U | PTE_A;
    if (writable)
        flags |= PTE_W | (dirty ? PTE_D : 0);
    else if (f->a->flags & VM_WRITE)
        flags |= PTE_COW;
    if (!(f->a->flags & VM_EXEC))
        flags |= PTE_NX;
    plat_pte_set(&f->s->plat, f->va, f->slot, plat_pte_make(page_pfn(p), flags));
    return 0;
}

static int enter(struct fault *f, struct page *p, bool writable) { return enter_as(f, p, writable, true); }

/* An anonymous page of the process's own, changed or not. */
static int enter_own(struct fault *f, struct page *p)
{
    p->flags |= PAGE_ANON;
    return enter(f, p, f->a->flags & VM_WRITE);
}

/* A private copy of `from`, on which the caller holds a reference, the last bytes from `used` on zero. */
static int enter_copy(struct fault *f, struct page *from, size_t used)
{
    char *copy = page_alloc_user_raw();
    if (!copy)
        return out_of_memory(f->s);
    memcpy(copy, page_va(from), used);
    memset(copy + used, 0, PAGE_SIZE - used);
    return enter_own(f, page_of(copy));
}

static int fault_anonymous(struct fault *f)
{
    void *page = page_alloc_user();
    int rc = page ? enter_own(f, page_of(page)) : out_of_memory(f->s);
    f->s->resident += rc == 0;
    return rc;
}

static int fault_file(struct fault *f)
{
    struct vm_area *a = f->a;
    bool shared = a->flags & VM_SHARED;
    uint64_t offset = a->offset + (f->va - a->start);
    if (offset >= a->file_end)
        return fault_anonymous(f);
    if (offset >= a->inode->size)
        return -SIGBUS;
    int rc = 0;
    struct page *p = a->inode->ops->page(a->inode, offset >> PAGE_SHIFT, shared && !(a->flags & VM_SEALED), &rc);
    if (rc)
        return rc == -ENOMEM || (rc == -ENOSPC && !a->inode->cache) ? out_of_memory(f->s) : -SIGBUS;
    if (!p)
        return fault_anonymous(f);                  /* a hole */
    size_t used = MIN(a->file_end - offset, PAGE_SIZE);
    if (!shared && (f->write || used < PAGE_SIZE)) {
        rc = enter_copy(f, p, used);
        page_put(p);
        f->s->resident += rc == 0;
        return rc;
    }
    rc = enter(f, p, shared && (a->flags & VM_WRITE));
    f->s->resident += rc == 0;
    return rc;
}

/* Present (or parked), but not as wanted. */
static int fault_present(struct fault *f, pte_t pte)
{
    struct page *p = pte_page(pte);
    if (!p)
        return f->write ? -SIGSEGV : 0;             /* a device's: it gave what it wanted to give */
    bool shared = f->a->flags & VM_SHARED, sole = page_sole(p);
    if (pte & PTE_D)
        p->flags |= PAGE_DIRTY;                     /* the mark may go with the entry */
    if (f->write && sole)
        swap_page_written(p);
    if (!f->write || shared || sole)
        return enter(f, p, (f->a->flags & VM_WRITE) && (shared || sole));
    page_get(p);
    int rc = enter_copy(f, p, PAGE_SIZE);
    page_put(p);
    if (rc == 0)
        page_put(p);                                /* the entry's */
    return rc;
}

/* The page comes back. If others share it, a writer faults once more for his copy. */
static int fault_swapped(struct fault *f, pte_t pte)
{
    struct page *p;
    int rc = swap_in(pte_swap(pte), &p);
    if (rc)
        return rc == -ENOMEM ? out_of_memory(f->s) : rc < 0 ? -SIGBUS : AGAIN;
    bool sole = p->refs == 2 && swap_slot_of(pte_swap(pte))->refs == 2;     /* the cache's and ours; the cache's and this entry's */
    rc = enter_as(f, p, sole && (f->a->flags & VM_WRITE), f->write);
    if (rc)
        return rc;
    f->s->resident++;
    f->s->swapped--;
    swap_put(pte_swap(pte));
    if (f->write && sole)
        swap_page_written(p);
    return 0;
}

static int fault_device(struct fault *f)
{
    const struct vm_ops *ops = f->a->ops;
    int rc = ops && ops->fault ? ops->fault(f->s, f->a, f->va, f->write) : -EFAULT;
    return rc == 0 ? 0 : rc == -ENOMEM ? out_of_memory(f->s) : -SIGBUS;
}

static int resolve(struct fault *f, pte_t pte)
{
    if (pte & (PTE_P | PTE_PARKED))
        return fault_present(f, pte);
    if (pte_swapped(pte))
        return fault_swapped(f, pte);
    if (f->a->flags & VM_DEVICE)
        return fault_device(f);
    return f->a->inode ? fault_file(f) : fault_anonymous(f);
}

int vm_fault(struct vm_space *s, uintptr_t va, unsigned error)
{
    struct fault f = { .s = s, .va = ROUND_DOWN(va, PAGE_SIZE), .write = error & PF_WRITE };
    f.a = vm_find(s, va);
    if (!f.a)
        f.a = grow_stack(s, f.va);
    unsigned need = f.write ? VM_WRITE : error & PF_FETCH ? VM_EXEC : VM_READ | VM_EXEC | VM_WRITE;
    if (!f.a || !(f.a->flags & need))
        return -SIGSEGV;
    f.slot = vm_slot(s, f.va, true);
    if (!f.slot)
        return MIN(out_of_memory(s), 0);
    f.seen = *f.slot;
    int rc = resolve(&f, f.seen);
    return rc == AGAIN ? 0 : rc;
}
