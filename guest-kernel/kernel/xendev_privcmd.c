/* SPDX-License-Identifier: MIT */
/* xendev_privcmd.c: /dev/xen/privcmd, by which programs make hypercalls and map other domains' memory.
 *
 * Numbers, structures and meaning are those of Linux's device of that name. A hypercall is made as it stands: the
 * program's addresses in it are good because its memory is mapped while the kernel runs for it, and whether it may do what
 * it asks is the hypervisor's to say. So the device exists in every domain. Its results are handed back untranslated.
 *
 * To map foreign frames a program maps the device, which makes an area without pages, and then names domain and frames.
 * The entries carry PTE_SPECIAL: munmap, exec and exit clear them, which is all that letting go of a foreign frame takes,
 * and fork does not copy the area.                                                                             */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/swap.h"
#include "guest-kernel/kernel/vm.h"
#include "guest-kernel/pv/cpu.h"

#define XEN_IOC(letter, number, type) ((unsigned long)((letter) << 8 | (number)) | (unsigned long)sizeof(type) << 16)
#define ROUND_FRAMES 64

struct privcmd_hypercall { uint64_t op, arg[5]; };
struct privcmd_mmap { int32_t num; domid_t dom; uint64_t entry; };
struct privcmd_mmap_entry { uint64_t va, mfn, npages; };
struct privcmd_mmapbatch { int32_t num; domid_t dom; uint64_t addr, arr; };
struct privcmd_mmapbatch_v2 { uint32_t num; domid_t dom; uint64_t addr, arr, err; };

#define PRIVCMD_HYPERCALL    XEN_IOC('P', 0, struct privcmd_hypercall)
#define PRIVCMD_MMAP         XEN_IOC('P', 1, struct privcmd_mmap)
#define PRIVCMD_MMAPBATCH    XEN_IOC('P', 2, struct privcmd_mmapbatch)
#define PRIVCMD_MMAPBATCH_V2 XEN_IOC('P', 4, struct privcmd_mmapbatch_v2)
#define BATCH_V1_FAILED      0xf0000000ul     /* in the frame's own place: the old interface's error */

static const struct vm_ops privcmd_area;      /* no fault, no fork; vm clears the entries itself */

static long hypercall(uptr_t arg)
{
    struct privcmd_hypercall h;
    if (copy_from_user(&h, arg, sizeof(h)))
        return -EFAULT;
    if (!current->vm->locked) {                     /* the hypervisor finds no page that swap has */
        current->vm->locked = true;
        swap_in_space(current->vm);
    }
    if (h.op >= NR_HYPERCALLS || h.op == __HYPERVISOR_iret)    /* iret's slot is not a function */
        return -XEN_ENOSYS;
    register uint64_t r10 __asm__("r10") = h.arg[3];
    register uint64_t r8 __asm__("r8") = h.arg[4];
    long rc = (long)(hypercall_page + h.op * HYPERCALL_SLOT_BYTES);
    __asm__ volatile("call *%0" : "+a"(rc), "+D"(h.arg[0]), "+S"(h.arg[1]), "+d"(h.arg[2]), "+r"(r10), "+r"(r8)
                     :: "rcx", "r11", "memory");
    pv_vcpu()->evtchn_upcall_mask = 1;              /* sched_op block clears it, and kernel code is never interrupted */
    return rc;
}

/* Are [va, va + n pages) inside one area of ours? */
static struct vm_area *area_of(uintptr_t va, uint64_t n)
{
    struct vm_area *a = va & (PAGE_SIZE - 1) ? 0 : vm_find(current->vm, va);
    return a && a->ops == &privcmd_area && n <= (a->end - va) >> PAGE_SHIFT ? a : 0;
}

/* Maps up to ROUND_FRAMES frames of dom from va on; rc[i] says how each went. One hypercall where all goes well: the
 * hypervisor stops at the first that it refuses, and we go on behind it. */
static int map_round(struct vm_area *a, uintptr_t va, domid_t dom, const uint64_t *frame, unsigned n, int *rc)
{
    struct mmu_update req[ROUND_FRAMES];
    uint64_t flags = PTE_P | PTE_A | PTE_D | PTE_NX | PTE_SPECIAL | (a->flags & VM_WRITE ? PTE_W : 0);
    for (unsigned i = 0; i < n; i++) {
        uint64_t slot = vm_slot_machine_address(current->vm, va + i * PAGE_SIZE);
        if (!slot)
            return -ENOMEM;
        req[i] = (struct mmu_update){ slot, plat_pte_make_frame(frame[i], flags) };
        rc[i] = 0;
    }
    for (unsigned at = 0; at < n; at++) {
        uint32_t done = 0;
        long err = hypercall_mmu_update(gva(&req[at]), n - at, gva(&done), dom);
        if (err == 0)
            break;
        at += MIN(done, n - at - 1);
        rc[at] = err;
    }
    return 0;
}

