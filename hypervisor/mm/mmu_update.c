/* SPDX-License-Identifier: MIT */
/* mmu_update.c: a guest changes entries of its page tables.                                   [read 29]
 *
 * mmu_update takes a list of (address of the entry, new value); update_va_mapping names the entry by the
 * virtual address that it maps, which saves the guest a walk. Both are what a PV guest does most, so they
 * take few steps: sixteen requests are copied in one access to the guest's memory; reference and lock of a
 * table are kept while requests go on naming it; and an entry is replaced in pte.h, inline. Nothing is
 * flushed but what the guest asks for, since frame.c flushes where isolation needs it. What is refused is
 * explained in a line on the console, off the path of those who do it right. SPEC 5.5.                   */
#include "hypercall-abi/mm.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/mm_internal.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"

#define CHUNK        16
#define PREEMPT_EACH (4 * CHUNK)
#define NO_TABLE     (~0UL)

/* Requests in a row: whose tables, whose frames, and the table that the last one named, locked. */
struct run {
    struct vcpu   *v;
    struct domain *d, *pg;
    uint64_t       table;      /* NO_TABLE: none is held */
    uint64_t       type;
};

static inline void run_release(struct run *r)
{
    if (r->table != NO_TABLE)
        table_unlock(mfn(r->table));
    r->table = NO_TABLE;
}

static inline void run_take(struct run *r, uint64_t m)
{
    run_release(r);
    r->type = table_lock(r->d, m);
    if (r->type)
        r->table = m;
}

/* The "entry" lies in a page that is no table: then it is a plain word of the guest's, which it may as well write so. */
static int write_plain(struct domain *d, uint64_t ptr, uint64_t val)
{
    mfn_t m;
    int rc = frame_get_typed(d, gfn(ptr >> PAGE_SHIFT), FT_WRITABLE, &m);

    if (rc)
        return rc;
    WRITE_ONCE(table_of(m)[(ptr & (PAGE_SIZE - 1)) / 8], val);
    frame_put_typed(m);
    return 0;
}

static int machphys_update(struct run *r, uint64_t ptr, uint64_t val)
{
    mfn_t m;
    int rc = frame_get(r->pg, gfn(ptr >> PAGE_SHIFT), &m);

    if (rc)
        return rc;
    m2p_set(m, val);
    frame_put(m);
    return 0;
}

static __attribute__((noinline)) int update_rare(struct run *r, uint64_t ptr, uint64_t val)
{
    uint64_t cmd = ptr & 3;
    int rc;

    if (ptr & 4)
        return -XEN_EINVAL;
    if (cmd == MMU_MACHPHYS_UPDATE)
        return machphys_update(r, ptr, val);
    if (r->table == NO_TABLE)
        return write_plain(r->d, ptr, val);
    rc = upper_change(r->d, mfn(r->table), r->type, (ptr & (PAGE_SIZE - 1)) / 8, val, cmd == MMU_PT_UPDATE_PRESERVE_AD);
    return rc;
}

static inline int update_one(struct run *r, uint64_t ptr, uint64_t val)
{
    if ((ptr & 7) == MMU_MACHPHYS_UPDATE || (ptr & 4))
        return update_rare(r, ptr, val);
    if (ptr >> PAGE_SHIFT != r->table) {
        run_take(r, ptr >> PAGE_SHIFT);
        if (__builtin_expect(r->v->deferred_put[0].raw != 0, 0))
            return -XEN_ERESTART;             /* the table before ended with our lock: one thing at a time */
    }
    if (__builtin_expect(r->type != FT_L1, 0))           /* 0: no table is held */
        return update_rare(r, ptr, val);
    return leaf_change(r->d, r->pg, (uint64_t *)((char *)table_of(mfn(r->table)) + (ptr & 0xff8)), val,
                       (ptr & 7) == MMU_PT_UPDATE_PRESERVE_AD);
}

static __attribute__((noinline)) void say_refused(struct run *r, uint64_t i, uint64_t ptr, uint64_t val, int rc)
{
    char why[160] = "frame is not the domain's";

    if ((ptr & 3) == MMU_MACHPHYS_UPDATE || (ptr & 4))
        hv_snprintf(why, sizeof(why), "request 0x%lx is malformed, or its frame is not the domain's (SPEC 5.5)", ptr);
    else if (r->table == NO_TABLE)
        hv_snprintf(why, sizeof(why), "0x%lx lies in no table or page that the domain may change (SPEC 5.5)", ptr);
    else
        pte_explain(why, sizeof(why), r->d, r->pg, r->type, (ptr & (PAGE_SIZE - 1)) / 8, val);
    log_guest(r->v->domain->id, LOG_INFO, "d%u %s: mmu_update[%lu] refused: %s. Returned %s.", r->v->domain->id,
              r->v->domain->name, i, why, mm_error_name(rc));
}

