/* SPDX-License-Identifier: MIT */
/* vm.c: areas: which addresses a process may use, and for what. See vm.h for the invariants; pagetable.c and fault.c
 * keep the page tables in step. */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/shared.h"
#include "guest-kernel/kernel/swap.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/vm.h"
#include "guest-kernel/uapi/mman.h"

static struct vm_area *area_of(struct list *l) { return container_of(l, struct vm_area, link); }

struct vm_space *vm_create(void)
{
    struct vm_space *s = kmalloc(sizeof(*s));
    if (!s)
        return 0;
    list_init(&s->areas);
    if (plat_space_create(&s->plat)) {
        kfree(s);
        return 0;
    }
    return s;
}

static void area_free(struct vm_space *s, struct vm_area *a)
{
    list_remove(&a->link);
    s->total -= (a->end - a->start) >> PAGE_SHIFT;
    if (a->inode)
        inode_put(a->inode);
    if (a->file)
        file_put(a->file);
    kfree(a);
}

/* Twice what there is or may come: memory is promised, and given when touched. */
size_t vm_limit(void)
{
    size_t total, free;
    swap_totals(&total, &free);
    return 2 * (pages_end() + total);
}

static void device_unmap(struct vm_space *s, struct vm_area *a, uintptr_t start, uintptr_t end)
{
    if (a->ops && a->ops->unmap)
        a->ops->unmap(s, a, start, end, start == a->start && end == a->end);
    vm_clear(s, start, end);
}

void vm_destroy(struct vm_space *s)
{
    list_for (a, &s->areas, struct vm_area, link)
        if ((a->flags & VM_DEVICE) && a->ops && a->ops->unmap)
            device_unmap(s, a, a->start, a->end);
    plat_space_retire(&s->plat);
    vm_free_tables(s);
    plat_space_destroy(&s->plat);
    list_for (a, &s->areas, struct vm_area, link)
        area_free(s, a);
    kfree(s);
}

struct vm_area *vm_find(struct vm_space *s, uintptr_t va)
{
    list_for (a, &s->areas, struct vm_area, link)
        if (va < a->end)
            return va >= a->start ? a : 0;
    return 0;
}

bool vm_span_used(struct vm_space *s, uintptr_t start, uintptr_t end)
{
    list_for (a, &s->areas, struct vm_area, link)
        if (start < a->end && a->start < end)
            return true;
    return false;
}

/* The highest gap below USER_MMAP_TOP, a guard page free on both sides of stacks being grow_stack's business. */
static uintptr_t find_gap(struct vm_space *s, size_t len)
{
    uintptr_t top = USER_MMAP_TOP;
    for (struct list *at = s->areas.prev; at != &s->areas; at = at->prev) {
        struct vm_area *a = area_of(at);
        if (a->start >= USER_MMAP_TOP)
            continue;
        if (a->end <= top && top - a->end >= len)
            break;
        top = MIN(top, a->start);
    }
    return top >= len + USER_MIN ? top - len : 0;
}

static struct vm_area *area_insert(struct vm_space *s, uintptr_t start, uintptr_t end, unsigned flags)
{
    struct vm_area *a = kmalloc(sizeof(*a));
    if (!a)
        return 0;
    a->start = start;
    a->end = end;
    a->flags = flags;
    a->file_end = ~0ul;
    struct list *at = s->areas.next;
    while (at != &s->areas && area_of(at)->start < start)
        at = at->next;
    list_insert_before(at, &a->link);
    s->total += (end - start) >> PAGE_SHIFT;
    return a;
}

struct vm_area *vm_map(struct vm_space *s, uintptr_t start, size_t len, unsigned flags, bool fixed, int *rc)
{
    *rc = -EINVAL;
    len = ROUND_UP(len, PAGE_SIZE);
    if (len == 0 || len > USER_END || (fixed && (start & (PAGE_SIZE - 1))))
        return 0;
    *rc = -ENOMEM;
    if (!(flags & VM_DEVICE) && s->total + (len >> PAGE_SHIFT) > vm_limit())
        return 0;
    start = ROUND_DOWN(start, PAGE_SIZE);
    bool usable = start >= USER_MIN && start <= USER_END - len;
    if (fixed) {
        *rc = -EINVAL;
        if (!usable || (*rc = vm_unmap(s, start, len)) != 0)
            return 0;
    } else if (!usable || vm_span_used(s, start, start + len)) {
        start = find_gap(s, len);
    }
    *rc = -ENOMEM;
    struct vm_area *a = start ? area_insert(s, start, start + len, flags) : 0;
    *rc = a ? 0 : -ENOMEM;
    return a;
}