/* Frame numbers at `arr`, errors to `err` if there is one, else into arr itself. -ENOENT if a frame was not there now. */
static long map_batch(struct privcmd_mmapbatch_v2 *m)
{
    uint64_t frame[ROUND_FRAMES];
    int rc[ROUND_FRAMES];
    bool absent = false;
    struct vm_area *a = area_of(m->addr, m->num);
    if (!a)
        return -EINVAL;
    for (uint32_t at = 0; at < m->num; at += ROUND_FRAMES) {
        unsigned n = MIN(m->num - at, (uint32_t)ROUND_FRAMES);
        if (copy_from_user(frame, m->arr + at * sizeof(frame[0]), n * sizeof(frame[0])))
            return -EFAULT;
        int err = map_round(a, m->addr + at * PAGE_SIZE, m->dom, frame, n, rc);
        if (err)
            return err;
        for (unsigned i = 0; i < n; i++) {
            absent = absent || rc[i] == -ENOENT;
            frame[i] |= rc[i] ? BATCH_V1_FAILED : 0;
        }
        if (m->err ? copy_to_user(m->err + at * sizeof(rc[0]), rc, n * sizeof(rc[0]))
                   : copy_to_user(m->arr + at * sizeof(frame[0]), frame, n * sizeof(frame[0])))
            return -EFAULT;
    }
    return absent ? -ENOENT : 0;
}

static long ioctl_batch_v2(uptr_t arg)
{
    struct privcmd_mmapbatch_v2 m;
    if (copy_from_user(&m, arg, sizeof(m)))
        return -EFAULT;
    return m.err ? map_batch(&m) : -EFAULT;
}

static long ioctl_batch(uptr_t arg)
{
    struct privcmd_mmapbatch m;
    if (copy_from_user(&m, arg, sizeof(m)))
        return -EFAULT;
    struct privcmd_mmapbatch_v2 v2 = { .num = m.num, .dom = m.dom, .addr = m.addr, .arr = m.arr };
    return m.num <= 0 ? -EINVAL : map_batch(&v2);
}

/* Runs of consecutive frames; the first that is refused ends the call. */
static long map_run(const struct privcmd_mmap_entry *e, domid_t dom)
{
    uint64_t frame[ROUND_FRAMES];
    int rc[ROUND_FRAMES];
    struct vm_area *a = area_of(e->va, e->npages);
    if (!a)
        return -EINVAL;
    for (uint64_t at = 0; at < e->npages; at += ROUND_FRAMES) {
        unsigned n = MIN(e->npages - at, (uint64_t)ROUND_FRAMES);
        for (unsigned i = 0; i < n; i++)
            frame[i] = e->mfn + at + i;
        int err = map_round(a, e->va + at * PAGE_SIZE, dom, frame, n, rc);
        for (unsigned i = 0; i < n && err == 0; i++)
            err = rc[i];
        if (err)
            return err;
    }
    return 0;
}

static long ioctl_mmap(uptr_t arg)
{
    struct privcmd_mmap m;
    struct privcmd_mmap_entry e;
    long rc = 0;
    if (copy_from_user(&m, arg, sizeof(m)))
        return -EFAULT;
    for (int32_t i = 0; i < m.num && rc == 0; i++)
        rc = copy_from_user(&e, m.entry + i * sizeof(e), sizeof(e)) ? -EFAULT : map_run(&e, m.dom);
    return rc;
}

static long privcmd_ioctl(struct file *f, unsigned long cmd, uptr_t arg)
{
    switch (cmd) {
    case PRIVCMD_HYPERCALL:    return hypercall(arg);
    case PRIVCMD_MMAP:         return ioctl_mmap(arg);
    case PRIVCMD_MMAPBATCH:    return ioctl_batch(arg);
    case PRIVCMD_MMAPBATCH_V2: return ioctl_batch_v2(arg);
    default:                   return -ENOTTY;
    }
}

static int privcmd_mmap(struct file *f, struct vm_area *a)
{
    if (!(a->flags & VM_SHARED))
        return -EINVAL;
    a->ops = &privcmd_area;
    return 0;
}

void xendev_privcmd_boot(void)
{
    static const struct file_ops ops = { .ioctl = privcmd_ioctl, .mmap = privcmd_mmap, .no_seek = true };
    if (dev_register("xen/privcmd", 0, &ops, 0))
        kprintf("privcmd: no /dev/xen/privcmd\n");
}