/* Requests [*i, n): stops at the first that fails, with *i naming it. -ERESTART: *i is where to go on. */
static int update_all(struct run *r, gva_t reqs, uint64_t n, uint64_t *i)
{
    struct mmu_update req[CHUNK];
    int rc = 0;

    while (*i < n) {
        uint64_t want = n - *i < CHUNK ? n - *i : CHUNK, k;
        uint64_t missing = copy_from_guest_part(req, gva_index(reqs, *i, sizeof(req[0])), want * sizeof(req[0]));
        uint64_t have = want - (missing + sizeof(req[0]) - 1) / sizeof(req[0]);

        for (k = 0; k < have; k++) {
            rc = update_one(r, req[k].ptr, req[k].val);
            if (__builtin_expect(rc, 0)) {
                if (rc != -XEN_ERESTART)
                    say_refused(r, *i + k, req[k].ptr, req[k].val, rc);
                break;
            }
            if (__builtin_expect(r->v->deferred_put[0].raw != 0, 0)) {
                k++;                          /* done, but what it replaced is still being taken down */
                rc = -XEN_ERESTART;
                break;
            }
            /* An entry of a higher table may have taken one down and validated another, 512 entries each. */
            if (__builtin_expect(r->type != FT_L1, 0) && *i + k + 1 < n && preempt_needed()) {
                k++;
                rc = -XEN_ERESTART;
                break;
            }
        }
        *i += k;
        if (rc || missing)
            return rc ? rc : -XEN_EFAULT;
        if (*i % PREEMPT_EACH == 0 && *i < n && preempt_needed())
            return -XEN_ERESTART;
    }
    return 0;
}

/* The domain word: low half whose frames, high half (minus one) whose tables. */
static int run_domains(struct run *r, uint64_t word)
{
    int rc = 0;

    r->pg = mm_foreign_domain(r->v, (domid_t)word, &rc);
    if (!r->pg)
        return rc;
    if ((uint32_t)word >> 16) {
        r->d = mm_foreign_domain(r->v, (domid_t)(((uint32_t)word >> 16) - 1), &rc);
        if (r->d == &m2p_owner)
            r->d = NULL, rc = -XEN_EPERM;
        if (!r->d)
            mm_foreign_put(r->v, r->pg);
    }
    return r->d ? 0 : rc;
}

static uint64_t done_before(gva_t done, uint64_t count)
{
    uint32_t n = 0;

    if ((count & MM_PREEMPTED) && copy_from_guest(&n, done, sizeof(n)))
        n = 0;
    return n;
}

static void tell_done(gva_t done, uint64_t n)
{
    uint32_t word = (uint32_t)n;

    (void)copy_to_guest(done, &word, sizeof(word));
}

long mm_list_end(struct vcpu *v, unsigned nr, gva_t list, size_t size, uint64_t count, gva_t done, uint64_t domid, uint64_t i, int rc)
{
    uint64_t n = count & ~MM_PREEMPTED;

    if (__builtin_expect(done.raw != 0, 0))
        tell_done(done, i + done_before(done, count));
    if (__builtin_expect(rc == -XEN_ERESTART, 0))
        return hypercall_continue(v, nr, 4, list.raw + i * size, (n - i) | MM_PREEMPTED, done.raw, domid, 0);
    return rc;
}

static __attribute__((noinline)) long update_list(struct vcpu *v, gva_t reqs, uint64_t count, gva_t done, uint64_t domid)
{
    struct run r = { .v = v, .d = v->domain, .pg = v->domain, .table = NO_TABLE };
    uint64_t i = 0, n;
    int rc;

    count = (uint32_t)count;
    n = count & ~MM_PREEMPTED;
    rc = mm_finish_deferred(v);
    if (!rc && domid != DOMID_SELF)
        rc = run_domains(&r, domid);
    if (!rc) {
        rc = update_all(&r, reqs, n, &i);
        run_release(&r);
        if (domid != DOMID_SELF) {
            mm_foreign_put(v, r.pg);
            mm_foreign_put(v, r.d);
        }
    }
    return mm_list_end(v, __HYPERVISOR_mmu_update, reqs, sizeof(struct mmu_update), count, done, domid, i, rc);
}

/* One request for an L1 table of the caller's own, as most are. False: it is another kind, or refused: then nothing has changed, and
 * the general way decides anew. */
static inline bool update_single(struct vcpu *v, gva_t req)
{
    struct domain *d = v->domain;
    struct frame *f;
    uint64_t ptr, val;
    int rc;

    if (copy_from_guest_16(&ptr, &val, req) || (ptr & 5))
        return false;
    f = table_lock_l1(d, ptr);
    if (__builtin_expect(!f, 0))
        return false;
    rc = leaf_change(d, d, phys_to_virt(ptr & ~7UL), val, ptr & 2);
    frame_unlock(f);
    return !rc;
}