/* Makes `at` an area border. */
static int area_split(struct vm_space *s, uintptr_t at)
{
    struct vm_area *a = vm_find(s, at);
    if (!a || a->start == at)
        return 0;
    uintptr_t end = a->end;
    struct vm_area *b = kmalloc(sizeof(*b));
    if (!b)
        return -ENOMEM;
    *b = *a;
    b->start = at;
    b->end = end;
    b->offset += at - a->start;
    b->flags &= ~VM_STACK;                          /* the lower part of a stack is the part that grows */
    a->end = at;
    if (b->inode)
        inode_get(b->inode);
    if (b->file)
        file_get(b->file);
    list_insert_before(a->link.next, &b->link);
    return 0;
}

int vm_unmap(struct vm_space *s, uintptr_t start, size_t len)
{
    len = ROUND_UP(len, PAGE_SIZE);
    if ((start & (PAGE_SIZE - 1)) || len == 0 || start > USER_END || len > USER_END - start)
        return -EINVAL;
    uintptr_t end = start + len;
    if (area_split(s, start) || area_split(s, end))
        return -ENOMEM;
    list_for (a, &s->areas, struct vm_area, link) {
        if (a->start < start || a->end > end)
            continue;
        if (a->flags & VM_DEVICE)
            device_unmap(s, a, a->start, a->end);
        else
            vm_clear(s, a->start, a->end);
        area_free(s, a);
    }
    plat_tlb_flush();
    vm_trim_tables(s, start, end);
    return 0;
}

static bool covered(struct vm_space *s, uintptr_t start, uintptr_t end)
{
    while (start < end) {
        struct vm_area *a = vm_find(s, start);
        if (!a)
            return false;
        start = a->end;
    }
    return true;
}

int vm_protect(struct vm_space *s, uintptr_t start, size_t len, unsigned prot)
{
    len = ROUND_UP(len, PAGE_SIZE);
    if ((start & (PAGE_SIZE - 1)) || start > USER_END || len > USER_END - start || (prot & ~7u))
        return -EINVAL;
    uintptr_t end = start + len;
    list_for (a, &s->areas, struct vm_area, link)
        if (a->start < end && start < a->end && (a->flags & VM_SEALED) && (prot & VM_WRITE))
            return -EACCES;
    if (!covered(s, start, end) || area_split(s, start) || area_split(s, end))
        return -ENOMEM;
    list_for (a, &s->areas, struct vm_area, link) {
        if (a->start < start || a->end > end)
            continue;
        a->flags = (a->flags & ~7u) | prot;
        vm_reprotect(s, a, a->start, a->end);
    }
    plat_tlb_flush();
    return 0;
}

long vm_brk(struct vm_space *s, uintptr_t end)
{
    uintptr_t have = ROUND_UP(s->brk, PAGE_SIZE), want = ROUND_UP(end, PAGE_SIZE);
    if (end < s->brk_start || end >= USER_MMAP_TOP)
        return s->brk;
    if (s->brk_start < USER_STACK_TOP && end > USER_STACK_TOP - USER_STACK_MAX - PAGE_SIZE)
        return s->brk;
    struct vm_area *heap = have > s->brk_start ? vm_find(s, have - 1) : 0;
    if (want > have) {
        size_t pages = (want - have) >> PAGE_SHIFT;
        if (vm_span_used(s, have, want) || s->total + pages > vm_limit())
            return s->brk;
        if (heap && (heap->flags & VM_HEAP)) {
            heap->end = want;
            s->total += pages;
        } else if (!area_insert(s, have, want, VM_READ | VM_WRITE | VM_HEAP)) {
            return s->brk;
        }
    } else if (want < have && vm_unmap(s, want, have - want)) {
        return s->brk;
    }
    s->brk = end;
    return end;
}

