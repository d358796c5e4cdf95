/* SPDX-License-Identifier: MIT */
/* root.c: which address space a pCPU is in, and what its TLB may still hold of it.            [read 28]
 *
 * CR3 always holds a root of the vCPU that runs, the idle root, or, on a pCPU that idles, a root of the vCPU
 * that ran last (pcpu.lazy): it will often be the next, and then nothing needs to be saved or loaded. A root whose last
 * reference goes must be in no CR3 (XSA-494's class). The lazy vCPU's own references hold while it rests; whoever
 * would change them, run it elsewhere or read its state first has it put down there (root_evict). A root the guest
 * named (guest_root, guest_user_root) and the one that is loaded have two names, for the day when a second
 * way of paging stands beside this one. Each domain's dirty_pcpus tells who may hold translations of its;
 * loading CR3 flushes, as no entry of a guest is global. SPEC 5.2, pitfalls A5, A8.                     */
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/desc.h"
#include "hypervisor/x86/smpcall.h"

#define TLB_EPOCH_LAP (1U << 30)

static void (*save_state)(struct vcpu *v);     /* set once at boot */

void root_set_save_op(void (*fn)(struct vcpu *v))
{
    save_state = fn;
}

/* Loads CR3, which flushes this pCPU of every guest translation. */
static void load(struct pcpu *p, mfn_t root)
{
    uint32_t epoch = tlb_epoch();          /* read before the flush: a stamp made meanwhile must look newer */

    write_cr3(root.raw << PAGE_SHIFT);
    WRITE_ONCE(p->flushed_epoch, epoch);
}

void frame_flush_pcpus(uint64_t mask)
{
    struct pcpu *p = this_pcpu();

    if (mask != 1UL << p->id) {
        smp_flush_tlb(mask);
        return;
    }
    uint32_t epoch = tlb_epoch_advance();
    if (epoch % TLB_EPOCH_LAP == 0)
        smp_flush_tlb(~0UL);               /* nobody may fall behind by half the range of the comparison */
    write_cr3(read_cr3());
    WRITE_ONCE(p->flushed_epoch, epoch);
}

/* This pCPU goes from the domain whose tables it has loaded to d (NULL: none). The mask names it before it can hold an
 * entry of d's, and until it holds none of the other's. */
static void switch_domain(struct pcpu *p, struct domain *d, mfn_t root)
{
    struct domain *was = p->loaded;
    uint64_t me = 1UL << p->id;

    if (d && d != was)
        atomic_or(&d->dirty_pcpus, me);
    if (was && was != d)
        desc_use_own(p);                   /* the window that GDTR names is mapped in was's tables only */
    load(p, root);
    p->loaded = d;
    WRITE_ONCE(p->lazy, NULL);             /* after the load: who finds it gone may free what it held */
    if (was && was != d)
        atomic_and(&was->dirty_pcpus, ~me);
}

void root_load(struct vcpu *v)
{
    mfn_t root = v->in_kernel || !v->guest_user_root.raw ? v->guest_root : v->guest_user_root;

    if (root.raw)
        v->loaded_root = root;
    switch_domain(this_pcpu(), root.raw ? v->domain : NULL, root.raw ? root : idle_root);
}

void root_load_idle(void)
{
    struct pcpu *p = this_pcpu();

    if (p->lazy)
        save_state(p->lazy);
    switch_domain(p, NULL, idle_root);
}

static void put_down(void *arg)
{
    if (this_pcpu()->lazy == arg)
        root_load_idle();
}

void root_evict(struct vcpu *v)
{
    struct pcpu *p = pcpus[READ_ONCE(v->last_pcpu)];

    if (READ_ONCE(p->lazy) == v)
        smp_call(1UL << p->id, put_down, v);
}

int root_set(struct vcpu *v, gfn_t g, bool user)
{
    mfn_t *place = user ? &v->guest_user_root : &v->guest_root, old = *place, m = mfn(0);

    if (mm_finish_deferred(current))
        return -XEN_ERESTART;
    if (g.raw || !user) {
        int rc = frame_get_typed(v->domain, g, FT_L4, &m);
        if (rc)
            return rc;
    }
    *place = m;
    if (v == current && this_pcpu()->loaded)
        root_load(v);
    else
        v->loaded_root = v->in_kernel || !v->guest_user_root.raw ? v->guest_root : v->guest_user_root;
    if (old.raw)
        frame_put_typed_deferred(old);
    return 0;
}

/* On a pCPU that still has arg's tables loaded without running it. */
static void leave(void *arg)
{
    if (this_pcpu()->loaded == arg && current->domain != arg)
        root_load_idle();
}

static int drop_one(mfn_t *root)
{
    int rc = root->raw ? frame_put_typed_preemptible(*root) : 0;

    if (!rc)
        *root = mfn(0);
    return rc;
}

int root_drop(struct vcpu *v)
{
    uint64_t mask = atomic_load(&v->domain->dirty_pcpus);

    root_evict(v);                         /* one without a root is lazy somewhere without a trace in the mask */
    if (mask)
        smp_call(mask, leave, v->domain);
    v->loaded_root = mfn(0);
    if (mm_finish_deferred(v) || drop_one(&v->guest_user_root) || drop_one(&v->guest_root))
        return -XEN_ERESTART;
    return 0;
}