long hc_mmu_update(struct vcpu *v, gva_t reqs, uint64_t count, gva_t done, uint64_t domid)
{
    if ((uint32_t)count == 1 && domid == DOMID_SELF && !done.raw && !v->deferred_put[0].raw && update_single(v, reqs))
        return 0;
    return update_list(v, reqs, count, done, domid);
}

/* ---- by virtual address ---------------------------------------------------------------------------- */

static __attribute__((noinline)) void say_va_refused(struct vcpu *v, struct domain *pg, uint64_t va, uint64_t val, bool found, int rc)
{
    char why[160] = "no L1 table maps that address (SPEC 5.5)";

    if (found)
        pte_explain(why, sizeof(why), v->domain, pg, FT_L1, 0, val);
    log_guest(v->domain->id, LOG_INFO, "d%u %s: update_va_mapping of 0x%lx refused: %s. Returned %s.", v->domain->id,
              v->domain->name, va, why, mm_error_name(rc));
}

static inline __attribute__((always_inline)) int change_va(struct vcpu *v, struct domain *pg, uint64_t va, uint64_t val)
{
    struct domain *d = v->domain;
    uint64_t table = 0;
    unsigned index = 0;
    int rc = -XEN_EINVAL;
    bool found = leaf_find(v, va, &table, &index);
    struct frame *f = found ? table_lock_l1(d, table) : NULL;

    if (__builtin_expect(f != NULL, 1)) {
        rc = leaf_change(d, pg, (uint64_t *)phys_to_virt(table) + index, val, false);
        frame_unlock(f);
    }
    if (__builtin_expect(rc, 0))
        say_va_refused(v, pg, va, val, found, rc);
    return rc;
}

int mm_vcpu_mask(struct vcpu *v, gva_t handle, uint64_t *pcpus_out)
{
    struct domain *d = v->domain;
    uint64_t vcpus, mask = 0;

    if (copy_from_guest_8(&vcpus, handle))
        return -XEN_EFAULT;
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        if ((vcpus >> i & 1) && d->vcpu[i])
            mask |= 1UL << READ_ONCE(d->vcpu[i]->last_pcpu);
    *pcpus_out = mask & atomic_load(&d->dirty_pcpus);  /* a vCPU that comes to run elsewhere starts with a flush */
    return 0;
}

/* The flush that the flags ask for; done whether or not the change was. */
static __attribute__((noinline)) int flush_va(struct vcpu *v, uint64_t va, uint64_t flags)
{
    uint64_t whom = flags & ~UVMF_FLUSHTYPE_MASK, mask;
    bool one = (flags & UVMF_FLUSHTYPE_MASK) == UVMF_INVLPG;

    if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_FLUSHTYPE_MASK)
        return 0;                                      /* no such kind: Xen does nothing either */
    if (whom == UVMF_LOCAL) {                          /* all of it: a single page is the caller's */
        write_cr3(read_cr3());
        return 0;
    }
    mask = atomic_load(&v->domain->dirty_pcpus);
    if (whom != UVMF_ALL && mm_vcpu_mask(v, gva(whom), &mask))
        return -XEN_EFAULT;
    if (one)
        smp_invlpg(mask, va);
    else
        smp_flush_tlb(mask);
    return 0;
}

static inline __attribute__((always_inline)) long update_va(struct vcpu *v, struct domain *pg, uint64_t va, uint64_t pte, uint64_t flags)
{
    int rc = change_va(v, pg, va, pte);

    if (flags == (UVMF_INVLPG | UVMF_LOCAL))
        invlpg(va);
    else if ((flags & UVMF_FLUSHTYPE_MASK) && flush_va(v, va, flags))
        rc = -XEN_EFAULT;
    return rc;
}

long hc_update_va_mapping(struct vcpu *v, uint64_t va, uint64_t pte, uint64_t flags)
{
    if (mm_finish_deferred(v))
        return hypercall_continue(v, __HYPERVISOR_update_va_mapping, 3, va, pte, flags, 0, 0);
    return update_va(v, v->domain, va, pte, flags);
}

long hc_update_va_mapping_otherdomain(struct vcpu *v, uint64_t va, uint64_t pte, uint64_t flags, uint64_t domid)
{
    struct domain *pg;
    int rc = 0;

    if (mm_finish_deferred(v))
        return hypercall_continue(v, __HYPERVISOR_update_va_mapping_otherdomain, 4, va, pte, flags, domid, 0);
    pg = mm_foreign_domain(v, (domid_t)domid, &rc);
    if (!pg)
        return rc;
    rc = (int)update_va(v, pg, va, pte, flags);
    mm_foreign_put(v, pg);
    return rc;
}