/* ---- Fork ---- */

static int area_fork(struct vm_space *parent, struct vm_area *a, struct vm_space *child)
{
    if ((a->flags & VM_DEVICE) && !(a->ops && a->ops->fork))
        return 0;
    struct vm_area *b = area_insert(child, a->start, a->end, a->flags);
    if (!b)
        return -ENOMEM;
    struct list link = b->link;
    *b = *a;
    b->link = link;
    if (b->inode)
        inode_get(b->inode);
    if (b->file)
        file_get(b->file);
    return a->flags & VM_DEVICE ? a->ops->fork(parent, a, child, b) : vm_share(parent, child, a);
}

struct vm_space *vm_fork(struct vm_space *parent)
{
    struct vm_space *child = vm_create();
    int rc = child && !pages_low() ? 0 : -ENOMEM;
    plat_batch_begin();
    list_for (a, &parent->areas, struct vm_area, link)
        if (rc == 0)
            rc = area_fork(parent, a, child);
    plat_batch_end();
    plat_tlb_flush();
    if (rc == 0) {
        child->locked = parent->locked;
        child->brk_start = parent->brk_start;
        child->brk = parent->brk;
        return child;
    }
    if (child)
        vm_destroy(child);
    return 0;
}

/* ---- Calls ---- */

long sys_brk(uptr_t end) { return end ? vm_brk(current->vm, end) : (long)current->vm->brk; }
long sys_munmap(uptr_t addr, size_t len) { return vm_unmap(current->vm, addr, len); }
long sys_mprotect(uptr_t addr, size_t len, int prot) { return vm_protect(current->vm, addr, len, prot); }

/* What a file can be mapped as, or why not. */
static int check_file(const struct file *f, int prot, int flags, long offset)
{
    int mode = f->flags & O_ACCMODE;
    if (offset & (PAGE_SIZE - 1))
        return -EINVAL;
    if (mode == O_WRONLY || ((flags & MAP_SHARED) && (prot & PROT_WRITE) && mode != O_RDWR))
        return -EACCES;
    return 0;
}

static int map_file(struct vm_area *a, struct file *f, long offset)
{
    a->offset = offset;
    if (f->ops->mmap) {
        a->file = f;
        file_get(f);
        return f->ops->mmap(f, a);
    }
    a->inode = f->inode;
    inode_get(a->inode);
    return 0;
}

/* MAP_SHARED without a file: an unnamed one, so that fork's two sides find the same pages. */
static int map_shared_anonymous(struct vm_area *a)
{
    a->inode = shared_memory(a->end - a->start);
    return a->inode ? 0 : -ENOMEM;
}

long sys_mmap(uptr_t addr, size_t len, int prot, int flags, int fd, long offset)
{
    unsigned vmflags = prot & 7;
    struct file *f = flags & MAP_ANONYMOUS ? 0 : fd_file(fd);
    int rc = 0;
    if ((prot & ~7) || !(flags & (MAP_SHARED | MAP_PRIVATE)) || (flags & 3) == 3)
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) {
        if (!f)
            return -EBADF;
        if ((rc = check_file(f, prot, flags, offset)) != 0)
            return rc;
        if (!f->ops->mmap && !(f->inode && S_ISREG(f->inode->mode) && f->inode->ops->page))
            return -ENODEV;
        vmflags |= f->ops->mmap ? VM_DEVICE : 0;
        vmflags |= (flags & MAP_SHARED) && (f->flags & O_ACCMODE) != O_RDWR ? VM_SEALED : 0;
    }
    vmflags |= flags & MAP_SHARED ? VM_SHARED : 0;
    struct vm_area *a = vm_map(current->vm, addr, len, vmflags, flags & MAP_FIXED, &rc);
    if (!a)
        return rc;
    if (f)
        rc = map_file(a, f, offset);
    else if (flags & MAP_SHARED)
        rc = map_shared_anonymous(a);
    if (rc) {
        area_free(current->vm, a);
        return rc;
    }
    return a->start;
}
